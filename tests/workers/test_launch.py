from __future__ import annotations

import json
import os
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest

from workers.command import RunFolder
from workers.launch import launch_config, make_folders, prepare, write_orders, write_steering
from workers.samples import MAX_ENDPOINTS, MAX_ERRORS
from workers.spec import MAX_USERS, Block, DataFileSpec, Keys, MasterPart, RunSpec, Steering, WorkerPart
from workers.swarm import Orders

SPEC = RunSpec("1", "x = 1", 7, 2.5, 90, env={"API_TOKEN": "secret-value"}, group_ids=True)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


def test_the_child_is_told_how_to_collect_and_where_to(folder: RunFolder) -> None:
    prepare(SPEC, folder)
    config = json.loads(folder.launch.read_bytes())
    assert config == json.loads(json.dumps(launch_config(SPEC, folder)))
    assert (config["collector"], config["group_ids"]) == ("exact", True)
    assert (config["names"]["max_endpoints"], config["names"]["max_errors"]) == (MAX_ENDPOINTS, MAX_ERRORS)
    places = {key: Path(config[key]).relative_to(folder.out).name for key in ("samples", "failed", "steering")}
    assert places == {"samples": "samples", "failed": "failed.ndjson", "steering": "steering.json"}


def test_the_child_is_told_the_names_of_secrets_and_not_their_values(folder: RunFolder) -> None:
    config = launch_config(SPEC, folder)
    assert config["env_names"] == ["API_TOKEN"]
    assert "secret-value" not in json.dumps(config)


KEYS = Keys("server-public", "server-secret", "client-public", "client-secret")
BLOCKS = (Block(0, 0, 3), Block(1, 3, 4))
TABLE = b"user,mail\na,1\nb,2\nc,3\n"


def test_a_process_alone_may_come_to_more_users_than_it_began_with(folder: RunFolder) -> None:
    config = launch_config(SPEC, folder)
    assert config["swarm"] is None
    assert config["identity"]["spans"] == config["identity"]["blocks"] == [(1, MAX_USERS)]  # type: ignore[index]


def test_ids_that_are_leased_are_all_there_are(folder: RunFolder) -> None:
    config = launch_config(replace(SPEC, block=Block(0, 100, 7), ids_are_leased=True), folder)
    assert config["identity"]["spans"] == [(101, 107)]  # type: ignore[index]


def test_a_master_has_its_own_secret_and_no_users(folder: RunFolder) -> None:
    config = launch_config(replace(SPEC, part=MasterPart(KEYS, "10.0.0.1", BLOCKS, (5000, 5009)), workers=2), folder)
    assert config["identity"] is None
    assert config["swarm"] == {
        "role": "master",
        "keys": {
            "server_public": "server-public",
            "server_secret": "server-secret",
            "client_public": "client-public",
        },
        "ports": (5000, 5009),
        "blocks": [(0, 0, 3), (1, 3, 4)],
    }


def test_a_worker_has_the_secret_of_workers_and_hears_its_ids_from_the_master(folder: RunFolder) -> None:
    part = WorkerPart(KEYS, "10.0.0.1", 5000, start=2)
    config = launch_config(replace(SPEC, part=part, workers=2, block=BLOCKS[1], blocks=BLOCKS), folder)
    assert config["swarm"] == {
        "role": "worker",
        "keys": {
            "server_public": "server-public",
            "client_public": "client-public",
            "client_secret": "client-secret",
        },
        "index": 1,
        "start": 2,
    }
    assert (config["identity"]["spans"], config["identity"]["blocks"]) == ([], [(1, 3), (4, 7)])  # type: ignore[index]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        (None, TABLE),
        (MasterPart(KEYS, "10.0.0.1", BLOCKS), TABLE),
        (WorkerPart(KEYS, "10.0.0.1", 5000), b"user,mail\nb,2\nc,3\n"),
    ],
    ids=["alone", "master", "worker"],
)
def test_data_files_lie_beside_the_script_and_workers_have_their_part(
    folder: RunFolder, part: MasterPart | WorkerPart | None, found: bytes
) -> None:
    file = DataFileSpec("users.csv", "0" * 64, len(TABLE), "csv", 3, "split", "recycle")
    total = 1 if part is None else 2
    spec = replace(SPEC, data=(file,), part=part, workers=total, block=BLOCKS[total - 1])
    prepare(replace(spec, block=Block(0, 0, 7)) if part is None else spec, folder, lambda asked: BytesIO(TABLE))
    assert (folder.script / "users.csv").read_bytes() == found


