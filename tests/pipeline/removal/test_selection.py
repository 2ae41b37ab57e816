"""Which pixels are removed. The prefilter has tests in ``tests/pipeline/detect``."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.config import Settings, auto_dilate
from remove_objects.pipeline.detect import mask
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import select
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Mask, Photo
from tests.support.scenes import scene, two_people


def test_a_given_mask_is_widened_to_the_edge_evenly_or_not_at_all(red_is_person: None) -> None:
    remover, photo = ObjectRemover(Settings(probe=False)), Photo(two_people())
    person = (photo.rgb == (255, 0, 0)).all(2)
    tight = cv2.erode(person.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0

    def selected(dilate: int | None) -> Mask:
        settings = replace(remover.settings, dilate=dilate)
        return remover.select(photo, Removal.from_settings(settings, mask=tight)).hole_mask

    assert np.array_equal(selected(0), tight)
    assert np.array_equal(selected(3), mask.dilate(tight, 3))
    to_edge = selected(None)
    assert not (person & ~to_edge).any()
    assert not (to_edge & ~mask.dilate(person, 2)).any()


def test_a_segmented_mask_is_dilated_and_its_class_share_is_not(red_is_person: None) -> None:
    remover, photo = ObjectRemover(Settings()), Photo(two_people())
    selection = remover.select(photo, Removal.from_settings(remover.settings, ["person"]))
    assert selection.classes == {"person": pytest.approx(1800 / photo.rgb[..., 0].size, rel=0.05)}
    assert auto_dilate(*photo.size) == 3
    assert selection.hole_mask.sum() > 1800
    assert selection.share == selection.hole_mask.mean()
    assert [hole.box.h for hole in selection.holes] == [36, 36]
    assert selection.why_empty == ""


@pytest.mark.parametrize("dilate", [None, 0, 6])
def test_where_there_is_a_refiner_the_mask_follows_it(
    dilate: int | None, red_is_person: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class LeftHalf:
        """Whatever was found, only the left half of the crop's red is the object."""

        def alphas(self, crops: np.ndarray, coarse: np.ndarray) -> np.ndarray:
            red = (crops[..., 0] > 200) & (crops[..., 1] < 60)
            red[..., red.shape[2] // 2 :] = False
            return red.astype(np.float32)

    monkeypatch.setattr(Networks, "refiner", LeftHalf())
    photo = Photo(scene(160, 240, person=(100, 40, 40, 60)))
    settings = Settings(dilate=dilate)
    removal = Removal.from_settings(settings, ["person"])
    # The selection alone: a second look would see that the right half is left, and widen the hole.
    hole_mask = select(photo.rgb, removal, ObjectRemover(settings).networks).hole_mask
    left = np.zeros(photo.size, bool)
    left[40:100, 100:120] = True
    assert not (mask.dilate(left, (dilate or 0) - 2) & ~hole_mask).any()
    widest = 6 if dilate is None else dilate + 2
    assert not (hole_mask & ~mask.dilate(left, widest)).any()


def test_an_empty_selection_says_why(red_is_person: None) -> None:
    remover, photo = ObjectRemover(Settings()), Photo(scene(person=None))
    nothing = remover.select(photo, Removal.from_settings(Settings(), ["person", "dog"]))
    assert nothing.why_empty == "no person or dog was found"
    given = remover.select(
        photo, Removal.from_settings(Settings(), mask=np.zeros(photo.size, bool))
    )
    assert given.why_empty == "the mask is empty"
    assert not nothing.holes
    assert not given.holes
    assert nothing.classes == given.classes == {}
