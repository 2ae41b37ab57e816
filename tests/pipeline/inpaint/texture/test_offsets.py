"""The offsets that a picture's own patches vote for."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import labelling, offsets
from remove_objects.pipeline.inpaint.texture.offsets import (
    DIFFERENT,
    candidate_offsets,
    unexplained,
)
from tests.support.textures import known_outside, tiles


def candidates(picture: np.ndarray, known_mask: np.ndarray, seed: int = 0) -> np.ndarray:
    """Candidate offsets with grey as the guide."""
    guided = np.where(known_mask[..., None], picture, 0.5).astype(np.float32)
    return candidate_offsets(guided, known_mask, ~known_mask, np.random.default_rng(seed))


def test_offsets_are_the_period_of_the_texture() -> None:
    picture = tiles(100, 120, 20)
    voted = candidates(picture, known_outside(picture, 30, 30, 40, 50))
    assert len(voted)
    assert np.abs(voted).sum(1).min() > 0
    surroundings = [o for o in voted.tolist() if o[0] % 20 == 0 and o[1] % 20 == 0]
    assert len(surroundings) >= 3


def test_offsets_are_distinct_and_the_same_for_the_same_seed() -> None:
    picture = np.random.default_rng(3).random((90, 110, 3)).astype(np.float32)
    known_mask = known_outside(picture, 30, 40, 30, 30)
    first = candidates(picture, known_mask, seed=1)
    assert np.array_equal(first, candidates(picture, known_mask, seed=1))
    assert len(np.unique(first, axis=0)) == len(first)
    assert len(first) <= offsets.OF_HOLE + offsets.OF_SURROUNDINGS


def test_each_offset_leads_some_hole_pixel_or_its_surroundings_to_a_known_one() -> None:
    picture = np.random.default_rng(4).random((60, 80, 3)).astype(np.float32)
    known_mask = known_outside(picture, 20, 0, 20, 30)
    places = np.argwhere(np.ones_like(known_mask))
    for offset in candidates(picture, known_mask):
        source = places + offset
        inside = ((source >= 0) & (source < known_mask.shape)).all(1)
        assert known_mask[tuple(source[inside].T)].any()


def test_nothing_known_gives_no_offset() -> None:
    nothing = np.zeros((40, 40), bool)
    assert candidates(np.zeros((40, 40, 3), np.float32), nothing).shape == (0, 2)


def test_without_whole_patches_single_known_pixels_are_candidates() -> None:
    picture = tiles(40, 40, 10)
    known_mask = np.zeros((40, 40), bool)
    known_mask[:5] = True  # narrower than a patch
    voted = candidates(picture, known_mask)
    assert len(voted)
    assert (voted[:, 0] < 0).all()  # every hole pixel lies below the known rows


def test_the_surroundings_offsets_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsets, "OF_HOLE", 0)
    picture = tiles(120, 120, 7)
    voted = candidates(picture, known_outside(picture, 40, 40, 40, 40))
    assert len(voted)
    # Votes are smoothed, so a peak may lie a pixel from the offsets that voted for it.
    assert np.hypot(*voted.T).min() >= offsets.LEAST_LENGTH * 120 - 1


def test_the_nearest_candidate_is_that_of_a_search_over_all_pairs() -> None:
    rng = np.random.default_rng(5)
    queries, known = (rng.random((n, 6)).astype(np.float32) for n in (300, 200))
    expected = ((queries[:, None] - known) ** 2).sum(2).argmin(1)
    assert np.array_equal(offsets._nearest(queries, known), expected)


def test_candidates_that_are_too_near_are_excluded() -> None:
    rng = np.random.default_rng(6)
    queries, known = (rng.random((n, 6)).astype(np.float32) for n in (50, 40))
    places, known_places = (rng.uniform(0, 100, (n, 2)).astype(np.float32) for n in (50, 40))
    distance = np.hypot(*(places[:, None] - known_places).transpose(2, 0, 1))
    cost = np.where(distance < 30, np.inf, ((queries[:, None] - known) ** 2).sum(2))
    nearest = offsets._nearest(queries, known, (places, known_places, 30.0))
    assert np.array_equal(nearest, cost.argmin(1))


def test_peaks_are_the_most_frequent_votes_most_frequent_first() -> None:
    votes = np.array([(5, -7)] * 9 + [(-12, 3)] * 6 + [(20, 20)] * 2)
    assert offsets._peaks(votes, (40, 50), 2).tolist() == [[5, -7], [-12, 3]]


def test_what_is_no_part_of_the_photo_is_neither_filled_nor_copied() -> None:
    picture = tiles(80, 120, 16)
    known_mask = known_outside(picture, 30, 40, 20, 24)
    hole_mask = ~known_mask
    known_mask[:, 90:] = False  # outside, such as beside a picture that is seen at an angle
    offsets = candidate_offsets(picture, known_mask, hole_mask, np.random.default_rng(0))
    costs, labels = labelling.label(picture, known_mask, hole_mask, picture, offsets)
    assert costs.frame.right < 90
    ys, xs = np.nonzero(labels >= 0)
    assert len(ys) == hole_mask.sum()
    dy, dx = offsets[labels[ys, xs]].T
    assert known_mask[ys + dy + costs.frame.y, xs + dx + costs.frame.x].all()


def test_a_pattern_that_repeats_is_explained_and_noise_is_not() -> None:
    pattern = tiles(128, 128, 18)
    noise = np.random.default_rng(0).random((128, 128, 3)).astype(np.float32)
    known_mask = known_outside(pattern, 40, 40, 40, 30)
    errors = []
    for picture in (pattern, noise):
        blank = np.where(known_mask[..., None], picture, np.nan)
        offsets = candidates(picture, known_mask)
        errors.append(unexplained(blank, known_mask, ~known_mask, offsets))
    assert errors[0] < 0.01 < 0.05 < errors[1]


def test_offsets_within_the_hole_explain_nothing() -> None:
    """A step of one pixel nearly repeats any smooth picture, and fills no hole."""
    picture = np.tile(np.linspace(0, 1, 128, dtype=np.float32)[None, :, None], (128, 1, 3))
    known_mask = known_outside(picture, 40, 40, 40, 40)
    short, long = (
        unexplained(picture, known_mask, ~known_mask, np.array([(0, dx)])) for dx in (1, 40)
    )
    assert short == DIFFERENT
    assert long < DIFFERENT
