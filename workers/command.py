"""How a Locust process is started: its folder, its arguments, its environment. Pure."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workers.spec import MasterPart, RunSpec, WorkerPart

LAUNCHER = Path(__file__).resolve().parent / "child" / "launch.py"
LOCUSTFILE = "locustfile.py"

EXIT_CODE_ON_ERROR = 40
"""Tells “some requests failed” from “could not start”, which is 1 in either case by default."""

STOP_TIMEOUT_SECONDS = 3
"""How long users may finish what they are at when the run ends; their last requests are counted, not cut off."""

INHERITED = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""All that a Locust process gets from the portal's environment: where programs, language and certificates are."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The private folder of one run, absolute. The script may write anywhere in it: read with `tail.open_regular`."""

    path: Path

    @property
    def script(self) -> Path:
        """Working folder of the script; holds the locustfile and data files, nothing of ours."""
        return self.path / "script"

    @property
    def home(self) -> Path:
        return self.path / "home"

    @property
    def tmp(self) -> Path:
        return self.path / "tmp"

    @property
    def out(self) -> Path:
        return self.path / "out"

    @property
    def locustfile(self) -> Path:
        return self.script / LOCUSTFILE

    @property
    def launch(self) -> Path:
        return self.out / "launch.json"

    @property
    def log(self) -> Path:
        return self.out / "locust.log"

    @property
    def events(self) -> Path:
        return self.out / "events.ndjson"

    @property
    def samples(self) -> Path:
        """What the names of the files of our own collector begin with: `samples.1.ndjson` and so on."""
        return self.out / "samples"

    @property
    def ids(self) -> Path:
        """What the names of the files of the journal of IDs begin with, as `samples`."""
        return self.out / "ids"

    @property
    def failed(self) -> Path:
        """Failing requests, as examples."""
        return self.out / "failed.ndjson"

    @property
    def steering(self) -> Path:
        """Written by the supervisor, read by the child."""
        return self.out / "steering.json"

    @property
    def orders(self) -> Path:
        """As `steering`, about the workers of a master."""
        return self.out / "orders.json"

    @property
    def final(self) -> Path:
        return self.out / "final.json"

    @property
    def inspection(self) -> Path:
        return self.out / "inspection.json"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def stats(self) -> Path:
        return self.out / "locust_stats.csv"

    @property
    def history(self) -> Path:
        return self.out / "locust_stats_history.csv"

    @property
    def failures(self) -> Path:
        return self.out / "locust_failures.csv"

    @property
    def exceptions(self) -> Path:
        return self.out / "locust_exceptions.csv"

    @property
    def artifacts(self) -> tuple[Path, ...]:
        """What is worth keeping of a finished run; each may be missing, and is as hostile as the script was."""
        return (self.report, self.stats, self.history, self.failures, self.exceptions, self.log)


def argv(spec: RunSpec, folder: RunFolder) -> list[str]:
    """The command line of a run. Text of a tenant stands only where it cannot be taken for an option."""
    return [
        *launcher(folder),
        f"--locustfile={folder.locustfile}",
        "--only-summary",
        *(_worker_options(spec.part) if isinstance(spec.part, WorkerPart) else _test_options(spec, folder)),
        *([f"--host={spec.host}"] if spec.host else []),
        *_tag_option("--tags", spec.tags),
        *_tag_option("--exclude-tags", spec.exclude_tags),
    ]


def _test_options(spec: RunSpec, folder: RunFolder) -> list[str]:
    """Of the process that decides about users."""
    options = {
        "--users": str(spec.users),
        "--spawn-rate": f"{spec.spawn_rate:g}",
        "--run-time": f"{math.ceil(spec.duration_s)}s",
        "--stop-timeout": str(STOP_TIMEOUT_SECONDS),
        "--csv": str(folder.out / "locust"),
        "--html": str(folder.report),
        "--exit-code-on-error": str(EXIT_CODE_ON_ERROR),
    }
    return [
        "--headless",
        *(["--csv-full-history"] if spec.collector != "exact" else []),
        *(f"{name}={value}" for name, value in options.items()),
        *(_master_options(spec.part) if isinstance(spec.part, MasterPart) else []),
    ]


def _master_options(part: MasterPart) -> list[str]:
    port = 0 if part.ports is None else part.ports[0]
    return [
        "--master",
        f"--master-bind-host={part.bind}",
        f"--master-bind-port={port}",
        f"--expect-workers={len(part.blocks)}",
    ]


def _worker_options(part: WorkerPart) -> list[str]:
    return ["--worker", f"--master-host={part.master}", f"--master-port={part.port}"]


def launcher(folder: RunFolder) -> list[str]:
    """-P: the launcher's own folder is not importable; -s: neither is the user's site-packages."""
    return [sys.executable, "-P", "-s", str(LAUNCHER), str(folder.launch)]


def environment(spec: RunSpec, folder: RunFolder, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The whole environment of the child: built from nothing, the tenant's variables first so that ours win."""
    block = spec.own_block
    return {
        **spec.env,
        **bare_environment(folder, base),
        "HATCHERY_RUN_ID": spec.run_id,
        "WORKER_OFFSET": str(block.offset),
        "WORKER_COUNT": str(block.users),
        "WORKER_INDEX": str(block.index),
        "WORKER_TOTAL": str(spec.workers),
        "ID_PREFIX": spec.ids.prefix,
        "ID_WIDTH": str(spec.ids.width),
    }


def bare_environment(folder: RunFolder, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {
        "PATH": os.defpath,
        **{name: base[name] for name in INHERITED if name in base},
        "HOME": str(folder.home),
        "TMPDIR": str(folder.tmp),
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
    }


def _tag_option(name: str, tags: tuple[str, ...]) -> list[str]:
    if any(tag.startswith("-") for tag in tags):
        raise ValueError("a tag must not begin with a dash")
    return [name, *tags] if tags else []