def test_data_that_nobody_knows_is_no_data(folder: RunFolder) -> None:
    file = DataFileSpec("users.csv", "0" * 64, 1, "csv", 3, "split", "recycle")
    with pytest.raises(ValueError, match=r"users\.csv"):
        prepare(replace(SPEC, data=(file,)), folder)


def test_orders_say_what_becomes_of_workers(folder: RunFolder) -> None:
    make_folders(folder)
    write_orders(folder, Orders(1, {1: 4, 0: 3}))
    write_orders(folder, Orders(2, {1: 7}, gone=(0,)))
    said = json.loads(folder.orders.read_bytes())
    assert said == {"revision": 2, "quotas": [[1, 7]], "gone": [0], "lost": []}


def test_steering_replaces_what_was_said_before(folder: RunFolder) -> None:
    make_folders(folder)
    for revision in (1, 2):
        write_steering(folder, Steering(revision, 120.0, users=5, is_paused=revision == 2))
    assert json.loads(folder.steering.read_bytes()) == {
        "revision": 2,
        "users": 5,
        "spawn_rate": None,
        "run_time_s": 120.0,
        "is_paused": True,
    }
    assert [path.name for path in folder.out.iterdir()] == ["steering.json"]
    assert folder.steering.stat().st_mode & 0o777 == 0o600


def test_steering_writes_through_no_link(folder: RunFolder, tmp_path: Path) -> None:
    make_folders(folder)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("steering.json", "steering.json.tmp"):
        (folder.out / name).symlink_to(victim)
    write_steering(folder, Steering(1, 120.0))
    assert victim.read_text() == "mine" and not folder.steering.is_symlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.out.rename(tmp_path / "away")
    folder.out.symlink_to(elsewhere)
    with pytest.raises(OSError, match=os.strerror(20)):
        write_steering(folder, Steering(2, 120.0))
    assert list(elsewhere.iterdir()) == []


def test_half_of_it_is_never_there(folder: RunFolder) -> None:
    make_folders(folder)
    write_steering(folder, Steering(1, 120.0))
    with pytest.raises(ValueError, match="JSON compliant"):
        write_steering(folder, Steering(2, float("nan")))
    assert json.loads(folder.steering.read_bytes())["revision"] == 1


# --- runs of several processes ------------------------------------------------------------------------------------

KEYS = Keys("server-public", "server-secret", "client-public", "client-secret")


def test_a_process_that_is_alone_has_no_others_to_know_of(folder: RunFolder) -> None:
    assert launch_config(SPEC, folder)["swarm"] is None


def test_a_master_is_told_of_its_workers_and_not_of_their_secret(folder: RunFolder) -> None:
    part = MasterPart(KEYS, "10.0.0.1", (Block(0, 50, 3), Block(1, 53, 4)), ports=(7_000, 7_009))
    said = json.loads(json.dumps(launch_config(replace(SPEC, part=part), folder)))["swarm"]
    keys = {"server_public": "server-public", "server_secret": "server-secret", "client_public": "client-public"}
    assert said == {"role": "master", "keys": keys, "ports": [7_000, 7_009], "blocks": [[0, 50, 3], [1, 53, 4]]}


def test_a_worker_is_told_who_it_is_and_not_the_secret_of_its_master(folder: RunFolder) -> None:
    spec = replace(SPEC, part=WorkerPart(KEYS, "10.0.0.1", 7_001, start=2), block=Block(3, 0, 5))
    said = json.loads(json.dumps(launch_config(spec, folder)))["swarm"]
    keys = {"server_public": "server-public", "client_public": "client-public", "client_secret": "client-secret"}
    assert said == {"role": "worker", "keys": keys, "index": 3, "start": 2}


def test_orders_replace_those_before(folder: RunFolder) -> None:
    make_folders(folder)
    for revision in (1, 2):
        write_orders(folder, Orders(revision, {2: 7, 0: 6}, gone=(1,), lost=(3,)))
    assert json.loads(folder.orders.read_bytes()) == {
        "revision": 2,
        "quotas": [[0, 6], [2, 7]],
        "gone": [1],
        "lost": [3],
    }
    assert folder.orders.stat().st_mode & 0o777 == 0o600


def test_only_whoever_runs_the_portal_reads_the_keys(folder: RunFolder) -> None:
    prepare(replace(SPEC, part=MasterPart(KEYS, "10.0.0.1", (Block(0, 0, 7),))), folder)
    assert folder.path.stat().st_mode & 0o777 == 0o700
