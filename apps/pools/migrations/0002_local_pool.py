"""The `local` pool exists from the first start."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from apps.core.ids import uuid7


def make_local(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    pools = apps.get_model("pools", "WorkerPool")
    if not pools.objects.filter(name="local").exists():
        pools.objects.create(id=uuid7(), name="local", description="The machine the portal runs on.", is_default=True)


class Migration(migrations.Migration):
    dependencies = [("pools", "0001_initial")]
    operations = [migrations.RunPython(make_local, migrations.RunPython.noop)]
