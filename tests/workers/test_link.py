"""Who has the keys of a run may talk to its master, and nobody else."""

from __future__ import annotations

import pytest

from tests.workers.apart import said_by

PREPARE = """
from gevent import monkey
monkey.patch_all()
import gevent, socket, zmq.green as zmq
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message, zmqrpc
from workers.child.swarm import link

def pair():
    return [key.decode() for key in zmq.curve_keypair()]

SERVER, SERVER_SECRET = pair()
CLIENT, CLIENT_SECRET = pair()
OF_MASTER = link.Keys(SERVER, CLIENT, server_secret=SERVER_SECRET)
OF_WORKER = link.Keys(SERVER, CLIENT, client_secret=CLIENT_SECRET)
strangers = []

def serve(ports=None, keys=OF_MASTER):
    return link.Server("127.0.0.1", 0, keys, ports, strangers.append)

def heard(server, seconds=2.0):
    with gevent.Timeout(seconds, False):
        client_id, message = server.recv_from_client()
        return client_id if isinstance(client_id, str) else client_id.decode(), message.type, message.data
    return None

def waited(what, seconds=5.0):
    with gevent.Timeout(seconds, False):
        while not what():
            gevent.sleep(0.02)
    return what()

def call(server, keys, name="worker-0.1"):
    client = link.Client("127.0.0.1", server.port, name, keys)
    client.send(Message("client_ready", "2.0", name))
    return client
"""
CASES = {
    "with the keys": """
server = serve()
client = call(server, OF_WORKER)
assert heard(server) == ("worker-0.1", "client_ready", "2.0")
server.send_to_client(Message("ack", {"index": 0}, "worker-0.1"))
assert client.recv().data == {"index": 0}
assert strangers == []
""",
    "with a key of another run": """
server = serve()
other, other_secret = pair()
stranger = call(server, link.Keys(SERVER, other, client_secret=other_secret))
assert heard(server) is None and waited(lambda: strangers) and set(strangers) == {"127.0.0.1"}
client = call(server, OF_WORKER, "worker-1.1")
assert heard(server)[0] == "worker-1.1"
""",
    "for another master": """
server = serve()
other, _ = pair()
stranger = call(server, link.Keys(other, CLIENT, client_secret=CLIENT_SECRET))
assert heard(server) is None and waited(lambda: strangers)
""",
    "as Locust's own worker does": """
server = serve()
stranger = zmqrpc.Client("127.0.0.1", server.port, "worker-0.1")
stranger.send(Message("client_ready", "2.0", "worker-0.1"))
assert heard(server) is None and waited(lambda: strangers)
""",
    "without ZeroMQ": """
server = serve()
for _ in range(3):
    with socket.create_connection(("127.0.0.1", server.port)) as caller:
        caller.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
        caller.settimeout(5)
        try:
            said = caller.recv(1000)
        except ConnectionResetError:  # not even the greeting of the protocol
            said = b""
        assert len(said) <= 64 and CLIENT.encode() not in said
assert waited(lambda: len(strangers) >= 3) and heard(server, 0.2) is None
""",
    "by a host that looks whether it reaches the master": """
import json, subprocess, sys
look = "import sys, json; from workers.reach import reach; from workers.spec import Keys;"
look += "reach('localhost', int(sys.argv[1]), Keys(*json.loads(sys.argv[2])), timeout_s=10)"
def looks(keys):
    argv = [sys.executable, "-c", look, str(server.port), json.dumps(keys)]
    return subprocess.run(argv, capture_output=True, text=True)
server = serve()
assert looks([SERVER, "", CLIENT, CLIENT_SECRET]).returncode == 0
assert strangers == [] and heard(server, 0.2) is None
other, other_secret = pair()
assert "NotTheMaster" in looks([SERVER, "", other, other_secret]).stderr
assert waited(lambda: strangers)
""",
    "again, over a new connection": """
server = serve()
first = call(server, OF_WORKER)
assert heard(server)
second = call(server, OF_WORKER)
assert heard(server)
server.send_to_client(Message("ack", 2, "worker-0.1"))
assert second.recv().data == 2
""",
    "with more than a message may be": """
server = serve()
client = call(server, OF_WORKER)
assert heard(server)
client.send(Message("stats", b"x" * (link.MAX_MESSAGE_BYTES + 1), "worker-0.1"))
assert heard(server) is None
client.send(Message("stats", 1, "worker-0.1"))
assert heard(server, 5)[2] == 1 and strangers == []
""",
    "with what is no message": """
server = serve()
client = call(server, OF_WORKER)
assert heard(server)
HALVES = [b"", b"\\xc1", b"\\xdd\\xff\\xff\\xff\\xff", b"\\x91" * 5000, b"\\x93\\xa1a\\xc0"]
for raw in [*HALVES, b"\\xc0", b"\\x81\\xac__datetime__\\xc3"]:
    client.socket.send(raw)
    try:
        heard(server)
    except RPCReceiveError:
        continue
    raise AssertionError(raw)
client.send(Message("stats", 1, "worker-0.1"))
assert heard(server)[2] == 1
""",
    "by more than it listens to at a time": """
import struct, time
server = serve()
client = call(server, OF_WORKER)
assert heard(server)
GREETING = b"\\xff" + bytes(7) + b"\\x01\\x7f\\x03\\x01" + b"CURVE".ljust(20, b"\\0") + bytes(32)
ANNOUNCED = b"\\x06" + struct.pack(">Q", link.MAX_MESSAGE_BYTES - 1)
def size():
    return int(open("/proc/self/statm").read().split()[0]) * 4096
before = size()
callers = []
for _ in range(3 * link.MAX_UNKNOWN):
    callers.append(socket.create_connection(("127.0.0.1", server.port)))
    try:
        callers[-1].sendall(GREETING + ANNOUNCED)
    except OSError:
        pass
    gevent.sleep(0.005)
assert size() - before < 1.5 * link.MAX_UNKNOWN * link.MAX_MESSAGE_BYTES, size() - before
client.send(Message("stats", 1, "worker-0.1"))
assert heard(server)[2] == 1
late = call(server, OF_WORKER, "worker-1.1")  # comes in as soon as there is room
for caller in callers[:20]:
    caller.close()
assert heard(server, 10)[0] == "worker-1.1" and strangers
""",
    "where a port is taken": """
first = serve()
free = socket.create_server(("127.0.0.1", 0))
taken = free.getsockname()[1]
try:
    serve((taken, taken))
except RPCError as error:
    assert "Address already in use" in str(error)
else:
    raise AssertionError("two of them listen there")
""",
    "on any port of a range": """
base = next(port for port in range(20_000, 60_000, 10) if all(
    socket.socket().connect_ex(("127.0.0.1", one)) for one in range(port, port + 3)))
taken = socket.create_server(("127.0.0.1", base))
found = serve((base, base + 2)).port
assert found in (base + 1, base + 2)
""",
    "instead of Locust's own": """
link.install(OF_MASTER, ports=None, on_stranger=strangers.append)
server = zmqrpc.Server("127.0.0.1", 0)
link.install(OF_WORKER, ports=None, on_stranger=strangers.append)
client = zmqrpc.Client("127.0.0.1", server.port, "worker-0.1")
assert isinstance(server, link.Server) and isinstance(client, link.Client)
client.send(Message("client_ready", None, "worker-0.1"))
assert heard(server)[1] == "client_ready"
""",
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_called(case: str) -> None:
    assert said_by(PREPARE + CASES[case] + "\nprint('passed', flush=True)\nimport os; os._exit(0)") == "passed\n"
