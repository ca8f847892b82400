from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from workers.command import RunFolder, argv, environment
from workers.spec import Block, IdFormat, Keys, MasterPart, RunSpec, Stage, WorkerPart, check

FOLDER = RunFolder(Path("/runs/1"))


def spec(**fields: object) -> RunSpec:
    return RunSpec(**({"run_id": "1", "locustfile": "x", "users": 7, "spawn_rate": 2.5, "run_time_s": 90} | fields))  # type: ignore[arg-type]


def test_the_load_is_on_the_command_line() -> None:
    options = argv(spec(host="https://shop.test"), FOLDER)
    assert {"--headless", "--users=7", "--spawn-rate=2.5", "--run-time=90s", "--host=https://shop.test"} <= set(options)
    assert {"--csv=/runs/1/out/locust", "--html=/runs/1/out/report.html"} <= set(options)


@pytest.mark.parametrize(("collector", "expected"), [("csv", True), ("exact", False)])
def test_the_full_history_is_written_for_the_collector_that_reads_it(collector: str, expected: bool) -> None:
    assert ("--csv-full-history" in argv(spec(collector=collector), FOLDER)) is expected


def test_stages_set_the_run_time() -> None:
    assert "--run-time=4s" in argv(spec(stages=(Stage(1.5, 1, 1), Stage(2, 1, 1))), FOLDER)


def test_tags_stand_last() -> None:
    options = argv(spec(tags=("a", "b"), exclude_tags=("c",)), FOLDER)
    assert options[-5:] == ["--tags", "a", "b", "--exclude-tags", "c"]


@pytest.mark.parametrize("fields", [{"tags": ("--web-port=1",)}, {"exclude_tags": ("-f",)}])
def test_a_tag_cannot_become_an_option(fields: dict[str, object]) -> None:
    assert check(spec(**fields))
    with pytest.raises(ValueError, match="dash"):
        argv(spec(**fields), FOLDER)


def test_a_host_cannot_become_an_option() -> None:
    assert check(spec(host="--master"))
    assert "--master" not in argv(spec(host="--master"), FOLDER)


def test_the_environment_is_built_from_nothing() -> None:
    base = {"PATH": "/bin", "LANG": "C.UTF-8", "SECRET_KEY": "x", "DATABASE_URL": "y", "LOCUST_USERS": "3"}
    env = environment(spec(env={"API_TOKEN": "t", "HOME": "/root", "WORKER_OFFSET": "9"}), FOLDER, base)
    assert env == {
        "API_TOKEN": "t",
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "HOME": "/runs/1/home",
        "TMPDIR": "/runs/1/tmp",
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "HATCHERY_RUN_ID": "1",
        "WORKER_OFFSET": "0",
        "WORKER_COUNT": "7",
        "WORKER_INDEX": "0",
        "WORKER_TOTAL": "1",
        "ID_PREFIX": "",
        "ID_WIDTH": "1",
    }


@pytest.mark.parametrize(
    "name", ["LD_PRELOAD", "PYTHONPATH", "LOCUST_USERS", "https_proxy", "HATCHERY_RUN_ID", "A=B", "é"]
)
def test_steering_variables_are_refused(name: str) -> None:
    assert check(spec(env={name: "x"}))


@pytest.mark.parametrize("value", ["\0", "\ud800", "x" * 8_001])
def test_values_that_no_process_can_have_are_refused(value: str) -> None:
    assert check(spec(env={"API_TOKEN": value}))


KEYS = Keys("server-public", "server-secret", "client-public", "client-secret")
BLOCKS = (Block(0, 0, 3), Block(1, 3, 4))


def test_a_master_waits_for_its_workers_and_decides_about_the_test() -> None:
    options = argv(spec(part=MasterPart(KEYS, "10.0.0.1", BLOCKS, ports=(7_000, 7_009))), FOLDER)
    assert {"--master", "--master-bind-host=10.0.0.1", "--master-bind-port=7000", "--expect-workers=2"} <= set(options)
    assert {"--headless", "--users=7", "--run-time=90s"} <= set(options) and "--worker" not in options
    assert "--master-bind-port=0" in argv(spec(part=MasterPart(KEYS, "10.0.0.1", BLOCKS)), FOLDER)


def test_a_worker_decides_about_nothing_and_writes_no_files_of_locusts() -> None:
    part = WorkerPart(replace(KEYS, server_secret=""), "10.0.0.1", 7_001)
    options = argv(spec(part=part, host="https://shop.test", tags=("a",)), FOLDER)
    assert {"--worker", "--master-host=10.0.0.1", "--master-port=7001", "--host=https://shop.test"} <= set(options)
    assert options[-2:] == ["--tags", "a"]
    names = {option.partition("=")[0] for option in options}
    assert not names & {"--headless", "--master", "--users", "--spawn-rate", "--run-time", "--csv", "--html"}


def test_keys_stand_on_no_command_line_and_in_no_environment() -> None:
    """Other processes of the machine can read both."""
    for part in (MasterPart(KEYS, "10.0.0.1", BLOCKS), WorkerPart(KEYS, "10.0.0.1", 7_001)):
        said = " ".join([*argv(spec(part=part), FOLDER), *environment(spec(part=part), FOLDER, {}).values()])
        assert "secret" not in said and "public" not in said


def test_a_worker_knows_its_place_among_the_others() -> None:
    env = environment(spec(block=Block(2, 333, 167), workers=3, ids=IdFormat("test_", 5)), FOLDER, {})
    places = {name: value for name, value in env.items() if name.startswith(("WORKER_", "ID_"))}
    assert places == {
        "WORKER_OFFSET": "333",
        "WORKER_COUNT": "167",
        "WORKER_INDEX": "2",
        "WORKER_TOTAL": "3",
        "ID_PREFIX": "test_",
        "ID_WIDTH": "5",
    }
