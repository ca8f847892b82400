"""Locust's CSV files, written so that they neither end early nor stop the loop that makes the load."""

import csv
import io
import time
from collections.abc import Callable, Hashable
from typing import Any, TextIO

import gevent
from locust import stats

from . import percentiles

STATS_SECONDS, NAMES_A_SECOND = 5, 10
"""Without a history the statistics are written every so many seconds, less often when there are many names: each costs
60 µs, so that no more than 0.06 % of a core goes there."""


class Writer(stats.StatsCSVFileWriter):
    """A lone surrogate in a name would end all CSV output while the test goes on; and see `percentiles`.

    Locust writes once a second and not again after the last request: its files would lack up to a second of the run.
    Without full history (the collector of our own is at work) nothing here is read live but exceptions: then files are
    written only when something has changed, in one step, and with a pause after each row that was made ready for it.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._is_closed = False
        self._written: dict[TextIO, Hashable] = {}
        for file in (
            self.requests_csv_filehandle,
            self.stats_history_csv_filehandle,
            self.failures_csv_filehandle,
            self.exceptions_csv_filehandle,
        ):
            file.reconfigure(errors="backslashreplace")

    def stats_writer(self) -> None:
        if self.full_history:
            super().stats_writer()
            return
        self._rewrite(self.stats_history_csv_filehandle, self._history_header, None)
        written = 0.0
        while not self._is_closed:
            if time.monotonic() >= written + max(STATS_SECONDS, self._rows() / NAMES_A_SECOND):
                written = time.monotonic()
                self._rewrite(self.requests_csv_filehandle, self.requests_csv, self._requests_state())
                self._rewrite(self.failures_csv_filehandle, self.failures_csv, self._failures_state())
            self._rewrite(self.exceptions_csv_filehandle, self.exceptions_csv, self._exceptions_state())
            gevent.sleep(stats.CSV_STATS_INTERVAL_SEC)

    def close_files(self) -> None:
        self._is_closed = True
        for file, write in (
            (self.requests_csv_filehandle, self.requests_csv),
            (self.failures_csv_filehandle, self.failures_csv),
            (self.exceptions_csv_filehandle, self.exceptions_csv),
        ):
            text = io.StringIO()
            write(csv.writer(text))
            _replace(file, text.getvalue())
        try:
            super().close_files()
        except OSError:
            pass  # a disk that is full

    def _percentile_fields(self, stats_entry: Any, use_current: bool = False) -> list[str] | list[int]:
        if not stats_entry.num_requests:
            return self.percentiles_na
        return percentiles.fields(stats_entry, self.percentiles_to_report, current=use_current)

    def _rewrite(self, file: TextIO, write: Callable[[Any], None], state: Hashable) -> None:
        if file in self._written and self._written[file] == state:
            return
        rows = GentleRows()
        write(rows)
        if not self._is_closed and _replace(file, rows.text.getvalue()):
            self._written[file] = state

    def _history_header(self, writer: Any) -> None:
        writer.writerow(self.stats_history_csv_columns)

    def _rows(self) -> int:
        return len(self.environment.stats.entries) + len(self.environment.stats.errors)

    def _requests_state(self) -> Hashable:
        of = self.environment.stats
        return len(of.entries), of.num_requests, of.num_failures

    def _failures_state(self) -> Hashable:
        of = self.environment.stats
        return len(of.errors), of.num_failures

    def _exceptions_state(self) -> Hashable:
        runner = self.environment.runner
        return tuple(row["count"] for row in runner.exceptions.values()) if runner else ()

    def _exceptions_data_rows(self, csv_writer: Any) -> None:
        """Of what there is now: more may come in a pause."""
        for row in list(self.environment.runner.exceptions.values()) if self.environment.runner else ():
            csv_writer.writerow([row["count"], row["msg"], row["traceback"], ", ".join(row["nodes"])])


class GentleRows:
    """A writer of CSV that lets the others go on after each row."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self._writer = csv.writer(self.text)

    def writerow(self, row: Any) -> None:
        self._writer.writerow(row)
        gevent.sleep(0)


def _replace(file: TextIO, text: str) -> bool:
    """Put another text in a file, in one step; whether the disk took it."""
    try:
        file.seek(0)
        file.write(text)
        file.truncate()
        file.flush()
    except OSError:
        return False
    return True
