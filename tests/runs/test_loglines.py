"""Levels and words in Locust's log."""

from __future__ import annotations

from apps.runs.loglines import LEVELS, MAX_FOUND, Wanted, rank_of, search

AT = "[2026-11-21 04:12:52,123] host/"
LOG = f"""\
hello from the script
{AT}INFO/locust.main: Starting
and going on
{AT}WARNING/locust.runners: CPU usage above 90 %
{AT}ERROR/locust.user.task: boom
Traceback (most recent call last):
  File "locustfile.py", line 3
ValueError: Über
{AT}DEBUG/x: small
{AT}INFO/locust.main: done"""


def found(level: str = "", text: str = "", log: str = LOG) -> list[str]:
    return list(search([(1, log)], Wanted(level, text)).lines)


def test_a_line_without_a_head_belongs_to_the_line_before() -> None:
    lines = LOG.split("\n")
    assert found("error") == lines[4:8]
    assert found("warning") == lines[3:8]
    assert found("info") == [*lines[:8], lines[9]]
    assert found("debug") == lines
    assert found("critical") == []


def test_a_traceback_that_nobody_logged_is_an_error() -> None:
    log = f"{AT}INFO/locust.main: fine\nTraceback (most recent call last):\n  x\n{AT}INFO/locust.main: on"
    assert found("error", log=log) == log.split("\n")[1:3]


def test_it_finds_text_whatever_its_case_and_beside_colours() -> None:
    assert found(text="über") == ["ValueError: Über"]
    assert found(text="a b", log="\x1b[31ma\x1b[0m b") == ["\x1b[31ma\x1b[0m b"]
    assert found("error", "DONE") == []
    assert found(text=".*") == []


def test_a_head_is_only_at_the_beginning_and_only_with_a_level() -> None:
    for odd in (f"x {AT}ERROR/a: b", f"{AT}FATAL/a: b", f"[{'9' * 60}] host/ERROR/a: b", "[] host/ERROR/a"):
        assert found("error", log=odd) == [], odd
    assert found("error", log=f"\x1b[31m{AT}ERROR/a: b") != []


def test_what_was_read_is_left_out_of_the_chunk_that_it_is_in() -> None:
    assert list(search([(9, "one\ntwo\nthree")], Wanted(text="t"), after=8).lines) == ["three"]
    assert list(search([(1, "one\ntwo\nthree")], Wanted(text="t")).lines) == ["two", "three"]


def test_chunks_before_say_whose_lines_go_on() -> None:
    chunks = [(2, f"{AT}ERROR/x: boom\n  one"), (3, "  two"), (5, f"  three\n{AT}INFO/x: y")]
    later = search(chunks, Wanted("error"), after=2)
    assert (later.newest, later.matches, list(later.lines)) == (5, 2, ["  two", "  three"])
    assert list(search(chunks, Wanted("error"), after=3).lines) == ["  three"]
    assert search([], Wanted("error"), after=7).newest == 7


def test_it_keeps_the_newest_and_counts_all() -> None:
    many = search([(1, "\n".join(f"line {number}" for number in range(MAX_FOUND + 10)))], Wanted(text="line"))
    assert (many.matches, len(many.lines), many.lines[0]) == (MAX_FOUND + 10, MAX_FOUND, "line 10")


def test_levels_go_up() -> None:
    assert [rank_of(level) for level in LEVELS] == [0, 1, 2, 3, 4]
    assert Wanted().is_all and not Wanted("info").is_all and not Wanted(text="a").is_all
