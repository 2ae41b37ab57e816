"""The board's page in a real Chromium, used by mouse, by finger, and by keyboard alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.images import write_layers, write_mask
from remove_objects.pipeline.types import LAYER_COLOURS, Layer
from tests.support.board_run import mark
from tests.support.board_serving import Open, Served, choose, serve
from tests.support.box_segmenter import BoxSegmenter
from tests.support.hand_held import save as save_photo
from tests.support.hand_held import shot
from tests.support.scenes import scene

pytest.importorskip("gradio", reason="Gradio is not installed: pip install '.[board]'")
pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: pip install '.[test]'"
)

pytestmark = [pytest.mark.browser, pytest.mark.network, pytest.mark.slow]

ODD = "<img src=x onerror=document.title=1>.png"
#: The box of the red mark in the large photo: x, y, w, h.
MARK = (2900, 700, 80, 60)


def layered() -> np.ndarray:
    """The layers of ``layers.png``: the red mark, its shadow, and another one far from it."""
    layers = np.zeros((240, 320), np.uint8)
    layers[80:140, 120:160] = Layer.OBJECT
    layers[130:150, 160:220] = layers[20:40, 240:280] = Layer.SHADOW
    return layers


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a photo for each test that saves, so the order of the tests does not matter."""
    root = tmp_path_factory.mktemp("page")
    photos = root / "photos"
    photos.mkdir()
    for i, name in enumerate(
        ("cancel", "class", "clicks", "exists", "keys", "layers", "round", "touch", "finger", "rub")
    ):
        Image.fromarray(scene(240, 320, person=(120, 80, 40, 60), seed=i)).save(
            photos / f"{name}.png"
        )
    masks = root / "cleaned" / "masks"
    masks.mkdir(parents=True)
    write_mask(layered() > 0, masks / "layers.png")
    write_layers(layered(), masks / "layers.layers.png")
    Image.fromarray(scene(seed=7)).save(photos / ODD)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing more")
    large = np.asarray(
        Image.fromarray(scene(750, 1000, person=None)).resize(
            (4000, 3000), Image.Resampling.BICUBIC
        )
    ).copy()
    x, y, w, h = MARK
    large[y : y + h, x : x + w] = (255, 0, 0)
    Image.fromarray(large).save(photos / "large.jpg", quality=95, subsampling=0)
    return root


@pytest.fixture(scope="module")
def board(tiny_weights: Path, folder: Path) -> Iterator[Served]:
    """A board that serves the photos."""
    with serve(tiny_weights, folder, str(folder / "photos")) as served:
        yield served


def screenshot(page: Any) -> np.ndarray:
    """The stage as the person sees it, HWC uint8."""
    page.wait_for_timeout(350)  # until the details are fetched
    return np.asarray(Image.open(BytesIO(page.locator("#mb-stage").screenshot())).convert("RGB"))


def red_box(picture: np.ndarray) -> tuple[float, float, float, float]:
    """Left, top, right, bottom of the red mark on the stage, in pixels of the screen."""
    red = (picture[..., 0] > 215) & (picture[..., 1] < 60) & (picture[..., 2] < 60)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    assert len(rows)
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def draw(page: Any, *points: tuple[float, float]) -> None:
    """Press, move and release the mouse; points are relative to the stage's corner."""
    box = page.locator("#mb-stage").bounding_box()
    page.mouse.move(box["x"] + points[0][0], box["y"] + points[0][1])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=6)
    page.mouse.up()
    page.mouse.move(2, 2)
    page.wait_for_function(
        "() => window.maskBoard.photo.revision > 0 && !window.maskBoard.stage.line"
    )


def fill(page: Any) -> None:
    page.locator("#mb-fill").click()
    page.wait_for_selector("#mb-status:has-text('Filled')", timeout=60_000)


