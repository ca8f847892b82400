"""What counts the requests under way passes on what it is given."""

from __future__ import annotations

from pathlib import Path

import pytest

import workers.child
from tests.workers.apart import said_by

MODULE = Path(workers.child.__file__).with_name("exact") / "inflight.py"

PREPARE = f"""
import importlib.util, inspect
from locust.contrib.fasthttp import FastHttpSession

spec = importlib.util.spec_from_file_location("inflight", {str(MODULE)!r})
inflight = importlib.util.module_from_spec(spec)
spec.loader.exec_module(inflight)
stock = FastHttpSession.request

def parameters(function):
    return list(inspect.signature(function, follow_wrapped=False).parameters)

def watched(send):
    FastHttpSession.request = send
    watching = inflight.InFlight()
    watching.watch()
    return watching, FastHttpSession.request

CALLS = (
    (("me", "GET", "/"), {{}}),
    (("me", "GET", "/"), {{"name": "n"}}),
    (("me", "PUT", "/", "n", "d", True, True, {{"h": "1"}}, ("a", "b"), {{"j": 1}}, False, {{"c": 1}}), {{}}),
    (("me", "PUT", "/", "n", "d", True, True, {{"h": "1"}}, ("a", "b"), {{"j": 1}}, False, {{"c": 1}}), {{"more": 3}}),
    (("me", "GET", "/"), {{"params": {{"p": 1}}}}),
    (("me", "POST", "/"), {{"json": {{"j": 2}}, "timeout": 3, "headers": {{"h": "2"}}, "catch_response": True}}),
)

def outcomes(request):
    return [request(*given, **named) for given, named in CALLS]

def outcomes_of_named(request):
    return [request(*given, **named) for given, named in CALLS if len(given) == 3]
"""
CASES = {
    "Locust's own, argument by argument": """
_, request = watched(stock)
assert parameters(request) == parameters(stock) and request.__code__ is not stock.__code__
""",
    "each argument in its place": """
scope = {}
names = ", ".join(parameters(stock))
exec(f"def send{inspect.signature(stock)}: return {names}", vars(inspect.getmodule(stock)), scope)
_, request = watched(scope["send"])
assert parameters(request) == parameters(stock)
assert outcomes(request) == outcomes(scope["send"]) and len({str(one) for one in outcomes(request)}) == len(CALLS)
""",
    "a script's own with other defaults": """
def send(self, method, url, name="mine", *more, **named):
    return self, method, url, name, more, named
_, request = watched(send)
assert outcomes(request) == outcomes(send)
""",
    "a script's own that says it is like Locust's": """
def short(self, method, url, **named):
    return self, method, url, named
def looking(*given, **named):
    return given, named
def told(function):
    function.__signature__ = inspect.signature(stock)
    return function
for send in (told(short), told(looking)):
    _, request = watched(send)
    assert outcomes_of_named(request) == outcomes_of_named(send)
""",
    "what is no function at all": """
class Own:
    __signature__ = "nonsense"
    def __call__(self, *given, **named):
        return given, named
import operator
for send in (Own(), operator.itemgetter(0), dict.get):
    watched(send)
_, request = watched(Own())
assert outcomes(request) == outcomes(Own())
""",
    "what is under way": """
def send(*given, **named):
    seen.append(watching.measure()["in_flight"])
    if len(seen) < 3:
        request("me", "GET", "/inner")
    raise KeyError
scope = {"send": send}
exec(f"def like{inspect.signature(stock)}: return send()", vars(inspect.getmodule(stock)) | scope, scope)
for kind in (send, scope["like"]):
    seen = []
    watching, request = watched(kind)
    try:
        request("me", "GET", "/")
    except KeyError:
        pass
    assert seen == [1, 2, 3], seen
    assert watching.measure() == {"in_flight": 0, "oldest_ms": None}
""",
}


@pytest.mark.parametrize("case", CASES)
def test_it_passes_on(case: str) -> None:
    assert said_by(PREPARE + CASES[case] + "\nprint('passed')") == "passed\n"
