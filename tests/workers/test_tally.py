"""Locust's own statistics are the same, whoever counts."""

from __future__ import annotations

from pathlib import Path

import pytest

import workers.child
from tests.workers.apart import said_by

MODULE = Path(workers.child.__file__).with_name("tally.py")

PREPARE = f"""
import importlib.util, itertools, random, time
from locust import stats

spec = importlib.util.spec_from_file_location("tally", {str(MODULE)!r})
ours = importlib.util.module_from_spec(spec)
spec.loader.exec_module(ours)
stock = stats.RequestStats.log_request
REQUESTS = 3000

def made(log, cache=False):
    dice, clock = random.Random(7), itertools.count(1_000_000.0, 0.05)
    moment = 0.0
    time.time = lambda: moment
    of = stats.RequestStats(use_response_times_cache=cache)
    for number in range(REQUESTS):
        moment = next(clock)
        name = f"/{{dice.randint(0, 5)}}"
        took = dice.choice([None, 0, 0.0, 0.4, 99.5, 995, dice.expovariate(0.01), dice.expovariate(0.0001)])
        log(of, dice.choice(["GET", "POST"]), name, took, dice.randint(0, 5000))
        if number == REQUESTS // 2:
            of.reset_all()
    return of

def kept(of):
    ours = "stats", "hatchery_checked"
    return [{{name: value for name, value in vars(entry).items() if name not in ours}} for entry in
            (of.total, *of.entries.values())]

def compare(cache=False):
    expected, got = kept(made(stock, cache)), kept(made(ours.log_request, cache))
    assert expected == got, (expected, got)
    print(got[0]["num_requests"])
"""
CASES = {
    "as it is": "compare()",
    "without Locust's own functions, but for the first request of a name": """
import sys
called = 0
def watch(frame, event, arg):
    global called
    called += event == "call" and frame.f_code is stats.StatsEntry.log.__code__
sys.setprofile(watch)
of = made(ours.log_request)
sys.setprofile(None)
assert called == 2 * len(of.entries) == 24, called
print(of.num_requests)
""",
    "with snapshots for Locust's own history": "compare(cache=True)",
    "with raising buckets": """
def bucket(ms):
    raise ValueError
stats.bucket_response_time = bucket
def forgiving(log):
    def logged(*said):
        try:
            log(*said)
        except ValueError:
            pass
    return logged
expected, got = kept(made(forgiving(stock))), kept(made(forgiving(ours.log_request)))
assert expected == got, (expected, got)
print(got[0]["num_requests"])
""",
    "with times of the script's own": """
class Own(stats.StatsEntry):
    def _log_response_time(self, took):
        if took != 99.5:
            super()._log_response_time(took)
stats.StatsEntry = Own
compare()
""",
    "with a wrapper around a part": """
log = stats.StatsEntry._log_response_time
stats.StatsEntry._log_response_time = lambda entry, took: took == 99.5 or log(entry, took)
compare()
""",
    "with a wrapper around the total's": """
def wrapped(log):
    def logged(of, *said):
        if not hasattr(of, "seen"):
            of.seen, whole = [], of.total.log
            of.total.log = lambda *said: (of.seen.append(said), whole(*said))
        log(of, *said)
    return logged
expected, got = made(wrapped(stock)), made(wrapped(ours.log_request))
assert expected.seen == got.seen and len(got.seen) == REQUESTS
print(got.num_requests)
""",
    "with buckets of the script's own": "stats.bucket_response_time = lambda ms: int(ms // 7); compare()",
    "with counting of the script's own": """
log = stats.StatsEntry.log
def once_more(entry, took, size):
    log(entry, took, size)
    entry.total_content_length += 1
stats.StatsEntry.log = once_more
compare()
""",
}

WHILE_IT_COUNTS = """
of, other = (stats.RequestStats(use_response_times_cache=False) for _ in range(2))
key, said = ("/", "GET"), []

def count(*moments, of=of):
    global moment
    for moment in moments:
        time.time = lambda: moment
        ours.log_request(of, "GET", "/", 5.0, 1)

count(10.0, 10.1)
whole = of.total.log
of.total.log = lambda *what: (said.append(moment), whole(*what))
count(10.2, 11.0, 11.1)
assert said == [11.0, 11.1], "the next second, a function put in there is called"
assert of.total.num_requests == of.entries[key].num_requests == 5

del of.total.log
count(12.0, 12.1)
first = of.entries[key]
of.entries[key] = fresh = stats.StatsEntry(of, *key)
fresh.log = lambda *what: said.append("fresh")
count(12.2)
assert said[2:] == ["fresh"] and first.num_requests == 7, "another entry is taken at once"
del fresh.log

class Proxy:
    def __init__(self, inner):
        self.inner = inner
    def __getattr__(self, name):
        return vars(self)["inner"].__getattribute__(name)

class Raising(Proxy):
    def __getattr__(self, name):
        return {"log": vars(self)["inner"].log}[name]

for kind in (Proxy, Raising):
    for owner, place in ((vars(other), "total"), (other.entries, key)):
        count(12.25, of=other)
        plain = owner[place]
        before = plain.num_requests
        owner[place] = kind(plain)
        count(12.25, 12.26, 13.0, 12.25, of=other)
        assert plain.num_requests == before + 4, "an entry that passes on is called"
        owner[place] = plain
other.clear_all()
count(12.3, 12.4, of=other)
count(12.5)
assert (other.num_requests, of.num_requests, fresh.num_requests) == (2, 9, 1)

of.clear_all()
count(12.6, 12.7)
assert of.num_requests == of.entries[key].num_requests == 2
of.entries[key] = [1]
try:
    count(12.8)
except AttributeError:
    print("as Locust's own")
"""


@pytest.mark.parametrize("case", CASES)
def test_it_keeps_what_locust_keeps(case: str) -> None:
    assert int(said_by(PREPARE + CASES[case])) == 1_499  # since the statistics were reset


def test_it_finds_what_changes_while_it_counts() -> None:
    assert said_by(PREPARE + WHILE_IT_COUNTS) == "as Locust's own\n"
