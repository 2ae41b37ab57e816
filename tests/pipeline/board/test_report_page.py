"""The report's page as the board serves it: it leads to the photos' files, and to the board."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from remove_objects.pipeline.board import report_page
from remove_objects.pipeline.board.run_folder import open_run
from remove_objects.pipeline.report import previews
from tests.support.board_run import make_run
from tests.support.board_serving import Served, serve
from tests.support.browser import EXECUTABLE, Tab, started

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None,
    reason="Gradio is not installed: pip install '.[board]'",
)


@pytest.fixture
def run(tmp_path: Path, red_is_person: None) -> Path:
    """The output folder of a run over three photos, two of them to check."""
    return make_run(tmp_path)


@pytest.fixture
def served(tiny_weights: Path, run: Path) -> Iterator[Served]:
    """A board that serves the run."""
    with serve(tiny_weights, run.parent, str(run)) as served:
        yield served


@pytest.mark.network
@pytest.mark.slow
def test_the_page_leads_through_the_board(served: Served, run: Path) -> None:
    _files_are_served(served, run)
    if EXECUTABLE is not None:
        _links_lead_to_the_board(served)


def _files_are_served(served: Served, run: Path) -> None:
    status, page, headers = served.ask("GET", "/report/report.html")
    assert status == 200
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert b"2 of 3 photos to check" in page
    pictures = re.findall(rb'src="(report_files/[^"]+)"', page)
    assert len(pictures) == 9
    for picture in pictures:
        assert served.ask("GET", f"/report/{picture.decode()}")[0] == 200
    photos = run.parent / "photos"
    for kind, file in {
        "original": photos / "b.jpg",
        "result": run / "b.jpg",
        "mask": run / "masks" / "b.png",
        "layers": run / "masks" / "b.layers.png",
    }.items():
        status, body, headers = served.ask("GET", f"/report/file/{kind}?photo=b.jpg")
        assert (status, body) == (200, file.read_bytes())
        assert headers["content-type"] in ("image/jpeg", "image/png")
    deep = quote("deep/c.png", safe="")
    assert served.ask("GET", f"/report/file/original?photo={deep}")[0] == 200
    for path in (
        "file/original?photo=..%2Fcleaned%2Freport.json",
        "file/original?photo=nothing",
        "file/secret?photo=b.jpg",
        "report.json",
        "report_files/../report.json",
        "b.jpg",
    ):
        assert served.ask("GET", f"/report/{path}")[0] in (400, 403, 404), path


def _links_lead_to_the_board(served: Served) -> None:
    api = pytest.importorskip("playwright.sync_api")
    with started(api) as browser:
        opened = Tab(browser, served.url + "report/report.html")
        first = opened.page.locator(".photo.review").first
        assert first.get_attribute("data-name") == "b.jpg"
        assert first.locator(".mend code").count() == 0
        opened.press("j", "f")
        opened.page.wait_for_function("() => document.querySelector('#viewer-size').value")
        shown = opened.do("document.querySelector('#viewer-before').src")
        assert shown == served.url + "report/file/original?photo=b.jpg"
        opened.press("m")
        opened.page.wait_for_function("() => document.querySelector('#viewer-mask').className")
        shown = opened.do("document.querySelector('#viewer-mask').src")
        assert shown == served.url + "report/file/layers?photo=b.jpg"
        assert opened.page.locator("#viewer-mend code").count() == 0
        opened.page.locator("#viewer-mend").get_by_role("link", name="Mend it at the board").click()
        opened.page.wait_for_url(served.url + "?photo=b.jpg")
        opened.page.goto(served.url + "report/report.html")
        first.locator(".mend a").click()
        opened.page.wait_for_url(served.url + "?photo=b.jpg")
        # The photo named is open, and the way back is there.
        opened.page.wait_for_selector("#mb-stage[aria-label*='b.jpg']", timeout=20_000)
        opened.page.click("#mb-to-report")
        opened.page.wait_for_url(served.url + "report/report.html")
        opened.context.close()


def test_nothing_but_the_runs_own_pictures_is_found(run: Path) -> None:
    opened = open_run(run)
    items = list(opened.items)
    secret = run.parent / "secret.png"
    secret.write_bytes(b"secret")
    preview = previews.place(run, "a.png", "before")
    path = f"report_files/{preview.name}"
    assert report_page.find(opened, items, path, "") == preview
    preview.unlink()
    preview.symlink_to(secret)
    assert report_page.find(opened, items, path, "") is None
    (run / "a.png").unlink()
    (run / "a.png").symlink_to(secret)
    assert report_page.find(opened, items, "file/result", "a.png") is None
    for name in ("../secret.png", str(secret), "a\0.png", 7, None):  # of a forged report
        entry: Any = {"output": name}
        forged = [replace(item, entry=entry) for item in items]
        assert report_page.find(opened, forged, "file/result", "b.jpg") is None
    (run.parent / "photos" / "b.jpg").unlink()
    (run.parent / "photos" / "b.jpg").symlink_to(secret)
    away = [item for item in open_run(run).items if item.name == "b.jpg"]
    assert report_page.find(opened, away, "file/original", "b.jpg") is None
    assert report_page.media_type(Path("a.html")) == "application/octet-stream"
    assert report_page.media_type(Path("a.svg")) == "application/octet-stream"
    assert report_page.media_type(Path("A.JPG")) == "image/jpeg"


def test_the_page_is_made_anew_whatever_stands_there(run: Path) -> None:
    (run / "report.html").write_text("<script>alert(1)</script>")
    opened = open_run(run)
    page = report_page.page(opened, list(opened.items))
    assert "alert(1)" not in page
    assert 'data-name="deep/c.png"' in page
    report = json.loads((run / "report.json").read_text())
    report["run"].pop("version")
    (run / "report.json").write_text(json.dumps(report))
    with pytest.raises(report_page.UsageError, match="cannot be shown"):
        report_page.page(opened, list(opened.items))