def save(page: Any) -> None:
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#mb-status:has-text('Saved')")


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_a_person_draws_fills_compares_undoes_and_saves(
    board: Served, folder: Path, visit: Open
) -> None:
    source = (folder / "photos" / "round.png").read_bytes()
    page = visit(board, "round.png")
    blank = screenshot(page)
    left, top, right, bottom = red_box(blank)
    page.get_by_label("Brush size").fill("90")
    draw(
        page,
        (left - 4, top - 4),
        (right + 4, bottom + 4),
        (left - 4, bottom + 4),
        (right + 4, top - 4),
    )
    drawn = screenshot(page)
    stroke = (np.abs(drawn.astype(int) - blank).max(2) > 12) & (
        np.arange(blank.shape[0])[:, None] < blank.shape[0] - 70
    )
    assert stroke.sum() > 500
    assert "photo is marked" in page.locator("#mb-share").inner_text()
    fill(page)

    # With the line at the right end all is the original, at the left end all is the result.
    line = page.get_by_label("Share of the original, from the left")
    line.fill("100")
    original = screenshot(page)
    line.fill("0")
    result = screenshot(page)
    changed = np.abs(original.astype(int) - result).max(2) > 24
    page.get_by_label("Compare with").select_option("navier-stokes")
    classical = screenshot(page)
    assert np.abs(classical.astype(int) - result).max(2).max() > 24
    assert (
        page.locator("#mb-figure-row img").count() == 5
    )  # the original and its hole, our fill, two classical ones
    assert page.evaluate(
        "() => [...document.querySelectorAll('#mb-figure-row img')]"
        ".every(i => i.complete && i.naturalWidth > 0)"
    )
    page.get_by_text("Reasons and figures").click()
    assert "Navier–Stokes" in page.locator("#mb-holes").inner_text()

    save(page)
    mask, after, before = (
        pixels(folder / p)
        for p in ("cleaned/masks/round.png", "cleaned/round.png", "photos/round.png")
    )
    different = (after != before).any(2)
    assert different[80:140, 120:160].mean() > 0.9
    assert not (different & ~mask).any()
    assert mask.mean() < 0.3
    # The visible change lies in the mask, as far as a pixel of the screen can tell. The handle of
    # the line is at the borders.
    scale, x0, y0 = (
        page.evaluate(f"() => window.maskBoard.stage.{name}") for name in ("scale", "left", "top")
    )
    rows, columns = np.nonzero(changed)
    x, y = (columns - 1 - x0) / scale, (rows - 1 - y0) / scale
    within = (x > 30) & (x < 290)
    assert within.sum() > 500
    near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    assert near[y[within].astype(int), x[within].astype(int)].all()

    page.get_by_role("radio", name="Mask", exact=True).click()
    for _ in range(6):
        button = page.get_by_role("button", name="Undo", exact=True)
        if button.is_disabled():
            break
        button.click()
        page.evaluate("() => window.maskBoard.changes")
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    # The stage looks as in the beginning, to the pixel.
    page.get_by_role("button", name="Fit the photo into the view").click()
    page.mouse.move(2, 2)
    assert np.abs(screenshot(page)[:-70].astype(int) - blank[:-70]).max() < 4
    assert page.get_by_role("button", name="Save", exact=True).is_disabled()
    page.get_by_role("button", name="Redo").click()
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    assert (folder / "photos" / "round.png").read_bytes() == source


def test_a_stroke_on_twelve_megapixels_is_where_it_was_drawn(
    board: Served, folder: Path, visit: Open
) -> None:
    page = visit(board, "large.jpg")
    x, y, w, h = MARK
    page.get_by_label("Brush size").fill("1")
    for zoomed in (False, True):
        if zoomed:
            left, top, right, bottom = red_box(screenshot(page))
            box = page.locator("#mb-stage").bounding_box()
            page.mouse.move(box["x"] + (left + right) / 2, box["y"] + (top + bottom) / 2)
            for _ in range(4):
                page.mouse.wheel(0, -400)
            page.mouse.move(2, 2)
        left, top, right, bottom = red_box(screenshot(page))
        assert (right - left > 60) == zoomed
        draw(page, ((left + right) / 2, (top + bottom) / 2))
        page.wait_for_timeout(200)
        photo = page.evaluate("() => maskBoard.photo.photo")
        query = f"box={x},{y},{w},{h}&size={w},{h}"
        status, body, _ = board.ask("GET", f"/board/view/{photo}/mask?{query}")
        assert status == 200
        cover = np.asarray(Image.open(BytesIO(body)))[..., 3] > 127
        rows, columns = np.nonzero(cover)
        within = (
            1.5 if zoomed else 5
        )  # a pixel of the screen is four of the photo, and less than one
        assert abs(rows.mean() + 0.5 - h / 2) < within
        assert abs(columns.mean() + 0.5 - w / 2) < within
        if not zoomed:
            page.keyboard.press("Control+z")
            page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    page.get_by_label("Brush size").fill("60")
    left, top, right, bottom = red_box(screenshot(page))
    draw(
        page,
        (left - 3, top - 3),
        (right + 3, bottom + 3),
        (left - 3, bottom + 3),
        (right + 3, top - 3),
    )
    page.get_by_text("measure with a probe (slower)").click()
    fill(page)
    save(page)
    result = pixels(folder / "cleaned" / "large.jpg")
    mask = pixels(folder / "cleaned" / "masks" / "large.png")
    assert result.shape == (3000, 4000, 3)
    assert mask[y + 5 : y + h - 5, x + 5 : x + w - 5].mean() > 0.95
    assert mask.mean() < 0.02
    inside = result[y + 10 : y + h - 10, x + 10 : x + w - 10]
    assert not ((inside[..., 0] > 200) & (inside[..., 1] < 60)).any()


