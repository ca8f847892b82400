"""Settings from the environment: what is taken, and the sentence for what is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from apps.core import environment

NAME = "HATCHERY_TRIED"


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv(NAME, raising=False)
    return monkeypatch


def test_an_empty_value_is_no_value(given: pytest.MonkeyPatch) -> None:
    given.setenv(NAME, "")
    assert environment.text(NAME, "kept") == "kept"
    assert environment.words(NAME, ["kept"]) == ["kept"]
    assert environment.switch(NAME, default=True) is True
    assert environment.count(NAME, 3) == 3
    assert environment.redis(NAME, "redis://127.0.0.1:1/0") == "redis://127.0.0.1:1/0"
    assert environment.database(NAME, "sqlite:////folder/file")["NAME"] == "/folder/file"


def test_words_are_separated_by_commas(given: pytest.MonkeyPatch) -> None:
    given.setenv(NAME, "a.example, b.example,")
    assert environment.words(NAME, []) == ["a.example", "b.example"]


@pytest.mark.parametrize("value", ["http://127.0.0.1:8000", "https://load.example.com/", "http://[::1]:9000"])
def test_an_origin_is_taken_without_its_slash(given: pytest.MonkeyPatch, value: str) -> None:
    given.setenv(NAME, value)
    assert environment.origin(NAME, "") == value.rstrip("/")


@pytest.mark.parametrize(
    "value",
    [
        "load.example.com",
        "ftp://load.example.com",
        "https://",
        "https://a/b",
        "https://a:x",
        "https://me@a",
        "http://[",
    ],
)
def test_what_is_no_origin_is_refused(given: pytest.MonkeyPatch, value: str) -> None:
    given.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"^{NAME} must look like https"):
        environment.origin(NAME, "")


@pytest.mark.parametrize("value", ["garbage", "mysql://me:secret@host/name", "postgres://me:secret@host"])
def test_a_wrong_database_is_refused_without_its_password(given: pytest.MonkeyPatch, value: str) -> None:
    given.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"^{NAME} must look like postgres://") as refused:
        environment.database(NAME, "")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["foo", "http://:secret@host", "redis://", "redis://:secret@host:x", "unix://"])
def test_a_wrong_redis_is_refused_without_its_password(given: pytest.MonkeyPatch, value: str) -> None:
    given.setenv(NAME, value)
    with pytest.raises(ImproperlyConfigured, match=rf"^{NAME} must look like redis://") as refused:
        environment.redis(NAME, "")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("value", ["rediss://:secret@host:6379/1", "unix:///run/redis.sock"])
def test_any_way_to_a_redis_is_taken(given: pytest.MonkeyPatch, value: str) -> None:
    given.setenv(NAME, value)
    assert environment.redis(NAME, "") == value


def test_small_values_are_refused_by_name(given: pytest.MonkeyPatch) -> None:
    given.setenv(NAME, "maybe")
    for read in (
        lambda: environment.switch(NAME, default=False),
        lambda: environment.count(NAME, 0),
        lambda: environment.level(NAME, "INFO"),
        lambda: environment.mail(NAME, ""),
    ):
        with pytest.raises(ImproperlyConfigured, match=rf"^{NAME} must "):
            read()


def test_a_folder_is_made_for_its_owner(given: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given.setenv(NAME, str(tmp_path / "a" / "b"))
    path = environment.own_folder(NAME, Path("/nowhere"))
    assert path == tmp_path / "a" / "b"
    assert path.stat().st_mode & 0o777 == 0o700


def test_a_file_is_no_folder(given: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    given.setenv(NAME, str(tmp_path / "file"))
    with pytest.raises(ImproperlyConfigured, match=rf"^{NAME}: the folder .* cannot be used \(it is not a folder\)"):
        environment.own_folder(NAME, Path("/nowhere"))
