"""Which pixels are removed. The prefilter has tests in ``tests/pipeline/detect``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings, auto_dilate
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Photo
from tests.support.scenes import scene, two_people


def test_a_given_mask_is_not_dilated_unless_a_radius_is_given(red_is_person: None) -> None:
    remover, photo = ObjectRemover(Settings(probe=False)), Photo(two_people())
    mask = np.zeros(photo.size, bool)
    mask[20:40, 30:60] = True
    given = remover.select(photo, Removal.from_settings(remover.settings, mask=mask))
    assert np.array_equal(given.hole_mask, mask)
    wider = replace(remover.settings, dilate=3)
    selection = remover.select(photo, Removal.from_settings(wider, mask=mask))
    assert selection.hole_mask.sum() > mask.sum()


def test_a_segmented_mask_is_dilated_and_its_class_share_is_not(red_is_person: None) -> None:
    remover, photo = ObjectRemover(Settings()), Photo(two_people())
    selection = remover.select(photo, Removal.from_settings(remover.settings, ["person"]))
    assert selection.classes == {"person": pytest.approx(1800 / photo.rgb[..., 0].size, rel=0.05)}
    assert auto_dilate(*photo.size) == 3
    assert selection.hole_mask.sum() > 1800
    assert selection.share == selection.hole_mask.mean()
    assert [hole.box.h for hole in selection.holes] == [36, 36]
    assert selection.probability is not None
    assert selection.why_empty == ""


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
