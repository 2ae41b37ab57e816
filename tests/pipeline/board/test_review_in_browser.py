"""A run is reviewed in a real Chromium: what it made comes first, and each decision is undone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.support.board_run import command, entry_of, mark
from tests.support.board_serving import Open, Served, serve
from tests.support.scenes import scene
from tests.support.states.networks import cheap_networks

pytest.importorskip("gradio", reason="Gradio is not installed: pip install '.[board]'")
pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install '.[test]'"
)

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.slow]

#: Photos of the run, the worst first; the last needs no review.
NAMES = ("mend.png", "accept.png", "restore.png", "Café am Markt.png", "fine.png")
DESKTOP = {"width": 1400, "height": 900}
PHONE = {"width": 390, "height": 844}
BUTTONS = ("Accept as it is", "Fill again", "Restore the original", "Save and next", "Save")


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a run without saved masks."""
    root = tmp_path_factory.mktemp("review")
    photos = root / "photos"
    photos.mkdir()
    for i, name in enumerate(NAMES):
        Image.fromarray(scene(240, 320, person=(120, 80, 40, 60), seed=i)).save(photos / name)
    with cheap_networks():
        command(photos, save_masks=False)
    scores = dict(zip(NAMES[:-1], (0.9, 0.8, 0.7, 0.6), strict=True))
    mark(root / "cleaned", {name: ("review", score) for name, score in scores.items()})
    mark(root / "cleaned", {"fine.png": ("ok", None)})
    return root / "cleaned"


@pytest.fixture(scope="module")
def board(tiny_weights: Path, cleaned: Path) -> Iterator[Served]:
    with serve(tiny_weights, cleaned.parent, str(cleaned)) as served:
        yield served


def said(page: Any, text: str) -> None:
    page.wait_for_selector(f"#mb-status:has-text({json.dumps(text)})", timeout=60_000)


def opened(page: Any, name: str) -> None:
    """Wait until a photo is open with its result."""
    page.wait_for_function(
        "name => window.maskBoard?.photo?.name === name && maskBoard.stage.view === 'compare'",
        arg=name,
    )


