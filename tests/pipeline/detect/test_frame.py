"""Margins around a photo: which are found, and what looks like one and is none."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.detect.frame import LAYERS, SIDES, find_margins, margin_areas
from remove_objects.pipeline.pixels import blur
from remove_objects.pipeline.types import Mask, Pixels

WHITE, CREAM, BLACK = (255, 255, 255), (245, 240, 228), (0, 0, 0)


def picture(height: int = 150, width: int = 220, seed: int = 0) -> Pixels:
    """Blotches of many colours, none of them white or black."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3)).astype(np.float32)
    return (125 + 350 * blur(noise, 4.0)).clip(45, 205).astype(np.uint8)


def framed(
    colour: tuple[int, int, int],
    widths: tuple[int, int, int, int] = (20, 20, 20, 20),
    *,
    degrees: float = 0.0,
    quality: int | None = None,
    grain: float = 0.0,
) -> tuple[Pixels, Mask]:
    """A picture in a frame of so many pixels (top, bottom, left, right), and the frame's pixels."""
    photo = picture()
    (h, w), (top, bottom, left, right) = photo.shape[:2], widths
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    turn[:, 2] += left, top
    size = w + left + right, h + top + bottom
    shown = cv2.warpAffine(np.ones((h, w), np.float32), turn, size)[..., None]
    moved = cv2.warpAffine(photo, turn, size, borderMode=cv2.BORDER_REPLICATE)
    result = moved * shown + np.array(colour) * (1 - shown)
    result += np.random.default_rng(1).normal(0, grain, result.shape)
    result = (result.clip(0, 255) + 0.5).astype(np.uint8)
    if quality:
        stored = io.BytesIO()
        Image.fromarray(result).save(stored, "JPEG", quality=quality)
        result = np.asarray(Image.open(stored))
    return result, shown[..., 0] < 0.5


def margins(photo: Pixels, mask: Mask | None = None) -> Mask:
    """The pixels of all margins that are found."""
    found = [area.pixels for area in margin_areas(photo, mask)]
    return np.any([np.zeros(photo.shape[:2], bool), *found], axis=0)


@pytest.mark.parametrize("colour", [WHITE, CREAM, BLACK])
@pytest.mark.parametrize("width", [2, 5, 20, 30])
def test_a_frame_that_a_program_drew(colour: tuple[int, int, int], width: int) -> None:
    photo, frame = framed(colour, (width,) * 4)
    assert np.array_equal(margins(photo), frame)
    assert np.array_equal(margins(photo.astype(np.uint16) * 257), frame)


