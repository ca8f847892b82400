"""The tab Data of a scenario, as people use it without JavaScript."""

from __future__ import annotations

import re
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.scenarios import data_services
from apps.scenarios.models import DataFile, DataFileVersion, ScenarioVersion
from apps.teams.actors import Actor

TABLE = b"id,name\n1,Ann\n2,=cmd|<b>\n"


@pytest.fixture
def url(version: ScenarioVersion) -> str:
    return f"/scenarios/{version.scenario.pk}/data/"


def add(version: ScenarioVersion, content: bytes = TABLE, name: str = "users.csv") -> DataFileVersion:
    made, _is_new = data_services.upload(
        scenario=version.scenario, name=name, source=BytesIO(content), by=Actor(system="test")
    )
    return made


def text(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def upload(client: Client, url: str, content: bytes = TABLE, filename: str = "users.csv", **given: Any) -> Any:
    return client.post(url, {"file": SimpleUploadedFile(filename, content), **given}, follow=True)


def test_the_empty_tab_shows_what_a_data_file_is_for(tess_client: Client, vic_client: Client, url: str) -> None:
    for client in (tess_client, vic_client):
        shown = text(client, url)
        assert "from hatchery import data_row" in shown and 'data_row("users.csv")' in shown
    assert 'type="file"' in text(tess_client, url)
    assert 'type="file"' not in text(vic_client, url)


def test_a_form_uploads_a_file_and_then_its_next_version(tess_client: Client, url: str) -> None:
    response = upload(tess_client, url, distribution="shared")
    assert response.redirect_chain == [(url, 302)]
    assert "users.csv is there, as version 1. Columns: id, name." in response.content.decode()
    shown = text(tess_client, url)
    for part in ("users.csv", "CSV", '<td class="num">2</td>', "v1", "tess", '<option value="shared" selected>'):
        assert part in shown
    assert "as version 2." in upload(tess_client, url, b"id\n1\n").content.decode()
    assert "Nothing changed: version 2 of users.csv" in upload(tess_client, url, b"id\n1\n").content.decode()
    assert DataFile.objects.get().distribution == "shared"


def test_a_missing_header_is_seen_in_what_is_said(tess_client: Client, url: str) -> None:
    rows = b"1,<b>Ann</b>,x,y,z,v\n2,Bob,x,y,z,v\n"
    assert "Columns: 1, &lt;b&gt;Ann&lt;/b&gt;, x, y, z, …." in upload(tess_client, url, rows).content.decode()


@pytest.mark.parametrize(
    ("name", "content", "given", "sentence"),
    [
        ("users.csv", "id\r\n1\r\n".encode("utf-16"), {}, "The file is in UTF-16. Save it as UTF-8."),
        ("users.csv", "id\nJörg\n".encode("latin-1"), {}, "in line 2. Save it as UTF-8."),
        ("users.csv", b"id,name\n1\n", {}, "Line 2 has another number of cells than the header: 1 instead of 2."),
        ("users.csv", b"", {}, "The file is empty."),
        ("users.csv", TABLE, {"name": "../x"}, "A name is made of letters"),
        ("a.bin", b"\0", {"distribution": "split"}, "can only be shared"),
    ],
)
def test_a_refused_upload_keeps_what_was_typed(
    tess_client: Client, url: str, name: str, content: bytes, given: dict[str, str], sentence: str
) -> None:
    given = {"name": "kept.csv", **given} if name == "users.csv" else given
    response = upload(tess_client, url, content, name, **given)
    shown = response.content.decode()
    assert response.status_code == 200 and sentence in shown
    for value in given.values():
        assert f'value="{value}"' in shown or f'value="{value}" selected' in shown
    assert not DataFile.objects.exists()


def test_a_file_that_is_too_large_or_missing_is_said_to_be(tess_client: Client, url: str, settings: Any) -> None:
    settings.DATA_FILE_MB = 1
    assert "the limit is 1 MB a file" in upload(tess_client, url, b"x" * 1_000_001, "a.bin").content.decode()
    assert "This field is required." in tess_client.post(url, {"name": "a.csv"}).content.decode()


def test_the_tab_says_how_much_of_the_room_is_used(
    tess_client: Client, url: str, version: ScenarioVersion, settings: Any
) -> None:
    settings.DATA_TEAM_MB = 1
    assert "team 0 B of 1 MB" in text(tess_client, url).replace("\u202f", " ")
    add(version, b"x" * 600_000, "a.bin")
    shown = text(tess_client, url).replace("\u202f", " ")
    assert "scenario 600 kB of 1 GB" in shown and "team 600 kB of 1 MB" in shown
    refused = upload(tess_client, url, b"y" * 600_000, "b.bin").content.decode()
    assert "With it the data files of the team would have 1.2 MB" in refused


def test_the_page_of_a_file_shows_its_first_rows_as_text(
    vic_client: Client, url: str, version: ScenarioVersion
) -> None:
    add(version)
    shown = text(vic_client, f"{url}users.csv/")
    assert "<td>Ann</td>" in shown and "<td>=cmd|&lt;b&gt;</td>" in shown
    assert "The first 2 rows of 2" in shown
    assert "<fieldset disabled>" in shown and "Restore" not in shown and "Delete" not in shown


def test_an_older_version_is_looked_at_downloaded_and_restored(
    tess_client: Client, url: str, version: ScenarioVersion
) -> None:
    add(version, b"old\n1\n")
    add(version)
    page = f"{url}users.csv/"
    assert "<th>old</th>" in text(tess_client, f"{page}?version=1")
    download = tess_client.get(f"{page}content?version=1")
    assert download.getvalue() == b"old\n1\n"
    assert download["Content-Disposition"] == 'attachment; filename="users.csv"'
    response = tess_client.post(f"{page}restore/", {"version": "1"}, follow=True)
    assert "Version 1 is the newest again, as version 3." in response.content.decode()
    assert "<th>old</th>" in text(tess_client, page)
    again = tess_client.post(f"{page}restore/", {"version": "1"}, follow=True)
    assert "Nothing changed: version 3 has the same content." in again.content.decode()
    assert tess_client.get(f"{page}?version=9").status_code == 404
    assert tess_client.post(f"{page}restore/", {"version": "x"}).status_code == 404


def test_how_it_is_handed_out_is_changed_by_a_form(tess_client: Client, url: str, version: ScenarioVersion) -> None:
    add(version)
    form = {"distribution": "per_user", "at_end": "stop"}
    response = tess_client.post(f"{url}users.csv/", form, follow=True)
    assert "the next run takes users.csv like this" in response.content.decode()
    file = DataFile.objects.get()
    assert (file.distribution, file.at_end) == ("per_user", "stop")
    assert "Select a valid choice" in tess_client.post(f"{url}users.csv/", {"distribution": "x"}).content.decode()
    add(version, b"\0", "a.bin")
    assert "can only be shared" in tess_client.post(f"{url}a.bin/", form).content.decode()


def test_deleting_says_what_goes_with_it(tess_client: Client, url: str, version: ScenarioVersion) -> None:
    add(version)
    add(version, b"id\n1\n")
    page = f"{url}users.csv/delete/"
    shown = text(tess_client, page)
    assert "2 versions of its content" in shown and "keep what they read" in shown
    response = tess_client.post(page, follow=True)
    assert "“users.csv” is deleted." in response.content.decode()
    assert tess_client.get(f"{url}users.csv/").status_code == 404


def test_deleting_the_scenario_counts_its_data_files(tess_client: Client, version: ScenarioVersion) -> None:
    page = f"/scenarios/{version.scenario.pk}/delete/"
    assert "data file" not in text(tess_client, page)
    add(version)
    assert "1 data file with all its versions" in text(tess_client, page)
    tess_client.post(page)
    assert not DataFile.objects.exists()


def test_the_list_takes_the_same_questions_for_many_files(
    tess_client: Client, url: str, version: ScenarioVersion
) -> None:
    def questions() -> int:
        with CaptureQueriesContext(connection) as asked:
            text(tess_client, url)
        return len(asked)

    add(version)
    few = questions()
    for number in range(5):
        add(version, name=f"{number}.csv")
    assert questions() == few


def test_versions_come_in_pages(vic_client: Client, url: str, version: ScenarioVersion) -> None:
    for number in range(51):
        add(version, b"id\n%d\n" % number)
    shown = text(vic_client, f"{url}users.csv/")
    assert "<b>v51</b>" in shown and "<b>v1</b>" not in shown
    assert "<b>v1</b>" in text(vic_client, f"{url}users.csv/?page=2")
