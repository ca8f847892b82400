"""Entry of the child process: `python -P -s launch.py <launch.json> <Locust's own arguments>`.

Started by path, so that neither the portal's packages nor the folder of this file are importable from a locustfile.
The process splits in two before anything of the tenant's is read: a guard that outlives everything it started (see
`guard.py`), and the Locust process.
"""

import importlib
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
PACKAGE = "hatchery_child"


def main() -> None:
    config: dict[str, Any] = json.loads(Path(sys.argv[1]).read_bytes())
    descriptors = [int(number) for number in os.environ.pop("HATCHERY_GUARD_FDS").split()]
    sys.argv = ["locust", *sys.argv[2:]]
    hide_portal()
    load_package()
    confine(config["limits"])
    importlib.import_module(f"{PACKAGE}.guard").split(*descriptors)
    offer_module()
    importlib.import_module(f"{PACKAGE}.{config['mode']}").main(config)


def hide_portal() -> None:
    """Take the portal's own folder off the path, should it have been installed there (an editable install)."""
    sys.path[:] = [entry for entry in sys.path if entry and Path(entry).resolve() != REPOSITORY]


def load_package() -> None:
    spec = importlib.util.spec_from_file_location(PACKAGE, HERE / "__init__.py", submodule_search_locations=[str(HERE)])
    if spec is None or spec.loader is None:
        raise ImportError(f"{HERE} is not a package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = module
    spec.loader.exec_module(module)


def offer_module() -> None:
    """What a script imports as `hatchery` is ours, also when it has a copy of the file beside it."""
    sys.modules["hatchery"] = importlib.import_module(f"{PACKAGE}.hatchery")


def confine(limits: dict[str, int]) -> None:
    linux = importlib.import_module(f"{PACKAGE}.linux")
    linux.set_no_new_privileges()
    linux.set_limits(limits)


if __name__ == "__main__":
    main()
