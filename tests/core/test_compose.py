"""The container files say the same as the settings, and hold what a deployment relies on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ["keeper", "migrate", "runner", "web"]
LONG_LIVED = ["keeper", "postgres", "redis", "runner", "web"]
ENV_EXAMPLE = set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
# Read by the programs themselves, not by our settings.
FOREIGN = {"PATH", "POSTGRES_DB", "POSTGRES_USER", "PYTHONUNBUFFERED", "REDISCLI_AUTH"}


def seconds(duration: str) -> int:
    number, unit = int(duration[:-1]), duration[-1]
    return number * {"s": 1, "m": 60, "h": 3600}[unit]


def test_the_image_holds_bytecode() -> None:
    """Its user cannot write any, so every start of every process would compile all packages again."""
    assert "--compile-bytecode" in DOCKERFILE
    assert re.search(r"compileall .*\n.*stdlib.* apps portal workers$", DOCKERFILE, re.MULTILINE)


def test_every_part_of_ours_runs_the_same_image() -> None:
    assert sorted(set(SERVICES) - {"postgres", "redis"}) == OURS
    assert {SERVICES[name]["image"] for name in OURS} == {"${HATCHERY_IMAGE:-hatchery:local}"}


@pytest.mark.parametrize("name", LONG_LIVED)
def test_it_has_a_health_check_and_starts_again(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"
    assert SERVICES[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", ["keeper", "runner"])
def test_the_health_check_looks_at_the_file_that_the_process_touches(name: str) -> None:
    command = SERVICES[name]["command"]
    file = command[command.index("--alive") + 1]
    assert f"find {file} " in SERVICES[name]["healthcheck"]["test"][-1]


def test_the_image_is_built_once() -> None:
    """Builders that work in parallel stumble over several services that make the same image."""
    assert [name for name in SERVICES if "build" in SERVICES[name]] == ["migrate"]


def test_old_and_new_versions_of_compose_can_read_it() -> None:
    assert {key for key in COMPOSE if not key.startswith("x-")} == {"services", "volumes"}
    assert "COMPOSE_PROJECT_NAME" in ENV_EXAMPLE


def test_nothing_starts_at_a_database_that_is_still_being_made() -> None:
    assert "--host" in SERVICES["postgres"]["healthcheck"]["test"]


@pytest.mark.parametrize("name", OURS)
def test_none_of_ours_is_root(name: str) -> None:
    user = SERVICES[name]["user"].split(":")[0]
    assert user != "0"
    assert f"useradd --uid {user} " in DOCKERFILE


def test_the_image_ends_as_a_user_that_is_not_root() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.findall(r"^USER (\w+)", last_stage, re.MULTILINE) == ["hatchery"]
    assert "HEALTHCHECK" in last_stage


def test_migrations_run_once_before_everything_else() -> None:
    assert SERVICES["migrate"]["restart"] == "no"
    for name in ("keeper", "runner", "web"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_runners_have_time_to_finish_a_run() -> None:
    assert seconds(SERVICES["runner"]["stop_grace_period"]) >= 3600


def test_web_runners_and_keeper_share_artifacts_and_data_files() -> None:
    for name in ("HATCHERY_ARTIFACTS", "HATCHERY_DATA"):
        folders = {SERVICES[service]["environment"][name] for service in ("keeper", "runner", "web")}
        assert len(folders) == 1 and folders.pop().startswith("/data/")
    assert SERVICES["runner"]["volumes"] == SERVICES["web"]["volumes"] == ["state:/data"]


def test_data_is_in_named_volumes() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert mounted == set(COMPOSE["volumes"])


def test_no_password_has_a_default() -> None:
    for name in ("POSTGRES_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY"):
        uses = re.findall(r"\$\{" + name + r"(..)", COMPOSE_TEXT)
        assert set(uses) == {":?"}


def test_every_variable_is_a_known_setting() -> None:
    set_here = {name for service in SERVICES.values() for name in service.get("environment", {})}
    from_outside = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT))
    in_image = set(re.findall(r"^(?:ENV|   ) ([A-Z_]+)=", DOCKERFILE, re.MULTILINE))
    assert in_image == {"HATCHERY_STATE", "PATH", "PYTHONUNBUFFERED"}
    assert set_here | from_outside | in_image <= ENV_EXAMPLE | FOREIGN


def test_every_setting_is_in_the_example() -> None:
    """And the other way round: the example lists nothing that nobody reads."""
    text = (ROOT / "portal" / "settings.py").read_text()
    read = set(re.findall(r"\benvironment\.\w+\(\s*\"([A-Z_]+)\"", text))
    elsewhere = {
        "COMPOSE_PROJECT_NAME",
        "FORWARDED_ALLOW_IPS",
        "HATCHERY_IMAGE",
        "HATCHERY_PORTS",
        "PORT",
        "POSTGRES_PASSWORD",
        "REDIS_PASSWORD",
    }
    assert read | elsewhere == ENV_EXAMPLE


def test_the_make_files_recipe_and_the_image_install_alike() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("$$", "$")
    for part in (
        r"/^uv==/,/[^\\]$/p",
        "--require-hashes",
        "-r pyproject.toml -c requirements.lock",
        "--ignore-scripts",
    ):
        assert part in makefile
        assert part in DOCKERFILE