def test_the_keyboard_alone_is_enough(board: Served, folder: Path, visit: Open) -> None:
    page = visit(board)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "Skip to the photo"
    for _ in range(4):
        if page.evaluate("() => document.activeElement.id") == "mb-photo":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "mb-photo"
    page.keyboard.type("keys")
    page.wait_for_selector("#mb-status:has-text('keys.png')")
    for _ in range(30):
        if page.evaluate("() => document.activeElement.id") == "mb-stage":
            break
        page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.id") == "mb-stage"
    for key in ("ArrowDown", "ArrowLeft", "ArrowLeft", "Space", *["ArrowRight"] * 6, "Space"):
        page.keyboard.press(key)
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    page.keyboard.press("e")
    assert page.get_by_label("Eraser").is_checked()
    page.keyboard.press("Control+z")
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    page.keyboard.press("Control+Shift+z")
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    page.keyboard.press("f")
    page.wait_for_selector("#mb-status:has-text('Filled')", timeout=60_000)
    page.keyboard.press("Control+s")
    page.wait_for_selector("#mb-status:has-text('Saved')")
    mask = pixels(folder / "cleaned" / "masks" / "keys.png")
    rows, columns = np.nonzero(mask)
    assert abs(rows.mean() - 120) < 8  # the cursor starts in the middle of the view
    assert columns.max() - columns.min() > rows.max() - rows.min()
    changed = (
        pixels(folder / "cleaned" / "keys.png") != pixels(folder / "photos" / "keys.png")
    ).any(2)
    assert changed.any()
    assert not (changed & ~mask).any()


def test_keys_that_come_at_once_after_another_view_act_where_the_photo_was(
    board: Served, visit: Open
) -> None:
    page = visit(board, "rub.png")
    page.locator("#mb-stage").press("Enter")
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    fill(page)
    # Another view has another height, which the browser tells only with its next picture.
    heights = page.evaluate(
        """() => {
            const stage = document.getElementById("mb-stage"), before = stage.clientHeight;
            for (const key of ["e", "Enter"]) {
                stage.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
            }
            return [before, stage.clientHeight];
        }"""
    )
    assert heights[0] < heights[1]
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")


def test_every_control_has_a_name(board: Served, visit: Open) -> None:
    page = visit(board, "touch.png")
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    controls = [
        n
        for n in tree
        if not n["ignored"]
        and n["role"]["value"]
        in ("button", "slider", "combobox", "radio", "checkbox", "link", "application")
    ]
    assert len(controls) > 25
    assert [n for n in controls if not n.get("name", {}).get("value", "").strip()] == []
    assert {"Brush", "Eraser", "Undo", "Redo", "Fill", "Save", "Zoom in"} <= {
        n["name"]["value"] for n in controls
    }
    assert page.locator("#mb-status").get_attribute("role") == "status"
    assert page.locator("#mb-alert").get_attribute("role") == "alert"


def test_a_finger_draws_and_two_fingers_zoom(board: Served, visit: Open) -> None:
    page = visit(
        board, "touch.png", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    box = page.locator("#mb-stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *points: tuple[float, float]) -> None:
        touch.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [{"x": a, "y": b, "id": i} for i, (a, b) in enumerate(points)],
            },
        )

    fingers("touchStart", (x - 30, y))
    for i in range(1, 7):
        fingers("touchMove", (x - 30 + 10 * i, y))
    fingers("touchEnd")
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    marked = page.locator("#mb-share").inner_text()
    zoom = page.locator("#mb-zoom-value").inner_text()
    fingers("touchStart", (x - 20, y))
    fingers("touchStart", (x - 20, y), (x + 20, y))
    for i in range(1, 7):
        fingers("touchMove", (x - 20 - 10 * i, y), (x + 20 + 10 * i, y))
    fingers("touchEnd")
    page.wait_for_timeout(300)
    assert int(page.locator("#mb-zoom-value").inner_text().split()[0]) > 2 * int(zoom.split()[0])
    assert page.locator("#mb-share").inner_text() == marked  # two fingers draw no stroke


