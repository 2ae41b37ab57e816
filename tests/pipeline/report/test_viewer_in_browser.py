"""The full-screen viewer, the page on a phone, many photos, and what shuts people out."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.report import page as report_html
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.report.files import write_reports
from remove_objects.pipeline.storage.layout import OWN
from remove_objects.pipeline.types import LAYER_COLOURS, Layer, Photo
from tests.support.axe import serious_faults
from tests.support.browser import EXECUTABLE, NAMES, Tab, started
from tests.support.pages import RUN, entry, hole, many, outcome, write_page
from tests.support.scenes import scene

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install '.[test]'"
)
MANY = 2000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        EXECUTABLE is None, reason=f"no browser: none of {', '.join(NAMES)} is on the PATH"
    ),
]
#: Pixels of the photos: more than the previews have, and more than the window shows.
SIZE = (1800, 1200)
#: A place where something may be left.
LEFT = {"box": [900, 300, 180, 240], "why": "something may be left", "share": 0.1, "kept": False}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    with started(sync_api) as browser:
        yield browser


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a made-up run, with its files beside it."""
    folder = tmp_path_factory.mktemp("run")
    photos, out = folder / "phötos #1", folder / "cleaned"
    (out / "masks").mkdir(parents=True)
    photos.mkdir()
    rgb = scene(240, 360, person=(120, 80, 60, 90))
    sources = {}
    large = np.asarray(Image.fromarray(rgb).resize(SIZE))
    for name in ("a?.jpg", "b.jpg", "c.cr2", "d.heic", "e.jpg"):
        done = outcome(rgb, (120, 80, 60, 90))
        if name.endswith(".jpg"):
            previews.write(out, name, Photo(rgb), done)
        else:
            previews.write(out, name, Photo(large), outcome(large, (600, 400, 300, 450)))
        sources[name] = str(photos / name)
    for name in ("a?.jpg", "b.jpg", "e.jpg"):
        Image.fromarray(rgb).resize(SIZE).save(photos / name)
        Image.fromarray(done.result).resize(SIZE).save(out / name)
    (photos / "c.cr2").write_bytes(b"raw")
    (out / "c.cr2.tif").write_bytes(b"tiff")
    mask = Image.fromarray(done.mask).resize(SIZE)
    mask.save(out / "masks" / "a?.png")
    layers = Image.fromarray(np.asarray(mask, np.uint8))
    layers.putpalette([0, 0, 0, *LAYER_COLOURS[Layer.OBJECT]])
    (out / OWN).mkdir()
    layers.save(out / OWN / f"{previews.key('b.jpg')}.png")
    (photos / "b.jpg").unlink()
    sources["e.jpg"] = "s3://bucket/e.jpg"
    entries = [
        entry("a?.jpg", "review", mask="masks/a?.png", reason="the hole is large", score=0.4),
        entry("b.jpg", score=0.2, leftovers=[LEFT]),
        entry("c.cr2", output="c.cr2.tif"),
        entry("d.heic", output=None),
        entry("e.jpg"),
    ]
    write_reports(out, RUN, entries, sources)
    return out


@pytest.fixture
def tab(browser: Any, run: Path) -> Iterator[Tab]:
    """The run's page; it may use no network, and log only what it cannot load."""
    opened = Tab(browser, run / "report.html")
    yield opened
    opened.context.close()
    assert {url.split(":")[0] for url in opened.requested} <= {"file", "data"}
    missing = ("failed: file:", "error: Failed to load resource: net::ERR_FILE_NOT_FOUND")
    assert [line for line in opened.logged if not line.startswith(missing)] == []


def look_at(tab: Tab, name: str) -> None:
    """Open the viewer on a photo, and wait until it shows all that it can."""
    tab.page.fill("#search", name)
    tab.page.keyboard.press("Escape")
    tab.press("j", "f")
    assert tab.page.is_visible("#viewer")
    tab.page.wait_for_function(
        "() => !document.querySelector('#viewer-note').textContent.match('Loading')"
    )


