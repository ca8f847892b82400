from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from workers.command import RunFolder
from workers.launch import launch_config, make_folders, prepare, write_steering
from workers.samples import MAX_ENDPOINTS, MAX_ERRORS
from workers.spec import RunSpec, Steering

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
