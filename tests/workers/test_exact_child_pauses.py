"""A pause is one for whoever waits for an answer."""

from __future__ import annotations

from tests.workers.apart import said_by

LISTENING = """
from gevent import monkey
monkey.patch_all()
import os, socket, time
import gevent
from workers.child.exact.pauses import pause

began = time.monotonic()
ours, theirs = socket.socketpair()
read = []
gevent.spawn(lambda: read.append(ours.recv(1)))
gevent.sleep(0.01)
found = []
for number in range(3):
    os.write(theirs.fileno(), b"x") if number == 1 else None
    pause()
    found.append(len(read))
print(found, time.monotonic() - began < 0.2)
"""


def test_an_answer_that_has_come_is_read_in_a_pause() -> None:
    assert said_by(LISTENING) == "[0, 1, 1] True\n"


ENDING = """
from gevent import monkey
monkey.patch_all()
import glob, json, tempfile
import gevent
from types import SimpleNamespace
from locust.env import Environment
from workers.child.exact import collector, intake
from workers.child.exact.errors import Errors
from workers.child.exact.names import Names

folder = tempfile.TemporaryDirectory()
environment = Environment()
environment.create_local_runner()
counting = intake.install(environment, Names(999, 99, "(other)"), Errors(9, "(other)"))
events = SimpleNamespace(write=lambda *said, **more: print(said, more))
made = collector.Collector({"samples": f"{folder.name}/s", "failed": f"{folder.name}/f"}, environment, events)
environment.stats.clear_all()
for number in range(collector.lines.CHUNK_ENTRIES + 1):
    counting.on_request(request_type="GET", name=f"/{number}", response_time=1.0, response_length=1)
counting.roll(counting._ends)
ended = []
def pause():
    ended.append(made.finish())
collector.pause = pause
gevent.spawn(made._write_what_is_new, counting.over[0].t + 1).join()
lines = [json.loads(line) for path in glob.glob(f"{folder.name}/s*") for line in open(path)]
print(len(ended), ["end" if line.get("end") else line["seq"] for line in lines], lines[-1]["requests"])
"""


def test_who_was_in_a_pause_when_the_last_line_was_written_has_nothing_to_add() -> None:
    assert said_by(ENDING) == "1 [1, 2, 'end'] 51\n"