def image(tab: Tab, kind: str) -> dict[str, Any]:
    """Address, pixels and place of one of the viewer's pictures."""
    return tab.do(
        "(kind) => { const e = document.querySelector(`#viewer-${kind}`), "
        "r = e.getBoundingClientRect(); return { src: e.src, pixels: e.naturalWidth, "
        "x: r.x, y: r.y, w: r.width, h: r.height, hidden: e.hidden, kind: e.className }; }",
        kind,
    )


def screen(tab: Tab) -> np.ndarray:
    """What the window shows, HWC."""
    with Image.open(io.BytesIO(tab.page.screenshot())) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_it_shows_the_pixels_of_the_files_one_to_one(tab: Tab, run: Path) -> None:
    tab.page.click(".photo:first-of-type .closer")
    tab.page.wait_for_function("() => document.querySelector('#viewer-size').value")
    tab.page.wait_for_function("() => !document.querySelector('#viewer-note').textContent")
    before, after = image(tab, "before"), image(tab, "after")
    assert before["src"].endswith("/ph%C3%B6tos%20%231/a%3F.jpg")
    assert after["src"].endswith("/cleaned/a%3F.jpg")
    assert before["pixels"] == after["pixels"] == SIZE[0]
    area = tab.page.locator("#viewer-area").bounding_box()
    assert before["w"] <= area["width"] + 0.5
    assert before["h"] <= area["height"] + 0.5
    tab.press("1")
    for kind in ("before", "after"):
        shown = image(tab, kind)
        assert (shown["w"], shown["h"]) == pytest.approx(SIZE, abs=0.1)
    assert tab.page.locator("#viewer-size").inner_text() == "100 %"
    links = tab.do("[...document.querySelectorAll('.viewer-links a')].map(a => a.textContent)")
    assert links == ["Original", "Result", "Mask"]
    tab.press("0")
    assert image(tab, "after")["w"] == pytest.approx(before["w"], abs=0.1)
    assert tab.page.inner_text("#viewer-says") == "Check this one: the hole is large"
    tab.press("Escape")
    assert not tab.page.is_visible("#viewer")
    tab.page.wait_for_function("() => !document.querySelector('#viewer-before').src")


def test_the_wheel_zooms_at_the_pointer_and_a_drag_moves(tab: Tab) -> None:
    look_at(tab, "a?")
    before = image(tab, "after")
    x, y = round(before["x"] + 0.3 * before["w"]), round(before["y"] + 0.6 * before["h"])
    u, v = (x - before["x"]) / before["w"], (y - before["y"]) / before["h"]
    tab.page.mouse.move(x, y)
    tab.page.mouse.wheel(0, -600)
    tab.page.wait_for_function(
        "(w) => document.querySelector('#viewer-after').getBoundingClientRect().width > w + 50",
        arg=before["w"],
    )
    zoomed = image(tab, "after")
    assert zoomed["x"] + u * zoomed["w"] == pytest.approx(x, abs=1)
    assert zoomed["y"] + v * zoomed["h"] == pytest.approx(y, abs=1)
    # The line is not under the pointer: the picture moves.
    tab.press("Shift+ArrowLeft")
    tab.page.mouse.down()
    tab.page.mouse.move(x - 60, y - 40)
    tab.page.mouse.up()
    moved = image(tab, "after")
    assert (moved["x"], moved["y"]) == pytest.approx((zoomed["x"] - 60, zoomed["y"] - 40), abs=1)
    assert image(tab, "before")["x"] == moved["x"]


def test_two_fingers_zoom(browser: Any, run: Path) -> None:
    opened = Tab(browser, run / "report.html", has_touch=True)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    look_at(opened, "a?")
    before = image(opened, "after")
    x, y = before["x"] + before["w"] / 2, before["y"] + before["h"] / 2
    session = opened.context.new_cdp_session(opened.page)

    for apart in (40, 60, 90, 120, None):
        kind = {40: "touchStart", None: "touchEnd"}.get(apart, "touchMove")
        fingers = () if apart is None else ((0, x - apart), (1, x + apart))
        points = [{"x": at, "y": y, "id": finger} for finger, at in fingers]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    after = image(opened, "after")
    assert after["w"] / before["w"] == pytest.approx(3, abs=0.2)
    assert after["x"] + after["w"] / 2 == pytest.approx(x, abs=3)
    opened.context.close()


