"""Whether two small pictures may be of one place."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.batch.likeness import are_alike, outlines
from tests.support.hand_held import held, place, with_person


def small(picture: np.ndarray) -> np.ndarray:
    size = (96, 72) if picture.shape[1] > picture.shape[0] else (72, 96)
    return outlines(
        cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_AREA)
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_hand_that_moved_and_people_who_walked_change_nothing(seed: int) -> None:
    here = with_person(place(seed), 40)
    there = with_person(held(place(seed), 14, 9, 2.0), 200)
    assert are_alike(small(here), small(there))
    assert are_alike(small(there), small(here))


@pytest.mark.parametrize(("gain", "gamma"), [(0.6, 1.0), (1.3, 1.0), (1.0, 1.4)])
def test_another_light_changes_nothing(gain: float, gamma: float) -> None:
    lit = (255 * (gain * place() / 255.0).clip(0, 1) ** gamma).astype(np.uint8)
    assert are_alike(small(place()), small(lit))


def test_other_places_are_not_alike() -> None:
    pictures = [small(place(seed)) for seed in range(12)]
    pairs = [(a, b) for i, a in enumerate(pictures) for b in pictures[:i]]
    assert not any(are_alike(a, b) for a, b in pairs)


def test_a_photo_that_is_turned_is_compared_in_its_middle() -> None:
    whole = place(3, 320, 320)
    assert are_alike(small(whole[40:280]), small(whole[:, 40:280]))
    assert not are_alike(small(whole[40:280]), small(place(4, 320, 320)[:, 40:280]))


def test_what_has_no_detail_is_like_nothing() -> None:
    sky = np.full((240, 320, 3), 180, np.uint8)
    assert not are_alike(small(sky), small(sky))