def test_a_class_is_selected_and_objects_are_kept_and_dropped(
    board: Served, folder: Path, visit: Open
) -> None:
    page = visit(board, "class.png")
    left, top, _, _ = red_box(screenshot(page))
    page.get_by_label("Widen the class's mask").fill("0")
    page.get_by_role("button", name="Select by class").click()
    page.wait_for_selector("#mb-status:has-text('person:')")
    share = 40 * 60 / (240 * 320)
    page.wait_for_selector(f"#mb-share:has-text('{100 * share:.1f} %')")
    draw(page, (left - 40, top))  # a second object
    page.get_by_label("Keep only one object in the mask").check(force=True)
    draw(page, (left + 5, top + 5))
    page.wait_for_selector("#mb-status:has-text('Kept')")
    page.wait_for_selector(f"#mb-share:has-text('{100 * share:.1f} %')")
    page.get_by_label("Drop an object from the mask").check(force=True)
    draw(page, (left - 40, top))
    page.wait_for_selector("#mb-status:has-text('no object')")
    draw(page, (left + 5, top + 5))
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")


def at(page: Any, *point: float) -> tuple[float, float]:
    """A point of the photo on the stage, in pixels of the screen."""
    x, y = page.evaluate("point => maskBoard.stage.toScreen(point)", point)
    return x, y


def clicks_of(page: Any, count: int) -> list[list[float]]:
    """The clicks of the selection, once there are so many and nothing is in progress."""
    page.wait_for_function(
        "count => maskBoard.mask.selection.clicks.length === count && !maskBoard.progress.running",
        arg=count,
    )
    clicks: list[list[float]] = page.evaluate("() => maskBoard.mask.selection.clicks")
    return clicks


def yellow(page: Any) -> int:
    """The pixels of the selection that the page shows."""
    return int(
        page.evaluate(
            "() => { const { picture } = maskBoard.stage.draft || {}; if (!picture) return 0;"
            "const { data } = picture.getContext('2d')"
            ".getImageData(0, 0, picture.width, picture.height);"
            "return data.filter((v, i) => i % 4 === 3 && v > 127).length; }"
        )
    )


def test_objects_and_anything_are_clicked_by_mouse(board: Served, visit: Open) -> None:
    page = visit(board, "clicks.png")
    logged: list[str] = []
    page.on("console", lambda message: logged.append(message.text))
    least = 100 * 46 * 66 / (240 * 320)  # in percent, with a rim of three pixels at least
    page.get_by_label("Mark one object, or take it out of the mask").check(force=True)
    page.mouse.click(*on_page(page, 140, 110))
    page.wait_for_selector("#mb-status:has-text('Marked: this person')")
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    marked = float(page.locator("#mb-share").inner_text().split()[0])
    assert least <= marked < 2 * least
    page.mouse.click(*on_page(page, 140, 110))
    page.wait_for_selector("#mb-status:has-text('Taken out: this person')")
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    # Where no object is known, a selection begins.
    page.mouse.click(*on_page(page, 250, 60))
    assert clicks_of(page, 1)[0] == [pytest.approx(250, abs=1), pytest.approx(60, abs=1), 1]
    assert page.get_by_label("Select anything by clicks").is_checked()
    first = yellow(page)
    assert first > 50
    # The other button, or Alt, is on what not to select.
    page.mouse.click(*on_page(page, 300, 60), button="right")
    assert len(clicks_of(page, 2)) == 2
    page.keyboard.down("Alt")
    page.mouse.click(*on_page(page, 300, 100))
    page.keyboard.up("Alt")
    assert [wanted for *_, wanted in clicks_of(page, 3)] == [1, 0, 0]
    page.get_by_role("button", name="Undo", exact=True).click()
    assert len(clicks_of(page, 2)) == 2
    assert "Nothing is marked" in page.locator("#mb-share").inner_text()
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_selector("#mb-status:has-text('Added the selection')")
    page.wait_for_selector("#mb-share:has-text('photo is marked')")
    assert yellow(page) == 0
    assert coloured(page)["object"] > 50
    page.get_by_role("button", name="Undo", exact=True).click()  # one step, as a stroke
    page.wait_for_selector("#mb-share:has-text('Nothing is marked')")
    # What a click took out stays.
    page.mouse.click(*on_page(page, 140, 110))
    page.wait_for_selector("#mb-alert:has-text('what was clicked stays')")
    assert clicks_of(page, 0) == []
    assert [text for text in logged if "Failed to load resource" not in text] == []


def on_page(page: Any, *point: float) -> tuple[float, float]:
    """A point of the photo in the window."""
    box = page.locator("#mb-stage").bounding_box()
    x, y = at(page, *point)
    return box["x"] + x, box["y"] + y