def test_keys_blink_and_move_the_line(tab: Tab) -> None:
    look_at(tab, "a?")
    result = "getComputedStyle(document.querySelector('#viewer-cut')).display"
    mode = "document.querySelector('#viewer-area').dataset.mode"
    assert tab.do(mode) == "both"
    at = float(tab.page.input_value("#viewer-slide"))
    tab.press("ArrowRight")
    assert float(tab.page.input_value("#viewer-slide")) == at + 2
    place = image(tab, "after")["x"]
    tab.press("b")
    assert (tab.do(mode), tab.do(result)) == ("after", "block")
    tab.press("b")
    assert (tab.do(mode), tab.do(result)) == ("before", "none")
    tab.press("b")
    assert tab.do(mode) == "after"
    assert image(tab, "after")["x"] == place
    tab.press("s")
    area = tab.page.locator("#viewer-area").bounding_box()
    across = area["x"] + area["width"] * (at + 2) / 100
    tab.page.mouse.move(across, area["y"] + 100)
    tab.page.mouse.down()
    tab.page.mouse.move(area["x"] + area["width"] * 0.75, area["y"] + 100)
    tab.page.mouse.up()
    assert float(tab.page.input_value("#viewer-slide")) == pytest.approx(75, abs=0.6)
    assert "75%" in tab.do("getComputedStyle(document.querySelector('#viewer-cut')).clipPath")


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [
        ("a?.jpg", "masks/a%3F.png", "of-white"),
        ("b.jpg", f".remove-objects/{previews.key('b.jpg')}.png", "of-layers"),
    ],
)
def test_the_mask_has_the_pixels_of_its_file(tab: Tab, name: str, file: str, kind: str) -> None:
    look_at(tab, name)
    assert image(tab, "mask")["hidden"]
    tab.press("m", "b")
    tab.page.wait_for_function(
        "(kind) => document.querySelector('#viewer-mask').className === kind", arg=kind
    )
    shown = image(tab, "mask")
    assert not shown["hidden"]
    assert shown["src"].endswith(f"/cleaned/{file}")
    assert (shown["pixels"], shown["w"]) == (SIZE[0], image(tab, "after")["w"])
    assert tab.page.get_attribute("#viewer-masked", "aria-pressed") == "true"
    frames = [frame.bounding_box() for frame in tab.page.locator(".frame:visible").all()]
    scale = shown["w"] / SIZE[0]
    expected = [
        shown["x"] + 900 * scale,
        shown["y"] + 300 * scale,
        180 * scale,
        240 * scale,
    ]
    assert [pytest.approx(expected, abs=1)] * (name == "b.jpg") == [
        [box[key] for key in ("x", "y", "width", "height")] for box in frames
    ]
    # Coloured inside, clear outside.
    masked = screen(tab)
    tab.press("m")
    changed = abs(masked - screen(tab)).max(axis=2)
    inside, outside = (
        changed[round(shown["y"] + y * shown["h"]), round(shown["x"] + x * shown["w"])]
        for x, y in ((0.42, 0.5), (0.1, 0.2))
    )
    assert inside > 20
    assert outside <= 2


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("b.jpg", "The original cannot be shown from ../phötos #1/b.jpg; was it moved?"),
        ("c.cr2", "does not show RAW files"),
        ("c.cr2", "does not show TIFF files"),
        ("d.heic", "does not show HEIC photos"),
        ("d.heic", "The page does not know the file of the result"),
        ("e.jpg", "The original lies at s3://bucket/e.jpg"),
    ],
)
def test_what_cannot_be_shown_is_said_and_its_preview_seen(tab: Tab, name: str, said: str) -> None:
    look_at(tab, name)
    tab.page.wait_for_function(
        "(said) => document.querySelector('#viewer-note').textContent.includes(said)", arg=said
    )
    # Of what no browser shows there is a larger preview.
    tab.page.wait_for_function(
        "(pixels) => document.querySelector('#viewer-before').naturalWidth === pixels",
        arg=360 if name.endswith(".jpg") else 1600,
    )
    assert image(tab, "before")["w"] == image(tab, "after")["w"] > 360


