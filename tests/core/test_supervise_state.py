"""The state folder of `make up`, its lock, ports and secrets, and the private Redis configured in it."""

import asyncio
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

from apps.core.supervise import boot, stack
from apps.core.supervise.private_redis import private_redis
from apps.core.supervise.stack import Address
from apps.core.supervise.state import LOOPBACK, Refused, State, check_port, is_free

PRIVATE = 0o600


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / "state")
    state.make()
    return state


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_may_look_into_the_folder(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o755)
    for name in ("new", "open"):
        State(tmp_path / name).make()
        assert mode(tmp_path / name) == 0o700


def test_a_shared_folder_is_refused_and_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    with pytest.raises(Refused, match="shared with other users"):
        State(tmp_path).make()
    assert mode(tmp_path) == 0o1777


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Refused, match="cannot be used: Not a directory"):
        State(tmp_path / "file" / "state").make()


def test_a_second_start_on_the_same_folder_is_refused(state: State) -> None:
    with state.locked(), pytest.raises(Refused, match=r"already runs on .* \(process \d+\)"), state.locked():
        pass
    with state.locked():
        pass  # free again


def test_a_port_is_kept_between_starts_unless_taken(state: State) -> None:
    port = state.port("target")
    assert state.port("target") == port
    with socket.create_server((LOOPBACK, port)):
        other = state.port("target")
    assert other != port
    assert state.port("target") == other


def test_a_port_file_with_nonsense_is_replaced(state: State) -> None:
    (state.folder / "target.port").write_text("nonsense")
    assert state.port("target") > 0


def test_a_secret_is_kept_and_private(state: State) -> None:
    secret = state.secret("redis")
    assert state.secret("redis") == secret
    assert mode(state.folder / "redis.secret") == PRIVATE


def test_a_busy_port_is_refused_with_a_way_out() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Refused, match=f"Port {port} on {LOOPBACK} cannot be used .*make up PORT="):
            check_port(LOOPBACK, port)


def test_a_port_that_does_not_exist_is_refused() -> None:
    assert not is_free(LOOPBACK, 70_000)


def test_the_private_redis_answers_only_with_its_password(tmp_path: Path) -> None:
    state = State(tmp_path / "a folder with spaces")
    state.make()
    redis = private_redis(state)
    process = subprocess.Popen([str(part) for part in redis.child.command], stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 15
        while not asyncio.run(redis.answers()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with socket.create_connection((LOOPBACK, redis.port)) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
    finally:
        process.terminate()
        process.wait(10)
    assert redis.password not in " ".join(str(part) for part in redis.child.command)
    assert mode(state.folder / "redis" / "redis.conf") == PRIVATE
    assert (state.folder / "redis" / "appendonly.aof").exists()


def test_a_redis_that_is_not_there_does_not_answer(state: State) -> None:
    assert not asyncio.run(private_redis(state).answers())


def test_proxy_headers_are_believed_only_when_a_proxy_is_named() -> None:
    address = Address("127.0.0.1", 8000)
    assert "--no-proxy-headers" in stack.web(address, {}).command
    assert "--proxy-headers" in stack.web(address, {"FORWARDED_ALLOW_IPS": "10.0.0.1"}).command


@pytest.mark.parametrize(
    ("host", "url"),
    [("127.0.0.1", "http://127.0.0.1:8000"), ("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000")],
)
def test_the_address_is_one_a_browser_can_open(host: str, url: str) -> None:
    assert Address(host, 8000).url == url


def test_what_the_operator_set_wins_over_our_guess(tmp_path: Path) -> None:
    given = {"HATCHERY_URL": "https://load.example.com", "HATCHERY_STATE": "var"}
    env = stack.environment(given, address=Address("127.0.0.1", 1), state=tmp_path, redis_url="redis://r")
    assert env["HATCHERY_URL"] == "https://load.example.com"
    assert env["HATCHERY_STATE"] == str(tmp_path)
    assert env["REDIS_URL"] == "redis://r"


def test_the_announcement_names_everything_needed_to_log_in() -> None:
    facts = dict.fromkeys(("url", "username", "password", "token", "project", "scenario", "target"), "?")
    facts |= {"password": "correct horse", "token": "hat_123"}
    text = boot.announcement(facts, "/state/demo.json")
    assert all(part in text for part in ("correct horse", "hat_123", "/state/demo.json"))