def test_anything_is_selected_by_the_keyboard_alone(board: Served, visit: Open) -> None:
    page = visit(board, "touch.png")
    page.locator("#mb-stage").focus()
    page.keyboard.press("s")
    assert page.get_by_label("Select anything by clicks").is_checked()
    assert page.get_by_role("button", name="Add", exact=True).is_disabled()
    page.keyboard.press("x")
    page.keyboard.press("Space")  # nothing is selected yet that it could be taken from
    page.wait_for_selector("#mb-status:has-text('First click what to select')")
    page.keyboard.press("x")
    page.keyboard.press("Space")
    assert clicks_of(page, 1)[0][2] == 1
    for key in (*["ArrowRight"] * 6, "x", "Space"):
        page.keyboard.press(key)
    assert [wanted for *_, wanted in clicks_of(page, 2)] == [1, 0]
    page.keyboard.press("Control+z")
    assert len(clicks_of(page, 1)) == 1
    page.keyboard.press("Escape")
    page.wait_for_selector("#mb-status:has-text('The selection was dropped')")
    assert yellow(page) == 0
    page.keyboard.press("Enter")  # with nothing selected it clicks,
    assert len(clicks_of(page, 1)) == 1
    share = page.locator("#mb-share").inner_text()
    page.keyboard.press("Enter")  # and then it adds
    page.wait_for_selector("#mb-status:has-text('Added the selection')")
    page.wait_for_function(
        "share => document.getElementById('mb-share').innerText !== share", arg=share
    )
    assert page.evaluate("() => document.activeElement.id") == "mb-stage"
    page.keyboard.press("Control+z")
    page.wait_for_function(
        "share => document.getElementById('mb-share').innerText === share", arg=share
    )


