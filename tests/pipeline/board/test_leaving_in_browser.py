"""A photo is left with a mask that was not filled, or a fill that was not saved: the page asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.board_serving import Open, Served, serve
from tests.support.scenes import scene

pytest.importorskip("gradio", reason="Gradio is not installed: pip install '.[board]'")
pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install '.[test]'"
)

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.slow]

NAMES = tuple(f"{number}.png" for number in range(6))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with a few photos."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed, name in enumerate(NAMES):
        Image.fromarray(scene(120, 160, seed=seed)).save(folder / name)
    return folder


@pytest.fixture
def board(tiny_weights: Path, photos: Path) -> Iterator[Served]:
    """A board on the folder."""
    with serve(tiny_weights, photos.parent, str(photos)) as served:
        yield served


def said(page: Any, text: str) -> None:
    page.wait_for_selector(f"#mb-status:has-text({json.dumps(text)})", timeout=60_000)


def draw(page: Any) -> None:
    """Draw a stroke by the keyboard."""
    page.locator("#mb-stage").focus()
    revision = page.evaluate("() => maskBoard.photo.revision")
    for key in ("b", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_function("before => maskBoard.photo.revision > before", arg=revision)


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def open_name(page: Any) -> str:
    return str(page.evaluate("() => maskBoard.photo.name"))


def test_every_way_to_leave_asks_and_the_draft_is_kept(board: Served, visit: Open) -> None:
    page = visit(board, NAMES[1])
    ask = page.get_by_role("dialog", name="The mask is not filled")
    ways = {
        "next": lambda: press(page, "Next photo"),
        "previous": lambda: press(page, "Previous photo"),
        "key": lambda: page.locator("#mb-stage").press("n"),
        "another": lambda: page.locator("#mb-photo").select_option(label=NAMES[4]),
        "search": lambda: (
            page.get_by_label("Find a photo").fill("5.png"),
            page.get_by_label("Find a photo").press("Enter"),
        ),
        "save and next": lambda: press(page, "Save and next"),
        "save and next by keys": lambda: page.keyboard.press("Control+Enter"),
        "a file": lambda: page.set_input_files(
            "#mb-open", {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"}
        ),
    }
    draw(page)
    for name, leave in ways.items():
        leave()
        ask.wait_for()
        assert f"You changed the mask of {NAMES[1]} and did not fill it." in ask.inner_text(), name
        page.keyboard.press("Escape")
        ask.wait_for(state="hidden")
        assert open_name(page) == NAMES[1], name
        assert page.locator("#mb-photo").input_value() == "p1", name
    page.get_by_label("Find a photo").fill("")
    share = page.locator("#mb-share").inner_text()

    press(page, "Next photo")
    press(page, "Leave it")
    said(page, f"The mask of {NAMES[1]} was not filled; it is kept as a draft while the board runs")
    assert open_name(page) == NAMES[2]
    assert page.locator("#mb-photo option").nth(1).inner_text() == f"{NAMES[1]} (draft)"
    # Many photos later the draft is there, and is told again; so it is after a reload.
    for name in NAMES[3:]:
        press(page, "Next photo")
        said(page, f"{name}: 160")
    page.locator("#mb-photo").select_option(label=f"{NAMES[1]} (draft)")
    said(page, "its mask is a draft that is not filled yet")
    assert page.locator("#mb-share").inner_text() == share
    page.evaluate("() => { maskBoard.leaving.goes = true; }")
    page.reload()
    page.wait_for_selector("#mask-board[aria-busy=false]")
    assert page.locator("#mb-photo option").nth(1).inner_text() == f"{NAMES[1]} (draft)"

    # What is undone was not changed, so nobody asks.
    press(page, "Undo")
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    press(page, "Next photo")
    said(page, f"{NAMES[2]}: 160")
    assert page.locator("#mb-photo option").nth(1).inner_text() == NAMES[1]


def test_fill_and_save_are_offered_and_done(board: Served, photos: Path, visit: Open) -> None:
    page = visit(board, NAMES[0])
    page.get_by_text("measure with a probe (slower)").click()
    draw(page)
    press(page, "Save and next")
    dialog = page.locator("#mb-leave")
    dialog.get_by_role("button", name="Fill", exact=True).click()
    said(page, "Filled.")
    assert open_name(page) == NAMES[0]  # the fill wants to be seen
    press(page, "Next photo")
    assert page.get_by_role("dialog", name="The fill is not saved").is_visible()
    dialog.get_by_role("button", name="Save", exact=True).click()
    said(page, f"{NAMES[1]}: 160")
    assert "Saved" in page.locator("#mb-status").inner_text()
    assert (photos.parent / "cleaned" / NAMES[0]).is_file()
    # A stroke over a filled mask; and a fill that is left.
    draw(page)
    press(page, "Fill")
    said(page, "Filled.")
    page.locator("#mb-stage").press("e")
    page.keyboard.press("Enter")
    page.wait_for_function("() => maskBoard.photo.is_empty")
    press(page, "Save and next")
    empty = page.get_by_role("dialog", name="The mask is empty")
    empty.wait_for()
    assert empty.get_by_role("button", name="Fill", exact=True).count() == 0
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    page.wait_for_function("() => maskBoard.photo.fill_is_current")  # as it was filled
    press(page, "Next photo")
    press(page, "Leave it")
    said(page, f"The fill of {NAMES[1]} was not saved")
    assert not (photos.parent / "cleaned" / NAMES[1]).exists()


def test_a_selection_that_was_not_added_is_asked_about(board: Served, visit: Open) -> None:
    page = visit(board, NAMES[0])
    page.get_by_text("measure with a probe (slower)").click()
    page.locator("#mb-stage").focus()
    for key in ("s", "Space"):
        page.keyboard.press(key)
    said(page, "Selected:")
    press(page, "Next photo")
    ask = page.get_by_role("dialog", name="The selection is not in the mask")
    ask.get_by_role("button", name="Add and fill").click()
    said(page, "Filled.")
    assert page.evaluate("() => !maskBoard.photo.is_empty && maskBoard.photo.fill_is_current")
    page.get_by_role("radio", name="Mask", exact=True).check(force=True)
    page.locator("#mb-stage").focus()
    for key in ("s", *["ArrowUp"] * 4, "Space"):
        page.keyboard.press(key)
    said(page, "Selected:")
    press(page, "Next photo")
    ask.get_by_role("button", name="Leave it").click()
    said(page, f"The selection on {NAMES[0]} was dropped.")


def test_closing_the_tab_asks_too(board: Served, visit: Open) -> None:
    page = visit(board, NAMES[0])
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    draw(page)
    page.close(run_before_unload=True)
    page.wait_for_timeout(500)
    assert asked == ["beforeunload"]
    assert not page.is_closed()
    page.keyboard.press("Control+z")
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    page.close(run_before_unload=True)
    page.context.pages and page.wait_for_event("close")
    assert asked == ["beforeunload"]


def test_the_board_that_ends_names_the_drafts(
    tiny_weights: Path, photos: Path, tmp_path: Path
) -> None:
    with serve(tiny_weights, tmp_path, str(photos)) as served:
        assert served.call("stroke", NAMES[0], [[40, 40]], 5, False)[0] == 200
        assert served.call("stroke", NAMES[1], [[40, 40]], 5, False)[0] == 200
        assert served.call("edit", NAMES[1], "undo")[0] == 200
        served.process.terminate()
        assert served.process.wait(20) == 0
        told = served.errors.read_text()
    assert f"masks that were changed and not saved are gone with it: {NAMES[0]}\n" in told
