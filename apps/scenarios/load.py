"""The load somebody asks for: from raw input (JSON or form) to the values that `LoadOptions` keeps.

Nothing here raises for bad input: everything that is wrong comes back as problems, so that a form can show all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from django.utils.translation import gettext as _

from apps.core.errors import Invalid
from workers import spec as engine
from workers.spec import Problem

FIELDS = ("host", "users", "spawn_rate", "run_time_s", "stages", "tags", "exclude_tags", "env")
"""The fields of `LoadOptions`."""
RAW_FIELDS = ("host", "users", "spawn_rate", "run_time", "stages", "tags", "exclude_tags", "env")
"""The same as people and programs write them."""
STAGE_KEYS = frozenset({"duration", "users", "spawn_rate"})


@dataclass(slots=True)
class Parsed:
    """`load` holds a value for each raw field that was given and could be read."""

    load: dict[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def parse(raw: Mapping[str, Any]) -> Parsed:
    """Read raw fields: types and durations here, limits in `check`. Unknown fields are the caller's to refuse."""
    parsed = Parsed()
    for name in RAW_FIELDS:
        if name in raw:
            _READERS[name](name, raw[name], parsed)
    return parsed


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` (all FIELDS) with `changes`. Users or a run time without stages ask for a plain load: stages then go."""
    plain: dict[str, Any] = {"stages": []} if "stages" not in changes and {"users", "run_time_s"} & set(changes) else {}
    return settle({**base, **plain, **changes})


def settle(load: Mapping[str, Any]) -> dict[str, Any]:
    """With stages, run time and users follow from them."""
    settled = dict(load)
    if stages := settled.get("stages"):
        settled["run_time_s"] = sum(stage["duration"] for stage in stages)
        settled["users"] = max(1, *(stage["users"] for stage in stages), 1)
    return settled


def all_problems(parsed: Parsed) -> list[Problem]:
    """What could not be read, and what of the rest the engine would refuse: all that a form can say at once."""
    harmless = {
        "host": "",
        "users": 1,
        "spawn_rate": 1.0,
        "run_time_s": 1.0,
        "stages": [],
        "tags": [],
        "exclude_tags": [],
    }
    return parsed.problems + check(settle({**harmless, "env": {}, **parsed.load}))


def check(load: Mapping[str, Any]) -> list[Problem]:
    """What the engine would refuse of a whole load (all FIELDS)."""
    return [problem for problem in engine.check(to_spec(load, locustfile="")) if problem.field != "locustfile"]


def to_spec(load: Mapping[str, Any], *, locustfile: str) -> engine.RunSpec:
    """The engine's view of a load."""
    stages = tuple(engine.Stage(stage["duration"], stage["users"], stage["spawn_rate"]) for stage in load["stages"])
    return engine.RunSpec(
        run_id="",
        locustfile=locustfile,
        users=load["users"],
        spawn_rate=load["spawn_rate"],
        run_time_s=load["run_time_s"],
        host=load["host"],
        stages=stages,
        tags=tuple(load["tags"]),
        exclude_tags=tuple(load["exclude_tags"]),
        env=load["env"],
    )


def sentences(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Problems as sentences for people, by field."""
    fields: dict[str, list[str]] = {}
    for problem in problems:
        text = _(problem.message)
        fields.setdefault(problem.field, []).append(text % problem.params if problem.params else text)
    return fields


def refuse(problems: Sequence[Problem]) -> NoReturn:
    """Raise Invalid with the first problem's code and all fields."""
    fields = sentences(problems)
    raise Invalid(next(iter(fields.values()))[0], code=problems[0].code, fields=fields)


# --- one reader a field --------------------------------------------------------------------------------------------


def _read_users(name: str, value: Any, parsed: Parsed) -> None:
    parsed.load[name] = value  # the engine's check knows what a number of users is


def _read_rate(name: str, value: Any, parsed: Parsed) -> None:
    parsed.load[name] = _rate(value)


def _read_run_time(name: str, value: Any, parsed: Parsed) -> None:
    seconds = _seconds(value)
    if seconds is None:
        parsed.problems.append(Problem(name, "not_a_duration", "Run time must look like 90s, 5m or 1h30m."))
    else:
        parsed.load["run_time_s"] = seconds


def _read_host(name: str, value: Any, parsed: Parsed) -> None:
    if isinstance(value, str):
        parsed.load[name] = value.strip()
    else:
        parsed.problems.append(Problem(name, "not_text", "The host must be text."))


def _read_stages(name: str, value: Any, parsed: Parsed) -> None:
    if not isinstance(value, list):
        parsed.problems.append(Problem(name, "not_a_list", "Stages must be a list."))
        return
    stages = [_stage(item) for item in value[: engine.MAX_STAGES + 1]]
    bad = [number for number, stage in enumerate(stages, start=1) if stage is None]
    if bad:
        message = "Stage %(number)d must have a duration such as 90s or 5m, users and a spawn rate, and nothing else."
        parsed.problems.append(Problem(name, "bad_stage", message, {"number": bad[0]}))
    else:
        parsed.load[name] = stages


def _read_tags(name: str, value: Any, parsed: Parsed) -> None:
    if isinstance(value, list) and all(isinstance(tag, str) for tag in value):
        parsed.load[name] = list(value)
    else:
        parsed.problems.append(Problem(name, "not_a_list", "Tags must be a list of texts."))


def _read_env(name: str, value: Any, parsed: Parsed) -> None:
    if not isinstance(value, dict):
        parsed.problems.append(Problem(name, "not_an_object", "Environment variables must be names with values."))
    elif any(isinstance(text, str) and not _storable(text) for text in value.values()):
        parsed.problems.append(
            Problem(name, "bad_value", "An environment variable has a value that is not valid text.")
        )
    else:
        parsed.load[name] = dict(value)


_READERS = {
    "host": _read_host,
    "users": _read_users,
    "spawn_rate": _read_rate,
    "run_time": _read_run_time,
    "stages": _read_stages,
    "tags": _read_tags,
    "exclude_tags": _read_tags,
    "env": _read_env,
}


def _stage(item: Any) -> dict[str, Any] | None:
    if not isinstance(item, dict) or set(item) != STAGE_KEYS:
        return None
    seconds, users, rate = _seconds(item["duration"]), item["users"], _rate(item["spawn_rate"])
    if seconds is None or not isinstance(users, int) or isinstance(users, bool) or not isinstance(rate, float):
        return None
    return {"duration": seconds, "users": users, "spawn_rate": rate}


def _seconds(value: Any) -> float | None:
    try:
        return engine.parse_duration(value)
    except (ValueError, OverflowError):
        return None


def _rate(value: Any) -> Any:
    """A number as float; anything else as it is, for the engine's check to refuse."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _storable(text: str) -> bool:
    """Whether a database can keep it: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
