"""What a run is asked to do, as plain values, and the limits every door holds it to.

Forms, the REST API and the runner all call `check()`: a load that one of them refuses, all refuse.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any
from urllib.parse import urlsplit

MAX_USERS = 100_000
MAX_SPAWN_RATE = 10_000.0
MAX_RUN_TIME_SECONDS = 7 * 24 * 3600
MAX_STAGES = 100
MAX_LOCUSTFILE_BYTES = 512 * 1024
MAX_HOST_CHARS = 500
MAX_TAGS = 50
MAX_TAG_CHARS = 100
MAX_ENV_VARS = 100
MAX_ENV_VALUE_CHARS = 8_000

_DURATION = re.compile(r"(?:(\d{1,7})h)?(?:(\d{1,7})m)?(?:(\d{1,7})s?)?", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]*", re.ASCII)
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}", re.ASCII)
# Names that change what the interpreter, the linker, Locust or its HTTP clients do, rather than what the script reads.
_ENV_DENIED = re.compile(
    r"(?:LD_|DYLD_|PYTHON|LOCUST|HATCHERY|WORKER_|ID_|GEVENT|GREENLET|GCONV_|MALLOC_|GLIBC_|XDG_|REQUESTS_|CURL_|SSL|OTEL_).*"
    r"|PATH|HOME|TMPDIR|TEMP|TMP|PWD|SHELL|USER|LOGNAME|IFS|ENV|BASH_ENV|LOCPATH|NLSPATH|HOSTALIASES|RES_OPTIONS|RESOLV_.*"
    r"|(?:.*_)?PROXY|DATABASE_URL|REDIS_URL|SECRET_KEY|DJANGO_.*",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Stage:
    """Reach `users` at `spawn_rate` users/s, and hold them until `duration_s` seconds of this stage are over."""

    duration_s: float
    users: int
    spawn_rate: float


@dataclass(frozen=True, slots=True)
class Block:
    """What one Locust worker of a run may have: up to `users` users, numbered `offset + 1` to `offset + users`."""

    index: int
    offset: int
    users: int

    @property
    def first(self) -> int:
        return self.offset + 1

    @property
    def last(self) -> int:
        return self.offset + self.users


@dataclass(frozen=True, slots=True)
class IdFormat:
    """How a number becomes an ID: `prefix`, and `width` digits filled up with zeros."""

    prefix: str = ""
    width: int = 1


@dataclass(frozen=True, slots=True)
class Keys:
    """Of the connections between the processes of one run: two key pairs of CurveZMQ, in Z85."""

    server_public: str
    server_secret: str
    client_public: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class MasterPart:
    """This process decides about users, and has none."""

    keys: Keys
    bind: str
    """IP address to listen on."""
    blocks: tuple[Block, ...]
    """Of each of its workers."""
    ports: tuple[int, int] | None = None
    """The first and the last that may be listened on; None: any."""


@dataclass(frozen=True, slots=True)
class WorkerPart:
    """This process has those users that its master tells it to."""

    keys: Keys
    master: str
    """IP address or name."""
    port: int
    start: int = 1
    """Of processes of the same index, the how-manieth."""


@dataclass(frozen=True, slots=True)
class DataFileSpec:
    """A file that the script reads its data from, as the run pinned it."""

    name: str
    sha256: str
    size: int
    """Bytes of the whole file."""
    kind: str
    """`csv`, `jsonl` or `binary`."""
    rows: int
    """Rows without the header; 0 for a binary file."""
    distribution: str
    """`split` (each worker its part), `shared` (all the whole), `per_user` (all the whole, a row a user)."""
    at_end: str
    """After the last row: `recycle` (from the first again) or `stop` (the user)."""


@dataclass(frozen=True, slots=True)
class RunSpec:
    """All that the engine knows of a run. Times in seconds.

    `run_time_s` also bounds a script that brings its own LoadTestShape; with `stages` it is their sum.
    """

    run_id: str
    locustfile: str
    users: int
    spawn_rate: float
    run_time_s: float
    host: str = ""
    stages: tuple[Stage, ...] = ()
    tags: tuple[str, ...] = ()
    exclude_tags: tuple[str, ...] = ()
    env: Mapping[str, str] = attribute(default_factory=dict)
    collector: str = "exact"
    """`exact` (our own, inside the Locust process) or `csv` (Locust's files)."""
    group_ids: bool = False
    """Whether request names that differ only by ids are one name: `/users/123` → `/users/{id}`."""
    part: MasterPart | WorkerPart | None = None
    """Of a run of several processes; None: this is the only one."""
    block: Block | None = None
    """The numbers of this process's users; None: from 1 on."""
    blocks: tuple[Block, ...] = ()
    """Of all processes of the run that have users, this one included."""
    workers: int = 1
    """How many processes of the run have users."""
    ids_are_leased: bool = False
    """Whether the numbers belong to this run alone while it goes on; else they are counted from 1."""
    counters: str = ""
    """File with the sequences of all IDs, which several processes share; empty: one in the run's own folder."""
    ids: IdFormat = IdFormat()
    clock_offset_s: float = 0.0
    """What has to be added to this machine's clock so that it shows the database's time."""
    data: tuple[DataFileSpec, ...] = ()

    @property
    def own_block(self) -> Block:
        """`block`, or what it is where nobody shares numbers out."""
        return self.block or Block(0, 0, self.users)

    @property
    def duration_s(self) -> float:
        """Planned length in seconds: the stages' sum, or the run time."""
        return sum(stage.duration_s for stage in self.stages) if self.stages else self.run_time_s


@dataclass(frozen=True, slots=True)
class Steering:
    """What people want of a running test, as a whole: the newest one holds, whatever came before.

    `revision` goes up with each change; 0 is the plan of the `RunSpec` itself.
    """

    revision: int
    run_time_s: float
    """Length of the test from its start, in seconds."""
    users: int | None = None
    """None: as the plan says. A number holds from the moment of the change to the end."""
    spawn_rate: float | None = None
    """Users a second on the way there; None: the plan's."""
    is_paused: bool = False
    """No users, while the clock of the plan goes on."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a field. `message` is an English format string, `params` its values."""

    field: str
    code: str
    message: str
    params: Mapping[str, Any] = attribute(default_factory=dict)

    def __str__(self) -> str:
        return self.message % self.params if self.params else self.message


def parse_duration(value: object) -> float:
    """Seconds from `90`, `"90"`, `"90s"`, `"5m"`, `"1h30m"`; raises ValueError for anything else, also for zero."""
    if isinstance(value, bool):
        raise ValueError("not a duration")  # noqa: TRY004 - callers hear of one error only
    if isinstance(value, (int, float)):
        seconds = float(value)
    else:
        text = str(value).strip().lower().replace(" ", "")
        match = _DURATION.fullmatch(text)
        if not text or match is None:
            raise ValueError("not a duration")
        hours, minutes, rest = (int(part or 0) for part in match.groups())
        seconds = float(hours * 3600 + minutes * 60 + rest)
    if not math.isfinite(seconds) or seconds <= 0:
        raise ValueError("not a duration")
    return seconds


def format_duration(seconds: float) -> str:
    """`90.0` → `1m30s`: what `parse_duration` reads back."""
    total = round(seconds)
    hours, rest = divmod(total, 3600)
    minutes, rest = divmod(rest, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{rest}s" if rest else ""]
    return "".join(parts) or "0s"


def check(spec: RunSpec) -> list[Problem]:
    """Everything that is wrong with the load asked for, field by field; empty when it may run."""
    return [
        *check_locustfile(spec.locustfile),
        *_check_users("users", spec.users),
        *_check_rate("spawn_rate", spec.spawn_rate),
        *_check_run_time("run_time", spec.duration_s),
        *_check_stages(spec.stages),
        *check_host(spec.host),
        *_check_tags("tags", spec.tags),
        *_check_tags("exclude_tags", spec.exclude_tags),
        *check_env(spec.env),
    ]


def check_steering(wanted: Mapping[str, Any], *, max_users: int = MAX_USERS) -> list[Problem]:
    """Everything that is wrong with a change of a running test: of `users`, `spawn_rate`, `run_time`, those given.

    The run time in seconds, from the start of the test.
    """
    return [
        *(_check_users("users", wanted["users"], least=0, most=max_users) if "users" in wanted else ()),
        *(_check_rate("spawn_rate", wanted["spawn_rate"]) if "spawn_rate" in wanted else ()),
        *(_check_run_time("run_time", wanted["run_time"]) if "run_time" in wanted else ()),
    ]


def check_locustfile(text: str) -> list[Problem]:
    """Size and encoding only; whether it is Python is asked of `ast` and of a child process."""
    if not text.strip():
        return [Problem("locustfile", "empty", "Paste a locustfile: it is empty.")]
    if not _is_utf8(text):
        return [Problem("locustfile", "not_utf8", "The locustfile is not valid UTF-8 text.")]
    size = len(text.encode("utf-8"))
    if size > MAX_LOCUSTFILE_BYTES:
        params = {"size": size // 1024, "limit": MAX_LOCUSTFILE_BYTES // 1024}
        return [
            Problem("locustfile", "too_large", "The locustfile has %(size)d KiB; the limit is %(limit)d KiB.", params)
        ]
    if "\0" in text:
        return [Problem("locustfile", "null_byte", "The locustfile contains a null byte.")]
    return []


def check_host(host: str) -> list[Problem]:
    """Empty (the script has its own) or an http(s) base address without credentials."""
    if not host:
        return []
    if len(host) > MAX_HOST_CHARS:
        return [Problem("host", "too_long", "The host has more than %(limit)d characters.", {"limit": MAX_HOST_CHARS})]
    try:
        parts = urlsplit(host)
        _ = parts.port  # raises ValueError when out of range
    except ValueError:
        parts = urlsplit("")
    printable = host.isprintable() and " " not in host
    if parts.scheme not in {"http", "https"} or not parts.hostname or not printable:
        return [Problem("host", "not_an_address", "The host must be an address such as https://shop.example.com.")]
    if parts.username is not None or parts.password is not None:
        return [
            Problem("host", "credentials", "Leave user name and password out of the host; use an environment variable.")
        ]
    return []


def check_env(env: Mapping[str, str]) -> list[Problem]:
    """Environment variables a tenant may set: its own names only, never those that steer interpreter or Locust."""
    if len(env) > MAX_ENV_VARS:
        return [Problem("env", "too_many", "At most %(limit)d environment variables.", {"limit": MAX_ENV_VARS})]
    return [problem for name, value in env.items() for problem in _check_env_var(name, value)]


def _check_env_var(name: str, value: object) -> Iterator[Problem]:
    if not _ENV_NAME.fullmatch(name):
        message = "“%(name)s” is not a name for an environment variable: letters, digits and _, at most 100."
        yield Problem("env", "bad_name", message, {"name": name[:100]})
    elif _ENV_DENIED.fullmatch(name):
        yield Problem("env", "denied_name", "“%(name)s” is reserved; choose another name.", {"name": name})
    if not isinstance(value, str) or len(value) > MAX_ENV_VALUE_CHARS or "\0" in value or not _is_utf8(value):
        message = "The value of “%(name)s” must be text of at most %(limit)d characters."
        yield Problem("env", "bad_value", message, {"name": name[:100], "limit": MAX_ENV_VALUE_CHARS})


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _check_users(where: str, users: object, *, least: int = 1, most: int = MAX_USERS) -> Iterator[Problem]:
    if not isinstance(users, int) or isinstance(users, bool) or not least <= users <= most:
        params = {"least": least, "limit": most}
        yield Problem(where, "out_of_range", "Users must be a whole number from %(least)d to %(limit)d.", params)


def _check_rate(where: str, rate: object) -> Iterator[Problem]:
    if not _is_within(rate, 0.01, MAX_SPAWN_RATE):
        params = {"limit": int(MAX_SPAWN_RATE)}
        yield Problem(where, "out_of_range", "Spawn rate must be from 0.01 to %(limit)d users a second.", params)


def _check_run_time(where: str, seconds: object) -> Iterator[Problem]:
    if not _is_within(seconds, 1, MAX_RUN_TIME_SECONDS):
        params = {"limit": MAX_RUN_TIME_SECONDS // 86400}
        yield Problem(where, "out_of_range", "Run time must be from 1 second to %(limit)d days.", params)


def _is_within(value: object, least: float, most: float) -> bool:
    """Whether it is a number, and in between; no NaN is, and a whole number of any size may be asked for."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value <= most


def _check_stages(stages: Sequence[Stage]) -> Iterator[Problem]:
    if len(stages) > MAX_STAGES:
        yield Problem("stages", "too_many", "At most %(limit)d stages.", {"limit": MAX_STAGES})
        return
    for number, stage in enumerate(stages, start=1):
        problems = [
            *_check_run_time("stages", stage.duration_s),
            *_check_users("stages", stage.users, least=0),
            *_check_rate("stages", stage.spawn_rate),
        ]
        for problem in problems:
            params = {**problem.params, "number": number}
            yield Problem("stages", problem.code, "Stage %(number)d: " + problem.message, params)
    if stages and not any(stage.users for stage in stages):
        yield Problem("stages", "no_users", "At least one stage must have users.")


def _check_tags(where: str, tags: Sequence[str]) -> Iterator[Problem]:
    if len(tags) > MAX_TAGS:
        yield Problem(where, "too_many", "At most %(limit)d tags.", {"limit": MAX_TAGS})
    for tag in tags[:MAX_TAGS]:
        if len(tag) > MAX_TAG_CHARS or not _TAG.fullmatch(tag):
            message = "“%(tag)s” is not a tag: letters, digits, and . : _ - inside, at most %(limit)d characters."
            yield Problem(where, "bad_tag", message, {"tag": tag[:MAX_TAG_CHARS], "limit": MAX_TAG_CHARS})
            return
