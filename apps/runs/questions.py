"""What the addresses of a run's figures ask for. Each raises Invalid with a sentence for its parameter."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Never

from django.utils.translation import gettext as _
from rest_framework.request import Request

from apps.core.errors import Invalid, Missing
from apps.runs import series
from apps.runs.models import Run
from apps.runs.series import Line, Window

MAX_LINES = 100
"""Endpoints in one answer, those that are taken together counted one by one."""
INDEX_DIGITS = 4
"""More than a thousand endpoints are not told apart."""
WORKER_DIGITS = 5
WHOLE_DIGITS = 9
MAX_NAME_CHARS = 100
"""Of a parameter that a client made up."""
TOGETHER = re.compile(r"[+ ]")
"""Between endpoints that are taken together; a `+` in an address arrives as a blank."""
DEFAULT_METRICS = ("rps", "failures_per_s", "p95_ms")


def only(request: Request, *known: str) -> None:
    """Refuse parameters that are not known here: silence would hide a typing error."""
    unknown = sorted(set(request.GET) - set(known))
    if not unknown:
        return
    sentence = _("There is no such parameter here.")
    if known:
        sentence = _("There is no such parameter here; there are: %(all)s.") % {"all": ", ".join(known)}
    names = [name.replace("\0", "?")[:MAX_NAME_CHARS] for name in unknown]
    message = _("“%(name)s”: %(sentence)s") % {"name": names[0], "sentence": sentence}
    raise Invalid(message, code="unknown_parameter", fields={name: [sentence] for name in names})


def lines(request: Request, run: Run) -> list[Line]:
    """`endpoint=null&endpoint=3,4&endpoint=1+4`; all together when there is none."""
    asked = [part for text in request.GET.getlist("endpoint") for part in text.split(",")] or ["null"]
    parts = [TOGETHER.split(text) for text in asked]
    is_known = all(part == ["null"] or all(map(_is_index, part)) for part in parts)
    if not is_known or sum(map(len, parts)) > MAX_LINES:
        _refuse("endpoint", _("“endpoint” must be indexes or null, at most %(limit)d.") % {"limit": MAX_LINES})
    _refuse_strangers({int(text) for part in parts if part != ["null"] for text in part}, run)
    return list(dict.fromkeys(_line(part) for part in parts))


def line(request: Request, run: Run) -> Line:
    """One of them."""
    found = lines(request, run)
    if len(found) > 1:
        _refuse("endpoint", _("“endpoint” must be one here; join indexes with + to take them together."))
    return found[0]


def metrics(request: Request) -> list[str]:
    """`metrics=rps,p95`."""
    text = request.GET.get("metrics", "")
    names = list(dict.fromkeys(name for name in text.split(",") if name)) or list(DEFAULT_METRICS)
    if unknown := [name for name in names if name not in series.metric_names()]:
        values = {"name": unknown[0][:50], "all": ", ".join(series.metric_names())}
        _refuse("metrics", _("“%(name)s” is not a metric; there are: %(all)s.") % values, code="bad_metric")
    return names


def window(request: Request, points: int = series.DEFAULT_POINTS) -> Window:
    """`from=…&to=…`; the run's own ends when left out."""
    first, last = moment(request, "from"), moment(request, "to")
    if first is not None and last is not None and first > last:
        _refuse("to", _("“to” must not be before “from”."))
    return Window(first, last, points)


def worker(request: Request, run: Run) -> int | None:
    """`worker=2`: index of one of the run's; None when left out."""
    index = _worker_index(request)
    if index is not None and not _has_worker(run, index):
        _refuse("worker", _no_worker(index), code="no_worker")
    return index


def worker_with_log(request: Request, run: Run) -> int | None:
    """As `worker`, of one whose log is asked for. Raises Missing for one that the run does not have."""
    index = _worker_index(request)
    if index is not None and not _has_worker(run, index):
        raise Missing(_no_worker(index), fields={"worker": [_no_worker(index)]})
    return index


def whole(request: Request, name: str, *, default: int, most: int) -> int:
    """A whole number from 1 to `most`."""
    text = request.GET.get(name, "") or str(default)
    if not (text.isascii() and text.isdecimal() and len(text) < WHOLE_DIGITS and 1 <= int(text) <= most):
        _refuse(name, _("“%(name)s” must be from 1 to %(limit)d.") % {"name": name, "limit": most})
    return int(text)


def flag(request: Request, name: str) -> bool:
    """`name=1`; 0 when left out."""
    text = request.GET.get(name, "") or "0"
    if text not in {"0", "1"}:
        _refuse(name, _("“%(name)s” must be 0 or 1.") % {"name": name})
    return text == "1"


def moment(request: Request, name: str) -> int | None:
    """A time in epoch seconds; None when left out."""
    text = request.GET.get(name, "")
    if not text:
        return None
    try:
        if text.isascii() and text.isdecimal():
            return int(datetime.fromtimestamp(int(text), UTC).timestamp())
        found = datetime.fromisoformat(text)
        return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, OSError):
        _refuse(name, _("“%(name)s” must be a time such as 2026-01-31T12:00:00Z.") % {"name": name})


def _refuse_strangers(asked: set[int], run: Run) -> None:
    if not asked:
        return
    strangers = sorted(asked - set(run.endpoints.filter(index__in=asked).values_list("index", flat=True)))
    if strangers:
        sentence = _("This run has no endpoint %(index)d; endpoints/ lists those it has.") % {"index": strangers[0]}
        _refuse("endpoint", sentence, code="no_endpoint")


def _worker_index(request: Request) -> int | None:
    text = request.GET.get("worker", "")
    if not text:
        return None
    if not _is_index(text, WORKER_DIGITS):
        _refuse("worker", _("“worker” must be the index of a worker."))
    return int(text)


def _has_worker(run: Run, index: int) -> bool:
    return run.worker_rows.filter(index=index).exists()


def _no_worker(index: int) -> str:
    return _("This run has no worker %(index)d; workers/ lists those it has.") % {"index": index}


def _line(part: list[str]) -> Line:
    if part == ["null"]:
        return None
    indexes = tuple(sorted({int(text) for text in part}))
    return indexes if len(indexes) > 1 else indexes[0]


def _is_index(text: str, digits: int = INDEX_DIGITS) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= digits


def _refuse(name: str, sentence: str, *, code: str | None = None) -> Never:
    raise Invalid(sentence, code=code, fields={name: [sentence]})
