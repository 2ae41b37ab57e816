"""The page of picks in a real browser, opened from the disk: by mouse, keyboard and touch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.report import html, previews
from remove_objects.pipeline.report.picks import Picks, read_picks
from remove_objects.pipeline.report.preview_page import write_preview
from remove_objects.pipeline.types import Box, FoundObject, Outcome, Photo, Status
from tests.support.browser import EXECUTABLE, NAMES, Tab, started
from tests.support.pages import RUN, entry
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


def write_photo(folder: Path, name: str, people: int, size: tuple[int, int] = (300, 400)) -> Any:
    """Write the files of a photo whose people stand side by side; every second one stays."""
    rgb, labels = scene(*size, person=None), np.zeros(size, np.uint16)
    found = []
    for number in range(1, people + 1):
        step = size[1] // people
        box = Box((number - 1) * step + step // 8, 60, step * 3 // 4, 180)
        rgb[box.slices], labels[box.slices] = (200, 40, 40), number
        stays = number % 2 == 0
        why = "main subject" if stays else "requested"
        found.append(FoundObject(number, "person", box, 0.05, 0.9, not stays, why))
    outcome = Outcome(Status.OK, "fine", objects=tuple(found), labels=labels)
    previews.write_choice(folder, name, Photo(rgb), outcome, {"compact-segmenter": "0" * 64})
    return entry(name, "ok" if people else "unchanged", reason=f"{people} people", output=None)


def page_of(folder: Path, photos: list[Any]) -> Path:
    command = "remove-objects --class person --preview photos"
    return write_preview(folder, RUN | {"command": command}, photos)  # type: ignore[arg-type]


class Page(Tab):
    """The page of picks."""

    def pick(self, script: str, photo: int = 0) -> Any:
        """Evaluate a script that may name a ``photo`` by its place."""
        return self.do(
            f"(() => {{ const photo = document.querySelectorAll('.photo')[{photo}]; "
            f"return {script}; }})()"
        )

    def goes(self, photo: int = 0) -> list[bool]:
        """Whether each object of a photo goes, where buttons, outlines and numbers agree."""
        states = [
            self.pick(f"[...photo.querySelectorAll('{q}')].map(e => e.matches('.goes'))", photo)
            for q in (".objects button", ".object", ".badge")
        ]
        pressed = "[...photo.querySelectorAll('.objects button')].map(e => e.ariaPressed == 'true')"
        words = "[...photo.querySelectorAll('.objects i')].map(e => e.textContent == 'goes')"
        states += [self.pick(pressed, photo), self.pick(words, photo)]
        assert all(state == states[0] for state in states)
        return states[0]

    def count(self) -> str:
        """What the header counts."""
        return self.page.inner_text("#count")

    def saved(self) -> tuple[str, Picks]:
        """Save the picks; returns the text of the file, and what the program reads there."""
        with self.page.expect_download() as download:
            self.page.click("#save")
        assert download.value.suggested_filename == "picks.json"
        content = Path(download.value.path()).read_bytes()
        return content.decode(), read_picks(content, "picks.json")

    def close(self) -> None:
        """Close it; it must have logged nothing and used no network."""
        self.context.close()
        assert self.logged == []
        assert {url.split(":")[0] for url in self.requested} <= {"file", "data", "blob"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser without a window."""
    with started(sync_api) as browser:
        yield browser


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos with people, one without."""
    folder = tmp_path_factory.mktemp("small")
    people = {"b.jpg": 2, "a/<b>1.jpg": 3, "c\udcff.jpg": 12, "0 empty.jpg": 0}
    return page_of(folder, [write_photo(folder, name, n) for name, n in people.items()])


@pytest.fixture
def page(browser: Any, small: Path) -> Iterator[Page]:
    opened = Page(browser, small)
    yield opened
    opened.close()


def test_photos_are_in_their_order_and_those_without_objects_at_the_end(page: Page) -> None:
    names = page.do("[...document.querySelectorAll('.photo h2')].map(e => e.innerText)")
    assert names == ["a/<b>1.jpg", "b.jpg", r"c\udcff.jpg"]
    assert not page.do("document.querySelector('.others').open")
    page.page.click(".others summary")
    assert page.page.inner_text(".others li") == "0 empty.jpg 0 people"
    assert page.count() == "9 go · 8 stay"
    command = "remove-objects --class person --picks picks.json photos"
    assert page.page.inner_text("header code") == command
    assert page.do("document.scripts.length") == 1


def test_a_click_on_an_object_or_its_button_switches_it(page: Page) -> None:
    assert page.goes() == [True, False, True]
    page.page.click(".photo >> nth=0 >> .object[data-number='2']")
    assert page.goes() == [True, True, True]
    assert page.pick("photo.querySelector('.objects [data-number=\"2\"] span').textContent") == (
        "picked to go"
    )
    assert page.count() == "10 go · 7 stay · 1 changed"
    page.page.click(".photo >> nth=0 >> button[data-number='1']")
    assert page.goes() == [False, True, True]
    page.page.click(".photo >> nth=0 >> .object[data-number='2']")
    assert page.count() == "8 go · 9 stay · 1 changed"
    assert page.pick("photo.querySelector('.objects [data-number=\"2\"] span').textContent") == (
        "main subject"
    )
    assert page.goes(1) == [True, False]


def test_a_click_beside_the_objects_switches_nothing(page: Page) -> None:
    box = page.page.locator(".stage").first.bounding_box()
    page.page.mouse.click(box["x"] + 10, box["y"] + 10)
    assert page.count() == "9 go · 8 stay"


def test_keys_move_switch_and_undo(page: Page) -> None:
    focused = "[...document.querySelectorAll('.photo')].indexOf(document.activeElement)"
    page.press("1")  # no photo has the focus
    assert page.count() == "9 go · 8 stay"
    page.press("ArrowDown")
    assert page.do(focused) == 0
    page.press("1", "2")
    assert page.goes() == [False, True, True]
    page.press("Tab")
    assert page.do(focused) == 1
    page.press("a")
    assert page.goes(1) == [True, True]
    page.press("s")
    assert page.goes(1) == [False, False]
    page.press("ArrowUp", "ArrowUp")
    assert page.do(focused) == 0
    page.press("u")
    assert page.goes(1) == [True, True]
    assert page.do(focused) == 1
    page.press("u", "u", "Control+z")
    assert page.goes(1) == [True, False]
    assert page.goes() == [True, False, True]
    assert page.count() == "9 go · 8 stay"
    assert page.do("document.querySelector('#undo').disabled")


def test_numbers_of_two_digits(page: Page) -> None:
    page.press("ArrowDown", "ArrowDown", "ArrowDown")
    page.press("1", "2")
    assert page.goes(2)[11]
    assert page.goes(2)[0]
    page.press("1")
    page.page.wait_for_timeout(900)
    assert not page.goes(2)[0]
    page.press("3")
    assert not page.goes(2)[2]
    assert page.count() == "8 go · 9 stay · 3 changed"


def test_a_number_ends_where_the_focus_moves_or_the_picks_are_saved(page: Page) -> None:
    """A first digit waits for a second one: it is never taken for another photo's, nor lost."""
    page.press("ArrowDown", "ArrowDown", "ArrowDown", "1", "ArrowUp", "2")
    assert not page.goes(2)[0]
    assert not page.goes(2)[11]
    assert page.goes(1) == [True, True]
    page.press("ArrowDown", "1")
    with page.page.expect_download() as download:
        page.press("w")
    saved = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert saved["photos"][2]["objects"][0]["removed"]


