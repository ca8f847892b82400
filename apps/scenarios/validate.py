"""What is wrong with a script: its text here, in this process; all else in a sandboxed child that loads it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from threading import BoundedSemaphore

from django.utils.translation import gettext as _

from apps.core.errors import Conflict
from workers import inspection
from workers import spec as engine
from workers.diagnosis import Diagnosis, check_syntax
from workers.inspection import Inspection
from workers.spec import Problem

AT_ONCE = 2
"""Children a web process keeps at a time: each is a Python with Locust in it, about 100 MiB."""
WAIT_SECONDS = 10.0
SHAPE = "LoadTestShape"

_places = BoundedSemaphore(AT_ONCE)


def check_text(text: str) -> list[Problem]:
    """Size, encoding and syntax: cheap, and the same answer every time. Nothing of the script is executed."""
    problems = engine.check_locustfile(text)
    wrong = None if problems else check_syntax(text)
    return [_problem(wrong)] if wrong else problems


def own_shape(text: str) -> str:
    """Name of the load shape that a script brings along, read off its text; "" for none that can be seen.

    Nothing is executed, so a shape that is imported, or made by a function, is only found by `inspect`.
    """
    try:
        classes = [node for node in ast.parse(text).body if isinstance(node, ast.ClassDef)]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    shapes, found = {SHAPE}, ""
    for node in classes:
        if shapes.isdisjoint(_base_names(node)):
            continue
        shapes.add(node.name)
        if not _is_abstract(node):
            found = found or node.name
    return found


def inspect(text: str, env: Mapping[str, str]) -> Inspection:
    """All that can be known before a run: a child process imports the script, which takes a second, at most fifteen.

    Raises Conflict when too many are at it already.
    """
    if problems := engine.check_locustfile(text):
        return Inspection(problems=tuple(_diagnosis(problem) for problem in problems))
    if not _places.acquire(timeout=WAIT_SECONDS):
        raise Conflict(_("Too many scripts are being validated. Try again in a moment."), code="busy")
    try:
        return inspection.inspect(text, env=env)
    finally:
        _places.release()


def decode(data: bytes) -> str:
    """The text of an uploaded file. Raises UnicodeDecodeError."""
    return normalise(data.decode("utf-8-sig"))


def normalise(text: str) -> str:
    """Browsers send CRLF from a text area; a script keeps the line ends of a script."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _base_names(node: ast.ClassDef) -> set[str]:
    """The last words of its bases: `locust.LoadTestShape` is `LoadTestShape`."""
    names = {base.id for base in node.bases if isinstance(base, ast.Name)}
    return names | {base.attr for base in node.bases if isinstance(base, ast.Attribute)}


def _is_abstract(node: ast.ClassDef) -> bool:
    """Whether its body says `abstract = True`."""
    for line in node.body:
        if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant) and line.value.value is True:
            return any(isinstance(target, ast.Name) and target.id == "abstract" for target in line.targets)
    return False


def _problem(wrong: Diagnosis) -> Problem:
    if wrong.line is None:
        return Problem("locustfile", wrong.code, "%(what)s", {"what": wrong.message})
    params = {"line": wrong.line, "what": wrong.message}
    return Problem("locustfile", wrong.code, "Line %(line)d of the locustfile: %(what)s", params)


def _diagnosis(problem: Problem) -> Diagnosis:
    return Diagnosis(problem.code, _(problem.message) % problem.params if problem.params else _(problem.message))