def test_photos_follow_each_other(tab: Tab) -> None:
    look_at(tab, ".jpg")
    names = tab.do(
        "[...document.querySelectorAll('.photo:not([hidden])')].map(e => e.dataset.name)"
    )
    assert len(names) == 3
    for name in (*names[1:], names[-1]):
        tab.press("j")
        assert tab.page.inner_text("#viewer-name") == name
    tab.press("k")
    assert tab.page.inner_text("#viewer-name") == names[1]
    tab.press("Escape")
    tab.page.wait_for_function(
        "(name) => document.querySelector('.photo.current').dataset.name === name", arg=names[1]
    )


def test_the_command_is_copied(tab: Tab, run: Path) -> None:
    command = tab.page.inner_text(".photo.review .mend code")
    tab.page.click(".photo.review .copy")
    tab.page.wait_for_function("() => document.querySelector('.copy').textContent !== 'Copy'")
    assert tab.page.inner_text(".copy") in ("Copied", "Marked")
    tab.page.fill("#search", "")
    tab.page.focus("#search")
    tab.press("Control+v")
    assert tab.page.input_value("#search") == command
    assert command.endswith(f" {run.resolve()}")


def test_the_viewer_shows_its_keys(tab: Tab) -> None:
    look_at(tab, "a?")
    listed = tab.page.locator("#viewer-keys")
    assert not listed.is_visible()
    tab.press("?")
    assert listed.is_visible()
    assert "blink" in listed.inner_text()
    shown = tab.page.inner_text("#viewer-name")
    tab.press("j", "m")  # the keys act on what is in front
    assert tab.page.inner_text("#viewer-name") == shown
    tab.press("?")
    assert not listed.is_visible()
    # By the button too, which a screen reader names; Escape leaves the list and not the photo.
    tab.page.get_by_role("button", name="Keys", exact=True).click()
    assert tab.page.get_by_role("dialog", name="Keys in full size").is_visible()
    tab.press("Escape")
    assert not listed.is_visible()
    assert tab.page.is_visible("#viewer")
    tab.press("Escape")
    tab.press("?")
    assert tab.page.is_visible("#keys")
    tab.press("?")
    assert not tab.page.is_visible("#keys")


@pytest.mark.parametrize("width", [1400, 390, 320])
def test_the_viewer_says_how_to_mend_what_needs_a_look(tab: Tab, run: Path, width: int) -> None:
    tab.page.set_viewport_size({"width": width, "height": 844})
    look_at(tab, "a?")
    command, copy = (tab.page.locator(f"#viewer-mend {each}") for each in ("code", "button"))
    assert command.text_content() == tab.page.locator(".photo.review .mend code").text_content()
    for each in (command, copy):
        box = each.bounding_box()
        assert 0 <= box["x"] < box["x"] + box["width"] <= width
    copy.click()
    tab.page.wait_for_function(
        "() => document.querySelector('#viewer-mend .copy').textContent !== 'Copy'"
    )
    tab.press("Escape")
    tab.page.fill("#search", "")
    tab.page.focus("#search")
    tab.press("Control+v")
    assert tab.page.input_value("#search").endswith(f" {run.resolve()}")
    look_at(tab, "b.jpg")
    assert tab.page.locator("#viewer-mend").inner_text() == ""


