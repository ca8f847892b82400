"""The stand-in that lets Locust's report draw itself without an origin."""

from __future__ import annotations

import io

import pytest

from apps.runs import framed


def served(report: bytes) -> bytes:
    return b"".join(framed.pieces(io.BytesIO(report)))


@pytest.mark.parametrize("head", [b"<head>", b'<HEAD lang="en">', b"<head\n>"])
def test_the_stand_in_comes_before_everything_in_the_head(head: bytes) -> None:
    before, after = b"<!DOCTYPE html><html>" + head, b"<script>localStorage.theme</script></head>"
    assert served(before + after) == before + framed.STAND_IN + after


def test_only_the_first_head_gets_one_and_the_rest_is_streamed_as_it_is() -> None:
    rest = b"<head>" * framed.CHUNK_BYTES
    found = list(framed.pieces(io.BytesIO(b"<head>" + rest)))
    assert b"".join(found) == b"<head>" + framed.STAND_IN + rest
    assert len(found) > 2 and max(map(len, found)) <= framed.CHUNK_BYTES


@pytest.mark.parametrize("report", [b"", b"plain", b"<header>no head</header>", b"x" * framed.HEAD_BYTES + b"<head>"])
def test_what_has_no_head_stays_as_it_is(report: bytes) -> None:
    assert served(report) == report


def test_icons_that_are_not_there_are_not_asked_for() -> None:
    icon = b'<link rel="shortcut icon" href="../../assets/favicon-dark.png" media="(prefers-color-scheme: dark)">'
    assert served(b"<head>" + icon + b"<title>") == b"<head>" + framed.STAND_IN + b"<title>"
