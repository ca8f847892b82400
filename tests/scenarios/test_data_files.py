"""Data files of scenarios: what is taken, kept, pinned and forgotten."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from contextlib import closing
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Conflict, HatcheryError, Invalid, Missing
from apps.runs import finish
from apps.runs.models import Run
from apps.scenarios import data_check, data_limits, data_services, data_store, services
from apps.scenarios.data_check import TooLarge
from apps.scenarios.data_preview import CELL_CHARS, preview
from apps.scenarios.models import DataFile, DataFileVersion, Scenario, ScenarioVersion
from apps.teams.actors import Actor
from apps.teams.models import AuditEvent, Project
from tests import factories
from workers.child import hatchery

TABLE = b"id,name\n1,Ann\n2,Bob\n"
BY = Actor(system="test")


@pytest.fixture(autouse=True)
def empty_storage() -> None:
    """What other tests left would be tidied away here."""
    shutil.rmtree(storages["data"].path(""), ignore_errors=True)


def add(scenario: Scenario, content: bytes = TABLE, name: str = "users.csv", **given: Any) -> DataFileVersion:
    version, _is_new = data_services.upload(scenario=scenario, name=name, source=BytesIO(content), by=BY, **given)
    return version


def refusal(scenario: Scenario, content: bytes = TABLE, name: str = "users.csv", **given: Any) -> HatcheryError:
    """What is said to an upload that leaves nothing behind."""
    with pytest.raises(HatcheryError) as refused:
        add(scenario, content, name, **given)
    assert not DataFile.objects.filter(scenario=scenario).exists()
    return refused.value


def short(value: object) -> str:
    """A parameter in the name of a test."""
    return str(value)[:40]


def stored(project: Project) -> list[Path]:
    """The files that the storage holds for a project."""
    folder = Path(storages["data"].path(str(project.pk)))
    return sorted(folder.iterdir()) if folder.exists() else []


def age(*paths: Path) -> None:
    """As if they had been stored long ago."""
    for path in paths:
        os.utime(path, (0, 0))


# --- what is taken ------------------------------------------------------------------------------------------------


def test_it_keeps_a_table_with_what_is_known_of_it(scenario: Scenario, tess: User) -> None:
    version, is_new = data_services.upload(
        scenario=scenario, name="users.csv", source=BytesIO(TABLE), by=Actor(user=tess)
    )
    assert is_new
    assert (version.number, version.kind, version.rows, version.columns) == (1, "csv", 2, ["id", "name"])
    assert (version.size, version.sha256, version.encoding) == (len(TABLE), hashlib.sha256(TABLE).hexdigest(), "utf-8")
    assert (version.author, version.author_user) == ("user:tess", tess)
    assert (version.file.name, version.file.distribution, version.file.at_end) == ("users.csv", "split", "recycle")
    with data_services.open_version(version.pk) as content:
        assert content.read() == TABLE
    event = AuditEvent.objects.get(action="data_file.create")
    assert (event.object, event.details["scenario"], event.details["version"]) == ("users.csv", "checkout", 1)


def test_only_the_portal_can_read_what_it_keeps(scenario: Scenario) -> None:
    path = Path(storages["data"].path(add(scenario).path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"\xef\xbb\xbfid\r\n\r\n1\r\n", ("csv", 1, ["id"], "utf-8-sig")),
        ("a.CSV", 'id,"a ""b"", c"\n"x\ny",é\n1,2'.encode(), ("csv", 2, ["id", 'a "b", c'], "utf-8")),
        ("a.jsonl", b'{"id": 1, "tags": []}\n\n{"other": null}', ("jsonl", 2, ["id", "tags"], "utf-8")),
        ("a.ndjson", b'\xef\xbb\xbf{"a\\u0000": 1, "\\ud800": 2, "b": 3}\r\n', ("jsonl", 1, ["b"], "utf-8-sig")),
        ("a.tsv", b"id\tname\n", ("binary", 0, [], "")),
        ("picture", b"\0\xff", ("binary", 0, [], "")),
    ],
)
def test_the_end_of_its_name_says_how_it_is_read(
    scenario: Scenario, name: str, content: bytes, expected: tuple[Any, ...]
) -> None:
    version = add(scenario, content, name)
    version.refresh_from_db()
    assert (version.kind, version.rows, version.columns, version.encoding) == expected


@pytest.mark.parametrize("name", ["a", "_a.csv", "0.bin", "a..b", "Users-2.v1_final.csv", "x" * 100, "locustfile.csv"])
def test_it_takes_a_name_that_can_stand_beside_the_script(name: str) -> None:
    assert data_check.check_name(name) == name


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "bad_name"),
        (".hidden", "bad_name"),
        ("-rf", "bad_name"),
        ("..", "bad_name"),
        ("../users.csv", "bad_name"),
        ("a/b.csv", "bad_name"),
        ("a b.csv", "bad_name"),
        ("a\0.csv", "bad_name"),
        ("a.csv\n", "bad_name"),
        ("顧客.csv", "bad_name"),
        ("x" * 101, "bad_name"),
        ("locustfile.py", "reserved_name"),
        ("LOCUSTFILE.PY", "reserved_name"),
        ("requests.py", "reserved_name"),
        ("json.so", "reserved_name"),
        ("json.cpython-311-x86_64-linux-gnu.so", "reserved_name"),
        ("json.pyc", "reserved_name"),
        ("locust.conf", "reserved_name"),
        ("pyproject.toml", "reserved_name"),
    ],
)
def test_it_refuses_a_name_that_cannot(scenario: Scenario, name: str, code: str) -> None:
    refused = refusal(scenario, name=name)
    assert (refused.code, list(refused.fields)) == (code, ["name"])


@given(st.text(max_size=120))
def test_the_name_it_proposes_instead_has_only_good_characters(name: str) -> None:
    proposed = data_check.suggested_name(name)
    assert data_check._NAME.fullmatch(proposed) and len(proposed) <= 100


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (b"", "empty", "The file is empty."),
        (b"\xef\xbb\xbf", "bad_header", "Line 1 must name the columns"),
        (b"\nid\n1\n", "bad_header", "Line 1 must name the columns"),
        (b"id,name\n", "no_rows", "no row after the header"),
        (b"id,name\n\n\n", "no_rows", "no row after the header"),
        (b"id,\n1,2\n", "bad_header", "Column 2 of the header needs a name"),
        (b"id,\x01\n1,2\n", "bad_header", "Column 2 of the header needs a name"),
        (b"id," + b"x" * 201 + b"\n1,2\n", "bad_header", "Column 2 of the header needs a name of 1 to 200"),
        (b"id,name,id\n1,2,3\n", "bad_header", "two columns “id”"),
        (b",".join(b"c%d" % n for n in range(201)) + b"\n", "bad_header", "201 columns; the limit is 200"),
        (b"id;name\n1;2\n", "bad_header", "Cells are separated by commas"),
        (b'id,name\n1,2\n"3\n3",4\n5\n6\n', "bad_row", "Line 5 has another number of cells"),
        (b"id,name\n1,2,3\n", "bad_row", "Line 2 has another number of cells than the header: 3 instead of 2."),
        (b'id,name\n1,"2\n', "bad_row", "line 2 cannot be read as CSV: a quotation mark opens a cell"),
        (b'id,name\n1,"2"x\n', "bad_row", "line 2 cannot be read as CSV: something other than a comma"),
        (b"id,name\r1,2\r", "bad_row", "line 1 cannot be read as CSV: a carriage return stands alone"),
        (b"id\n1\n\xff\n", "not_utf8", "byte 0xFF at position 6, in line 3."),
        (b'id\n"1\n\n\xe9"\n', "not_utf8", "byte 0xE9 at position 8, in line 4."),
        ("id,name\r\n1,2\r\n".encode("utf-16"), "not_utf8", "The file is in UTF-16. Save it as UTF-8."),
        ("id,name\r\n1,2\r\n".encode("utf-16-le"), "not_utf8", "byte 0x00 at position 2, in line 1. Save it as UTF-8."),
        ("id,name\n1,2\n".encode("utf-16-be"), "not_utf8", "byte 0x00 at position 1, in line 1."),
        (b"id\n1\n2\0\n", "not_utf8", "byte 0x00 at position 7, in line 3."),
        (b"id\n" + b"1\n" * 1_000_000 + b'"a\n\0"\n', "not_utf8", "byte 0x00 at position 2000007, in line 1000003."),
        ("id\nJ\xf6rg\n".encode("latin-1"), "not_utf8", "byte 0xF6 at position 5, in line 2. Save it as UTF-8."),
        (b"id, id\n1,2\n", "bad_header", "The header has two columns “id”."),
        (b"id\n" + b"x" * 1_000_001, "row_too_long", "Line 2 begins a row of more than 1 MB."),
        (b'id\n1\n"' + b"x\n" * 500_001 + b'"', "row_too_long", "Line 3 begins a row of more than 1 MB."),
    ],
    ids=short,
)
def test_it_names_what_is_wrong_with_a_table(scenario: Scenario, content: bytes, code: str, sentence: str) -> None:
    refused = refusal(scenario, content)
    assert (refused.code, list(refused.fields)) == (code, ["file"])
    assert sentence in refused.message
    assert stored(scenario.project) == []


@pytest.mark.parametrize(
    ("content", "code", "sentence"),
    [
        (b"", "no_rows", "no line with a JSON object"),
        (b"\n \n", "no_rows", "no line with a JSON object"),
        (b'{"a": 1}\n\n{"a": }\n', "bad_row", "Line 3 is no JSON object."),
        (b'{"a": 1}\n[1]\n', "bad_row", "Line 2 is no JSON object."),
        (b'{"a": NaN}\n', "bad_row", "Line 1 is no JSON object."),
        (b'{"a": ' + b"[" * 100_000 + b"\n", "bad_row", "Line 1 is no JSON object."),
        (b'{"a": ' + b"9" * 10_000 + b"}\n", "bad_row", "Line 1 is no JSON object."),
        (b'{"a": "\xc3"}\n', "not_utf8", "byte 0xC3 at position 8, in line 1."),
        (b'{"a": 1}\n{"a": "' + b"x" * 1_000_000 + b'"}', "row_too_long", "Line 2 begins a row of more than 1 MB."),
    ],
    ids=short,
)
def test_it_names_what_is_wrong_with_json_lines(scenario: Scenario, content: bytes, code: str, sentence: str) -> None:
    refused = refusal(scenario, content, "users.jsonl")
    assert (refused.code, list(refused.fields)) == (code, ["file"])
    assert sentence in refused.message


TABLES = st.lists(
    st.sampled_from([b"id", b"n", b"1", b" ", b",", b'"', b"\n", b"\r\n", b"\xc3\xa9", b"\xff", b"\t"]), max_size=14
)
OBJECTS = st.lists(
    st.sampled_from([b'{"a": 1}', b'{"a": "\\n"}', b"{}", b"[1]", b" ", b"\n", b"\r\n", b"\xff"]), max_size=9
)


@given(
    st.tuples(st.just("a.csv"), TABLES.map(lambda parts: b"id,n\n" + b"".join(parts)) | TABLES.map(b"".join))
    | st.tuples(st.just("a.jsonl"), OBJECTS.map(b"".join)),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
)
def test_what_is_taken_can_be_read_by_a_script(
    tmp_path_factory: pytest.TempPathFactory, file: tuple[str, bytes], mark: bytes
) -> None:
    """The portal and the module of scripts read by code of their own, and come to the same."""
    name, content = file[0], mark + file[1]
    try:
        found = data_check.inspect(BytesIO(content), data_check.kind_of(name), limit_mb=1)
    except Invalid:
        return
    path = tmp_path_factory.mktemp("data") / name
    path.write_bytes(content)
    with closing(hatchery._Rows(str(path))) as rows:
        assert len(rows) == found.rows
        read = [rows[place] for place in range(len(rows))]
    assert all(isinstance(row, dict) for row in read)
    assert tuple(read[0]) == found.columns


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b"id\n" + b"1\n" * 11),
        ("a.csv", b"id\n1\n" + b"\n" * 11),
        ("a.csv", b'id\n"' + b"\n" * 11 + b'"\n2\n'),
        ("a.jsonl", b"{}\n" * 12),
        ("a.jsonl", b"{}\n" + b"\n" * 12),
    ],
)
def test_lines_are_counted_however_short_they_are(
    scenario: Scenario, name: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_check, "MAX_LINES", 11)
    refused = refusal(scenario, content, name)
    assert (refused.code, refused.message) == ("too_many_lines", "The file has more than 11 lines.")
    monkeypatch.setattr(data_check, "MAX_LINES", 20)
    assert data_check.inspect(BytesIO(content), data_check.kind_of(name), limit_mb=1).rows


class Endless(BytesIO):
    """Gives rows for as long as somebody asks, and counts their bytes."""

    given = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None and size > 0
        self.given += size
        return (b"row\n" * size)[:size]


@pytest.mark.parametrize("name", ["a.csv", "a.bin"])
def test_it_stops_reading_at_the_limit(scenario: Scenario, name: str, settings: Any) -> None:
    settings.DATA_FILE_MB = 3
    source = Endless()
    with pytest.raises(TooLarge, match="the limit is 3 MB a file") as refused:
        data_services.upload(scenario=scenario, name=name, source=source, by=BY)
    assert (refused.value.status, refused.value.code) == (413, "too_large")
    assert source.given <= 5_000_000


def test_it_does_not_read_what_says_to_be_too_large(scenario: Scenario, settings: Any) -> None:
    settings.DATA_FILE_MB = 1
    source = ContentFile(b"id\n" + b"1\n" * 600_000)
    with pytest.raises(TooLarge, match=r"has 1.2 MB; the limit is 1 MB"):
        data_services.upload(scenario=scenario, name="a.csv", source=source, by=BY)
    assert source.tell() == 0


def test_a_scenario_has_room_for_so_many_files(scenario: Scenario, settings: Any) -> None:
    settings.DATA_FILES = 2
    add(scenario, name="a.csv")
    add(scenario, name="b.csv")
    with pytest.raises(Conflict, match="has 2 data files already"):
        add(scenario, name="c.csv")
    assert add(scenario, TABLE + b"3,Cy\n", name="a.csv").number == 2
    data_services.delete(file=scenario.data_files.get(name="b.csv"), by=BY)
    assert add(scenario, name="c.csv").number == 1


def test_a_scenario_has_room_for_so_many_bytes_older_versions_counted(scenario: Scenario, settings: Any) -> None:
    settings.DATA_SCENARIO_MB = 1
    add(scenario, b"x" * 600_000, "a.bin")
    add(scenario, b"x" * 600_000, "same.bin")  # is stored once
    with pytest.raises(Conflict, match=r"would have 1.1 MB, older versions counted; the limit is 1 MB") as refused:
        add(scenario, b"y" * 500_000, "a.bin")
    assert refused.value.code == "scenario_full"
    add(scenario, b"y" * 400_000, "a.bin")
    assert data_limits.used_bytes(scenario) == 1_000_000
    for file in scenario.data_files.all():
        data_services.delete(file=file, by=BY)
    assert add(scenario, b"z" * 1_000_000, "a.bin").number == 1


def test_a_team_has_room_for_so_many_bytes_deleted_ones_counted(
    scenario: Scenario, depot: Project, settings: Any
) -> None:
    settings.DATA_TEAM_MB = 1
    other_team = factories.ScenarioFactory.create(project=depot)
    neighbour = factories.ScenarioFactory.create(project=factories.ProjectFactory.create(team=scenario.project.team))
    add(scenario, b"x" * 600_000, "a.bin")
    add(factories.ScenarioFactory.create(project=scenario.project), b"x" * 600_000, "a.bin")  # is stored once
    with pytest.raises(
        Conflict, match=r"team would have 1.2 MB, older versions counted; the limit is 1 MB\."
    ) as refused:
        add(neighbour, b"x" * 600_000, "a.bin")
    assert (refused.value.code, list(refused.value.fields)) == ("team_full", ["file"])
    add(other_team, b"y" * 600_000, "a.bin")
    data_services.delete(file=scenario.data_files.get(), by=BY)
    with pytest.raises(Conflict, match="the team would have"):
        add(neighbour, b"y" * 400_001, "a.bin")
    add(scenario, b"x" * 600_000, "again.bin")
    add(neighbour, b"y" * 400_000, "a.bin")
    team = scenario.project.team_id
    assert (data_limits.team_bytes(team), data_limits.usage(scenario).team_bytes) == (1_000_000, 1_000_000)
    assert data_limits.team_bytes(depot.team_id) == 600_000
    with pytest.raises(Conflict, match="the team would have"):
        add(scenario, b"z", "z.bin")


# --- versions -----------------------------------------------------------------------------------------------------


def test_the_same_name_again_is_a_new_version(scenario: Scenario) -> None:
    first = add(scenario, distribution="shared", at_end="stop")
    second = add(scenario, TABLE + b"3,Cy\n")
    assert first.file == second.file
    assert (second.number, second.rows) == (2, 3)
    assert (second.file.distribution, second.file.at_end) == ("shared", "stop")
    assert AuditEvent.objects.filter(action="data_file.version").count() == 1


def test_the_newest_content_again_is_none(scenario: Scenario) -> None:
    first = add(scenario)
    again, is_new = data_services.upload(
        scenario=scenario, name="users.csv", source=BytesIO(TABLE), distribution="shared", by=BY
    )
    assert (again, is_new) == (first, False)
    assert scenario.data_files.get().distribution == "shared"
    assert set(AuditEvent.objects.values_list("action", flat=True)) == {"data_file.create", "data_file.update"}


def test_a_version_never_changes(scenario: Scenario) -> None:
    version = add(scenario)
    version.rows = 7
    with pytest.raises(TypeError, match="never changes"):
        version.save()


def test_an_older_version_comes_back_as_the_newest(scenario: Scenario) -> None:
    old, new = add(scenario), add(scenario, TABLE + b"3,Cy\n")
    back, is_new = data_services.restore(version=old, by=BY)
    assert is_new and (back.number, back.rows, back.sha256, back.path) == (3, 2, old.sha256, old.path)
    assert data_services.restore(version=old, by=BY) == (back, False)
    assert data_services.restore(version=new, by=BY)[0].number == 4
    assert AuditEvent.objects.filter(action="data_file.restore").count() == 2


def test_distribution_and_end_are_changed_by_themselves(scenario: Scenario) -> None:
    file = add(scenario).file
    data_services.change(file=file, distribution="per_user", at_end="stop", by=BY)
    data_services.change(file=file, distribution="per_user", by=BY)
    file.refresh_from_db()
    assert (file.distribution, file.at_end) == ("per_user", "stop")
    assert AuditEvent.objects.get(action="data_file.update").details["changed"] == ["at_end", "distribution"]


def test_it_knows_no_other_choices(scenario: Scenario) -> None:
    assert list(refusal(scenario, distribution="half").fields) == ["distribution"]
    assert list(refusal(scenario, at_end="explode").fields) == ["at_end"]
    for field in ("distribution", "at_end"):
        with pytest.raises(IntegrityError), transaction.atomic():
            DataFile.objects.create(**{"scenario": scenario, "name": "a", "distribution": "split", field: "other"})


def test_a_binary_file_can_only_be_shared(scenario: Scenario) -> None:
    assert "can only be shared" in refusal(scenario, b"\0", "a.bin", distribution="split").message
    file = add(scenario, b"\0", "a.bin").file
    assert file.distribution == "shared"
    with pytest.raises(Invalid, match="can only be shared"):
        data_services.change(file=file, distribution="per_user", by=BY)


def test_a_name_is_there_once_a_scenario_until_it_is_deleted(scenario: Scenario) -> None:
    file = add(scenario).file
    with pytest.raises(IntegrityError), transaction.atomic():
        DataFile.objects.create(scenario=scenario, name="users.csv", distribution="split")
    data_services.delete(file=file, by=BY)
    data_services.delete(file=file, by=BY)  # a second click
    assert AuditEvent.objects.filter(action="data_file.delete").count() == 1
    assert add(scenario).number == 1
    assert DataFile.objects.filter(name="users.csv").count() == 2


@pytest.mark.django_db(transaction=True)
def test_uploads_at_the_same_time_make_one_file_with_all_their_versions(scenario: Scenario) -> None:
    start, failed = threading.Barrier(4), list[Exception]()

    def go(number: int) -> None:
        try:
            start.wait()
            add(scenario, TABLE + b"%d,x\n" % (number % 2))
        except Exception as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    numbers = [version.number for version in scenario.data_files.get().versions.all()]
    assert numbers == list(range(len(numbers), 0, -1)) and 2 <= len(numbers) <= 4


@pytest.mark.django_db(transaction=True)
def test_uploads_at_the_same_time_keep_to_the_limit_of_their_team(scenario: Scenario, settings: Any) -> None:
    settings.DATA_TEAM_MB = 1
    projects = factories.ProjectFactory.create_batch(3, team=scenario.project.team)
    scenarios = [factories.ScenarioFactory.create(project=project) for project in projects]
    start, refused = threading.Barrier(3), list[str]()

    def go(number: int) -> None:
        try:
            start.wait()
            add(scenarios[number], b"%d" % number * 600_000, "a.bin")
        except Conflict as error:
            refused.append(error.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refused == ["team_full"] * 2
    assert data_limits.team_bytes(scenario.project.team_id) == 600_000


# --- what a run reads ---------------------------------------------------------------------------------------------


def test_a_run_pins_the_newest_version_of_each_file(scenario: Scenario) -> None:
    assert data_services.pin(scenario) == []
    add(scenario, b"\0", "b.bin")
    add(scenario, name="a.csv", at_end="stop")
    newest = add(scenario, b"id\n1\n", "a.csv")
    data_services.delete(file=add(scenario, name="gone.csv").file, by=BY)
    pinned = data_services.pin(scenario)
    assert [one["name"] for one in pinned] == ["a.csv", "b.bin"]
    assert pinned[0] == {
        "name": "a.csv",
        "version": str(newest.pk),
        "number": 2,
        "sha256": newest.sha256,
        "size": 5,
        "kind": "csv",
        "rows": 1,
        "distribution": "split",
        "at_end": "stop",
    }


def test_what_is_pinned_can_be_read_when_the_file_is_deleted(scenario: Scenario) -> None:
    add(scenario)
    (pinned,) = data_services.pin(scenario)
    add(scenario, b"id\n1\n")
    data_services.delete(file=scenario.data_files.get(), by=BY)
    with data_services.open_version(pinned["version"]) as content:
        assert content.read() == TABLE
    with pytest.raises(Missing):
        data_services.open_version(uuid4())


# --- storage ------------------------------------------------------------------------------------------------------


def test_a_content_is_stored_once_a_project(scenario: Scenario, depot: Project) -> None:
    other = factories.ScenarioFactory.create(project=scenario.project)
    foreign = factories.ScenarioFactory.create(project=depot)
    paths = {add(one, name=name).path for one in (scenario, other) for name in ("a.csv", "b.csv")}
    assert paths == {f"{scenario.project.pk}/{hashlib.sha256(TABLE).hexdigest()}"}
    assert add(foreign).path not in paths
    assert len(stored(scenario.project)) == len(stored(depot)) == 1


def test_what_nobody_refers_to_is_tidied_away_after_an_hour(scenario: Scenario) -> None:
    kept = add(scenario)
    stray = storages["data"].save(f"{scenario.project.pk}/stray", ContentFile(b"half of an upload"))
    storages["data"].save("not-a-project/file", ContentFile(b"not ours"))
    finish.delete_stray_data()
    assert storages["data"].exists(stray), "it may belong to an upload that goes on"
    age(*stored(scenario.project))
    assert finish.delete_stray_data() == 1
    assert storages["data"].exists(kept.path) and not storages["data"].exists(stray)
    assert storages["data"].exists("not-a-project/file")


def test_what_is_deleted_stays_for_as_long_as_a_run_refers_to_it(scenario: Scenario) -> None:
    old, new = add(scenario), add(scenario, b"id\n1\n")
    data_services.delete(file=old.file, by=BY)
    age(*stored(scenario.project))
    assert data_store.tidy(pinned=lambda _scenario: set()) == 0, "a run may be starting"
    DataFile.objects.update(deleted_at=timezone.now() - timedelta(hours=2))
    assert data_store.tidy(pinned=lambda _scenario: {str(old.pk)}) == 1
    assert storages["data"].exists(old.path) and not storages["data"].exists(new.path)
    with pytest.raises(Missing):
        data_services.open_version(new.pk)
    assert data_store.tidy(pinned=lambda _scenario: set()) == 1
    assert not DataFile.objects.exists()
    assert not storages["data"].exists(str(scenario.project.pk))


def test_the_keepers_tidying_leaves_what_runs_may_need(version: ScenarioVersion) -> None:
    scenario = version.scenario
    file = add(scenario).file
    run = factories.RunFactory.create(scenario=scenario, version=version, data=data_services.pin(scenario))
    factories.RunFactory.create(scenario=scenario, version=version)  # of before the file
    data_services.delete(file=file, by=BY)
    DataFile.objects.update(deleted_at=timezone.now() - timedelta(hours=2))
    age(*stored(scenario.project))
    assert finish.delete_stray_data() == 0
    Run.objects.filter(pk=run.pk).delete()
    assert finish.delete_stray_data() == 1


def test_the_files_of_a_deleted_scenario_go_with_it(scenario: Scenario) -> None:
    project = scenario.project
    add(scenario)
    services.delete(scenario=scenario, by=BY)
    age(*stored(project))
    assert finish.delete_stray_data() == 1


def test_content_that_was_tidied_away_meanwhile_is_stored_again(scenario: Scenario) -> None:
    received = data_services.receive(scenario=scenario, name="users.csv", source=BytesIO(TABLE))
    storages["data"].delete(received.path)
    version, _is_new = data_services.add(scenario=scenario, received=received, by=BY)
    with data_services.open_version(version.pk) as content:
        assert content.read() == TABLE


def test_content_that_is_gone_is_missing_and_comes_back_with_the_next_upload(scenario: Scenario) -> None:
    version = add(scenario)
    storages["data"].delete(version.path)
    with pytest.raises(Missing):
        data_services.open_version(version.pk)
    add(scenario, name="copy.csv")
    with data_services.open_version(version.pk) as content:
        assert content.read() == TABLE


# --- the first rows -----------------------------------------------------------------------------------------------


def test_a_preview_shows_the_first_rows_as_text(scenario: Scenario) -> None:
    table = "id,=x\n\n" + "".join(f'{n},"=cmd|{n}\n<b>é"\n' for n in range(30))
    shown = preview(add(scenario, table.encode()))
    assert shown.columns == ["id", "=x"]
    assert len(shown.rows) == 20 and shown.rows[1] == ["1", "=cmd|1\n<b>é"]


def test_a_preview_of_json_lines_shows_the_first_objects_columns(scenario: Scenario) -> None:
    lines = b'{"id": 1, "tags": ["a", "\xc3\xa9"], "text": "\\ud800"}\n\n{"id": null, "more": 2}\n'
    shown = preview(add(scenario, lines, "a.jsonl"))
    assert shown.columns == ["id", "tags", "text"]
    assert shown.rows == [["1", '["a", "é"]', "?"], ["null", "", ""]]


def test_a_preview_cuts_long_cells_and_has_nothing_of_binary_files(scenario: Scenario) -> None:
    ((cell,),) = preview(add(scenario, b"id\n" + b"x" * 900_000)).rows
    assert len(cell) == CELL_CHARS and cell.endswith("x…")
    assert preview(add(scenario, b"\0", "a.bin")).rows == []
