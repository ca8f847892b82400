"""`python -m apps.core.supervise`: what `manage.py up` becomes."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from apps.core.supervise.boot import Boot
from apps.core.supervise.hold import hold
from apps.core.supervise.stack import Address
from apps.core.supervise.state import Refused, State, check_port


def main() -> int:
    parser = argparse.ArgumentParser(prog="manage.py up")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    options = parser.parse_args()
    state = State(options.state)
    try:
        state.make()
        with state.locked():
            check_port(options.host, options.port)
            boot = Boot(state, Address(options.host, options.port), os.environ)
            asyncio.run(hold(boot.supervisor, boot.start()))
    except Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
