"""Locust's CSV files, written so that they neither end early nor stop the loop that makes the load."""

from typing import Any

from locust import stats

from . import percentiles


class Writer(stats.StatsCSVFileWriter):
    """A lone surrogate in a name would end all CSV output while the test goes on; and see `percentiles`.

    Locust writes once a second and not again after the last request: its files would lack up to a second of the run.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for file in (
            self.requests_csv_filehandle,
            self.stats_history_csv_filehandle,
            self.failures_csv_filehandle,
            self.exceptions_csv_filehandle,
        ):
            file.reconfigure(errors="backslashreplace")

    def _percentile_fields(self, stats_entry: Any, use_current: bool = False) -> list[str] | list[int]:
        if not stats_entry.num_requests:
            return self.percentiles_na
        return percentiles.fields(stats_entry, self.percentiles_to_report, current=use_current)

    def close_files(self) -> None:
        for file, writer, write in (
            (self.requests_csv_filehandle, self.requests_csv_writer, self.requests_csv),
            (self.failures_csv_filehandle, self.failures_csv_writer, self.failures_csv),
            (self.exceptions_csv_filehandle, self.exceptions_csv_writer, self.exceptions_csv),
        ):
            file.seek(0)
            write(writer)
            file.truncate()
        super().close_files()
