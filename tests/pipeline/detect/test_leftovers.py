"""What a view shows of a removed object: beside its hole, far from it, and in the fill."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.detect import leftovers
from remove_objects.pipeline.detect.leftovers import Gone, Traits, View
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.types import Box, Mask

SIZE = (200, 260)
FULL = Box.full(SIZE)


def area(x: int, y: int, w: int, h: int) -> Mask:
    """HW bool, True in a box."""
    mask = np.zeros(SIZE, bool)
    mask[y : y + h, x : x + w] = True
    return mask


def view(**seen: tuple[Mask, float]) -> View:
    """A view of a whole picture: by class the pixels, and the probability there."""
    maps = np.zeros((len(CATEGORIES), *SIZE), np.float32)
    for name, (mask, probability) in seen.items():
        maps[CATEGORIES.index(name)] = np.where(mask, probability, 0)
    maps[0] = 1 - maps.sum(0)
    return View(FULL, maps)


def gone(holes: Mask, *classes: str, stays: Mask | None = None, threshold: float = 0.5) -> Gone:
    return Gone(classes, holes, np.zeros(SIZE, bool) if stays is None else stays, threshold)


HOLE = area(80, 40, 60, 80)


def test_where_the_object_goes_on_below_its_hole_is_a_place() -> None:
    photo = view(person=(area(80, 40, 60, 110), 0.95))
    (left,) = leftovers.distinct(leftovers.goes_on(photo, photo, gone(HOLE, "person")), SIZE)
    assert left.box == Box(80, 120, 60, 30)
    assert (left.beside, left.fillable) == (True, True)
    assert left.why == "something of the person seems to be left"
    assert left.share == pytest.approx(30 / 110, abs=0.005)


def test_what_stays_and_what_is_faint_or_tiny_is_no_place() -> None:
    whole = view(person=(area(82, 42, 56, 76), 0.95))
    assert leftovers.goes_on(whole, whole, gone(HOLE, "person")) == []
    faint = view(person=(area(80, 40, 60, 110), 0.2))
    assert leftovers.goes_on(faint, faint, gone(HOLE, "person")) == []
    speck = view(person=(HOLE | area(100, 120, 8, 6), 0.95))
    assert leftovers.goes_on(speck, speck, gone(HOLE, "person")) == []
    legs = view(person=(area(80, 40, 60, 110), 0.95))
    dog = area(80, 120, 60, 30)
    assert leftovers.goes_on(legs, legs, gone(HOLE, "person", stays=dog)) == []


def test_a_part_that_looks_like_a_similar_class_counts() -> None:
    """The segmenter takes half of the horse for a cow, and its legs for a cow's."""
    photo = view(horse=(area(80, 40, 60, 40), 0.95), cow=(area(80, 80, 60, 70), 0.95))
    found = leftovers.distinct(leftovers.goes_on(photo, photo, gone(HOLE, "horse")), SIZE)
    assert [left.box for left in found] == [Box(80, 120, 60, 30)]
    other = view(horse=(area(80, 40, 60, 40), 0.95), car=(area(80, 80, 60, 70), 0.95))
    assert leftovers.goes_on(other, other, gone(HOLE, "horse")) == []


def test_the_result_shows_another_object_and_a_fill_that_looks_like_one() -> None:
    photo = view(dog=(HOLE, 0.95))
    apart = area(200, 60, 40, 60)
    result = view(dog=(apart | area(90, 50, 40, 60), 0.95))
    elsewhere = leftovers.elsewhere(result, photo, gone(HOLE, "dog"))
    (other,) = leftovers.distinct(elsewhere, SIZE)
    assert (other.box, other.beside) == (Box(200, 60, 40, 60), False)
    assert other.why == "another dog seems to be there"
    found = leftovers.seen_again(result, photo, result, gone(HOLE, "dog"))
    (again,) = [left for left in found if not left.fillable]
    assert again.why == "the fill looks like a dog"
    assert HOLE[again.box.slices][again.mask].all()


def test_the_class_under_a_mask_is_not_the_one_around_it() -> None:
    """A driver in a bus: the bus goes on all around, the driver ends in the hole."""
    bus = view(bus=(np.ones(SIZE, bool), 0.9))
    assert leftovers.classes_under([bus], HOLE) == ()
    driver = view(bus=(~HOLE, 0.9), person=(HOLE, 0.9))
    assert leftovers.classes_under([driver], HOLE) == ("person",)
    half = view(person=(area(80, 40, 60, 130), 0.9))
    assert leftovers.classes_under([half], HOLE) == ("person",)
    assert leftovers.classes_under([view()], HOLE) == ()


def test_of_places_that_overlap_the_surest_stays_and_the_largest_comes_first() -> None:
    traits = Traits(0.9, 0.9, -1.0, 0.9)
    whole = np.ones((40, 40), bool)
    unsure = leftovers.Left(Box(10, 10, 40, 40), whole, "a", 0.5, traits=traits._replace(mean=0.5))
    sure = leftovers.Left(Box(12, 12, 40, 40), whole, "b", 0.4, traits=traits)
    large = leftovers.Left(Box(100, 10, 40, 40), whole, "c", 0.6, traits=traits)
    assert leftovers.distinct([unsure, sure, large], SIZE) == [large, sure]


def test_a_crop_around_nearly_all_of_the_photo_is_the_photo() -> None:
    (hole,) = find_holes(area(20, 10, 200, 160))
    assert leftovers.crops_around([hole], *SIZE) == [FULL]
    (small,) = find_holes(area(100, 80, 20, 20))
    (crop,) = leftovers.crops_around([small], *SIZE)
    assert crop.w == crop.h == 96
    assert crop.intersection(small.box) == small.box


@pytest.mark.parametrize(
    "crop", [Box(0, 0, 900, 700), Box(333, 111, 402, 513), Box(20, 30, 97, 96)]
)
def test_a_place_of_a_view_is_where_the_enlarged_view_shows_it(crop: Box) -> None:
    holes = np.zeros((700, 900), bool)
    holes[300:400, 350:480] = True
    each = View(crop, np.zeros((21, 129, 97), np.float32))
    yy, xx = np.mgrid[:129, :97]
    here = np.hypot(yy - 60, xx - 50) < 25
    left = leftovers.as_place(each, here, holes, "something")
    assert left is not None
    enlarged = cv2.resize(here.astype(np.float32), (crop.w, crop.h)) >= 0.5
    whole = np.zeros_like(holes)
    whole[crop.slices] = enlarged
    whole &= ~holes
    found = np.zeros_like(holes)
    found[left.box.slices] = left.mask
    # OpenCV interpolates in 32nds of a pixel.
    assert (found ^ whole).sum() <= 0.01 * whole.sum()
    assert left.box == Box.bounding(found)
