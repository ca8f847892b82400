"""Who may talk to the master: those who have the keys of the run, over an encrypted connection (CurveZMQ).

Locust lets in whoever reaches the port, and sends him the script. Here a stranger gets no further than the handshake,
in which nothing is sent but the protocol's greeting; who tried is told to the supervisor.
"""

import logging
import os
import random
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import gevent
import zmq
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import Message, zmqrpc
from zmq.utils import z85
from zmq.utils.monitor import parse_monitor_message

logger = logging.getLogger(__name__)

ZAP_ADDRESS = "inproc://zeromq.zap.01"
"""Where ZeroMQ asks whether a key may come in (RFC 27)."""
ZAP_VERSION = b"1.0"
MAX_MESSAGE_BYTES = 64 * 1024 * 1024
MAX_UNKNOWN = 64
"""Connections at a time that have not shown the keys. Each may announce a message of that size before it does, and
ZeroMQ takes memory for all of it at once: of 16 GiB, all that the process may have, with 256 of them."""
HANDSHAKE_SECONDS = 10.0
"""ZeroMQ would wait for 30."""
EVENTS = zmq.EVENT_ACCEPTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED


class Keys(NamedTuple):
    """Of one run, in Z85. Only the master has `server_secret`; only workers have `client_secret`."""

    server_public: str
    client_public: str
    server_secret: str = ""
    client_secret: str = ""


def install(keys: Keys, *, ports: tuple[int, int] | None, on_stranger: Callable[[str], None]) -> None:
    """Make Locust use sockets of ours. `ports`: where a master may listen; None: where it was told to."""
    rpc: Any = zmqrpc
    rpc.Server = lambda host, port: Server(host, port, keys, ports, on_stranger)
    rpc.Client = lambda host, port, identity: Client(host, port, identity, keys)


class Server(zmqrpc.BaseSocket):
    """The master's socket. Raises RPCError when it cannot listen."""

    def __init__(
        self,
        host: str,
        port: int,
        keys: Keys,
        ports: tuple[int, int] | None,
        on_stranger: Callable[[str], None],
    ) -> None:
        super().__init__(zmq.ROUTER, self.ipv4_only(host, port))
        gevent.spawn(_answer, _gatekeeper(self.socket.context), keys.client_public)
        self.socket.curve_server = True
        self.socket.curve_publickey = keys.server_public.encode()
        self.socket.curve_secretkey = keys.server_secret.encode()
        self.socket.zap_domain = b"run"
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, round(HANDSHAKE_SECONDS * 1000))
        # A worker that comes back before its old connection is known to be gone takes its place.
        self.socket.setsockopt(zmq.ROUTER_HANDOVER, 1)
        gevent.spawn(_watch, self.socket.get_monitor_socket(EVENTS), on_stranger)
        self.port = self._listen(host, port, ports)

    def recv_from_client(self) -> tuple[str, Message]:
        """Whatever is no message is told in one way: Locust knows some, and hears nobody any more after others."""
        try:
            found: tuple[str, Message] = super().recv_from_client()
        except (RPCError, RPCReceiveError):
            raise
        except Exception as error:
            raise RPCReceiveError(f"no message: {error!r:.200}") from error
        return found

    def _listen(self, host: str, port: int, ports: tuple[int, int] | None) -> int:
        """One after the other, from anywhere in the range: two runs that begin together do not try the same ones."""
        wanted = [port] if ports is None else list(range(ports[0], ports[1] + 1))
        start = random.randrange(len(wanted))
        for one in (*wanted[start:], *wanted[:start]):
            try:
                self.socket.bind(f"tcp://{host}:{one or '*'}")
            except zmq.ZMQError as error:
                trouble = error
            else:
                return int(bytes(self.socket.getsockopt(zmq.LAST_ENDPOINT)).rpartition(b":")[2].rstrip(b"\0"))
        raise RPCError(f"Socket bind failure: {trouble}")


class Client(zmqrpc.BaseSocket):
    """A worker's socket."""

    def __init__(self, host: str, port: int, identity: str, keys: Keys) -> None:
        super().__init__(zmq.DEALER, self.ipv4_only(host, port))
        self.socket.curve_serverkey = keys.server_public.encode()
        self.socket.curve_publickey = keys.client_public.encode()
        self.socket.curve_secretkey = keys.client_secret.encode()
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.setsockopt(zmq.MAXMSGSIZE, MAX_MESSAGE_BYTES)
        self.socket.connect(f"tcp://{host}:{port}")


def _gatekeeper(context: Any) -> Any:
    """Must be there before the first handshake: without one, ZeroMQ lets every key in."""
    keeper = context.socket(zmq.REP)
    keeper.linger = 0
    keeper.bind(ZAP_ADDRESS)
    return keeper


def _answer(keeper: Any, client_public: str) -> None:
    """One key comes in, all others stay out."""
    wanted = z85.decode(client_public.encode())
    while True:
        _version, request, _domain, _address, _identity, mechanism, *credentials = keeper.recv_multipart()
        is_ours = mechanism == b"CURVE" and credentials == [wanted]
        status, text = (b"200", b"OK") if is_ours else (b"400", b"unknown key")
        keeper.send_multipart([ZAP_VERSION, request, status, text, b"", b""])


def _watch(monitor: Any, on_stranger: Callable[[str], None]) -> None:
    """Who leaves without a handshake is a stranger. ZeroMQ does not say whose handshake succeeded: then all who were on
    their way are taken to be ours."""
    unknown: dict[int, str] = {}
    while True:
        event: Mapping[str, Any] = parse_monitor_message(monitor.recv_multipart())
        match event["event"]:
            case zmq.EVENT_ACCEPTED:
                if len(unknown) >= MAX_UNKNOWN:
                    _hang_up(event["value"])
                unknown[event["value"]] = _peer(event["value"])
            case zmq.EVENT_HANDSHAKE_SUCCEEDED:
                unknown.clear()
            case zmq.EVENT_DISCONNECTED if event["value"] in unknown:
                on_stranger(unknown.pop(event["value"]))


def _hang_up(descriptor: int) -> None:
    """ZeroMQ, whose connection it is, takes it for closed by the other side."""
    with suppress(OSError), socket.socket(fileno=os.dup(descriptor)) as copy:
        copy.shutdown(socket.SHUT_RDWR)


def _peer(descriptor: int) -> str:
    """Address of whoever is connected; empty when he is gone already."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            return str(copy.getpeername()[0])
    except (OSError, IndexError):
        return ""
