"""The page in a real browser, opened from the disk.

It is quick, logs nothing, uses no network, and works by keyboard and mouse.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from remove_objects.pipeline.report import html, previews
from remove_objects.pipeline.types import Photo
from tests.support.browser import EXECUTABLE, NAMES, Tab, started
from tests.support.pages import entry, hole, many, outcome, write_page
from tests.support.scenes import scene

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="playwright is not installed: pip install '.[test]'"
)
PHOTOS = 300
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        EXECUTABLE is None, reason=f"no browser: none of {', '.join(NAMES)} is on the PATH"
    ),
]


class Report(Tab):
    """The report's page."""

    def names(self) -> list[str]:
        """The names of the visible photos, in the page's order."""
        return self.do(
            "[...document.querySelectorAll('.photo:not([hidden])')].map(e => e.dataset.name)"
        )

    def current(self, script: str) -> Any:
        """Evaluate a script that may name the current ``photo``."""
        return self.do(
            "(() => { const photo = document.querySelector('.photo.current'); "
            f"return {script}; }})()"
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    with started(sync_api) as browser:
        yield browser


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``PHOTOS`` photos on two pages: with embedded previews, and with previews beside it."""
    folder = tmp_path_factory.mktemp("three hundred")
    photos = many(folder, PHOTOS)
    with pytest.MonkeyPatch.context() as patch:
        inside = write_page(folder, photos)
        patch.setattr(html, "EMBEDDED_BYTES", 0)
        beside = write_page(folder, photos, name="beside.html")
    for path, embedded in ((inside, True), (beside, False)):
        text = path.read_text()
        assert ('src="data:' in text) == embedded
        assert ('src="report_files/' in text) != embedded
    return {"inside": inside, "beside": beside}


@pytest.fixture
def tab(browser: Any, reports: dict[str, Path]) -> Iterator[Report]:
    """The page with previews beside it; it may not log anything or use a network."""
    opened = Report(browser, reports["beside"])
    yield opened
    opened.context.close()
    assert opened.logged == []
    assert {url.split(":")[0] for url in opened.requested} <= {"file", "data"}


@pytest.mark.alone
@pytest.mark.parametrize("where", ["inside", "beside"])
def test_it_opens_within_two_seconds(browser: Any, reports: dict[str, Path], where: str) -> None:
    taken = []
    # The goal is for an idle machine; the best of a few openings comes closest to that.
    for _ in range(4):
        opened = Report(browser, reports[where])
        taken.append(opened.do("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
        assert opened.logged == []
        assert len(opened.names()) == PHOTOS
        opened.context.close()
        if taken[-1] < 2:
            return
    raise AssertionError(
        f"{PHOTOS} photos took {', '.join(f'{t:.2f}' for t in taken)} s to load, the goal is 2 s"
    )


def test_embedded_previews_are_shown(browser: Any, tmp_path: Path) -> None:
    opened = Report(browser, write_page(tmp_path, many(tmp_path, 7)))
    opened.press("j", "j")
    widths = "[...photo.querySelectorAll('img')].map(i => i.decode().then(() => i.naturalWidth))"
    assert opened.current(f"Promise.all({widths})") == [360] * 5
    assert opened.requested[0].startswith("file:")
    assert {url.split(":")[0] for url in opened.requested[1:]} <= {"data"}
    assert opened.logged == []
    opened.context.close()


def test_previews_beside_the_page_are_loaded_when_needed(tab: Report) -> None:
    before = len(tab.requested)
    assert before < PHOTOS
    script = """async () => {
      const photo = [...document.querySelectorAll('.photo.ok')].pop();
      photo.scrollIntoView();
      while (!photo.matches('.drawn')) await new Promise(requestAnimationFrame);
      const last = photo.querySelector('.before');
      return new Promise((done) => {
        if (last.complete && last.naturalWidth) done(last.naturalWidth);
        last.addEventListener('load', () => done(last.naturalWidth));
        last.addEventListener('error', () => done(0));
      });
    }"""
    assert tab.do(script) > 200
    assert len(tab.requested) > before


def test_hostile_names_run_nothing(browser: Any, tmp_path: Path) -> None:
    names = [
        "<img src=x onerror=alert(1)>.jpg",
        "</noscript><img src=x onerror=alert(1)>.jpg",
        '"><script>alert(1)</script>.jpg',
        "a\nb\u202e.jpg",
        "b\udcff.jpg",
    ]
    rgb = scene()
    for name in names:
        previews.write(tmp_path, name, Photo(rgb), outcome(rgb))
    compare = {"navier-stokes": {"seam": 1.0, "probe": None}}
    opened = Report(
        browser,
        write_page(
            tmp_path, [entry(n, reason=n, holes=[hole(why=n, compare=compare)]) for n in names]
        ),
    )
    opened.press("j", "c", "o", "m", "/")
    opened.page.keyboard.type("<img")
    shown = opened.page.locator(".photo:not([hidden]) h2").all_inner_texts()
    assert sorted(opened.names()) == sorted(shown) == sorted(names[:2])
    assert opened.do("document.scripts.length") == 1
    assert opened.do(
        "[...document.images].every(i => !i.getAttribute('src') || i.src.startsWith('data:image/'))"
    )
    assert opened.logged == []
    opened.context.close()


def test_filters_and_search(tab: Report) -> None:
    def of(condition: str) -> list[str]:
        photos = "[...document.querySelectorAll('.photo')]"
        return tab.do(f"{photos}.filter(e => {condition}).map(e => e.dataset.name)")

    assert len(tab.names()) == PHOTOS
    tab.page.click(".tally [data-status=review]")
    assert tab.names() == of("e.dataset.status === 'review'") != []
    tab.page.click(".tally [data-status=failed]")
    assert tab.names() == of("['review', 'failed'].includes(e.dataset.status)")
    tab.page.click(".tally [data-status=failed]")
    tab.page.select_option("#class", "dog")
    tab.page.select_option("#route", "face")
    wanted = of(
        "e.dataset.status === 'review' && e.dataset.classes === 'dog' "
        "&& e.dataset.routes === 'face'"
    )
    assert tab.names() == wanted != []
    assert tab.page.inner_text("#shown") == f"{len(wanted)} of {PHOTOS}"
    tab.press("/")
    tab.page.keyboard.type("HOLIDAY nowhere")
    assert tab.names() == []
    assert tab.page.is_visible("#none")
    tab.page.click("#clear")
    assert len(tab.names()) == PHOTOS
    tab.page.fill("#search", "photo 0123")
    assert tab.names() == ["holiday 3/photo 0123.jpg"]


def test_sorting(tab: Report) -> None:
    worst = tab.names()
    tab.page.select_option("#order", "name")
    assert tab.names() == sorted(worst)
    tab.page.select_option("#order", "score")
    scores = tab.do(
        "[...document.querySelectorAll('.photo')]"
        ".map(e => e.dataset.score === '' ? -1 : Number(e.dataset.score))"
    )
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.5
    tab.page.select_option("#order", "worst")
    assert tab.names() == worst


def test_keys_move_from_photo_to_photo(tab: Report) -> None:
    names = tab.names()
    tab.press("j")
    assert tab.current("photo.dataset.name") == names[0]
    tab.press("j", "j", "k")
    assert tab.current("photo.dataset.name") == names[1]
    assert tab.do("document.activeElement === document.querySelector('.photo.current')")
    tab.page.click(".tally [data-status=ok]")
    tab.press("j")
    assert tab.current("photo.dataset.name") == tab.names()[0]
    tab.press("k")
    assert tab.current("photo.dataset.name") == tab.names()[0]
    box = tab.page.locator(".photo.current").bounding_box()
    assert 0 <= box["y"] < 300  # below the tools, which stay visible


def test_keys_move_the_slider_and_show_mask_and_methods(tab: Report) -> None:
    tab.page.click(".tally [data-status=review]")
    tab.press("j")
    value, cut = (
        "Number(photo.querySelector('input').value)",
        "photo.querySelector('.stage').style.getPropertyValue('--cut')",
    )
    clip = "getComputedStyle(photo.querySelector('.after')).clipPath"
    start = tab.current(value)
    assert 25 < start < 60  # where the hole is
    tab.press("ArrowRight", "ArrowRight")
    assert tab.current(value) == start + 10
    assert tab.current(cut) == f"{start + 10}%"
    assert f"{start + 10}%" in tab.current(clip)
    tab.press("ArrowLeft")
    assert tab.current(value) == start + 5
    tab.press("x")
    assert tab.current(value) == 100
    tab.press("x")
    assert tab.current(value) == 0
    mask = "getComputedStyle(photo.querySelector('.stage .mask')).visibility"
    assert tab.current(mask) == "hidden"
    tab.press("m")
    assert tab.current(mask) == "visible"
    switch = "photo.querySelector('.mask-switch')"
    assert tab.current(f"{switch}.getAttribute('aria-pressed')") == "true"
    assert tab.current(f"{switch}.textContent") == "Hide mask"
    tab.press("m")
    assert tab.current(f"{switch}.textContent") == "Show mask"
    assert tab.current(mask) == "hidden"
    tab.press("M")
    assert tab.current(mask) == "visible"
    assert tab.do(
        "[...document.querySelectorAll('.stage .mask')]"
        ".every(m => getComputedStyle(m).visibility === 'visible')"
    )
    tab.press("m")
    assert tab.current(mask) == "hidden"
    after = "photo.querySelector('.stage .after').src"
    ours = tab.current(after)
    assert ours.endswith("-after.jpeg")
    tab.press("c")
    assert tab.current(after).endswith("-navier-stokes.jpeg")
    assert tab.current("photo.querySelector('.tag.right').textContent") == "Navier–Stokes"
    tab.press("c")
    assert tab.current(after) == ours
    assert not tab.current("photo.querySelector('.figures').open")
    tab.press("o")
    assert tab.current("photo.querySelector('.figures').open")


def test_the_mouse_moves_the_slider(tab: Report) -> None:
    tab.page.click(".tally [data-status=review]")
    stage = tab.page.locator(".photo.review .stage").first
    box = stage.bounding_box()
    # ``click`` waits until the page has stopped moving.
    stage.click(position={"x": 0.8 * box["width"], "y": box["height"] / 2})
    assert abs(int(stage.locator("input").input_value()) - 80) <= 3
    assert (
        stage.evaluate("e => e.style.getPropertyValue('--cut')")
        == f"{stage.locator('input').input_value()}%"
    )
    # The range has the focus now, so the browser handles its arrow keys.
    value = int(stage.locator("input").input_value())
    tab.press("ArrowLeft")
    assert int(stage.locator("input").input_value()) == value - 1


def test_help_sheet_and_search_can_be_left(tab: Report) -> None:
    tab.press("?")
    assert tab.page.is_visible("#keys")
    tab.press("j")
    assert tab.current("photo") is None
    tab.press("Escape")
    assert not tab.page.is_visible("#keys")
    tab.press("/")
    tab.page.keyboard.type("jkm?")
    assert tab.page.input_value("#search") == "jkm?"
    tab.press("Escape", "v")
    assert tab.do("document.documentElement.classList.contains('sheet')")
    assert tab.page.get_attribute("#view", "aria-pressed") == "true"


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => [0.2126, 0.7152, 0.0722].reduce((sum, weight, i) => {
    const v = c[i] / 255;
    return sum + weight * (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  }, 0);
  const behind = (e) => {
    const c = rgb(getComputedStyle(e).backgroundColor);
    return c[3] === 255 ? c : behind(e.parentElement);
  };
  const query = '.kicker, h1, .facts-line, .tally button, .notice li, .chart span, .chart p, ' +
    '.stages td, summary, .tools label, #search, .tools button, #shown, .photo h2, ' +
    '.photo h2 span, .status, .reason, .sure span, .mend span, .mend code, .acts button, ' +
    '.behind, dt, dd, .compare b, .holes th, .holes td, .links a, .nothing, footer p, kbd';
  const contrasts = [];
  for (const e of document.querySelectorAll(query)) {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    contrasts.push([(a + 0.05) / (b + 0.05), `${e.tagName}.${e.className}`]);
  }
  return contrasts.sort((x, y) => x[0] - y[0]);
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_themes_have_contrast(browser: Any, tmp_path: Path, scheme: str) -> None:
    path = write_page(tmp_path, many(tmp_path, 14), {"warnings": ["one"]})
    opened = Report(browser, path, color_scheme=scheme)
    shade = "document.documentElement.dataset.theme ?? ''"
    brightness = "getComputedStyle(document.body).backgroundColor"
    assert opened.do(shade) == ""
    system = opened.do(brightness)
    for _ in range(2):
        opened.do("document.querySelectorAll('details').forEach(d => d.open = true)")
        contrasts = opened.do(CONTRAST)
        assert len(contrasts) > 300
        assert contrasts[0][0] >= 4.5, contrasts[:5]
        opened.press("t")
    assert opened.do(shade) == scheme
    assert opened.do(brightness) == system
    opened.press("t")
    assert opened.do(brightness) != system
    assert opened.logged == []
    opened.context.close()


def test_nothing_is_wider_than_a_telephone(browser: Any, tmp_path: Path) -> None:
    opened = Report(browser, write_page(tmp_path, many(tmp_path, 14)))
    opened.page.set_viewport_size({"width": 360, "height": 740})
    opened.do("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert opened.do("document.documentElement.scrollWidth") <= 360
    opened.context.close()


def test_every_control_has_a_name(tab: Report) -> None:
    unnamed = tab.do(
        "[...document.querySelectorAll('button, select, input')]"
        ".filter(e => !(e.textContent.trim() || e.ariaLabel || e.labels?.length))"
        ".map(e => e.outerHTML)"
    )
    assert unnamed == []
    ids = tab.do("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    assert tab.do("[...document.images].every(i => i.hasAttribute('alt'))")
