from typing import Any

from django.db import migrations, models


def number(apps: Any, schema_editor: Any) -> None:
    """Give the failures of each run 0, 1, 2 …, the most frequent first."""
    failures = apps.get_model("runs", "Failure").objects
    run, index = None, 0
    for failure in failures.filter(index=None).order_by("run_id", "-occurrences", "id").iterator():
        run, index = failure.run_id, index + 1 if failure.run_id == run else 0
        failures.filter(pk=failure.pk).update(index=index)


class Migration(migrations.Migration):
    dependencies = [("runs", "0002_exact_figures")]

    operations = [
        migrations.RunPython(number, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="failure",
            name="index",
            field=models.PositiveSmallIntegerField(),
        ),
        migrations.AddConstraint(
            model_name="failure",
            constraint=models.UniqueConstraint(fields=("run", "index"), name="failure_index_once_a_run"),
        ),
    ]