def test_all_go_and_all_stay_are_one_step(page: Page) -> None:
    page.page.click(".photo >> nth=0 >> text=All stay")
    assert page.goes() == [False, False, False]
    page.page.click("#undo")
    assert page.goes() == [True, False, True]


def test_saved_picks_are_what_the_page_shows(page: Page) -> None:
    page.page.click(".photo >> nth=1 >> .object[data-number='2']")
    text, picks = page.saved()
    assert set(picks.photos) == {"a/<b>1.jpg", "b.jpg", "c\udcff.jpg"}
    b = picks.photos["b.jpg"]
    assert (b.width, b.height) == (400, 300)
    assert [one.removed for one in b.objects] == [True, True]
    assert [one.box for one in b.objects] == [Box(25, 60, 150, 180), Box(225, 60, 150, 180)]
    assert [one.removed for one in picks.photos["a/<b>1.jpg"].objects] == [True, False, True]
    assert picks.settings == {
        "classes": ["person"],
        "segmenter": "compact",
        "threshold": 0.5,
        "weights": {"compact-segmenter": "0" * 64},
    }
    line = '{"number": 2, "class": "person", "box": [225, 60, 150, 180], "removed": true}'
    assert f"   {line}\n" in text
    assert page.saved()[0] == text
    assert json.loads(text)["picks_version"] == 1


