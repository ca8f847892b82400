"""A pause is one for whoever waits for an answer."""

from __future__ import annotations

from tests.workers.apart import said_by

LISTENING = """
from gevent import monkey
monkey.patch_all()
import os, socket
import gevent
from workers.child.exact.pauses import pause

ours, theirs = socket.socketpair()
read = []
gevent.spawn(lambda: read.append(ours.recv(1)))
gevent.sleep(0.01)
found = []
for number in range(3):
    os.write(theirs.fileno(), b"x") if number == 1 else None
    pause()
    found.append(len(read))
print(found)
"""


def test_an_answer_that_has_come_is_read_in_a_pause() -> None:
    assert said_by(LISTENING) == "[0, 1, 1]\n"
