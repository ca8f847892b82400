from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.diagnosis import check_syntax, diagnose_start, from_traceback

IMPORT_ERROR = """\
[2026-01-01 00:00:00,000] host/INFO/root: hello
Traceback (most recent call last):
  File "/opt/hatchery/workers/child/launch.py", line 58, in <module>
    main()
  File "/opt/venv/lib/python3.11/site-packages/locust/main.py", line 1, in main
    load()
  File "/var/runs/7/script/locustfile.py", line 5, in <module>
    helper()
  File "/var/runs/7/script/locustfile.py", line 3, in helper
    json.loads("{")
  File "/usr/lib/python3.11/json/decoder.py", line 353, in raw_decode
    obj, end = self.scan_once(s, idx)
json.decoder.JSONDecodeError: Expecting property name
"""
SYNTAX_ERROR = """\
Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "/var/runs/7/script/locustfile.py", line 2
    def f(:
          ^
SyntaxError: invalid syntax
"""


def test_an_exception_is_placed_in_the_innermost_line_of_the_locustfile() -> None:
    found = diagnose_start(IMPORT_ERROR, 1, ready=False)
    assert found is not None
    assert (found.code, found.line, found.text) == ("import_error", 3, 'json.loads("{")')
    assert found.message == "json.decoder.JSONDecodeError: Expecting property name"
    assert found.traceback.splitlines()[:2] == [
        "Traceback (most recent call last):",
        '  File "locustfile.py", line 5, in <module>',
    ]
    assert "/var/runs" not in found.traceback and "/usr/lib" not in found.traceback


def test_after_the_import_it_is_an_error_of_the_scripts_init() -> None:
    found = diagnose_start(IMPORT_ERROR, 1, ready=True)
    assert found is not None and found.code == "init_error"


def test_a_syntax_error_is_named_as_such() -> None:
    found = diagnose_start(SYNTAX_ERROR, 1, ready=False)
    assert found is not None
    assert (found.code, found.line, found.text) == ("syntax_error", 2, "def f(:")


@pytest.mark.parametrize(
    ("log", "exit_code", "code"),
    [
        ("x/ERROR/locust.main: No User class found!\n", 1, "no_user_class"),
        ("x/ERROR/locust.main: Unknown User(s): Nobody\n", 1, "unknown_user_class"),
        ("locust: error: unrecognized arguments: --x\n", 2, "bad_option"),
        ("so long\n\n", 3, "script_exited"),
        ("", 0, "script_exited"),
    ],
)
def test_sayings_of_locust_are_known(log: str, exit_code: int, code: str) -> None:
    found = diagnose_start(log, exit_code, ready=False)
    assert found is not None and found.code == code and found.message


def test_a_signal_tells_nothing() -> None:
    assert diagnose_start("half a line", -9, ready=False) is None


@given(st.text(), st.booleans())
def test_any_log_is_survived(log: str, ready: bool) -> None:
    diagnose_start(log, 1, ready=ready)
    diagnose_start(IMPORT_ERROR[: len(log) * 20] + log, 1, ready=ready)
    from_traceback(log, "import_error")


@pytest.mark.parametrize(
    ("text", "line", "column", "shown"),
    [("x = 1\ndef f(:\n", 2, 7, "def f(:"), ("if x:\ny\n", 2, 1, "y"), ("'", 1, 1, "'")],
)
def test_syntax_is_checked_with_its_place(text: str, line: int, column: int, shown: str) -> None:
    found = check_syntax(text)
    assert found is not None
    assert (found.code, found.line, found.column, found.text) == ("syntax_error", line, column, shown)


@pytest.mark.parametrize("text", ["\0", "\ud800", "(" * 10_000, "-" * 100_000 + "1", "a." * 50_000 + "b", "1" * 5_000])
def test_text_that_breaks_parsers_is_refused(text: str) -> None:
    assert check_syntax(text) is not None


def test_good_text_has_no_problem_and_warns_nobody() -> None:
    assert check_syntax("x = '\\d'\nassert (x, 1)\n") is None
