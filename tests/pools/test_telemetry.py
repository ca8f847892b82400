"""What a host says about itself."""

from __future__ import annotations

import json
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from django.db import DatabaseError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from apps.pools import telemetry
from apps.pools.telemetry import (
    Gauge,
    Load,
    addresses,
    compare_clocks,
    link_mbit,
    local_ports,
    mbit_between,
    versions,
)

REPORT_SECONDS = 0.02


def test_it_measures_all_that_a_report_promises(tmp_path: Path) -> None:
    load = Gauge(tmp_path).read()
    assert set(load) == set(get_type_hints(Load))
    assert json.loads(json.dumps(load)) == load
    assert 0 <= load["cpu_percent"] <= 100 and 0 < load["memory_percent"] <= 100
    assert load["memory_bytes"] > 2**20 and len(load["load_average"]) == 3
    assert load["disk_free_bytes"] and load["disk_percent"] is not None and 0 <= load["disk_percent"] <= 100
    assert load["received_mbit"] >= 0 and load["sent_mbit"] >= 0
    assert load["sandbox"]["level"] in "ABCD" and load["sandbox"]["active"]
    assert load["local_ports"] is None or 1 <= load["local_ports"] <= 65_535


def test_it_is_quick(tmp_path: Path) -> None:
    """Between two beats of a process that has runs to look after; the best of some, beside other tests."""
    gauge = Gauge(tmp_path)
    times = []
    for _ in range(10):
        began = time.perf_counter()
        gauge.read()
        times.append(time.perf_counter() - began)
    assert min(times) < REPORT_SECONDS


def test_traffic_and_time_are_those_since_it_read_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = {"eth0": (1_000_000, 0)}
    now = [100.0]
    monkeypatch.setattr(telemetry, "_network_bytes", lambda: dict(counted))
    gauge = Gauge(tmp_path, lambda: now[0])
    counted["eth0"], now[0] = (2_250_000, 625_000), 105.0
    load = gauge.read()
    assert (load["received_mbit"], load["sent_mbit"]) == (2.0, 1.0)
    now[0] += 5
    load = gauge.read()
    assert (load["received_mbit"], load["sent_mbit"]) == (0.0, 0.0)


COUNTERS = some.dictionaries(
    some.sampled_from(["eth0", "eth1", "docker0"]), some.tuples(*[some.integers(0, 2**63)] * 2)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no defect
@given(before=COUNTERS, after=COUNTERS, seconds=some.floats(0.001, 1e6))
def test_no_interface_that_comes_goes_or_starts_anew_makes_traffic_of_nothing(
    before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]], seconds: float
) -> None:
    rates = mbit_between(before, after, seconds)
    for way, rate in enumerate(rates):
        grown = sum(max(0, after[name][way] - before[name][way]) for name in before.keys() & after.keys())
        assert rate >= 0 and rate == pytest.approx(grown * 8e-6 / seconds, rel=1e-9, abs=0.0006)


def test_a_folder_of_runs_that_is_not_there_yet_has_a_disk(tmp_path: Path) -> None:
    assert Gauge(tmp_path / "not" / "yet").read()["disk_free_bytes"]


def interface(folder: Path, name: str, speed: str, *, state: str = "up", device: bool = True) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "operstate").write_text(f"{state}\n")
    (folder / name / "speed").write_text(speed)
    if device:
        (folder / name / "device").mkdir()


def test_the_link_is_the_fastest_physical_interface_that_is_up(tmp_path: Path) -> None:
    interface(tmp_path, "eth0", "1000\n")
    interface(tmp_path, "eth1", "2500\n")
    interface(tmp_path, "eth2", "10000\n", state="down")
    interface(tmp_path, "docker0", "10000\n", device=False)
    assert link_mbit(tmp_path) == 2500


@pytest.mark.parametrize("speed", ["-1\n", "", "nonsense", "0"])
def test_a_link_without_a_speed_is_unknown(tmp_path: Path, speed: str) -> None:
    interface(tmp_path, "eth0", speed)
    assert link_mbit(tmp_path) is None
    assert link_mbit(tmp_path / "missing") is None


def test_it_counts_the_ports_for_outgoing_connections(tmp_path: Path) -> None:
    file = tmp_path / "range"
    file.write_text("32768\t60999\n")
    assert local_ports(file) == 28_232


