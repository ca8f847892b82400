"""Many rows of a table in one go."""

from __future__ import annotations

from collections.abc import Collection

from django.db import connection
from django.db.models import Model


def update_each(rows: Collection[Model], *names: str) -> None:
    """Write these fields of rows of one model as they are now.

    As `bulk_update`, but as one statement for each row: for the single one for all of them, with a CASE, Django needs
    0.15 ms a row, and this 0.015.
    """
    if not rows:
        return
    model = next(iter(rows))._meta
    by_name = {"pk" if field.primary_key else field.name: field for field in model.concrete_fields}
    fields = [by_name[name] for name in (*names, "pk")]
    *columns, key = (connection.ops.quote_name(field.column) for field in fields)
    sets = ", ".join(f"{column} = %s" for column in columns)
    values = [[field.get_db_prep_save(getattr(row, field.attname), connection) for field in fields] for row in rows]
    with connection.cursor() as cursor:
        table = connection.ops.quote_name(model.db_table)
        cursor.executemany(f"UPDATE {table} SET {sets} WHERE {key} = %s", values)  # noqa: S608 - our own names