def picture(page: Any) -> np.ndarray:
    page.wait_for_timeout(350)  # until the details are fetched
    shot = page.locator("#mb-stage").screenshot()
    return np.asarray(Image.open(BytesIO(shot)).convert("RGB")).astype(int)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_run_s_work_is_seen_first_and_the_decisions_are_at_hand(
    viewport: dict[str, int], board: Served, visit: Open
) -> None:
    page = visit(board, viewport=viewport, is_mobile=viewport is PHONE, has_touch=True)
    opened(page, "mend.png")
    assert page.get_by_role("radio", name="Compare", exact=True).is_checked()
    assert page.locator("#mb-right-name").inner_text() == "Present result"
    assert page.locator("#mb-run-status").inner_text() == "Check this one"
    assert page.locator("#mb-run-reason").inner_text()
    assert "0.90" not in page.locator("#mask-board").inner_text()  # figures are behind the fold
    assert page.locator("#mb-layer-rows label:visible").count() >= 1

    # What was removed is seen on the original's half, until it is hidden; the result is bare.
    coloured = picture(page)
    page.get_by_role("button", name="Hide mask").click()
    bare = picture(page)
    middle = page.locator("#mb-stage").bounding_box()["width"] / 2
    columns = np.flatnonzero((np.abs(coloured - bare).max(2) > 30).any(0))
    assert len(columns) > 10
    assert columns.max() < middle + 20
    page.get_by_role("button", name="Show mask").click()
    assert page.get_by_role("button", name="Hide mask").is_visible()

    # Of a photo that is seen whole, a drag anywhere moves the line, and not the photo.
    place = "[maskBoard.stage.left, maskBoard.stage.top, maskBoard.stage.scale]"
    whole, box = page.evaluate(place), page.locator("#mb-stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4, steps=4)
    page.mouse.up()
    assert page.evaluate(place) == whole
    assert page.evaluate("maskBoard.stage.split") > 0.55

    for scrolled in (0, 100_000):
        page.evaluate("y => document.querySelector('#mask-board main').scrollTo(0, y)", scrolled)
        for name in BUTTONS:
            box = page.get_by_role("button", name=name, exact=True).bounding_box()
            assert box["y"] >= 0, name
            assert box["y"] + box["height"] <= viewport["height"], name
            assert box["height"] >= 40
        tools = page.get_by_text("Brush", exact=True).bounding_box()
        assert 0 <= tools["y"] < viewport["height"] - 40
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")


def test_one_is_mended_one_accepted_one_restored_and_each_is_undone(
    board: Served, cleaned: Path, visit: Open
) -> None:
    photos = cleaned.parent / "photos"
    before = {name: (cleaned / name).read_bytes() for name in NAMES}
    entries = {name: entry_of(cleaned, name) for name in NAMES}
    page = visit(board, viewport=DESKTOP)

    def press(name: str) -> None:
        page.get_by_role("button", name=name, exact=True).click()

    # A fill that is not saved is dropped; a saved one is undone; then it is saved for good.
    opened(page, "mend.png")
    press("Fill again")
    said(page, "Filled.")
    press("Undo fill")
    said(page, "The fill is dropped")
    assert page.locator("#mb-right").input_value() == "standing"
    draw_at(page, 0.5, 0.7)
    press("Fill again")
    said(page, "Filled.")
    press("Save")
    said(page, "Saved")
    press("Undo save")
    said(page, "is as the run left it")
    assert (cleaned / "mend.png").read_bytes() == before["mend.png"]
    assert entry_of(cleaned, "mend.png") == entries["mend.png"]
    page.keyboard.press("Control+z")  # the mask as it was drawn
    press("Fill again")
    said(page, "Filled.")
    press("Save and next")

    opened(page, "accept.png")
    said(page, "mend.png. 3 photos are left to check. accept.png: 320")
    assert entry_of(cleaned, "mend.png")["decision"] == "mended"
    press("Accept as it is")
    said(page, "2 photos are left to check.")
    page.wait_for_selector("#mb-run-status:has-text('Accepted')")
    press("Undo accept")
    said(page, "is as the run left it")
    assert entry_of(cleaned, "accept.png") == entries["accept.png"]
    press("Accept as it is")
    said(page, "2 photos are left to check.")
    press("Save and next")  # nothing to save

    opened(page, "restore.png")
    press("Restore the original")
    said(page, "The original is at")
    press("Undo restore")
    said(page, "is as the run left it")
    assert (cleaned / "restore.png").read_bytes() == before["restore.png"]
    press("Restore the original")
    said(page, "The original is at")
    page.keyboard.press("Control+Enter")

    opened(page, "Café am Markt.png")
    press("Save and next")
    said(page, "One photo is left to check.")

    # Behind the last photo to check, the board says where the others are, and goes on to them.
    press("Accept as it is")
    said(page, "No photo is left to check.")
    press("Save and next")
    said(page, "No photo is left to check. Clear 'to check only' to see the others.")
    page.locator("#mb-filter-label").click()
    press("Save and next")
    opened(page, "fine.png")
    press("Restore the original")
    said(page, "The original is at")
    press("Undo restore")
    said(page, "fine.png is as the run left it")
    press("Save and next")
    said(page, "This was the last photo.")
    press("Previous photo")
    opened(page, "Café am Markt.png")
    press("Undo accept")
    said(page, "One photo is left to check.")

    with cheap_networks():
        told = {entry["input"]: entry for entry in command(photos, save_masks=False)}
    assert {told[name]["status"] for name in NAMES} == {"skipped"}
    assert [told[name].get("decision") for name in NAMES[:3]] == ["mended", "accepted", "restored"]
    assert (cleaned / "mend.png").read_bytes() != before["mend.png"]
    assert (cleaned / "accept.png").read_bytes() == before["accept.png"]
    assert (cleaned / "restore.png").read_bytes() == (photos / "restore.png").read_bytes()


def test_a_link_opens_one_photo_and_the_address_names_the_open_one(
    board: Served, visit: Open
) -> None:
    page = visit(board, path="?photo=Caf%C3%A9%20am%20Markt.png")
    opened(page, "Café am Markt.png")
    page.get_by_text("to check only").click()
    page.locator("#mb-photo").select_option(label="fine.png (looks fine)")
    opened(page, "fine.png")
    assert page.url.endswith("?photo=fine.png")
    page.reload()
    opened(page, "fine.png")
    # A decision about a photo that needs none is undone as any other.
    page.get_by_role("button", name="Accept as it is").click()
    page.get_by_role("button", name="Undo accept").click()
    said(page, "fine.png is as the run left it")
    missing = visit(board, path="?photo=none.png")
    missing.wait_for_selector("#mb-alert:has-text('There is no photo none.png here.')")
    assert missing.evaluate("() => maskBoard.photo !== null")


def test_a_search_needs_neither_case_nor_accents(board: Served, visit: Open) -> None:
    page = visit(board)
    page.get_by_label("Find a photo").fill("cafe AM")
    names = page.locator("#mb-photo option").all_inner_texts()
    assert any(name.startswith("Café am Markt.png") for name in names)
    assert len(names) <= 2  # and the one that is open
    page.get_by_label("Find a photo").press("Enter")
    opened(page, "Café am Markt.png")
    page.get_by_label("Find a photo").fill("nowhere")
    page.get_by_label("Find a photo").press("Enter")
    said(page, "No photo's name has")


def test_a_dropped_folder_opens_with_its_subfolders(
    board: Served, cleaned: Path, tmp_path: Path, visit: Open
) -> None:
    album = tmp_path / "album"
    (album / "deep").mkdir(parents=True)
    for i, name in enumerate(("a.png", "b.png", "deep/c.png")):
        Image.fromarray(scene(120, 160, seed=i)).save(album / name)
    (album / "notes.txt").write_text("no photo")
    page = visit(board)
    drop(page, album)
    said(page, "3 photos are in the list.")
    names = page.locator("#mb-photo option").all_inner_texts()
    assert names[-3:] == ["album/a.png", "album/b.png", "album/deep/c.png"]
    assert page.evaluate("() => maskBoard.photo.width") == 160
    assert f"the result goes to {cleaned / 'a.png'}" in page.locator("#mb-save-to").inner_text()
    draw_at(page, 0.5, 0.5)
    page.get_by_role("button", name="Fill", exact=True).click()
    said(page, "Filled.")
    page.get_by_role("button", name="Save", exact=True).click()
    said(page, f"Saved {cleaned / 'a.png'}")
    page.wait_for_selector("#mb-save-to:text-matches('^Saved to .*a.png')")
    assert (cleaned / "a.png").is_file()
    page.get_by_role("button", name="Next photo").click()
    said(page, "b.png: 160")
    page.get_by_role("button", name="Previous photo").click()
    said(page, "a.png: 160")


def draw_at(page: Any, x: float, y: float) -> None:
    """Draw a short stroke at a share of the stage's width and height."""
    page.locator("#mb-stage").focus()
    page.keyboard.press("b")
    box = page.locator("#mb-stage").bounding_box()
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + x * box["width"] + 40, box["y"] + y * box["height"], steps=4)
    page.mouse.up()
    page.wait_for_function("() => maskBoard.photo.can_undo")