@pytest.mark.parametrize("width", [320, 360, 390])
def test_a_phone_shows_all_counts(browser: Any, tmp_path: Path, width: int) -> None:
    photos = [
        *(entry(f"{status}.jpg", status) for status in ("failed", "review", "ok", "unchanged")),
        entry("earlier.jpg", "skipped"),
        entry("decided.jpg", "review", reviewed=True, decision="mended"),
    ]
    photos += [entry(f"{number}.jpg") for number in range(1200)]
    opened = Tab(browser, write_page(tmp_path, photos), device_scale_factor=3)
    opened.page.set_viewport_size({"width": width, "height": 844})
    counts = opened.page.locator(".tally button").all()
    assert len(counts) == 6
    for count in counts:
        box = count.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] >= 44
        assert count.evaluate(
            "e => e.scrollWidth <= e.clientWidth && e.scrollHeight <= e.clientHeight"
        )
    assert opened.do("document.documentElement.scrollWidth") <= width
    opened.context.close()


def test_names_are_found_without_accents_and_case(browser: Any, tmp_path: Path) -> None:
    names = ["Café.jpg", "Cafe\u0301 2.jpg", "STRASSE.jpg", "straße.jpg", "Øre.jpg", "tea.jpg"]
    opened = Tab(browser, write_page(tmp_path, [entry(name) for name in names]))
    for typed, found in (
        ("cafe", {names[0], names[1]}),
        ("CAFÉ", {names[0], names[1]}),
        ("strasse", {names[2], names[3]}),
        ("ore", {names[4]}),
    ):
        opened.page.fill("#search", typed)
        assert found == set(
            opened.do(
                "[...document.querySelectorAll('.photo:not([hidden])')].map(e => e.dataset.name)"
            )
        ), typed
    opened.context.close()


def test_a_phone_shows_a_photo_first(browser: Any, tmp_path: Path) -> None:
    notes = {"warnings": ["one thing", "and another"]}
    photos = [p for p in many(tmp_path, 14) if p["status"] != "failed"]
    opened = Tab(browser, write_page(tmp_path, photos, notes), device_scale_factor=3)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    assert opened.page.locator(".photo .stage").first.bounding_box()["y"] < 260
    assert not opened.page.is_visible(".charts")
    assert not opened.page.is_visible(".notice li")
    opened.page.click(".notice summary")
    assert opened.page.is_visible(".notice li")
    small = opened.do(
        "[...document.querySelectorAll('.tools :is(button, select), :is(.acts, .tally) button')]"
        ".filter(e => e.getBoundingClientRect().height < 44).length"
    )
    assert small == 0
    opened.page.click(".run summary")
    assert opened.page.is_visible(".charts")
    opened.press("j", "f")
    assert opened.do("document.documentElement.scrollWidth") <= 390
    for button in opened.page.locator(".viewer-bar button:visible").all():
        box = button.bounding_box()
        assert box["height"] >= 44
        assert 0 <= box["x"] < box["x"] + box["width"] <= 390
        assert box["y"] + box["height"] <= 844
    opened.context.close()


def test_small_pictures_stand_in_rows(browser: Any, tmp_path: Path) -> None:
    photos = many(tmp_path, 35)
    photos[0]["input"] = "a very long name of a photo that needs more than a single line.jpg"
    opened = Tab(browser, write_page(tmp_path, photos))
    opened.press("v")
    opened.do("window.scrollTo(0, 0)")
    boxes = opened.do(
        "[...document.querySelectorAll('.photo')].map(e => e.getBoundingClientRect())"
        ".map(r => [r.x, r.y, r.width, r.height])"
    )
    assert len({round(width) for _, _, width, _ in boxes}) == 1
    assert len({round(height) for _, _, _, height in boxes[:12]}) == 1
    frames = opened.do(
        "[...document.querySelectorAll('.photo.drawn .look')].map(e => {"
        " const r = e.getBoundingClientRect(), i = e.querySelector('img')?.getBoundingClientRect();"
        " return [r.height, i ? i.height <= r.height + 1 && i.width <= r.width + 1 : true]; })"
    )
    assert len({round(height) for height, _ in frames}) == 1
    assert all(inside for _, inside in frames)
    opened.page.click(".photo .stage >> nth=0")
    assert opened.page.is_visible("#viewer")
    opened.context.close()


