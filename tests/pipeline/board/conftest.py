"""Fixtures of the board's tests: photos, a board that has opened them, and a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import open_photos
from remove_objects.pipeline.config import Settings
from tests.support.board_run import make_run
from tests.support.board_serving import Open, Served, choose
from tests.support.browser import EXECUTABLE, FLAGS
from tests.support.scenes import scene


@pytest.fixture
def photo_folder(tmp_path: Path, red_is_person: None) -> Path:
    """Two photos of 120 x 160 pixels with a red mark: ``a.png`` and ``b.jpg``."""
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(scene(seed=1)).save(photos / "a.png")
    Image.fromarray(scene(seed=2)).save(photos / "b.jpg", quality=90)
    return photos


@pytest.fixture
def run(tmp_path: Path, cheap: None) -> Path:
    """The output folder ``cleaned/`` of a run over ``photos/``, see ``make_run``."""
    return make_run(tmp_path)


@pytest.fixture
def board(photo_folder: Path) -> Iterator[Board]:
    """A board on ``photo_folder``; results go to ``cleaned`` beside it."""
    board = Board(open_photos(photo_folder, None, Settings(probe=False)))
    yield board
    board.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless browser: the system's Chromium or Playwright's own."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is not installed: pip install '.[test]'"
    )
    with playwright.sync_playwright() as play:
        if EXECUTABLE is None and not Path(play.chromium.executable_path).exists():
            pytest.skip(
                "no Chromium is installed: apt-get install chromium, "
                "or python -m playwright install chromium"
            )
        browser = play.chromium.launch(executable_path=EXECUTABLE, args=[*FLAGS])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Open]:
    """A function that opens a board's page in a fresh profile.

    At the end no other host may have been requested, and no script may have failed.
    """
    contexts, requests, errors = [], [], []

    def go(board: Served, photo: str | None = None, path: str = "", **options: Any) -> Any:
        context = chromium.new_context(
            viewport=options.pop("viewport", {"width": 1280, "height": 860}), **options
        )
        contexts.append(context)
        context.on("request", lambda request: requests.append(request.url))
        context.set_default_timeout(15_000)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: (
                errors.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        page.goto(board.url + path)
        page.wait_for_selector("#mask-board[aria-busy=false]")
        if photo is not None:
            choose(page, photo)
            page.wait_for_function(
                "name => document.getElementById('mb-status').textContent.startsWith(name)",
                arg=photo,
            )
        return page

    yield go
    for context in contexts:
        context.close()
    assert len(requests) > 10
    foreign = [
        url
        for url in requests
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != "127.0.0.1"
    ]
    assert foreign == []
    assert errors == []
