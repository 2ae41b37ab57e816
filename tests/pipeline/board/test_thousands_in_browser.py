"""A run of two thousand photos at the board: opened at once, and searched and walked quickly."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.board_run import load, make_run
from tests.support.board_serving import Open, Served, serve
from tests.support.states.networks import cheap_networks

pytest.importorskip("gradio", reason="Gradio is not installed: pip install '.[board]'")
pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install '.[test]'"
)

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.slow]

MANY = 2000
#: Seconds in which a photo of the run is to be seen, and in which a search and the next photo are.
OPENED, SEARCHED, WALKED = 1.5, 0.2, 1.0


@pytest.fixture(scope="module")
def thousands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run over ``MANY`` small photos, copies of a few."""
    root = tmp_path_factory.mktemp("thousands")
    with cheap_networks():
        cleaned = make_run(root / "few", save_masks=False)
    photos, out = root / "photos", root / "cleaned"
    photos.mkdir()
    out.mkdir()
    report = load(cleaned)
    entry = next(each for each in report["photos"] if each["input"] == "a.png")
    entries = []
    for number in range(MANY):
        name = f"{number:04d} {'Café' if number == 1234 else 'photo'}.png"
        for folder, source in ((photos, root / "few" / "photos"), (out, cleaned)):
            (folder / name).hardlink_to(source / "a.png")
        status = "review" if number % 10 == 0 else "ok"
        score = round(1 - number / MANY, 4)
        entries.append({**entry, "input": name, "output": name, "status": status, "score": score})
    report["photos"] = entries
    report["run"]["inputs"] = [str(photos)]
    (out / "report.json").write_text(json.dumps(report))
    shutil.rmtree(cleaned)
    return out


@pytest.fixture(scope="module")
def board(tiny_weights: Path, thousands: Path) -> Iterator[Served]:
    with serve(
        tiny_weights, thousands.parent, str(thousands), "--input", str(thousands.parent / "photos")
    ) as served:
        yield served


def is_open(page: Any, name: str) -> None:
    page.wait_for_function("name => window.maskBoard?.photo?.name === name", arg=name)


def best(limit: float, times: Iterator[float]) -> None:
    """The limit is for an idle machine; the best of a few times comes closest to that."""
    taken = []
    for seconds in times:
        taken.append(seconds)
        if seconds <= limit:
            return
    raise AssertionError(f"{MANY} photos took {taken} s, the limit is {limit} s")


@pytest.mark.alone
def test_it_opens_at_once_is_searched_and_walked(board: Served, visit: Open) -> None:
    def openings() -> Iterator[float]:
        for _ in range(6):
            page = visit(board)
            is_open(page, "0000 photo.png")
            marks = "performance.getEntriesByName('mask-board-open')"
            yield page.evaluate(f"() => {marks}[0].startTime / 1000")
            page.context.close()

    best(OPENED, openings())
    page = visit(board)
    is_open(page, "0000 photo.png")
    assert page.locator("#mb-status").inner_text() == f"{MANY // 10} photos are left to check."
    page.get_by_text("to check only").click()

    def searches() -> Iterator[float]:
        for typed in ("cafe", "1234", "CAFÉ", "cafe"):
            script = """typed => { const begun = performance.now();
              const find = document.getElementById('mb-find'); find.value = typed;
              find.dispatchEvent(new Event('input')); document.body.offsetHeight;
              return (performance.now() - begun) / 1000; }"""
            yield page.evaluate(script, typed)

    best(SEARCHED, searches())
    assert page.locator("#mb-photo option").count() == 2  # the found one, and the open one
    page.get_by_label("Find a photo").fill("")
    # The list holds what is near the open photo, and says how many others there are.
    assert page.evaluate("() => document.querySelectorAll('#mask-board *').length") < 1500

    def steps() -> Iterator[float]:
        for number in range(1, 6):
            begun = time.monotonic()
            page.get_by_role("button", name="Next photo").click()
            is_open(page, f"{10 * number:04d} photo.png")  # those for review come first
            yield time.monotonic() - begun

    best(WALKED, steps())
    page.get_by_label("Find a photo").fill("cafe")
    page.get_by_label("Find a photo").press("Enter")
    is_open(page, "1234 Café.png")
    page.get_by_label("Find a photo").fill("")
    names = page.locator("#mb-photo option:enabled").all_inner_texts()
    assert any(name.startswith("1234 Café.png") for name in names)
    assert any(name.startswith("1301 photo.png") for name in names)
    assert not any(name.startswith("0001 photo.png") for name in names)
    told = page.locator("#mb-photo option:disabled").all_inner_texts()
    assert told == ["… 1210 more before: search by name", "… 589 more after: search by name"]
