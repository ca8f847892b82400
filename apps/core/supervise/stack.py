"""What runs in `make up`, with which command lines and environment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from apps.core.supervise.children import Child

BASE_DIR = Path(__file__).resolve().parents[3]
DEMO_TARGET = Path(__file__).resolve().parents[1] / "demo_target.py"
EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (to recognise it, not to listen on it)
RUNNER = "local"
WEB_FRAME_BYTES = 64 * 1024  # of a WebSocket; what a page asks for has 17
WEB_GOODBYE_SECONDS = 3  # for open sockets; browsers reconnect by themselves


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    @property
    def url(self) -> str:
        """As a browser on this machine would write it."""
        host = EVERY_ADDRESS.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def environment(given: Mapping[str, str], *, address: Address, state: Path, redis_url: str) -> dict[str, str]:
    """What the children see: what we were given, and what we decided where nothing was given."""
    return {
        "HATCHERY_URL": address.url,
        **given,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "HATCHERY_STATE": str(state),
        "REDIS_URL": redis_url,
        "PYTHONUNBUFFERED": "1",
    }


def manage(*arguments: str | Path) -> tuple[str | Path, ...]:
    return (sys.executable, BASE_DIR / "manage.py", *arguments)


def web(address: Address, given: Mapping[str, str]) -> Child:
    # X-Forwarded-For is whatever a client claims, unless a proxy of ours set it.
    proxy = "--proxy-headers" if given.get("FORWARDED_ALLOW_IPS") else "--no-proxy-headers"
    listening = ("--host", address.host, "--port", str(address.port), proxy)
    quiet = ("--no-access-log", "--log-level", "warning")
    limits = ("--timeout-graceful-shutdown", str(WEB_GOODBYE_SECONDS), "--ws-max-size", str(WEB_FRAME_BYTES))
    # Packing a message for each of a thousand readers takes longer than a second has.
    sockets = ("--ws-per-message-deflate", "false")
    return Child(
        "web", (sys.executable, "-m", "uvicorn", "portal.asgi:application", *listening, *quiet, *limits, *sockets)
    )


def runner() -> Child:
    # Ctrl-C must not wait for the end of a long run.
    return Child(RUNNER, manage("runner", "--pool", "local", "--name", RUNNER, "--stop-on-term"))


def keeper() -> Child:
    return Child("keeper", manage("keeper"))


def demo_target(port: int, log: Path) -> Child:
    return Child("target", (sys.executable, DEMO_TARGET, "--port", str(port), "--log", log))


def prepare(address: str, target: str, facts: Path) -> Child:
    return Child("prepare", manage("up_prepare", "--target-url", target, "--json", facts, "--url", address))
