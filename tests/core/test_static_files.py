"""What browsers are served as it is: its name says what is in it, and a page names all modules it will want."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template import Context, Template
from django.templatetags.static import static
from django.test import Client

from apps.core import fingerprint, modules

SCRIPTS = sorted((settings.BASE_DIR / "static/js").rglob("*.js"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "static/js").mkdir(parents=True)
    (tmp_path / "static/js/a.js").write_text("a")
    (tmp_path / "static/b.css").write_text("b")
    (tmp_path / "lock.json").write_text("{}")
    return tmp_path


def digits(checkout: Path) -> str:
    return fingerprint.of_files(checkout / "static", checkout / "lock.json")


def test_two_checkouts_with_the_same_files_are_named_alike(checkout: Path) -> None:
    before = digits(checkout)
    (checkout / "static/js/a.js").touch()
    assert digits(checkout) == before
    assert re.fullmatch("[0-9a-f]{12}", before)


@pytest.mark.parametrize(("name", "content"), [("static/js/a.js", "A"), ("static/c.css", ""), ("lock.json", "[]")])
def test_another_byte_is_another_name(checkout: Path, name: str, content: str) -> None:
    before = digits(checkout)
    (checkout / name).write_text(content)
    assert digits(checkout) != before


def test_a_file_elsewhere_is_another_name(checkout: Path) -> None:
    before = digits(checkout)
    (checkout / "static/js/a.js").rename(checkout / "static/a.js")
    assert digits(checkout) != before


@pytest.mark.parametrize("name", ["js/run.js", "css/hatchery.css", "npm/uplot/uPlot.esm.js"])
def test_a_browser_may_keep_a_file_for_good(client: Client, name: str) -> None:
    response = client.get(static(name))
    assert response.status_code == 200
    assert "immutable" in response["Cache-Control"]
    found = finders.find(name)
    assert found is not None and response.getvalue() == Path(found).read_bytes()


def test_a_name_of_another_release_leads_nowhere(client: Client) -> None:
    assert client.get("/static/0123456789ab/js/run.js").status_code == 404
    assert client.get("/static/js/run.js").status_code == 404


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_no_import_is_overlooked(path: Path) -> None:
    said = re.findall(r'\bfrom "([^"]+)";|^import "([^"]+)";', path.read_text(), re.MULTILINE)
    direct = {(path.parent / (one or other)).resolve() for one, other in said}
    name = path.relative_to(settings.BASE_DIR / "static").as_posix()
    found = {finders.find(one) for one in modules.imports_of(name)}
    own = {str(one) for one in direct if "npm" not in one.parts}
    assert own <= found


def test_the_whole_graph_is_met_once() -> None:
    graph = modules.imports_of("js/run.js")
    assert len(graph) == len(set(graph)) and "js/run.js" not in graph
    assert {"js/run/cards.js", "js/run/grid.js", "js/format.js", "npm/uplot/uPlot.esm.js"} <= set(graph)


def test_what_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"js/missing\.js"):
        modules.imports_of("js/missing.js")


def test_the_tag_names_the_imports_before_the_script() -> None:
    text = Template("{% module 'js/shell.js' %}").render(Context())
    hints = re.findall(r'<link rel="modulepreload" href="([^"]+)">', text)
    assert hints == [static(name) for name in modules.imports_of("js/shell.js")] and hints
    assert text.endswith(f'<script src="{static("js/shell.js")}" type="module"></script>')
