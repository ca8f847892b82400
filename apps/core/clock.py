"""Time as the database sees it: the one clock that all hosts share."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection


def db_now() -> datetime:
    """The database server's time. SQLite has no server: its file and this process share a machine, and so a clock."""
    if connection.vendor == "sqlite":
        return datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
    return now


def utc(moment: datetime | float) -> str:
    """The wire form of a time: UTC, ISO 8601 with `Z`, from a datetime or epoch seconds."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_or_none(moment: datetime | float | None) -> str | None:
    """`utc`, for a time that may not have come yet."""
    return None if moment is None else utc(moment)
