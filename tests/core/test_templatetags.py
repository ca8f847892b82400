"""Numbers and times as people read them."""

from __future__ import annotations

import json
import math
import subprocess
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory

from apps.core.templatetags import hatchery

NARROW = "\u202f"
STRANGE: list[Any] = [None, "", "x", math.nan, math.inf, -math.inf, [], {}, "<b>"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234.5, "1,230"),
        (1234567, "1,230,000"),
        (999.6, "1,000"),
        (12.345, "12.3"),
        (12.0, "12"),
        (0.5, "0.5"),
        (0.012345, "0.0123"),
        (-3.14159, "-3.14"),
        ("7", "7"),
    ],
)
def test_it_keeps_three_significant_digits(value: Any, text: str) -> None:
    assert hatchery.significant(value) == text


@pytest.mark.parametrize("value", STRANGE)
@pytest.mark.parametrize(
    "filter_", [hatchery.count, hatchery.significant, hatchery.ms, hatchery.rate, hatchery.percent, hatchery.filesize,
                hatchery.duration, hatchery.clock, hatchery.when]
)  # fmt: skip
def test_it_shows_a_dash_for_what_is_no_number(filter_: Any, value: Any) -> None:
    assert filter_(value) == "–"


def test_it_separates_thousands() -> None:
    assert hatchery.count(1284551) == "1,284,551"


@pytest.mark.parametrize(
    ("value", "text"), [(311.9, "312 ms"), (9999, "10,000 ms"), (10_000, "10 s"), (12_345, "12.3 s")]
)
def test_it_changes_to_seconds_at_ten(value: float, text: str) -> None:
    assert hatchery.ms(value) == text.replace(" ", NARROW)


def test_it_puts_units() -> None:
    assert hatchery.rate(482.1) == f"482{NARROW}req/s"
    assert hatchery.percent(0.004) == f"0.4{NARROW}%"
    assert hatchery.filesize(1_234_567) == f"1.23{NARROW}MB"
    assert hatchery.filesize(10**18) == f"1,000,000{NARROW}TB"


@pytest.mark.parametrize(("value", "text"), [(0, "0s"), (0.5, "0.5s"), (90, "1m30s"), (3600, "1h"), (5400, "1h30m")])
def test_it_writes_durations_as_they_are_typed(value: float, text: str) -> None:
    assert hatchery.duration(value) == text


@pytest.mark.parametrize(("value", "text"), [(0, "00:00"), (192.9, "03:12"), (3723, "1:02:03"), (-5, "00:00")])
def test_it_shows_a_clock(value: float, text: str) -> None:
    assert hatchery.clock(value) == text


def test_it_shows_moments_in_utc() -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert hatchery.when(moment) == '<time datetime="2026-01-02T01:04:05Z">2026-01-02 01:04:05 UTC</time>'
    assert " data-relative>" in hatchery.when(moment.astimezone(UTC), "relative")


@pytest.mark.parametrize(
    ("failures", "requests", "text"),
    [
        (0, 0, "–"),
        (None, None, "–"),
        (0, 8, "0 %"),
        (2, 8, "25 %"),
        (1, 1_000_000, "< 0.01 %"),
        (999_999, 1_000_000, "> 99.9 %"),
        (7, 7, "100 %"),
    ],
)
def test_it_never_rounds_one_failure_or_one_success_away(failures: Any, requests: Any, text: str) -> None:
    totals = {"failures": failures, "requests": requests}
    assert hatchery.failed_percent(totals).replace(NARROW, " ") == text
    assert hatchery.failed_percent(None) == "–"


def test_it_names_an_actor_without_its_kind() -> None:
    assert hatchery.actor("user:alice") == "alice"
    assert hatchery.actor("alice") == "alice"


def test_it_ties_a_field_to_its_error_and_its_hint() -> None:
    class AForm(forms.Form):
        users = forms.IntegerField(help_text="How many.")

    form = AForm({"users": "x"})
    html = hatchery.styled(form["users"])
    assert 'aria-describedby="id_users_error id_users_helptext"' in html
    assert 'aria-invalid="true"' in html
    assert 'value="x"' in html


def test_it_escapes_the_name_of_an_icon() -> None:
    assert "<script>" not in hatchery.icon("<script>")


def test_it_changes_one_parameter_of_the_address() -> None:
    request = RequestFactory().get("/", {"q": "a&b", "page": "2"})
    template = Template("{% autoescape off %}{% query page=3 before=None %}{% endautoescape %}")
    assert template.render(Context({"request": request})) == "?q=a%26b&page=3"


def test_the_browser_formats_alike() -> None:
    """`static/js/format.js` promises the same rules; both are asked the same numbers."""
    numbers = [0, 0.012345, 1, 12.345, 311.9, 1234.4, 9999, 10_000, 12_345, 1_284_551]
    script = (
        "import * as f from './static/js/format.js';"
        f"console.log(JSON.stringify({numbers}.map((n) => [f.count(n), f.significant(n), f.ms(n), f.clock(n)])))"
    )
    try:
        done = subprocess.run(["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("no Node here")
    ours = [[hatchery.count(n), hatchery.significant(n), hatchery.ms(n), hatchery.clock(n)] for n in numbers]

    assert json.loads(done.stdout) == ours
