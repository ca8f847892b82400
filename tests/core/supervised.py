"""A supervisor with stand-in children, as a program: `supervised.py '[["name", ["command", …], stops_last], …]'`.

A program of its own, because a supervisor adopts and kills everything below its process.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from apps.core.supervise.children import Child, Supervisor, say
from apps.core.supervise.hold import hold


async def main() -> None:
    supervisor = Supervisor(env=os.environ, folder=Path.cwd(), first_restart=0.1)

    async def start() -> None:
        for name, command, stops_last in json.loads(sys.argv[1]):
            supervisor.start(Child(name, tuple(command), stops_last))
        say("started")

    await hold(supervisor, start())


asyncio.run(main())
