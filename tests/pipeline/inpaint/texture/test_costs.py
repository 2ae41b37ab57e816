"""Costs of offsets against their definition."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import costs as module
from remove_objects.pipeline.types import Box
from tests.support.textures import known_outside, tiles

#: Offsets in every direction; from the hole below, the last leads over the picture's border.
OFFSETS = np.array([(0, 20), (-20, 0), (20, 20), (3, -7), (-60, 0)])


def costs_of(picture: np.ndarray, known_mask: np.ndarray, *, fine: bool = True) -> module.Costs:
    """The costs of ``OFFSETS`` with the true picture as the guide."""
    return module.offset_costs(picture, known_mask, ~known_mask, picture, OFFSETS, fine=fine)


def test_the_frame_holds_the_hole_in_whole_blocks() -> None:
    picture = tiles(70, 90, 20)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs = costs_of(picture, known_mask)
    assert costs.frame.w % module.BLOCK == costs.frame.h % module.BLOCK == 0
    assert costs.hole_mask.shape == costs.known_mask.shape == (costs.frame.h, costs.frame.w)
    assert Box.bounding(costs.hole_mask).shifted(costs.frame.y, costs.frame.x) == Box(42, 31, 9, 13)
    assert np.array_equal(costs.known_mask, ~costs.hole_mask)
    crop = np.where(known_mask[..., None], picture, 0)[costs.frame.slices]
    assert np.array_equal(costs.picture, crop)


@pytest.mark.parametrize("corner", [(0, 0), (48, 71)])
def test_places_outside_the_picture_are_neither_hole_nor_known(corner: tuple[int, int]) -> None:
    picture = tiles(70, 90, 20)
    costs = costs_of(picture, known_outside(picture, *corner, 22, 19))
    inside = costs.frame.intersection(Box.full(picture.shape)).relative_to(costs.frame)
    outside = np.ones(costs.hole_mask.shape, bool)
    outside[inside.slices] = False
    assert not (costs.hole_mask | costs.known_mask)[outside].any()
    assert (costs.hole_mask | costs.known_mask)[inside.slices].all()


def test_sources_are_the_pictures_pixels_at_the_offset() -> None:
    picture = np.random.default_rng(1).random((70, 90, 3)).astype(np.float32)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs = costs_of(picture, known_mask)
    for k, (dy, dx) in enumerate(OFFSETS.tolist()):
        for y, x in np.argwhere(costs.hole_mask)[::11].tolist():
            sy, sx = y + costs.frame.y + dy, x + costs.frame.x + dx
            legal = 0 <= sy < 70 and 0 <= sx < 90 and known_mask[sy, sx]
            place = np.array([k]), np.array([y]), np.array([x])
            assert costs.index.legal(*place)[0] == legal
            if legal:
                assert np.array_equal(costs.index.sources(*place)[0], picture[sy, sx])


@pytest.mark.parametrize("fine", [False, True])
def test_the_costs_are_those_of_their_definition(fine: bool) -> None:
    """The rim's misfit, the guide's colour at its blurs, the price of height, the unknown share."""
    rng = np.random.default_rng(5)
    picture = cv2.GaussianBlur(rng.random((70, 90, 3)).astype(np.float32), (0, 0), 1)
    guide = cv2.GaussianBlur(rng.random((70, 90, 3)).astype(np.float32), (0, 0), 3)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    known_mask[20:24, 60:64] = False
    hole_mask = known_outside(picture, 31, 42, 13, 9) ^ True
    offsets = np.array([(3, 21), (-14, 0), (5, -17), (-20, 31)])
    costs = module.offset_costs(picture, known_mask, hole_mask, guide, offsets, fine=fine)
    far = 60
    wide = np.pad(np.where(known_mask[..., None], picture, 0), ((far, far), (far, far), (0, 0)))
    wide_known = np.pad(known_mask, far).astype(np.float32)
    # The frame's place in the picture: that of the hole with two blocks around it.
    box = Box.bounding(hole_mask).grown(2 * module.BLOCK, hole_mask.shape)
    top, left = box.y + far, box.x + far
    rows = costs.hole_mask.shape

    def moved(plane: np.ndarray, dy: int = 0, dx: int = 0) -> np.ndarray:
        return plane[top + dy :, left + dx :][: rows[0], : rows[1]]

    def halved(plane: np.ndarray) -> np.ndarray:
        return plane.reshape(rows[0] // 2, 2, rows[1] // 2, 2).mean((1, 3))

    depth = cv2.distanceTransform(costs.hole_mask.astype(np.uint8), cv2.DIST_L2, 3)
    here, here_known = moved(wide), moved(wide_known)
    share = cv2.GaussianBlur(halved(here_known), (0, 0), module.RIM_REACH / 2)
    weight = halved(module.RIM * np.exp(-depth / module.RIM_REACH)) / np.maximum(share, 1e-3)
    scales = [(module.GUIDE, module.GUIDE_SMOOTH)]
    if fine:
        near = module.FINE * np.exp(-depth[::2, ::2] / module.FINE_REACH)
        scales.append((near, module.FINE_SMOOTH))
    inside = halved(costs.hole_mask) > 0
    for found, (dy, dx) in zip(costs.unary, offsets.tolist(), strict=True):
        legal = moved(wide_known, dy, dx)
        both = here_known * legal
        differs = np.minimum(np.abs(here - moved(wide, dy, dx)).sum(2), 3 * module.TRUNCATED)
        blurred = [
            cv2.GaussianBlur(halved(plane), (0, 0), module.RIM_REACH / 2)
            for plane in (differs * both / 3, both)
        ]
        cost = weight * (blurred[0] + module.TRUNCATED / 2 * (share - blurred[1]))
        cost += module.UPRIGHT * abs(dy) / 90 + module.IMPOSSIBLE * halved(1 - legal)
        for of_guide, sigma in scales:
            covered = np.maximum(
                cv2.GaussianBlur(wide_known[far:-far, far:-far], (0, 0), sigma), 1e-3
            )
            smooth = cv2.GaussianBlur(wide[far:-far, far:-far], (0, 0), sigma) / covered[..., None]
            smooth = np.pad(smooth, ((far, far), (far, far), (0, 0)))
            wanted = cv2.GaussianBlur(guide, (0, 0), sigma / 2)
            wanted = np.pad(wanted, ((far, far), (far, far), (0, 0)))
            colour = np.abs(moved(wanted) - moved(smooth, dy, dx))[::2, ::2].mean(2)
            cost += of_guide * np.minimum(colour, module.TRUNCATED)
        assert np.abs(found - cost)[inside].max() < 1e-3


@pytest.mark.parametrize("fine", [False, True])
def test_offsets_by_a_period_cost_least_and_illegal_ones_most(fine: bool) -> None:
    picture = tiles(70, 90, 20)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs = costs_of(picture, known_mask, fine=fine)
    covered = module.halved(costs.hole_mask) > 0
    assert (costs.unary[:, ~covered] == 0).all()
    mean = costs.unary[:, covered].mean(1)
    assert mean[:3].max() < mean[3]
    assert mean[4] > module.IMPOSSIBLE / 2


def test_of_equal_sources_the_one_beside_costs_less_than_the_one_above() -> None:
    picture = np.full((140, 180, 3), 0.5, np.float32)
    known_mask = known_outside(picture, 61, 82, 13, 9)
    offsets = np.array([(0, 40), (-40, 0)])
    costs = module.offset_costs(picture, known_mask, ~known_mask, picture, offsets, fine=True)
    covered = module.halved(costs.hole_mask) > 0
    beside, above = costs.unary[:, covered]
    assert np.allclose(above - beside, module.UPRIGHT * 40 / 180, atol=1e-5)


#: Four offsets that repeat tiles of 20 pixels, and twenty that do not.
REPEATING = np.array(
    [(0, 60), (0, -60), (40, 0), (-40, 0)]
    + [(dy, dx) for dy in (-33, -7, 7, 33) for dx in (-53, -31, 11, 31, 53)]
)


def costs_around(picture: np.ndarray) -> module.Costs:
    """The costs of ``REPEATING`` at a hole whose guide shows nothing."""
    known_mask = known_outside(picture, 60, 72, 44, 46)
    grey = np.full(picture.shape, picture.mean(), np.float32)
    return module.offset_costs(picture, known_mask, ~known_mask, grey, REPEATING, fine=False)


def test_deep_in_a_hole_an_offset_that_explains_the_surroundings_costs_less() -> None:
    """Neither the rim nor a guide that shows nothing tells them apart there."""
    unary = costs_around(tiles(160, 190, 20)).unary
    y, x = (side // 2 for side in unary.shape[1:])
    deep = unary[:, y - 2 : y + 2, x - 2 : x + 2]
    assert (deep[4:].min(0) - deep[0]).min() > 0.05


def test_where_nothing_repeats_the_surroundings_decide_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of grass, one offset explains what lies beside the hole as well as another."""
    grass = np.random.default_rng(8).random((160, 190, 3)).astype(np.float32)
    priced = costs_around(grass).unary
    monkeypatch.setattr(module, "SURROUNDINGS", 0.0)
    assert np.array_equal(priced, costs_around(grass).unary)
    assert not np.array_equal(priced, costs_around(tiles(160, 190, 20)).unary)


def test_the_mean_difference_is_numpys() -> None:
    a, b = np.random.default_rng(2).random((2, 5, 7, 3)).astype(np.float32)
    assert np.allclose(module.mean_difference(a, b), np.abs(a - b).mean(2), atol=1e-7)
