"""Whether the master of a run is reached from here. Asked with the run's keys: whoever has none is a stranger to it."""

from __future__ import annotations

import socket

import zmq
from zmq.utils.monitor import parse_monitor_message

from workers.spec import Keys

EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_CONNECT_RETRIED
)


class NotTheMaster(Exception):
    """Somebody answers there who does not have the keys."""


def reach(address: str, port: int, keys: Keys, *, timeout_s: float) -> None:
    """Returns when the master has answered. Raises OSError when nobody does (`socket.gaierror`: there is no such name),
    and NotTheMaster."""
    found = socket.getaddrinfo(address, port, socket.AF_INET, socket.SOCK_STREAM)[0][4]
    where = (str(found[0]), port)
    if not _shakes_hands(where, keys, timeout_s):
        socket.create_connection(where, timeout=timeout_s).close()
        raise NotTheMaster


def _shakes_hands(where: tuple[str, int], keys: Keys, timeout_s: float) -> bool:
    with zmq.Context() as context, context.socket(zmq.DEALER) as dealer:
        dealer.linger = 0
        dealer.curve_serverkey = keys.server_public.encode()
        dealer.curve_publickey = keys.client_public.encode()
        dealer.curve_secretkey = keys.client_secret.encode()
        with dealer.get_monitor_socket(EVENTS) as monitor:
            dealer.connect(f"tcp://{where[0]}:{where[1]}")
            said = monitor.poll(round(timeout_s * 1000))
            event = parse_monitor_message(monitor.recv_multipart())["event"] if said else None
            dealer.disable_monitor()
    return event == zmq.EVENT_HANDSHAKE_SUCCEEDED
