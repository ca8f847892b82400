"""One network with a portal for all of these tests; each finds the hosts for runners empty and connected."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.bed.hosts import Bed
from tests.bed.hosts import bed as standing
from tests.bed.machine import Missing, forbidden, missing_tools
from tests.bed.network import SUBNET, Network

FIXTURES = {"bed", "network"}


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups, also when this folder alone is asked for
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """They share the hosts, so they stay on one worker; the bed has a database of its own, so they run once."""
    for item in items:
        if Path(__file__).parent in item.path.parents and FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.bed)
            item.add_marker(pytest.mark.xdist_group("bed"))
            item.add_marker(pytest.mark.allow_hosts(f"127.0.0.1,{SUBNET}.0/24"))
            item.add_marker(pytest.mark.same_on_any_database("the hosts have a database of their own"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what all processes said meanwhile."""
    report = yield
    bed = getattr(item, "funcargs", {}).get("bed")
    if report.when == "call" and report.failed and isinstance(bed, Bed):
        report.sections.extend((f"log of {name}", text) for name, text in bed.said().items())
    return report


@pytest.fixture(scope="session")
def able() -> None:
    """Skips where hosts cannot be made. In CI what can be installed must be there."""
    if why := forbidden():
        pytest.skip(why)
    if why := missing_tools():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@pytest.fixture
def network(able: None) -> Iterator[Network]:
    """A network of this test's own, without hosts."""
    with Network() as network:
        yield network


@pytest.fixture(scope="session")
def standing_bed(able: None) -> Iterator[Bed]:
    with ExitStack() as exits:
        try:
            made = exits.enter_context(standing())
        except Missing as missing:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(missing))
        yield made


@pytest.fixture
def bed(standing_bed: Bed) -> Iterator[Bed]:
    standing_bed.begin()
    yield standing_bed
    standing_bed.clear()