@pytest.fixture(scope="module")
def thousands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of ``MANY`` photos, which share a few previews."""
    folder = tmp_path_factory.mktemp("thousands")
    few = [p for p in many(folder, 28) if p["status"] != "failed"]
    by_photo = [previews.find(folder, photo["input"]) for photo in few]
    photos = [{**few[i % len(few)], "input": f"{i:05d}.jpg"} for i in range(MANY)]
    of = {photo["input"]: by_photo[i % len(few)] for i, photo in enumerate(photos)}
    path = folder / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report_html.html, "EMBEDDED_BYTES", 0)
        report_html.write_html(path, RUN, photos, lambda e: of[e["input"]])
    return path


@pytest.mark.alone
def test_two_thousand_photos_open_at_once(browser: Any, thousands: Path) -> None:
    taken = []
    # The goal is for an idle machine; the best of a few openings comes closest to that.
    for _ in range(4):
        opened = Tab(browser, thousands)
        taken.append(opened.do("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
        opened.context.close()
        if taken[-1] <= 1.5:
            return
    raise AssertionError(f"{MANY} photos took {taken} s to open, the goal is 1.5 s")


def test_of_thousands_only_what_is_near_is_drawn(browser: Any, thousands: Path) -> None:
    opened = Tab(browser, thousands)
    drawn = "document.querySelectorAll('.photo.drawn').length"
    opened.page.wait_for_function(f"() => {drawn} > 0")
    assert opened.do("document.querySelectorAll('*').length") < 3 * MANY
    for share in (0.5, 1.0, 0.25):
        opened.do("share => window.scrollTo(0, share * document.body.scrollHeight)", share)
        opened.page.wait_for_function(
            "() => { const e = document.elementFromPoint(300, 500)?.closest('.photo');"
            " return e && e.matches('.drawn') && e.querySelector('.before'); }"
        )
        begun = time.monotonic()
        while opened.do(drawn) > 40 and time.monotonic() < begun + 5:
            time.sleep(0.05)
        assert 0 < opened.do(drawn) <= 40
        assert opened.do("document.querySelectorAll('*').length") < 4 * MANY
    # What a person did to a photo is there when it is drawn again.
    opened.do("window.scrollTo(0, 0)")
    opened.press("j", "ArrowRight", "ArrowRight", "o")
    value = "document.querySelector('.photo .stage input').value"
    set_to = opened.do(value)
    opened.do("document.activeElement.blur(); window.scrollTo(0, document.body.scrollHeight)")
    opened.page.wait_for_function("() => !document.querySelector('.photo').matches('.drawn')")
    opened.do("window.scrollTo(0, 0)")
    opened.page.wait_for_function("() => document.querySelector('.photo').matches('.drawn')")
    assert opened.do(value) == set_to
    assert opened.do("document.querySelector('.photo .figures').open")
    assert opened.logged == []
    opened.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 900), (390, 844)], ids=["desktop", "phone"])
def test_nobody_is_shut_out(
    scheme: str, size: tuple[int, int], browser: Any, tmp_path: Path
) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe is missing: pip install '.[test]'")
    compare = {"navier-stokes": {"seam": 0.9, "probe": None}}
    photos = many(tmp_path, 7)
    for photo in photos:
        for one in photo["holes"]:
            one.update(hole(compare=compare, borrowed={"b.jpg": 0.4}))
    write_reports(tmp_path, RUN | {"warnings": ["one"]}, photos)
    opened = Tab(browser, tmp_path / "report.html", color_scheme=scheme)
    opened.page.set_viewport_size({"width": size[0], "height": size[1]})
    assert serious_faults(opened.page) == []
    opened.press("j", "f")
    assert serious_faults(opened.page) == []
    opened.press("?")
    assert serious_faults(opened.page) == []
    opened.press("Escape", "Escape", "?")
    assert serious_faults(opened.page) == []
    opened.press("Escape", "v")
    assert serious_faults(opened.page) == []
    opened.press("v")
    opened.do("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert serious_faults(opened.page) == []
    opened.context.close()
