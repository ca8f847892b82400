"""The order in which `make up` starts its parts, and what it tells when they are ready."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import urlsplit

from apps.core.supervise import stack
from apps.core.supervise.children import Child, Supervisor, say
from apps.core.supervise.private_redis import PrivateRedis, private_redis
from apps.core.supervise.stack import Address
from apps.core.supervise.state import LOOPBACK, Refused, State

REDIS_SECONDS = 30.0
READY_SECONDS = 120.0
POLL_SECONDS = 0.2
ANSWER_SECONDS = 10.0
ANSWER_CHARS = 500


class Boot:
    def __init__(self, state: State, address: Address, given: Mapping[str, str]) -> None:
        self.state = state
        self.address = address
        self.given = given
        self.redis: PrivateRedis | None = None if given.get("REDIS_URL") else private_redis(state)
        self.target_port = state.port("target")
        redis_url = self.redis.url if self.redis else given["REDIS_URL"]
        env = stack.environment(given, address=address, state=state.folder, redis_url=redis_url)
        self.url = env["HATCHERY_URL"]
        self.last_answer = "no answer"
        self.supervisor = Supervisor(env=env, folder=stack.BASE_DIR)

    async def start(self) -> None:
        """Returns when all is ready and said. Raises Refused with the reason if it cannot be."""
        say(f"Starting Hatchery. Its data is in {self.state.folder}.")
        if self.redis:
            self.supervisor.start(self.redis.child)
            await self.wait_until(self.redis.answers, REDIS_SECONDS, self.why_no_redis)
        facts = self.state.folder / "demo.json"
        target = f"http://{LOOPBACK}:{self.target_port}"
        await self.run_once(stack.prepare(self.url, target, facts))
        for child in self.long_lived():
            self.supervisor.start(child)
        await self.wait_until(self.is_ready, READY_SECONDS, self.why_not_ready)
        say(announcement(json.loads(facts.read_text()), str(facts)))

    def long_lived(self) -> list[Child]:
        log = self.state.folder / "target.jsonl"
        return [
            stack.demo_target(self.target_port, log),
            stack.web(self.address, self.given),
            stack.runner(),
            stack.keeper(),
        ]

    async def run_once(self, child: Child) -> None:
        how = await self.supervisor.run(child)
        if how != "ended":
            raise Refused(f"Hatchery cannot start: `{child.name}` {how}; its last lines above say why.")

    async def wait_until(self, ready: Callable[[], Awaitable[bool]], seconds: float, why: Callable[[], str]) -> None:
        deadline = asyncio.get_running_loop().time() + seconds
        while not await ready():
            if asyncio.get_running_loop().time() > deadline:
                raise Refused(why())
            await asyncio.sleep(POLL_SECONDS)

    async def is_ready(self) -> bool:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                status, self.last_answer = await ask(self.address, self.url, "/readyz")
        except (OSError, TimeoutError, ValueError):
            return False
        return status == 200

    def why_no_redis(self) -> str:
        return f"The private Redis does not answer; {self.state.folder}/redis/redis.log says why."

    def why_not_ready(self) -> str:
        return f"Hatchery was not ready after {READY_SECONDS:g} s; /readyz last said: {self.last_answer[:ANSWER_CHARS]}"


async def ask(address: Address, url: str, path: str) -> tuple[int, str]:
    """One small GET, under the name people use, which is the one the portal accepts."""
    reader, writer = await asyncio.open_connection(urlsplit(address.url).hostname, address.port)
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {urlsplit(url).netloc}\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return int(head.split(b" ", 2)[1]), body.decode("utf-8", "replace").strip()


def announcement(facts: Mapping[str, str], file: str) -> str:
    return "\n".join(
        [
            "",
            "Hatchery is ready.",
            "",
            f"  Address    {facts['url']}",
            f"  User       {facts['username']}",
            f"  Password   {facts['password']}",
            f"  API token  {facts['token']}",
            f"  Target     {facts['target']}",
            "",
            f"  Log in and open the project {facts['project']}: the scenario {facts['scenario']} has a run to look at.",
            f"  The same facts are in {file}. Ctrl-C stops everything.",
            "",
        ]
    )
