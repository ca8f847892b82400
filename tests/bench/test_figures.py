"""The pure parts of `make bench`."""

from __future__ import annotations

import csv

import pytest

from bench.figures import Figure, number, of_spread, percentile, table
from bench.freshness import lags
from bench.memory import label
from bench.tailing import tick_bytes
from workers.tail import CsvRows
from workers.ticks import History


@pytest.mark.parametrize(
    ("value", "budget", "bound", "verdict"),
    [(1.0, 1.0, "most", "ok"), (1.1, 1.0, "most", "over"), (0.99, 0.98, "least", "ok"), (0.97, 0.98, "least", "over")],
)
def test_a_figure_knows_its_budget(value: float, budget: float, bound: str, verdict: str) -> None:
    figure = Figure("a", value, budget=budget, bound=bound)  # type: ignore[arg-type]
    assert figure.verdict == verdict
    assert Figure("a", value).verdict == ""


def test_a_spread_shows_the_median_and_how_it_varied() -> None:
    figure = of_spread("start", [3.0, 1.0, 2.0], "s", budget=2.5)
    assert figure.cells == ("start", "2.00 s", "≤ 2.50 s", "ok", "min 1.00 · median 2.00 · max 3.00 · n 3")


def test_a_table_has_lines_of_one_width() -> None:
    lines = table([Figure("short", 1.0), Figure("a longer name", 123.4, "MB", note="why")]).splitlines()
    assert len(lines) == 4
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(
    ("value", "text"), [(0.98765, "0.988"), (12.34, "12.3"), (450.4, "450"), (0.00012, "1.2e-04"), (0.0, "0")]
)
def test_a_number_has_three_figures(value: float, text: str) -> None:
    assert number(value) == text


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.95), percentile(values, 1.0)) == (50.0, 95.0, 100.0)
    assert percentile([7.0], 0.5) == 7.0


def test_a_request_is_fresh_from_its_end_until_it_was_counted_on_the_page() -> None:
    done = [10.0, 10.5, 11.0, 12.0]
    shown = [(10.2, 0), (11.2, 2), (11.3, 2), (12.5, 3)]
    assert lags(done, shown) == pytest.approx([1.2, 0.7, 1.5])
    assert lags(done, []) == []


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["python", "manage.py", "runner", "--pool", "local", "--name", "local"], "runner local"),
        (["python", "-m", "uvicorn", "portal.asgi:application"], "web"),
        (["python", "/somewhere/manage.py", "keeper"], "keeper"),
        (["/lib/redis-server 127.0.0.1:6379"], "redis"),
        (["/bin/other"], "other"),
    ],
)
def test_a_process_is_named_by_its_command(command: list[str], name: str) -> None:
    assert label(command) == name


def test_the_rows_that_are_tailed_have_the_form_of_locust() -> None:
    header = b"Timestamp,User Count,Type,Name,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%,"
    header += b"Total Request Count,Total Failure Count,Total Median Response Time,Total Average Response Time,"
    header += b"Total Min Response Time,Total Max Response Time,Total Average Content Size\r\n"
    rows, history = CsvRows(), History()
    ticks = history.feed(rows.feed(header + tick_bytes(1, 3) + tick_bytes(2, 3)))
    assert [tick.total.requests for tick in ticks] == [30, 30]
    assert history.refused == 0
    assert len(list(csv.reader(tick_bytes(1, 3).decode().splitlines()))) == 4