@pytest.mark.parametrize("colour", [WHITE, CREAM, BLACK])
@pytest.mark.parametrize("degrees", [0.0, 0.7, -2.0])
def test_a_scan_askew_with_grain_and_jpeg(colour: tuple[int, int, int], degrees: float) -> None:
    photo, frame = framed(colour, degrees=degrees, quality=85, grain=1.5)
    found = margins(photo)
    # Within a pixel and a half of the true line, all around.
    assert not (found & ~cv2.dilate(frame.astype(np.uint8), np.ones((3, 3))).astype(bool)).any()
    deep = cv2.erode(frame.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert not (deep & ~found).any()


def test_a_letterbox_a_polaroid_and_one_exact_bar() -> None:
    for widths in ((20, 20, 0, 0), (0, 0, 25, 25), (8, 30, 8, 8), (15, 0, 0, 0)):
        photo, frame = framed(BLACK, widths)
        assert np.array_equal(margins(photo), frame), widths


@pytest.mark.parametrize("quality", [None, 85])
def test_the_broad_foot_of_a_polaroid_and_the_bars_beside_an_upright_film(
    quality: int | None,
) -> None:
    photo, frame = framed(CREAM, (20, 60, 20, 20), quality=quality)  # a foot of 26 %
    found = margins(photo)
    assert not (found & ~cv2.dilate(frame.astype(np.uint8), np.ones((3, 3))).astype(bool)).any()
    assert not (cv2.erode(frame.astype(np.uint8), np.ones((5, 5))).astype(bool) & ~found).any()
    for widths in ((0, 0, 200, 200), (60, 60, 0, 0)):
        photo, frame = framed(BLACK, widths)
        assert np.array_equal(margins(photo), frame), widths


def test_a_broad_bar_alone_is_no_margin() -> None:
    """It may be a sky, a wall or a table."""
    for colour, widths in ((BLACK, (60, 0, 0, 0)), (WHITE, (0, 60, 8, 8))):
        found = find_margins(framed(colour, widths)[0])
        assert not {"top", "bottom"} & set(found)


@pytest.mark.parametrize("foot", [30, 60])
@pytest.mark.parametrize("quality", [None, 90])
def test_handwriting_on_a_polaroid_does_not_hide_its_margin(quality: int | None, foot: int) -> None:
    photo, frame = framed(CREAM, (10, foot, 10, 10), quality=quality)
    photo = photo.copy()
    cv2.putText(photo, "July 1974", (60, 180), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (60, 60, 70), 1)
    found = margins(photo)
    assert (found != frame).mean() < 0.01
    # The writing alone proves nothing: without the other sides it may be a street sign.
    assert "bottom" not in find_margins(photo[20:, 20:-20])


def test_an_object_that_covers_the_margin_does_not_hide_it() -> None:
    photo, frame = framed(WHITE)
    over = np.zeros_like(frame)
    over[100:, 60:140] = True
    photo[over] = (200, 30, 30)
    assert np.array_equal(margins(photo, over), frame)


def test_dust_on_a_scan_does_not_hide_its_margin() -> None:
    photo, frame = framed(WHITE, (20, 20, 0, 0), grain=1.5)
    photo[5:15:3, 3::12] = 60
    assert (margins(photo) != frame).mean() < 0.01


@pytest.mark.parametrize("what", ["colours", "towers"])
def test_opposite_sides_of_two_colours_or_with_things_on_them_are_no_margins(what: str) -> None:
    """A bright sky above and a dark road below; towers before a sky, and their reflections."""
    photo, frame = framed(WHITE, (20, 20, 0, 0), grain=1.5)
    assert np.array_equal(margins(photo), frame)
    if what == "colours":
        photo[-20:] = 255 - photo[-20:]
    else:
        photo[8:20, 50:65] = photo[-20:-8, 50:65] = 90
    assert not find_margins(photo)


def in_another(
    photo: Pixels, colour: tuple[int, int, int], width: int, degrees: float = 0.0, grain: float = 0
) -> Pixels:
    """A photo on a ground of another colour, perhaps askew."""
    (h, w) = photo.shape[:2]
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    turn[:, 2] += width
    size = w + 2 * width, h + 2 * width
    moved = cv2.warpAffine(photo, turn, size, borderValue=colour).astype(np.float32)
    moved += np.random.default_rng(2).normal(0, grain, moved.shape)
    return (moved.clip(0, 255) + 0.5).astype(np.uint8)


@pytest.mark.parametrize("inner", [(20, 20, 20, 20), (25, 25, 0, 0)])
@pytest.mark.parametrize("colours", [(WHITE, (40, 40, 45)), (BLACK, WHITE)])
def test_a_margin_inside_another(
    inner: tuple[int, int, int, int], colours: tuple[tuple[int, int, int], tuple[int, int, int]]
) -> None:
    """A print with a white border on a dark lid; a film's bars within a white border."""
    photo, frame = framed(colours[0], inner)
    whole = in_another(photo, colours[1], 24)
    outer = np.pad(frame, 24, constant_values=True)
    assert np.array_equal(margins(whole), outer)
    areas = margin_areas(whole)
    for colour, pixels in (
        (colours[1], outer & ~np.pad(frame, 24)),
        (colours[0], np.pad(frame, 24)),
    ):
        shown = np.any([a.pixels for a in areas if (a.colour == colour).all()], axis=0)
        assert np.array_equal(shown, pixels)


@pytest.mark.parametrize("degrees", [0.0, 1.0, -1.5])
def test_a_print_that_lies_askew_on_the_scanner(degrees: float) -> None:
    photo, frame = framed(WHITE, grain=1.0)
    whole = in_another(photo, (40, 40, 45), 24, degrees, grain=1.5)
    expected = in_another(np.repeat(frame[..., None] * np.uint8(255), 3, 2), WHITE, 24, degrees)
    truth = expected[..., 0] > 127
    found = margins(whole)
    assert not (found & ~cv2.dilate(truth.astype(np.uint8), np.ones((5, 5))).astype(bool)).any()
    deep = cv2.erode(truth.astype(np.uint8), np.ones((5, 5))).astype(bool)
    assert not (deep & ~found).any()


def test_margins_inside_each_other_are_bounded_and_leave_something() -> None:
    photo = picture()
    for i in range(LAYERS + 2):
        photo = in_another(photo, WHITE if i % 2 else BLACK, 10)
    found = margins(photo)
    assert found[: 10 * LAYERS].all()
    assert not found[10 * LAYERS : 10 * LAYERS + 10, 100].any()
    assert not margins(np.pad(picture()[:33, :33], ((9, 9), (9, 9), (0, 0))))[9:-9, 9:-9].any()


def test_what_is_no_margin() -> None:
    rows, columns = np.mgrid[:160, :240]
    wall = np.full((160, 240, 3), 236.0)
    wall[90:, 60:180] = 90  # a sofa before a white wall
    night = np.zeros((160, 240, 3))
    night[60 + (20 * np.sin(columns[0] / 30)).astype(int).max() :, :] = 70
    night[(rows > 100 + 20 * np.sin(columns / 30))] = 120  # hills below a black sky
    sky = np.repeat((250 - rows[..., None] * 0.9), 3, 2)  # a gradient
    sea = np.full((160, 240, 3), 230.0)
    sea[20:] = (40, 90, 120)  # a level horizon near the top, one side alone, with grain
    sea += np.random.default_rng(0).normal(0, 2, sea.shape)
    for photo in (wall, night[:, :, ::-1], sky, sea, np.full((160, 240, 3), 255.0)):
        assert find_margins(photo.clip(0, 255).astype(np.uint8)) == {}
    for seed in range(10):
        assert find_margins(picture(seed=seed)) == {}
    assert find_margins(np.zeros((3, 5, 3), np.uint8)) == {}
    assert set(SIDES) >= set(find_margins(framed(WHITE)[0]))
