"""What `docs/ids-and-data.md` shows can be pasted."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.conftest import Answer, Target
from tests.workers.test_hatchery_bare import Bare, said
from workers.child import hatchery

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "ids-and-data.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
SCRIPTS = [text for kind, text in BLOCKS if kind == "python"]
USERS = next(text for kind, text in BLOCKS if kind == "csv")


class Shop(Target):
    """Takes what is posted as well; every fifth is refused."""

    def __init__(self) -> None:
        super().__init__()
        self.RequestHandlerClass = Taking
        self.posted: list[tuple[str, dict[str, object], bool]] = []


class Taking(Answer):
    server: Shop

    def do_POST(self) -> None:  # noqa: N802  the name that http.server looks for
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_taken = self.path == "/login" or len(self.server.posted) % 5 > 0
        self.server.posted.append((self.path, body, is_taken))
        if not is_taken:
            self.path = "/fail"
        self.do_GET()


@pytest.fixture
def shop() -> Iterator[Shop]:
    server = Shop()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


def run(shop: Shop, folder: Path, script: str, *, users: int = 3, **env: str) -> str:
    bare = Bare(folder, shop)
    (folder / "locustfile.py").write_text(script)
    (folder / "users.csv").write_text(USERS)
    options = ["--exit-code-on-error", "0"]
    return said(bare.start(*bare.load(users), *options, ID_PREFIX="test_", ID_WIDTH="5", **env))


@pytest.mark.engine
def test_each_user_is_somebody_else(shop: Shop, tmp_path: Path) -> None:
    log = run(shop, tmp_path, SCRIPTS[0])
    logins = [body["user"] for path, body, _ in shop.posted if path == "/login"]
    assert sorted(map(str, logins)) == ["test_00001", "test_00002", "test_00003"]
    assert shop.counts["/members/test_00003"] and "Traceback" not in log


@pytest.mark.engine
def test_each_device_counts_its_uploads(shop: Shop, tmp_path: Path) -> None:
    log = run(shop, tmp_path, SCRIPTS[1].replace("constant_pacing(1)", "constant_pacing(0.2)"))
    for meter in ("test_00001", "test_00002", "test_00003"):
        taken = [body["number"] for _, body, is_taken in shop.posted if is_taken and body["meter"] == meter]
        assert taken == list(range(1, len(taken) + 1)) and len(taken) >= 2
    assert not all(is_taken for _, _, is_taken in shop.posted) and "Traceback" not in log


@pytest.mark.engine
def test_each_user_has_a_row_of_a_file(shop: Shop, tmp_path: Path) -> None:
    log = run(shop, tmp_path, SCRIPTS[2])
    names = sorted(str(body["user"]) for path, body, _ in shop.posted if path == "/login")
    assert names == ["Smith, John", "ann", "bob"] and "Traceback" not in log


def test_the_page_names_all_there_is() -> None:
    assert len(SCRIPTS) == 4
    for name in (*hatchery.MODES, *hatchery.ENDS, "user_id", "sequence", "data_row"):
        assert f"`{name}" in PAGE or f"import {name}" in PAGE or f"{name}(" in PAGE, name
    source = Path(hatchery.__file__).read_text()
    for variable in set(re.findall(r'"((?:WORKER|ID)_[A-Z]+)"', source)):
        assert f"`{variable}`" in PAGE, variable


@pytest.mark.engine
def test_a_script_that_counts_by_itself_begins_after_its_offset(shop: Shop, tmp_path: Path) -> None:
    log = run(shop, tmp_path, SCRIPTS[3].replace("constant_pacing(1)", "constant_pacing(0.2)"), WORKER_OFFSET="250")
    assert {body["meter"] for _, body, _ in shop.posted} == {"test_00251", "test_00252", "test_00253"}
    assert "Traceback" not in log
