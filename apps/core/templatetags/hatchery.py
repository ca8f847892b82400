"""Filters and tags that every template has. Numbers: three significant digits, units always, as in `format.js`."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.core.modules import imports_of

register = template.Library()

NOTHING = "–"
NARROW = "\u202f"
"""The narrow no-break space between a number and its unit."""
SECONDS_FROM_MS = 10_000
"""Times of ten seconds and more are shown in seconds."""


def _number(value: Any) -> float | None:
    """`value` as a finite float, else None: figures come from scripts, so anything may be in them."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


@register.filter
def count(value: Any) -> str:
    """1284551 → `1,284,551`."""
    number = _number(value)
    return NOTHING if number is None else f"{round(number):,}"


@register.filter
def significant(value: Any, digits: int = 3) -> str:
    """1234.5 → `1,230`, 12.345 → `12.3`, 0.01234 → `0.0123`."""
    number = _number(value)
    if number is None:
        return NOTHING
    if number == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(number)))
    text = f"{round(number, places):,.{max(0, places)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _with_unit(value: float | None, unit: str) -> str:
    return NOTHING if value is None else f"{significant(value)}{NARROW}{unit}"


@register.filter
def ms(value: Any) -> str:
    """Milliseconds: `312 ms`, and from ten seconds on `12.3 s`."""
    number = _number(value)
    if number is not None and abs(number) >= SECONDS_FROM_MS:
        return _with_unit(number / 1000, "s")
    return _with_unit(number, "ms")


@register.filter
def rate(value: Any) -> str:
    """Requests a second: `482 req/s`."""
    return _with_unit(_number(value), "req/s")


@register.filter
def percent(value: Any) -> str:
    """A fraction: 0.004 → `0.4 %`."""
    number = _number(value)
    return _with_unit(None if number is None else number * 100, "%")


@register.filter
def failed_percent(totals: Any) -> str:
    """Failures ÷ requests of a run's or an endpoint's totals. Never rounds one failure away, nor one success."""
    figures = totals if isinstance(totals, dict) else {}
    failures, requests = _number(figures.get("failures")), _number(figures.get("requests"))
    if failures is None or not requests:
        return NOTHING
    fraction = failures / requests
    if 0 < fraction < 0.0001:
        return f"< 0.01{NARROW}%"
    if 0.9995 < fraction < 1:
        return f"> 99.9{NARROW}%"
    return percent(fraction)


@register.filter
def filesize(value: Any) -> str:
    """Bytes: `1.23 MB`."""
    number = _number(value)
    units = ["B", "kB", "MB", "GB", "TB"]
    while number is not None and abs(number) >= 1000 and len(units) > 1:
        number, units = number / 1000, units[1:]
    return _with_unit(number, units[0])


@register.filter
def duration(value: Any) -> str:
    """Seconds as people write them: 90 → `1m30s`; parts of a second only below ten."""
    number = _number(value)
    if number is None:
        return NOTHING
    if number < 10 and number != int(number):
        return f"{number:.1f}s"
    minutes, seconds = divmod(round(number), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{seconds}s" if seconds else ""]
    return "".join(parts) or "0s"


@register.filter
def clock(value: Any) -> str:
    """Seconds as a clock: `03:12`, `1:02:03`."""
    number = _number(value)
    if number is None:
        return NOTHING
    minutes, seconds = divmod(max(0, int(number)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


@register.filter
def when(value: Any, style: str = "local") -> str:
    """A moment as `<time>` in UTC; `times.js` rewrites it in the viewer's zone and keeps this text as the tooltip.

    `style`: `local` (a date and time) or `relative` (3 minutes ago).
    """
    if not isinstance(value, datetime):
        return NOTHING
    moment = value.astimezone(UTC)
    mark = SafeString(" data-relative") if style == "relative" else ""
    iso, text = moment.strftime("%Y-%m-%dT%H:%M:%SZ"), moment.strftime("%Y-%m-%d %H:%M:%S UTC")
    return format_html('<time datetime="{}"{}>{}</time>', iso, mark, text)


@register.filter
def actor(label: str) -> str:
    """`user:alice` → `alice`: a stored label without its kind."""
    return label.partition(":")[2] or label


@register.filter
def styled(field: BoundField) -> SafeString:
    """The field's widget with the classes and the aria attributes that belong to it."""
    widget = field.field.widget
    attrs: dict[str, Any] = {"class": f"{widget.attrs.get('class', '')} {_widget_class(widget)}".strip()}
    described = [f"{field.id_for_label}_error"] if field.errors else []
    if field.help_text:
        described.append(f"{field.auto_id}_helptext")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    if field.errors:
        attrs["aria-invalid"] = "true"
        attrs["class"] += " is-invalid"
    return field.as_widget(attrs=attrs)


def _widget_class(widget: Any) -> str:
    match widget:
        case CheckboxInput() | CheckboxSelectMultiple() | RadioSelect():
            return "form-check-input"
        case Select():
            return "form-select"
        case _:
            return "form-control"


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture from `static/img/icons.svg`, in the colour and size of the text; a word always stands beside it."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>', static("img/icons.svg"), name)


@register.simple_tag
def module(name: str) -> SafeString:
    """The module's `<script>`, and a hint for each of its imports, so that a browser asks for all of them together."""
    hints = format_html_join("", '<link rel="modulepreload" href="{}">', ((static(path),) for path in imports_of(name)))
    return format_html('{}<script src="{}" type="module"></script>', hints, static(name))


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: Any) -> str:
    """The present address's query string with `changes`; None or "" takes a parameter out."""
    request: HttpRequest = context["request"]
    kept = {name: value for name, value in request.GET.items() if name not in changes}
    added = {name: value for name, value in changes.items() if value not in (None, "")}
    return "?" + urlencode({**kept, **added})
