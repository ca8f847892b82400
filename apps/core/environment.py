"""Settings from the environment. What is wrong with one is a sentence that names it, before anything starts.

An empty value is no value: `.env` files and compose files write `NAME=` for what they leave open.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

YES = {"1", "on", "true", "y", "yes"}
NO = {"0", "off", "false", "n", "no"}
DATABASE_SCHEMES = {"pgsql", "postgres", "postgresql", "psql", "sqlite"}
REDIS_SCHEMES = {"redis", "rediss", "unix"}


def text(name: str, default: str) -> str:
    return os.environ.get(name, "").strip() or default


def words(name: str, default: list[str]) -> list[str]:
    """A list with commas between."""
    given = [word.strip() for word in text(name, "").split(",")]
    return [word for word in given if word] or default


def switch(name: str, *, default: bool) -> bool:
    value = text(name, "yes" if default else "no")
    if value.lower() not in YES | NO:
        raise ImproperlyConfigured(f"{name} must be true or false, not “{value}”.")
    return value.lower() in YES


def count(name: str, default: int) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit()):
        raise ImproperlyConfigured(f"{name} must be a whole number, not “{value}”.")
    return int(value)


def level(name: str, default: str) -> str:
    value = text(name, default).upper()
    if value not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"{name} must be DEBUG, INFO, WARNING or ERROR, not “{value}”.")
    return value


def own_folder(name: str, default: Path) -> Path:
    """A folder that is there afterwards, and new ones for its owner alone."""
    path = Path(text(name, str(default))).resolve()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else (error.strerror or str(error)).lower()
        raise ImproperlyConfigured(f"{name}: the folder {path} cannot be used ({reason}).") from error
    return path


def origin(name: str, default: str) -> str:
    """`https://host[:port]`, as a browser names a site."""
    value = text(name, default).rstrip("/")
    try:
        parts = urlsplit(value)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        good = False
    if not good or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ImproperlyConfigured(f"{name} must look like https://load.example.com, not “{value}”.")
    return value


def database(name: str, default: str) -> dict[str, Any]:
    """Django's settings for an address. The address is never repeated: it has a password."""
    value = text(name, default)
    try:
        known = urlsplit(value).scheme in DATABASE_SCHEMES
        found: dict[str, Any] = environ.Env.db_url_config(value) if known else {}
    except (ImproperlyConfigured, ValueError):
        found = {}
    if not found.get("NAME"):
        raise ImproperlyConfigured(
            f"{name} must look like postgres://user:password@host:5432/name or sqlite:////folder/file."
        )
    return found


def redis(name: str, default: str) -> str:
    """The address of a Redis server. It is never repeated either."""
    value = text(name, default)
    try:
        parts = urlsplit(value)
        where = parts.path if parts.scheme == "unix" else parts.hostname
        good = parts.scheme in REDIS_SCHEMES and bool(where) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ImproperlyConfigured(f"{name} must look like redis://:password@host:6379/0.")
    return value


def mail(name: str, default: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = dict(environ.Env.email_url_config(text(name, default)))
    except (ImproperlyConfigured, KeyError, ValueError):
        raise ImproperlyConfigured(f"{name} must look like smtp+tls://user:password@host:587.") from None
    return found