def test_addresses_are_those_that_others_can_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def __init__(self, family: int, address: str) -> None:
            self.family, self.address = family, address

    v4, v6 = socket.AF_INET, socket.AF_INET6
    found = {
        "lo": [Entry(v4, "127.0.0.1"), Entry(v6, "::1")],
        "eth0": [Entry(v6, "fe80::1%eth0"), Entry(v6, "2001:db8::7"), Entry(v4, "10.0.0.7"), Entry(17, "02:42")],
        "eth1": [Entry(v4, "169.254.1.1")] + [Entry(v4, f"10.1.0.{number}") for number in range(50)],
    }
    monkeypatch.setattr("psutil.net_if_addrs", lambda: found)
    known = addresses(Path("/nowhere"))
    assert known[0] == "10.0.0.7" and len(known) == 16
    del found["eth1"]
    assert addresses(Path("/nowhere")) == ["10.0.0.7", "2001:db8::7"]


def test_the_first_address_is_of_the_interface_that_leads_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Docker's bridges have the same addresses on every machine."""
    addresses_of = {"br-1": "10.0.0.1", "docker0": "172.17.0.1", "eth0": "192.0.2.2", "wg0": "172.16.0.1"}
    found = {name: [SimpleNamespace(family=socket.AF_INET, address=one)] for name, one in addresses_of.items()}
    states = {name: SimpleNamespace(isup=name != "br-1") for name in found}
    monkeypatch.setattr("psutil.net_if_addrs", lambda: found)
    monkeypatch.setattr("psutil.net_if_stats", lambda: states)
    routes = tmp_path / "route"
    routes.write_text("Iface Destination Gateway\neth0 00000000 010200C0\ndocker0 000011AC 00000000\n")
    assert addresses(routes) == ["192.0.2.2", "172.16.0.1", "172.17.0.1", "10.0.0.1"]


def test_a_machine_that_does_not_say_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise PermissionError("no")

    for name in ("psutil.net_if_addrs", "psutil.net_if_stats", "psutil.net_io_counters", "shutil.disk_usage"):
        monkeypatch.setattr(name, fail)
    monkeypatch.setattr(telemetry, "local_ports", fail)
    load = Gauge(tmp_path).read()
    assert (load["addresses"], load["disk_free_bytes"], load["local_ports"]) == ([], None, None)
    assert (load["received_mbit"], load["sent_mbit"]) == (0.0, 0.0)


def test_it_names_what_it_runs() -> None:
    assert set(versions()) == {"python", "locust", "hatchery"} and all(versions().values())


# --- the clock ----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_clocks_of_one_machine_agree() -> None:
    clock = compare_clocks()
    assert 0 < clock.round_trip < 1
    assert abs(clock.ahead) < 0.1
    assert connection.vendor == "postgresql" or clock.ahead == 0


class Cursor:
    """A database whose clock is two minutes behind, and whose first answer is slow."""

    def __init__(self, waits: list[float]) -> None:
        self.waits = waits

    def __enter__(self) -> Cursor:
        return self

    def __exit__(self, *error: object) -> None: ...

    def execute(self, question: str) -> None:
        time.sleep(self.waits.pop(0))

    def fetchone(self) -> tuple[datetime]:
        return (datetime.fromtimestamp(time.time() - 120, UTC),)


class Connection:
    vendor = "postgresql"

    def __init__(self, *waits: float) -> None:
        self.waits = list(waits)

    def ensure_connection(self) -> None: ...

    def cursor(self) -> Cursor:
        return Cursor(self.waits)


def test_a_clock_that_is_ahead_is_found_by_the_quickest_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "CLOCK_BUDGET_SECONDS", 5)
    monkeypatch.setattr(telemetry, "connection", Connection(0.2, 0.001, 0.1))
    clock = compare_clocks()
    assert clock.ahead == pytest.approx(120, abs=0.03)
    assert clock.round_trip < 0.1


def test_a_database_far_away_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    far = Connection(0.05, 0.05, 0.05)
    monkeypatch.setattr(telemetry, "connection", far)
    compare_clocks()
    assert len(far.waits) == 2


def test_a_database_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise DatabaseError

    away = Connection()
    monkeypatch.setattr(away, "ensure_connection", fail)
    monkeypatch.setattr(telemetry, "connection", away)
    with pytest.raises(DatabaseError):
        compare_clocks()
