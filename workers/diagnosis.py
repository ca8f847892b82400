"""Finds, in text, what is wrong with a locustfile. Pure: nothing of a tenant's is imported or executed here."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass

from workers.command import LOCUSTFILE
from workers.tail import clean_text

MAX_MESSAGE_CHARS = 500
MAX_TRACEBACK_CHARS = 20_000

_TRACEBACK = "Traceback (most recent call last):"
_FRAME = re.compile(r'^\s+File "(?P<file>[^"\n]*)", line (?P<line>\d{1,7})')
_PLACES = re.compile(r'File "[^"\n]*/(?:script/(?=locustfile\.py")|(?=site-packages/|python3[\d.]*/|workers/child/))')
_NO_HOST = "You must specify the base host."
_SAYINGS = (
    ("No User class found!", "no_user_class"),
    ("Unknown User(s):", "unknown_user_class"),
    ("error: ", "bad_option"),
    ("Could not find", "bad_option"),
)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a locustfile cannot run. `line` and `column` count from 1, in the locustfile; `None` when it is elsewhere.

    Codes: `syntax_error`, `import_error` (any exception while it is imported), `no_user_class`, `init_error`,
    `task_error`, `no_host`, `timeout`, `crashed`, `script_exited`, `too_complex`, `bad_option`, `unknown_user_class`,
    `refused`.
    """

    code: str
    message: str
    line: int | None = None
    column: int | None = None
    text: str = ""
    traceback: str = ""


def check_syntax(locustfile: str) -> Diagnosis | None:
    """Whether it is Python at all; `None` when it is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(locustfile, LOCUSTFILE)
    except SyntaxError as error:
        return Diagnosis(
            code="syntax_error",
            message=clean_text(f"{type(error).__name__}: {error.msg}", MAX_MESSAGE_CHARS),
            line=error.lineno,
            column=error.offset or None,
            text=clean_text((error.text or "").rstrip("\r\n"), MAX_MESSAGE_CHARS),
        )
    except ValueError as error:
        return Diagnosis("syntax_error", clean_text(f"{type(error).__name__}: {error}", MAX_MESSAGE_CHARS))
    except (RecursionError, MemoryError):
        return Diagnosis("too_complex", "The locustfile is nested too deeply to be read.")
    return None


def diagnose_idle(log: str) -> Diagnosis | None:
    """Why a test that began made no request, from the end of its log; `None` when that does not tell."""
    if _NO_HOST not in log:
        return None
    return Diagnosis(
        "no_host", "A user class has no host. Give the scenario or the run one, or set `host` in the class."
    )


def diagnose_start(log: str, exit_code: int | None, *, ready: bool) -> Diagnosis | None:
    """Why Locust ended before the test began, from the end of its log. `ready`: the script had been imported by then.

    `None` when the log does not tell; the exit code alone cannot, since Locust uses 1 for nearly everything.
    """
    lines = log.splitlines()
    found = _last_traceback(lines)
    if found is not None:
        return _from_traceback(found, ready)
    for line in reversed(lines):
        for saying, code in _SAYINGS:
            if saying in line:
                return Diagnosis(code, clean_text(line[line.index(saying) :], MAX_MESSAGE_CHARS))
    if exit_code is not None and exit_code >= 0 and not ready:
        last = next((line for line in reversed(lines) if line.strip()), "")
        message = clean_text(last, MAX_MESSAGE_CHARS) or f"It ended with exit code {exit_code}."
        return Diagnosis("script_exited", message)
    return None


def from_traceback(text: str, code: str) -> Diagnosis:
    """`text` is a traceback as Python prints it; `code` is used unless it tells of a syntax error."""
    lines = _own_part(text.splitlines())
    message = clean_text(_message(lines), MAX_MESSAGE_CHARS)
    place = _place(lines)
    syntax = re.match(r"(?:SyntaxError|IndentationError|TabError)\b", message) is not None
    return Diagnosis(
        code="syntax_error" if syntax and place else code,
        message=message,
        line=place[0] if place else None,
        text=place[1] if place else "",
        traceback="\n".join(clean_text(hide_places(line), MAX_MESSAGE_CHARS) for line in lines)[-MAX_TRACEBACK_CHARS:],
    )


def hide_places(text: str) -> str:
    """A traceback without the folders of this machine."""
    return _PLACES.sub('File "', text)


def _own_part(lines: list[str]) -> list[str]:
    """From the first frame in the locustfile on: what is above is ours and Locust's."""
    for index, line in enumerate(lines):
        if _in_locustfile(line):
            return [_TRACEBACK, *lines[index:]]
    return lines


def _in_locustfile(line: str) -> re.Match[str] | None:
    frame = _FRAME.match(line)
    return frame if frame and frame["file"].rpartition("/")[2] == LOCUSTFILE else None


def _from_traceback(lines: list[str], ready: bool) -> Diagnosis:
    return from_traceback("\n".join(lines), "init_error" if ready else "import_error")


def _last_traceback(lines: list[str]) -> list[str] | None:
    """The lines of the last traceback, up to its exception's message."""
    starts = [index for index, line in enumerate(lines) if line.strip() == _TRACEBACK]
    if not starts:
        return None
    end = starts[-1] + 1
    while end < len(lines) and (lines[end].startswith(" ") or not lines[end]):
        end += 1
    return lines[starts[-1] : end + 1]


def _message(lines: list[str]) -> str:
    return next((line for line in reversed(lines) if line and not line.startswith(" ")), "")


def _place(lines: list[str]) -> tuple[int, str] | None:
    """Line number and text of the innermost frame in the locustfile."""
    for index in range(len(lines) - 1, -1, -1):
        frame = _in_locustfile(lines[index])
        if frame:
            text = lines[index + 1].strip() if index + 1 < len(lines) else ""
            return int(frame["line"]), clean_text(text, MAX_MESSAGE_CHARS)
    return None