def test_help_is_shown_and_left(page: Page) -> None:
    page.press("?")
    assert page.page.is_visible("#keys")
    page.press("a", "Escape")
    assert not page.page.is_visible("#keys")
    assert page.count() == "9 go · 8 stay"


def test_the_two_kinds_differ_in_more_than_colour(page: Page) -> None:
    style = "getComputedStyle(photo.querySelector('.object.{} .area')).{}"
    assert "stripes" in page.pick(style.format("goes", "fill"))
    assert "url" not in page.pick(style.format("stays", "fill"))
    assert page.pick(style.format("goes", "strokeDasharray")) != "none"
    assert page.pick(style.format("stays", "strokeDasharray")) == "none"


def test_it_works_on_a_telephone(browser: Any, small: Path) -> None:
    opened = Page(browser, small, has_touch=True, is_mobile=True)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    assert opened.do("document.documentElement.scrollWidth") == 390
    opened.page.tap(".photo >> nth=0 >> .object[data-number='2']")
    assert opened.goes() == [True, True, True]
    for query in (".objects button", ".buttons button", "#save"):
        height = opened.page.locator(query).first.bounding_box()["height"]
        assert height >= 44, query
    opened.do("window.scrollTo(0, 900)")
    assert opened.page.locator("#save").bounding_box()["y"] < 80  # it stays in view
    assert opened.saved()[1].photos["a/<b>1.jpg"].objects[1].removed
    opened.close()


@pytest.fixture(scope="module", params=["inside", "beside"])
def large(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``PHOTOS`` photos of the page's full size, with one to five people each."""
    folder = tmp_path_factory.mktemp("large")
    first = [write_photo(folder, f"{i}.jpg", 1 + i, (600, 800)) for i in range(5)]
    photos = []
    for i in range(PHOTOS):
        name = f"holiday/photo {i:04d}.jpg"
        for kind in previews.CHOICE_KINDS:
            there = previews.place(folder, name, kind)
            there.hardlink_to(previews.place(folder, first[i % 5]["input"], kind))
        photos.append({**first[i % 5], "input": name})
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "beside":
            patch.setattr(html, "EMBEDDED_BYTES", 0)
        path = page_of(folder, photos)
    assert ('src="report_files/' in path.read_text()) == (request.param == "beside")
    return path


@pytest.mark.alone
def test_three_hundred_photos_open_within_two_seconds(browser: Any, large: Path) -> None:
    taken = []
    # The goal is for an idle machine; the best of a few openings comes closest to that.
    for _ in range(4):
        opened = Page(browser, large)
        taken.append(opened.do("performance.getEntriesByType('navigation')[0].loadEventEnd") / 1000)
        assert opened.count() == "540 go · 360 stay"
        of_files = [url for url in opened.requested if url.startswith("file:")]
        assert len(of_files) < PHOTOS / 2
        opened.close()
        if taken[-1] < 2:
            return
    raise AssertionError(
        f"{PHOTOS} photos took {', '.join(f'{t:.2f}' for t in taken)} s to load, the goal is 2 s"
    )
