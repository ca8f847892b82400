"""Reading a load: whatever is sent, the answer is a load or sentences, never an exception."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import Invalid
from apps.scenarios import load as loads

PLAIN = {
    "users": 10,
    "spawn_rate": 2,
    "run_time": "5m",
    "host": "",
    "stages": [],
    "tags": [],
    "exclude_tags": [],
    "env": {},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def problems_of(**changes: Any) -> list[tuple[str, str]]:
    parsed = loads.parse({**PLAIN, **changes})
    problems = parsed.problems or loads.check(loads.settle(parsed.load))
    return [(problem.field, problem.code) for problem in problems]


def test_it_takes_a_plain_load() -> None:
    assert problems_of() == []
    assert loads.parse(PLAIN).load["run_time_s"] == 300


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("users", 0, "out_of_range"),
        ("users", 1_000_000_000, "out_of_range"),
        ("users", 1.5, "out_of_range"),
        ("users", True, "out_of_range"),
        ("users", "10", "out_of_range"),
        ("users", None, "out_of_range"),
        ("spawn_rate", 0, "out_of_range"),
        ("spawn_rate", -1, "out_of_range"),
        ("spawn_rate", math.nan, "out_of_range"),
        ("spawn_rate", math.inf, "out_of_range"),
        ("spawn_rate", 10**400, "out_of_range"),
        ("spawn_rate", "fast", "out_of_range"),
        ("run_time", -5, "not_a_duration"),
        ("run_time", 0, "not_a_duration"),
        ("run_time", "5x", "not_a_duration"),
        ("run_time", math.nan, "not_a_duration"),
        ("run_time", 10**400, "not_a_duration"),
        ("run_time", None, "not_a_duration"),
        ("run_time", 1e9, "out_of_range"),
        ("run_time", 0.5, "out_of_range"),
        ("host", "shop", "not_an_address"),
        ("host", "file:///etc/passwd", "not_an_address"),
        ("host", "https://user:secret@shop", "credentials"),
        ("host", "https://" + "x" * 600, "too_long"),
        ("host", 7, "not_text"),
        ("tags", "a", "not_a_list"),
        ("tags", ["a b"], "bad_tag"),
        ("tags", [1], "not_a_list"),
        ("exclude_tags", ["--flag"], "bad_tag"),
        ("env", [], "not_an_object"),
        ("env", {"LD_PRELOAD": "x"}, "denied_name"),
        ("env", {"a-b": "x"}, "bad_name"),
        ("env", {"A": 1}, "bad_value"),
        ("env", {"A": "\ud800"}, "bad_value"),
        ("stages", {}, "not_a_list"),
        ("stages", [7], "bad_stage"),
        ("stages", [{"duration": "1m", "users": 1}], "bad_stage"),
        ("stages", [{"duration": "1m", "users": 1, "spawn_rate": 1, "more": 1}], "bad_stage"),
        ("stages", [{"duration": "1x", "users": 1, "spawn_rate": 1}], "bad_stage"),
        ("stages", [{"duration": "1m", "users": True, "spawn_rate": 1}], "bad_stage"),
        ("stages", [{"duration": "1m", "users": -1, "spawn_rate": 1}], "out_of_range"),
        ("stages", [{"duration": "1m", "users": 1, "spawn_rate": 0}], "out_of_range"),
        ("stages", [{"duration": "1m", "users": 0, "spawn_rate": 1}], "no_users"),
        ("stages", [{"duration": "1m", "users": 1, "spawn_rate": 1}] * 101, "too_many"),
    ],
)
def test_it_says_what_is_wrong(field: str, value: Any, code: str) -> None:
    assert (field, code) in problems_of(**{field: value})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no defect
@given(st.dictionaries(st.sampled_from(loads.RAW_FIELDS), json_values))
def test_it_never_fails_on_json(raw: dict[str, Any]) -> None:
    parsed = loads.parse(raw)
    if not parsed.problems:
        loads.sentences(loads.check(loads.settle({**loads.parse(PLAIN).load, **parsed.load})))


def test_stages_decide_users_and_time() -> None:
    stages = [{"duration": "1m", "users": 5, "spawn_rate": 1}, {"duration": 30, "users": 20, "spawn_rate": 2}]
    load = loads.settle(loads.parse({**PLAIN, "stages": stages}).load)
    assert (load["users"], load["run_time_s"]) == (20, 90)


def test_users_without_stages_ask_for_a_plain_load() -> None:
    staged = loads.settle(loads.parse({**PLAIN, "stages": [{"duration": 60, "users": 5, "spawn_rate": 1}]}).load)
    assert loads.merge(staged, {"host": "https://a.example"})["stages"] == staged["stages"]
    plain = loads.merge(staged, {"users": 1})
    assert (plain["stages"], plain["users"]) == ([], 1)


def test_it_refuses_with_the_first_code_and_all_fields() -> None:
    parsed = loads.parse({"run_time": "x", "host": 1})
    with pytest.raises(Invalid) as refused:
        loads.refuse(parsed.problems)
    assert refused.value.code == "not_text"
    assert set(refused.value.fields) == {"run_time", "host"}