def test_a_finger_selects_on_a_phone_and_two_fingers_click_nothing(
    board: Served, visit: Open
) -> None:
    page = visit(
        board, "finger.png", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page.get_by_label("Select anything by clicks").check(force=True)
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.touchscreen.tap(*on_page(page, 250, 60))
    assert clicks_of(page, 1)[0][2] == 1
    page.get_by_role("radio", name="Not this").tap()
    page.touchscreen.tap(*on_page(page, 60, 200))
    assert [wanted for *_, wanted in clicks_of(page, 2)] == [1, 0]
    x, y = on_page(page, 160, 120)
    touch = page.context.new_cdp_session(page)
    for kind, points in (
        ("touchStart", [(x - 20, y)]),
        ("touchStart", [(x - 20, y), (x + 20, y)]),
        ("touchMove", [(x - 40, y), (x + 40, y)]),
        ("touchEnd", []),
    ):
        touch.send(
            "Input.dispatchTouchEvent",
            {
                "type": kind,
                "touchPoints": [{"x": a, "y": b, "id": i} for i, (a, b) in enumerate(points)],
            },
        )
    page.wait_for_timeout(300)
    assert len(clicks_of(page, 2)) == 2
    stage, bar = (page.locator(f"#mb-{name}").bounding_box() for name in ("stage", "selection"))
    assert bar["x"] >= stage["x"]
    assert bar["x"] + bar["width"] <= stage["x"] + stage["width"]
    page.get_by_role("button", name="Drop", exact=True).tap()
    page.wait_for_selector("#mb-status:has-text('The selection was dropped')")


def coloured(page: Any) -> dict[str, int]:
    """The pixels of the page's mask in each layer's colour, by the layers' names."""
    shown = np.asarray(
        page.evaluate("() => maskBoard.changes.then(() => [...maskBoard.stage.copyMask().data])"),
        np.uint8,
    ).reshape(-1, 4)
    opaque = shown[shown[:, 3] == 255, :3]
    return {
        layer.label: int((opaque == LAYER_COLOURS[layer]).all(1).sum()) for layer in Layer if layer
    }


def test_layers_are_switched_and_clicked_away(board: Served, folder: Path, visit: Open) -> None:
    """By mouse and by keyboard; what is saved is what is shown."""
    masks, layers = folder / "cleaned" / "masks", layered()
    page = visit(board, "layers.png")

    def rows() -> dict[str, str]:
        page.evaluate("() => maskBoard.changes")  # the page says what it did before it is shown
        shown = page.locator("#mb-layer-rows label:visible")
        return dict(text.split("\n", 1) for text in shown.all_inner_texts())

    assert rows() == {"object": "3.1 %", "shadow": "2.6 %"}
    counts = {layer.label: int((layers == layer).sum()) for layer in Layer if layer}
    assert coloured(page) == counts
    shadow = page.get_by_role("checkbox", name="shadow")
    shadow.focus()
    page.keyboard.press("Space")
    page.wait_for_selector("#mb-status:has-text('Taken away: shadow')")
    page.wait_for_selector("#mb-share:has-text('3.1 %')")
    assert rows() == {"object": "3.1 %", "shadow": "2.6 % taken away"}
    assert not shadow.is_checked()
    assert page.evaluate("() => document.activeElement.dataset.layer") == "shadow"
    assert 0.2 < coloured(page)["shadow"] / counts["shadow"] < 0.6  # stripes
    page.keyboard.press("Space")
    page.wait_for_selector("#mb-status:has-text('Given back: shadow')")
    assert coloured(page) == counts

    def at(*point: int) -> tuple[float, float]:
        x, y = page.evaluate("point => maskBoard.stage.toScreen(point)", point)
        return x, y

    far = at(260, 30)
    page.locator("#mb-stage").focus()
    page.keyboard.press("t")
    draw(page, far)
    page.wait_for_selector("#mb-status:has-text('Taken away: this part (shadow)')")
    assert rows()["shadow"] == "1.6 %, 1.0 % taken away"
    assert page.evaluate("() => document.querySelector('[data-layer=shadow]').indeterminate")
    draw(page, far)
    page.wait_for_selector("#mb-status:has-text('Given back: this part')")
    page.keyboard.press("Control+z")
    page.wait_for_selector("#mb-share:has-text('4.7 %')")
    # A stroke is of the object, and what the mask has already keeps its layer, at once.
    page.locator("#mb-stage").focus()
    page.keyboard.press("b")
    draw(page, at(150, 140), at(230, 140))
    drawn = coloured(page)
    assert drawn["object"] > counts["object"]
    assert drawn["shadow"] >= 1200  # the near shadow, and stripes of the far one
    fill(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Replace it").click()  # no board and no run wrote the mask
    page.wait_for_selector("#mb-status:has-text('Saved')")
    after = pixels(masks / "layers.layers.png")
    assert np.array_equal(after > 0, pixels(masks / "layers.png"))
    assert (after[130:150, 160:220] == Layer.SHADOW).all()
    assert not after[20:40, 240:280].any()
    assert (after == Layer.OBJECT).sum() == drawn["object"]
    page.get_by_role("button", name="Find what goes along").click()
    page.wait_for_selector("#mb-status:text-matches('Found with it|Nothing more was found')")
    assert page.locator("#mb-alert").is_hidden()


def test_a_fill_shows_its_progress_and_is_cancelled(board: Served, visit: Open) -> None:
    page = visit(board, "cancel.png")
    left, top, _, _ = red_box(screenshot(page))
    draw(page, (left, top))
    marked = page.locator("#mb-share").inner_text()
    board.slow.touch()
    try:
        page.get_by_role("button", name="Fill", exact=True).click()
        page.wait_for_selector("#mb-progress-text:has-text('Painting')")
        assert page.get_by_role("progressbar").get_attribute("value") == "0.1"
        page.get_by_role("button", name="Cancel", exact=True).click()
        page.wait_for_selector("#mb-progress-text:has-text('Stopping')")
    finally:
        board.slow.unlink(missing_ok=True)
    page.wait_for_selector("#mb-alert:has-text('cancelled')")
    assert page.locator("#mb-share").inner_text() == marked
    assert page.get_by_role("button", name="Save", exact=True).is_disabled()
    fill(page)  # the next fill works
    assert page.get_by_role("button", name="Save", exact=True).is_enabled()


def test_the_page_asks_before_it_replaces_a_file_whatever_the_error_says(
    board: Served, folder: Path, visit: Open
) -> None:
    """The page acts on an error's code: another sentence changes only the text that it shows."""
    target = folder / "cleaned" / "exists.png"
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(b"another program's file")
    code = "exists"

    def change_error(route: Any) -> None:
        response = route.fetch()
        answer = response.json()
        if not response.ok:
            assert answer["title"] == "exists"
            answer |= {"error": "Another sentence.", "title": code}
        route.fulfill(response=response, json=answer)

    page = visit(board, "exists.png")
    page.route("**/gradio_api/run/save", change_error)
    left, top, _, _ = red_box(screenshot(page))
    draw(page, (left, top))
    fill(page)
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#mb-ask:has-text('Another sentence.')")
    page.get_by_role("button", name="Keep it").click()
    page.wait_for_selector("#mb-ask", state="hidden")
    assert target.read_bytes() == b"another program's file"
    # The same sentence with another code is an error like any other.
    code = "unwritable"
    page.get_by_role("button", name="Save", exact=True).click()
    page.wait_for_selector("#mb-alert:has-text('Another sentence.')")
    assert page.locator("#mb-ask").is_hidden()
    code = "exists"
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("button", name="Replace it").click()
    page.wait_for_selector("#mb-status:has-text('Saved')")
    assert pixels(target).shape == (240, 320, 3)


def test_a_broken_photo_is_reported_and_the_next_one_opens(board: Served, visit: Open) -> None:
    page = visit(board)
    choose(page, "broken.jpg")
    page.wait_for_selector("#mb-alert:has-text('broken.jpg')")
    assert "cannot be shown" in page.locator("#mb-empty").inner_text()
    assert page.get_by_role("button", name="Select by class", exact=True).is_disabled()
    choose(page, "touch.png")
    page.wait_for_selector("#mb-status:has-text('touch.png')")
    assert page.locator("#mb-alert").is_hidden()
    assert page.get_by_role("button", name="Select by class", exact=True).is_enabled()


def test_markup_in_a_file_name_is_text(board: Served, visit: Open) -> None:
    page = visit(board, ODD)
    assert page.locator("#mask-board img[src='x']").count() == 0
    assert "Mask board" in page.title()
    assert ODD in page.locator("#mb-status").inner_text()


def test_an_uploaded_photo_is_downloaded(
    tiny_weights: Path, folder: Path, tmp_path: Path, visit: Open
) -> None:
    with serve(tiny_weights, tmp_path) as board:
        page = visit(board)
        page.set_input_files("#mb-open", str(folder / "photos" / "broken.jpg"))
        page.wait_for_selector("#mb-alert:has-text('broken.jpg')")
        page.set_input_files("#mb-open", str(folder / "photos" / "round.png"))
        page.wait_for_selector("#mb-status:has-text('round.png: 320')")
        assert page.get_by_role("button", name="Save", exact=True).is_hidden()
        assert "has no folder for results" in page.locator("#mb-save-to").inner_text()
        mask = np.zeros((240, 320), bool)
        mask[80:140, 120:160] = True
        Image.fromarray(mask).save(tmp_path / "mask.png")
        page.set_input_files("#mb-load", str(tmp_path / "mask.png"))
        page.wait_for_selector("#mb-share:has-text('3.1 %')")
        fill(page)
        with page.expect_download() as down:
            page.get_by_role("button", name="Download the result").click()
        assert down.value.suggested_filename == "round.png"
        page.wait_for_selector("#mb-status:has-text('the result is among your downloads')")
        assert page.evaluate("() => maskBoard.leaving.way()") is None  # it is kept
        result, before = pixels(Path(down.value.path())), pixels(folder / "photos" / "round.png")
        changed = (result != before).any(2)
        assert changed[mask].mean() > 0.9
        assert not changed[~mask].any()
        with page.expect_download() as down:
            page.get_by_role("button", name="Download the mask").click()
        assert np.array_equal(pixels(Path(down.value.path())), mask)


def decide_by_keys(page: Any, source: Path, result: Path) -> None:
    """Restore, put back and accept a run's result, and compare it before any fill."""
    cleaned = result.read_bytes()
    # The page learns of the result after it shows the photo.
    page.wait_for_selector('input[name="mb-view"][value="compare"]:enabled', state="attached")
    page.get_by_role("radio", name="Compare", exact=True).check(force=True)
    assert page.locator("#mb-right-name").inner_text() == "Present result"
    assert page.locator("#mb-put-back").is_hidden()
    page.locator("#mb-stage").focus()
    page.keyboard.press("r")
    page.wait_for_selector("#mb-status:has-text('The original is at')")
    assert result.read_bytes() == source.read_bytes()
    page.wait_for_selector("#mb-restore:disabled")
    page.keyboard.press("u")
    page.wait_for_selector("#mb-status:has-text('is as the run left it')")
    assert result.read_bytes() == cleaned
    assert "a.png (check this one)" in page.locator("#mb-photo").inner_text()
    page.keyboard.press("a")
    page.wait_for_selector("#mb-status:has-text('Accepted')")
    page.wait_for_selector("#mb-status:has-text('No photo is left to check.')")
    page.wait_for_selector("#mb-accept:disabled")
    assert page.locator("#mb-run-status").inner_text() == "Accepted"
    assert result.read_bytes() == cleaned


def show_a_changed_photo(page: Any, source: Path) -> None:
    """Replace the open photo: the page says so, and shows the new one."""
    page.get_by_role("radio", name="Mask", exact=True).check(force=True)
    page.get_by_role("button", name="Clear the mask").click()
    page.wait_for_selector("#mb-fill:disabled")
    page.keyboard.press("f")
    box = page.locator("#mb-stage").bounding_box()
    draw(page, (box["width"] / 2, box["height"] / 2))
    page.wait_for_selector("#mb-fill:enabled")
    Image.fromarray(scene(300, 200, seed=8)).save(source)
    page.locator("#mb-fill").click()
    page.wait_for_selector("#mb-alert:has-text('changed since it was opened')")
    assert page.evaluate("() => maskBoard.photo.width") == 200
    assert page.locator("#mb-fill").is_disabled()


def test_a_runs_photos_are_reviewed_and_saved(
    tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: Path, visit: Open
) -> None:
    from remove_objects.pipeline.detect import segmenters

    monkeypatch.setattr(
        segmenters,
        "choose_segmenter",
        lambda *_, **__: segmenters.Chosen(BoxSegmenter(), {"box": "0" * 64}),
    )
    photos, cleaned = tmp_path / "photos", tmp_path / "cleaned"
    photos.mkdir()
    for i, name in enumerate(("a.png", "b.png", "c.png")):
        Image.fromarray(scene(240, 320, seed=i)).save(photos / name)
    clean = (Settings(probe=False), BatchSettings(classes=("person",), save_masks=True, workers=1))
    remove_folder([photos], *clean, command=f"remove-objects {photos}")
    mark(cleaned, {"a.png": ("review", 0.3), "b.png": ("ok", None), "c.png": ("review", 0.8)})
    start = pixels(cleaned / "masks" / "c.png")
    with serve(tiny_weights, tmp_path, str(cleaned)) as board:
        page = visit(board)
        names = page.locator("#mb-photo option").all_inner_texts()
        assert names == ["c.png (check this one)", "a.png (check this one)"]
        assert page.locator("#mb-status").inner_text() == "2 photos are left to check."
        assert page.locator("#mb-run-status").inner_text() == "Check this one"
        assert page.locator("#mb-run-figures").is_hidden()
        page.get_by_text("Reasons and figures").click()
        assert "expected error 0.80" in page.locator("#mb-run-figures").inner_text()
        assert (
            "photo is marked" in page.locator("#mb-share").inner_text()
        )  # the saved mask is loaded
        # What the run made comes first; a tool is for the mask.
        page.wait_for_selector("#mb-right-name:has-text('Present result')")
        page.get_by_label("Brush", exact=True).click(force=True)
        left, top, right, bottom = 0.0, 0.0, 60.0, 60.0
        box = page.locator("#mb-stage").bounding_box()
        draw(
            page,
            (box["width"] / 2 + left, box["height"] / 2 + top + 60),
            (box["width"] / 2 + right, box["height"] / 2 + bottom + 60),
        )
        fill(page)
        save(page)
        page.wait_for_selector("#mb-status:has-text('One photo is left to check.')")
        page.get_by_role("button", name="Next photo").click()
        page.wait_for_selector("#mb-status:has-text('a.png')")
        assert not json.loads((cleaned / "report.json").read_text())["photos"][0].get("reviewed")
        decide_by_keys(page, photos / "a.png", cleaned / "a.png")
        show_a_changed_photo(page, photos / "a.png")
    entries = {p["input"]: p for p in json.loads((cleaned / "report.json").read_text())["photos"]}
    assert entries["c.png"]["reviewed"] is True
    assert (entries["a.png"]["status"], entries["a.png"]["reviewed"]) == ("review", True)
    mask = pixels(cleaned / "masks" / "c.png")
    assert mask[start].all()
    assert mask.sum() > start.sum() + 100
    changed = (pixels(cleaned / "c.png") != pixels(photos / "c.png")).any(2)
    assert (changed & ~start).any()
    assert not (changed & ~mask).any()
    later = {p["input"]: p["status"] for p in remove_folder([photos], *clean).photos}
    assert later["c.png"] == "skipped"


def test_the_panel_says_which_photos_lent_something(
    tiny_weights: Path, tmp_path: Path, visit: Open
) -> None:
    photos = tmp_path / "photos"
    for number in range(3):
        save_photo(shot(number), photos / f"IMG_{number}.png", 2 * number)
    with serve(tiny_weights, tmp_path, str(photos)) as served:
        page = visit(served, "IMG_1.png")
        blank = screenshot(page)
        left, top, right, bottom = red_box(blank)
        page.get_by_label("Brush size").fill("90")
        draw(page, (left, top), (right, bottom), (left, bottom), (right, top))
        fill(page)
        page.get_by_text("Reasons and figures").click()
        told = page.locator("#mb-holes").inner_text()
        assert "% from IMG_" in told
        assert "of the place" in told
        assert page.locator("#mb-fill-warnings li").count() == 0
        (photos / "IMG_2.png").write_bytes((photos / "IMG_2.png").read_bytes()[:5000])
        page.evaluate("() => { document.getElementById('mb-status').textContent = '' }")
        fill(page)
        assert "% from IMG_0.png: another photo of" in page.locator("#mb-holes").inner_text()
        warnings = page.locator("#mb-fill-warnings").inner_text()
        assert "IMG_2.png of its series was left out" in warnings