def drop(page: Any, path: Path) -> None:
    """Drop a file or folder on the photo's place, as the desktop does."""
    browser = page.context.new_cdp_session(page)
    box = page.locator("#mb-stage").bounding_box()
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send(
            "Input.dispatchDragEvent",
            {"type": kind, "x": box["x"] + 50, "y": box["y"] + 50, "data": data},
        )


def clear_and_go_on(page: Any) -> None:
    """Empty the mask, and go on to the next photo, be the open one the last to check or not."""
    page.get_by_label("to check only").evaluate("filter => filter.checked && filter.click()")
    page.evaluate("() => { document.getElementById('mb-do-clear').click(); }")
    page.wait_for_function("() => maskBoard.photo.is_empty")
    page.locator("#mb-stage").focus()
    page.keyboard.press("n")


@pytest.mark.parametrize("width", [320, 360, 390])
def test_nothing_is_off_the_edge_of_a_phone(width: int, board: Served, visit: Open) -> None:
    page = visit(board, viewport={"width": width, "height": 844}, is_mobile=True, has_touch=True)
    page.wait_for_function("() => maskBoard.stage.view === 'compare'")
    outside = """width => [...document.querySelectorAll(
      '#mask-board :is(button, select, input, a, label, p)')].filter((e) => {
        const { left, right, width: w } = e.getBoundingClientRect();
        return w > 1 && !e.closest('.tools') && (left < -0.5 || right > width + 0.5);
      }).map((e) => e.id || e.textContent)"""
    assert page.evaluate(outside, width) == []  # the tools alone are moved by a finger
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    header = page.locator("#mask-board > header").bounding_box()
    assert header["height"] < 120  # two rows
    clear_and_go_on(page)
    box = page.get_by_role("dialog", name="The mask is empty").bounding_box()
    assert 8 <= box["x"] < box["x"] + box["width"] <= width - 8
    page.get_by_role("button", name="Stay here").click()
    page.keyboard.press("Control+z")
    page.wait_for_function("() => !maskBoard.photo.unfilled")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_board_shuts_nobody_out(
    viewport: dict[str, int], scheme: str, board: Served, visit: Open
) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe is missing: pip install '.[test]'")
    from tests.support.axe import serious_faults

    page = visit(board, viewport=viewport, color_scheme=scheme)
    page.wait_for_function("() => maskBoard.stage.view === 'compare'")
    assert serious_faults(page) == []
    page.get_by_label("Brush", exact=True).click(force=True)
    page.get_by_text("Reasons and figures").click()
    page.get_by_text("Keys", exact=True).click()
    assert serious_faults(page) == []
    clear_and_go_on(page)
    page.get_by_role("dialog", name="The mask is empty").wait_for()
    assert serious_faults(page) == []
    page.get_by_role("button", name="Stay here").click()
    page.keyboard.press("Control+z")
    page.wait_for_function("() => !maskBoard.photo.unfilled")
