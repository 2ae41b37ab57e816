"""Own masks are widened to the object's edge: how far, and where not."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.config import REVIEW_LEFT_OUTSIDE
from remove_objects.pipeline.detect.edge import beside, edge_reach, widen_to_edge
from remove_objects.pipeline.detect.mask import dilate
from remove_objects.pipeline.pixels import blur, depth_inside
from remove_objects.pipeline.types import Box, Mask, Pixels

SAMPLES = Path(__file__).parents[3] / "sample_images"


def composite(name: str) -> tuple[Pixels, Mask]:
    """A sample photo, and the pixels that its object covers in part at least."""
    photo = np.asarray(Image.open(SAMPLES / f"{name}.jpg").convert("RGB"))
    return photo, np.asarray(Image.open(SAMPLES / ".masks" / f"{name}.png")) > 0


def left_outside(photo: Pixels, mask: Mask, box: Box) -> float:
    """The share of the pixels beside a hole with the colours of its object."""
    return beside(photo, mask, box)[0]


def truth(name: str) -> Pixels:
    """The sample photo without its object."""
    return np.asarray(Image.open(SAMPLES / ".truth" / f"{name}.jpg").convert("RGB"))


def disc(colour: tuple[int, int, int], ground: int = 120) -> tuple[Pixels, Mask]:
    """A disc with soft edges on grainy grey, and the pixels that it covers in part at least."""
    rng = np.random.default_rng(3)
    yy, xx = np.mgrid[:200, :240]
    cover = blur((np.hypot(yy - 100, xx - 120) < 40).astype(np.float32), 0.7)[..., None]
    picture = ground * (1 - cover) + np.array(colour) * cover + rng.normal(0, 4, (200, 240, 3))
    return picture.clip(0, 255).astype(np.uint8), cover[..., 0] > 0.02


@pytest.mark.parametrize("name", ["launch_pad", "far_moon", "brick_wall", "mural"])
@pytest.mark.parametrize("inside", [2, 3])
def test_a_tight_mask_grows_to_the_edge(name: str, inside: int) -> None:
    photo, exact = composite(name)
    tight = depth_inside(exact) > inside
    widened = widen_to_edge(photo, tight)
    assert (tight <= widened).all()
    left_of_object = np.where(exact, np.abs(photo.astype(int) - truth(name)).max(2), 0)
    assert left_of_object[~widened].sum() < 0.4 * left_of_object[~tight].sum()
    # Less than a pixel along the rim.
    assert (widened & ~exact).sum() < (exact & (depth_inside(exact) <= 1)).sum()
    assert left_outside(photo, tight, Box.bounding(tight)) > left_outside(
        photo, widened, Box.bounding(widened)
    )


@pytest.mark.parametrize("name", ["launch_pad", "far_moon", "brick_wall", "mural", "cat_in_hedge"])
def test_what_a_tight_mask_leaves_is_seen_and_only_that(name: str) -> None:
    photo, exact = composite(name)

    def left(mask: Mask) -> float:
        return left_outside(photo, mask, Box.bounding(mask))

    tight = depth_inside(exact) > 3
    assert left(tight) > REVIEW_LEFT_OUTSIDE
    for mask in (exact, widen_to_edge(photo, tight), dilate(exact, 3), dilate(exact, 8)):
        assert left(mask) < 0.6 * REVIEW_LEFT_OUTSIDE
    speck = np.zeros_like(exact)
    speck[200:204, 200:204] = True
    assert left(speck) == 0


@pytest.mark.parametrize("name", ["launch_pad", "far_moon", "brick_wall", "mural"])
def test_an_exact_mask_and_a_generous_one_stay_nearly_as_they_are(name: str) -> None:
    photo, exact = composite(name)
    assert widen_to_edge(photo, exact).sum() < 1.03 * exact.sum()
    for radius in (5, 8, 15):
        generous = dilate(exact, radius)
        assert widen_to_edge(photo, generous).sum() < 1.02 * generous.sum()


def test_an_object_that_looks_like_its_background_is_not_followed() -> None:
    photo, cover = disc((123, 120, 118))
    tight = depth_inside(cover) > 4
    assert widen_to_edge(photo, tight).sum() < 1.02 * tight.sum()


def test_nothing_beyond_the_reach_joins() -> None:
    photo, cover = disc((220, 40, 30))
    tight = depth_inside(cover) > 20
    reach = edge_reach(*tight.shape)
    assert not (widen_to_edge(photo, tight) & ~dilate(tight, reach + 1)).any()
    assert (edge_reach(10, 10), edge_reach(480, 640), edge_reach(9000, 12000)) == (4, 8, 24)


def test_a_neighbour_of_another_colour_stays() -> None:
    photo, cover = disc((220, 40, 30))
    neighbour = np.zeros_like(cover)
    neighbour[60:140, :120] = True
    neighbour &= ~dilate(cover, 1)
    photo = np.where(neighbour[..., None], np.uint8((20, 40, 220)), photo).astype(np.uint8)
    widened = widen_to_edge(photo, depth_inside(cover) > 3)
    assert not (cover & ~dilate(widened, 1)).any()
    assert not (widened & (depth_inside(neighbour) > 2)).any()


@pytest.mark.parametrize("colour", [(255, 120, 40), (250, 230, 60), (150, 20, 60)])
def test_a_narrow_neighbour_that_is_nearer_to_the_object_than_to_the_ground_stays(
    colour: tuple[int, int, int],
) -> None:
    """A colour may be unlike the background's and still not be the object's."""
    yy, xx = np.mgrid[:200, :240]
    distance = np.hypot(yy - 100, xx - 120)
    exact = distance < 40
    photo = np.full((200, 240, 3), (20, 60, 200), np.float32)
    photo[(distance < 43) & (xx < 120)] = colour
    photo[exact] = (220, 40, 30)
    photo += np.random.default_rng(3).normal(0, 4, photo.shape)
    shown = photo.clip(0, 255).astype(np.uint8)
    assert np.array_equal(widen_to_edge(shown, exact), exact)


def painted(pixels: Mask) -> Pixels:
    """Red pixels on grainy grey."""
    photo = np.where(pixels[..., None], (220, 40, 30), 120)
    photo = photo + np.random.default_rng(3).normal(0, 4, photo.shape)
    return photo.clip(0, 255).astype(np.uint8)


def test_a_hole_of_few_pixels_tells_nothing_of_what_is_left_outside() -> None:
    yy, xx = np.mgrid[:200, :240]
    for radius, expected in ((6, 0.0), (10, 1.0)):
        mask = np.hypot(yy - 100, xx - 120) < radius
        photo = painted(np.hypot(yy - 100, xx - 120) < radius + 3)
        assert left_outside(photo, mask, Box.bounding(mask)) == expected


@pytest.mark.parametrize(("share", "expected"), [(0.2, 0.0), (0.28, 0.0), (0.4, 0.39), (0.5, 0.5)])
def test_an_object_like_its_background_nearly_everywhere_tells_nothing(
    share: float, expected: float
) -> None:
    """A disc of which only this share differs from its surroundings, with a mask inside it."""
    yy, xx = np.mgrid[:200, :240]
    distance = np.hypot(yy - 100, xx - 120)
    wedge = np.abs(np.arctan2(yy - 100, xx - 120)) < share * np.pi
    mask = distance < 37
    left = left_outside(painted((distance < 40) & wedge), mask, Box.bounding(mask))
    assert left == pytest.approx(expected, abs=0.02)


def test_sixteen_bits_and_void_pixels() -> None:
    photo, cover = disc((220, 40, 30))
    tight = depth_inside(cover) > 3
    expected = widen_to_edge(photo, tight)
    assert np.array_equal(widen_to_edge(photo.astype(np.uint16) * 257, tight), expected)
    void = np.zeros_like(cover)
    void[:, 150:] = True
    hidden = photo.copy()
    hidden[void] = 0
    taken = widen_to_edge(hidden, tight, void)
    assert not (taken & void & ~tight).any()
    other = photo.copy()
    other[void] = 255
    assert np.array_equal(widen_to_edge(other, tight, void), taken)


def test_an_empty_mask_a_full_one_and_specks() -> None:
    photo, cover = disc((220, 40, 30))
    empty = np.zeros_like(cover)
    assert not widen_to_edge(photo, empty).any()
    assert widen_to_edge(photo, ~empty).all()
    specks = empty.copy()
    specks[::50, ::50] = True
    grown = widen_to_edge(photo, specks)
    assert (specks <= grown).all()
    tiny = cv2.resize(photo, (3, 2))
    assert widen_to_edge(tiny, np.array([[True, False, False], [False, False, False]])).any()


def test_a_large_hole_takes_little_memory() -> None:
    """Bytes a pixel of its box, whatever the size: a run tells its user how much it needs."""
    rgb, mask = np.full((700, 900, 3), 120, np.uint8), np.zeros((700, 900), bool)
    cv2.line(view := mask.view(np.uint8), (20, 20), (880, 680), 1, 20)
    rgb[view > 0] = (200, 40, 40)
    tracemalloc.start()
    try:
        widen_to_edge(rgb, mask)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40 * mask.size


def test_what_is_removed_for_another_reason_is_not_left() -> None:
    """A mask ends inside its object, whose rest goes too, as a shadow of like colour does."""
    yy, xx = np.mgrid[:200, :240]
    whole = np.hypot(yy - 100, xx - 120) < 30
    tight = depth_inside(whole) > 4
    photo, box = painted(whole), Box.bounding(tight)
    share, _, alike = beside(photo, tight, box)
    assert share > 0.9
    assert alike.any()
    half = whole & (xx >= 120)
    assert beside(photo, tight, box, gone=half)[0] == pytest.approx(share / 2, abs=0.1)
    share, _, alike = beside(photo, tight, box, gone=whole)
    assert share == 0
    assert not alike.any()
