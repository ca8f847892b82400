"""PostgreSQL itself refuses ranges and leases that overlap; hosts that were there before stay what they were."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

APART = {
    "pools_idrange": ("id_ranges_apart", ""),
    "pools_idlease": ("id_leases_apart", " WHERE (ended_at IS NULL)"),
}


def add_constraints(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    # Comparing pools and numbers in one index takes this extension, which comes with the server; the owner of a
    # database may create it.
    schema_editor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    for table, (name, where) in APART.items():
        schema_editor.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {name} EXCLUDE USING gist "
            f"(pool_id WITH =, int8range(first, last, '[]') WITH &&){where}"
        )


def drop_constraints(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table, (name, _where) in APART.items():
        schema_editor.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}")


def keep_hosts(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Nobody had to approve a host before; and the machine of the portal needs no approval."""
    apps.get_model("pools", "WorkerHost").objects.update(standing="active")
    apps.get_model("pools", "WorkerPool").objects.filter(name="local").update(takes_new_hosts=True)


class Migration(migrations.Migration):
    dependencies = [("pools", "0003_hosts_and_ids")]
    operations = [
        migrations.RunPython(add_constraints, drop_constraints),
        migrations.RunPython(keep_hosts, migrations.RunPython.noop),
    ]
