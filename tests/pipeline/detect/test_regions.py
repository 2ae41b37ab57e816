"""Regions of like colour beside a hole: which of them seem to belong to what is gone."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.detect import regions
from remove_objects.pipeline.detect.leftovers import Gone, View, goes_on
from remove_objects.pipeline.types import Box, Mask

SIZE = (160, 160)
GRASS, COAT, POST = (90, 140, 70), (150, 80, 40), (120, 120, 125)
HOLE = Box(50, 20, 60, 70)
#: The legs below the hole, and a post that touches its side.
LEGS, STANDING = (Box(60, 90, 12, 40), Box(88, 90, 12, 40)), Box(110, 0, 12, 160)


def area(*boxes: Box) -> Mask:
    """HW bool, True in some boxes."""
    mask = np.zeros(SIZE, bool)
    for box in boxes:
        mask[box.slices] = True
    return mask


def photo() -> np.ndarray:
    """A dark animal on grass beside a post, HWC uint8."""
    rgb = np.full((*SIZE, 3), GRASS, np.uint8)
    rgb[area(STANDING)] = POST
    rgb[area(Box(56, 26, 48, 64), *LEGS)] = COAT
    noise = np.random.default_rng(0).integers(-4, 5, rgb.shape)
    return (rgb + noise).astype(np.uint8)


def view(*parts: tuple[Mask, float]) -> View:
    """A view of the whole photo: where a horse is seen, and how surely."""
    maps = np.zeros((len(CATEGORIES), *SIZE), np.float32)
    for mask, probability in parts:
        maps[CATEGORIES.index("horse")][mask] = probability
    maps[0] = 1 - maps.sum(0)
    return View(Box.full(SIZE), maps)


def gone(stays: Mask | None = None) -> Gone:
    return Gone(("horse",), area(HOLE), np.zeros(SIZE, bool) if stays is None else stays, 0.5)


#: The legs are no surer than the post.
FAINT = view((area(HOLE), 0.8), (area(*LEGS, STANDING), 0.5))


@pytest.mark.parametrize("depth", [8, 16])
def test_legs_that_the_segmenter_hardly_sees_are_found_and_the_post_is_not(depth: int) -> None:
    rgb = photo() if depth == 8 else photo().astype(np.uint16) * 257
    assert goes_on(FAINT, FAINT, gone()) == []
    found = regions.regions_left(rgb, FAINT, gone())
    assert found
    covered = np.zeros(SIZE, bool)
    for left in found:
        assert (left.beside, left.fillable) == (True, True)
        assert left.why == "something of the horse seems to be left"
        covered[left.box.slices] |= left.mask
    legs = area(*LEGS)
    assert (covered & legs).sum() > 0.8 * legs.sum()
    assert (covered & ~legs).sum() < 0.2 * legs.sum()


def test_what_stays_and_what_the_mask_holds_whole_is_no_place() -> None:
    assert regions.regions_left(photo(), FAINT, gone(stays=area(*LEGS))) == []
    alone = photo()
    alone[area(*LEGS)] = GRASS
    assert regions.regions_left(alone, FAINT, gone()) == []


def test_a_crop_that_is_all_hole_has_no_region() -> None:
    whole = Gone(("horse",), np.ones(SIZE, bool), np.zeros(SIZE, bool), 0.5)
    assert regions.regions_left(photo(), FAINT, whole) == []


def test_a_picture_is_divided_by_its_colours_and_specks_join_their_neighbours() -> None:
    lab = np.zeros((40, 40, 3), np.float32)
    lab[:, 20:] = (80, 0, 0)
    lab[5:7, 5:7] = (60, 40, 0)
    for labels in regions.divided(lab):
        assert labels.max() == 1
        assert (labels[:, :20] == labels[0, 0]).all()
        assert (labels[:, 20:] == labels[0, 39]).all()
