"""The objects that a click picks: all classes, and one person of two who touch."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.detect.instances import PLACES, Votes
from remove_objects.pipeline.removal.clickable import PackedMask, clickable_objects, object_at
from remove_objects.pipeline.types import Box
from tests.support.box_segmenter import BoxSegmenter
from tests.support.scenes import scene


class InHalves:
    """Divides what it sees in the middle, into a left and a right person."""

    def votes(self, views: np.ndarray, masks: np.ndarray) -> Votes:
        height, width = views.shape[1:3]
        boxes = np.zeros((1, 4, height // PLACES, width // PLACES), np.float32)
        is_left = np.arange(width) < width / 2
        for one in (masks[0] & is_left, masks[0] & ~is_left):
            box = Box.bounding(one)
            place = one[PLACES // 2 :: PLACES, PLACES // 2 :: PLACES]
            boxes[0][:, place] = np.array([[box.x], [box.y], [box.right], [box.bottom]])
        sure = np.ones(boxes[:, 0].shape, np.float32)
        return Votes(boxes, sure, sure)


def networks(instances: Any = None) -> Any:
    segmenter = BoxSegmenter()
    return SimpleNamespace(
        segmenter=segmenter,
        closer=segmenter,
        detector=None,
        refiner=None,
        instances=instances,
        own_classes=(),
    )


def pixels(packed: PackedMask, shape: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[packed.box.slices] = packed.unpack()
    return mask


def test_each_of_two_people_who_touch_has_its_own_pixels() -> None:
    picture = scene(person=None)
    picture[40:100, 60:100] = (255, 0, 0)
    found = clickable_objects(picture, 0.5, networks(InHalves()))
    assert [each.found.category for each in found] == ["person", "person"]
    left, right = object_at(found, 70, 50), object_at(found, 90.5, 50)
    assert left is not None
    assert right is not None
    assert left is not right
    size = picture.shape[:2]
    own, hole = pixels(left.own, size), pixels(left.hole, size)
    assert own.sum() == pytest.approx(60 * 20, rel=0.1)
    assert hole[40:100, 57:60].all()  # a little around it is removed with it,
    assert not (hole & pixels(right.own, size)).any()  # and nothing of the other one.
    assert not (hole & pixels(right.hole, size)).any()
    # Together they are what a run removes of both.
    alone = clickable_objects(picture, 0.5, networks())
    assert len(alone) == 1
    assert np.array_equal(hole | pixels(right.hole, size), pixels(alone[0].hole, size))


def test_every_class_is_found_and_the_smallest_is_clicked() -> None:
    picture = scene(person=(60, 40, 20, 30))
    picture[50:60, 64:72] = picture[90:110, 20:50] = (0, 0, 255)  # a dog on a lap, and one apart
    found = clickable_objects(picture, 0.5, networks())
    assert [(each.found.number, each.found.category) for each in found] == [
        (1, "dog"),
        (2, "person"),
        (3, "dog"),
    ]
    at = {place: object_at(found, *place) for place in ((30, 100), (61, 41), (66, 55), (58, 41))}
    assert [None if each is None else each.found.number for each in at.values()] == [1, 2, 3, 2]
    assert object_at(found, 140, 10) is None
    assert object_at(found, -1, 500) is None


def test_what_is_no_picture_goes_with_nothing() -> None:
    picture = scene()
    outside = np.zeros(picture.shape[:2], bool)
    outside[:50] = True
    (one,) = clickable_objects(picture, 0.5, networks(), outside)
    assert not (pixels(one.hole, outside.shape) & outside).any()
    moved = one.shifted(Box(10, 20, 160, 120), (200, 300))
    assert moved.hole.box == one.hole.box.shifted(20, 10)
    assert moved.found.share == pytest.approx(one.found.share * 160 * 120 / 60_000)
    assert not clickable_objects(scene(person=None), 0.5, networks())
