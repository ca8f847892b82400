"""What we change in Locust before it starts. Each change names the trouble it prevents."""

import signal
from collections.abc import Callable
from typing import Any

import gevent
import locust.main
from locust import argument_parser, runners, stats

from . import tally
from .csvfiles import Writer
from .exact import intake
from .exact.errors import OTHER_ERROR, Errors
from .exact.grouping import grouped
from .exact.names import Names
from .exact.values import clean


def apply(*, max_endpoints: int, max_name_chars: int, max_errors: int, other: str, group_ids: bool = False) -> None:
    stats.CSV_STATS_FLUSH_INTERVAL_SEC = 0  # the history file would reach the disk every 5 s only
    # Options come from the portal alone, not from a locust.conf or pyproject.toml that lies about.
    argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    argument_parser.get_parser.__defaults__ = ((),)
    # Without a User class Locust would try to collect the file with pytest, if that happens to be installed.
    locust.main.load_locustfile_pytest = lambda path: {}  # type: ignore[attr-defined]
    _keep_own_sigterm_handler()
    stats.StatsCSVFileWriter = Writer  # type: ignore[misc]
    stats.RequestStats.log_request = tally.log_request  # type: ignore[method-assign,assignment]
    _replace_request_listener(lambda: _names(max_endpoints, max_name_chars, other, group_ids), max_errors, other)
    _limit_names(max_endpoints, max_name_chars, other)
    _limit_errors(max_errors, max_name_chars, other)


def _keep_own_sigterm_handler() -> None:
    """Locust's own handler ends the run without a report, and comes too late for a run with a shape."""
    install: Callable[..., Any] = gevent.signal_handler

    def signal_handler(number: int, handler: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if number == signal.SIGTERM and handler.__module__ == "locust.main":
            return None
        return install(number, handler, *args, **kwargs)

    gevent.signal_handler = signal_handler


def _names(max_endpoints: int, max_name_chars: int, other: str, group_ids: bool) -> Names:
    names = Names(max_endpoints, max_name_chars, other)
    names.group = grouped if group_ids else None
    return names


def _replace_request_listener(names: Callable[[], Names], max_errors: int, other: str) -> None:
    """Nonsense from a script makes Locust's own listener raise when it has counted half of it: see `exact.intake`."""
    create: Callable[..., None] = runners.Runner.__init__

    def init(self: Any, environment: Any) -> None:
        create(self, environment)
        intake.install(environment, names(), Errors(max_errors, other))

    runners.Runner.__init__ = init  # type: ignore[method-assign]


def _limit_names(max_endpoints: int, max_name_chars: int, other: str) -> None:
    """Each name costs Locust 0.3 ms a second, in the loop that makes the load. Known names pay nothing for this."""
    create: Callable[..., Any] = stats.EntriesDict.__missing__

    def missing(entries: Any, key: tuple[object, object]) -> Any:
        name, method = key
        wanted = (clean(name, max_name_chars), clean(method, max_name_chars))
        if wanted not in entries and len(entries) >= max_endpoints:
            wanted = (other, "")
        if wanted in entries:
            return entries[wanted]
        return create(entries, wanted)

    stats.EntriesDict.__missing__ = missing  # type: ignore[method-assign]


def _limit_errors(max_errors: int, max_name_chars: int, other: str) -> None:
    """An id in an error's text makes every error a new one, kept for ever."""

    def log_error(self: Any, method: object, name: object, error: Any) -> None:
        self.total.log_error(error)
        self.entries[(name, method)].log_error(error)
        method, name = clean(method, max_name_chars), clean(name, max_name_chars)
        key = stats.StatsError.create_key(method, name, error)
        if key not in self.errors and len(self.errors) >= max_errors:
            method, name, error = "", other, OTHER_ERROR
            key = stats.StatsError.create_key(method, name, error)
        if key not in self.errors:
            self.errors[key] = stats.StatsError(method, name, error)
        self.errors[key].occurred()

    stats.RequestStats.log_error = log_error  # type: ignore[method-assign]
