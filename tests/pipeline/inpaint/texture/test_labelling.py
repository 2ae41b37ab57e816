"""Labels of blocks and pixels against exhaustive search; costs against their definition."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import labelling
from remove_objects.pipeline.types import Box
from tests.support.costs import stacked_costs
from tests.support.textures import known_outside, tiles


def test_belief_propagation_finds_the_cheapest_row_of_blocks() -> None:
    """A row of blocks is a chain, on which min-sum is exact: the labels have the least energy."""
    rng, b = np.random.default_rng(4), labelling.BLOCK
    for _ in range(10):
        count, blocks = 3, 4
        sources = _whole_levels(rng, (count, b, blocks * b, 3))
        unary = rng.random((count, b // 2, blocks * b // 2)).astype(np.float32) * 0.6
        costs = stacked_costs(sources, unary, np.ones((b, blocks * b), bool))
        labels = labelling.label_blocks(costs)[0, ::b]

        def total(
            row: tuple[int, ...], unary: np.ndarray = unary, sources: np.ndarray = sources
        ) -> float:
            cost = sum(
                float(unary[k, :, i * b // 2 : (i + 1) * b // 2].mean()) for i, k in enumerate(row)
            )
            for i, (a, c) in enumerate(itertools.pairwise(row)):
                border = slice((i + 1) * b - 1, (i + 1) * b + 1)
                rms = float(np.sqrt(((sources[a][:, border] - sources[c][:, border]) ** 2).mean()))
                cost += 0 if a == c else 2 * labelling.SEAM * rms + labelling.ANY_SEAM
            return cost

        best = min(itertools.product(range(count), repeat=blocks), key=total)
        assert total(tuple(labels.tolist())) == pytest.approx(total(best), abs=1e-5)


def _whole_levels(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    levels = rng.integers(0, labelling.LEVELS + 1, shape)
    return (levels / labelling.LEVELS).astype(np.float32)


def test_of_offsets_that_cost_the_same_the_first_are_kept() -> None:
    cost = np.random.default_rng(7).integers(0, 5, (40, 330)).astype(np.float32)
    for row, kept in zip(cost.tolist(), labelling._cheapest(cost, 20).tolist(), strict=True):
        assert kept == [k for _, k in sorted((value, k) for k, value in enumerate(row))][:20]


def test_a_seam_between_sources_that_look_the_same_costs_as_any_seam() -> None:
    """To the bit, in whatever order a processor sums: rounding errors would choose the source."""
    rng, b = np.random.default_rng(8), labelling.BLOCK
    picture = rng.random((2 * b, 3 * b, 3)).astype(np.float32)
    index = np.arange(6).reshape(2, 3)
    costs = stacked_costs(
        np.stack([picture, picture, 1 - picture]),
        np.zeros((3, b, 3 * b // 2), np.float32),
        np.ones(picture.shape[:2], bool),
    )
    for edge in labelling._edges(costs, index, np.tile(np.arange(3), (6, 1))):
        assert (edge.price[[0, 1], [1, 0]] == np.float32(labelling.ANY_SEAM)).all()
        assert (edge.price[[0, 2], [2, 0]] > 2 * labelling.ANY_SEAM).all()


def test_prices_of_seams_do_not_depend_on_the_order_of_summing() -> None:
    """The same picture mirrored and with its channels turned sums the same terms otherwise."""
    rng, b = np.random.default_rng(9), labelling.BLOCK
    sources = rng.random((5, b, 2 * b, 3)).astype(np.float32)
    unary, hole = np.zeros((5, b // 2, b), np.float32), np.ones((b, 2 * b), bool)
    options = np.tile(np.arange(5), (2, 1))

    def prices(sources: np.ndarray) -> np.ndarray:
        costs = stacked_costs(np.ascontiguousarray(sources), unary, hole)
        return labelling._edges(costs, np.arange(2)[None], options)[1].price

    assert np.array_equal(prices(sources), prices(sources[:, ::-1, :, ::-1]))


def test_moving_the_seams_never_costs_more() -> None:
    rng = np.random.default_rng(5)
    h = w = 16
    sources = (
        cv2.GaussianBlur(rng.random((h, w, 12)), (0, 0), 2)
        .reshape(h, w, 4, 3)
        .transpose(2, 0, 1, 3)
        .astype(np.float32)
    )
    hole = np.zeros((h, w), bool)
    hole[4:12, 4:12] = True
    unary = (rng.random((4, h // 2, w // 2)) * 0.2).astype(np.float32)
    costs = stacked_costs(sources, unary, hole)

    def energy(labels: np.ndarray) -> float:
        total = sum(float(unary[labels[y, x], y // 2, x // 2]) for y, x in np.argwhere(hole))
        for y, x in np.argwhere(hole):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                qy, qx = y + dy, x + dx
                mine, theirs = labels[y, x], labels[qy, qx]
                if mine == theirs or (theirs >= 0 and (dy, dx) not in ((0, 1), (1, 0))):
                    continue
                other = sources[0] if theirs < 0 else sources[theirs]
                there = float(np.abs(sources[mine, qy, qx] - other[qy, qx]).mean())
                here = (
                    there if theirs < 0 else float(np.abs(sources[mine, y, x] - other[y, x]).mean())
                )
                total += labelling.SEAM * (there + here) + labelling.ANY_SEAM
        return total

    start = np.where(hole, rng.integers(0, 4, (h, w)), -1)
    refined = labelling.refine_pixels(costs, start)
    assert np.array_equal(refined >= 0, hole)
    assert energy(refined) < 0.8 * energy(start)
    for labels in (start, refined):
        assert sum(labelling.energy(costs, labels)) == pytest.approx(energy(labels), rel=1e-5)


def _like_sources(unary: np.ndarray) -> labelling.Costs:
    """Costs of offsets that all copy the same, so that only ``unary``, K by blocks, differs."""
    b = labelling.BLOCK
    each = unary.repeat(b // 2, 1).repeat(b // 2, 2).astype(np.float32)
    shape = (each.shape[1] * 2, each.shape[2] * 2)
    sources = np.full((len(unary), *shape, 3), 0.5, np.float32)
    return stacked_costs(sources, each, np.ones(shape, bool))


def test_few_offsets_are_taken_if_they_do_nearly_as_well_and_save_seams() -> None:
    """Of twelve offsets each block has its own best one, by chance and by little."""
    rng = np.random.default_rng(11)
    costs = _like_sources(0.4 + 0.1 * rng.random((12, 6, 6)))
    cheapest = labelling.refine_pixels(costs, labelling.label_blocks(costs))
    few = labelling.label_pixels(costs)
    assert len(np.unique(few)) <= 4 < len(np.unique(cheapest))
    mosaic, pieces = labelling.energy(costs, cheapest), labelling.energy(costs, few)
    assert sum(pieces) <= labelling.DEARER * sum(mosaic)
    assert pieces.seams <= labelling.FEWER_SEAMS * mosaic.seams


def test_few_offsets_that_save_no_seams_are_not_taken() -> None:
    """Every second block has one of two offsets that only the guide tells apart."""
    unary = np.full((4, 6, 6), 0.9)
    unary[0, :, ::2] = unary[1, :, 1::2] = 0.2
    unary[2] = np.where(np.arange(6) < 1, 0.19, 0.9)
    costs = _like_sources(unary)
    cheapest = labelling.refine_pixels(costs, labelling.label_blocks(costs))
    assert set(np.unique(cheapest)) == {0, 1, 2}
    assert np.array_equal(labelling.label_pixels(costs), cheapest)


def test_no_offset_is_left_out_that_a_part_of_the_hole_needs() -> None:
    """Each quarter of the hole has an offset that fits, and no other does."""
    unary = np.full((9, 6, 6), 0.6)
    quarters = [(slice(None, 3), slice(None, 3)), (slice(None, 3), slice(3, None))]
    quarters += [(slice(3, None), slice(None, 3)), (slice(3, None), slice(3, None))]
    for label, quarter in zip((1, 3, 4, 8), quarters, strict=True):
        unary[label][quarter] = 0.05
    costs = _like_sources(unary)
    labels = labelling.label_pixels(costs)
    assert np.array_equal(labels, labelling.refine_pixels(costs, labelling.label_blocks(costs)))
    assert set(np.unique(labels)) == {1, 3, 4, 8}


#: Offsets in every direction; from the hole below, the last leads over the picture's border.
OFFSETS = np.array([(0, 20), (-20, 0), (20, 20), (3, -7), (-60, 0)])


def costs_of(picture: np.ndarray, known_mask: np.ndarray, *, fine: bool = True) -> labelling.Costs:
    """The costs of ``OFFSETS`` with the true picture as the guide."""
    return labelling.offset_costs(picture, known_mask, ~known_mask, picture, OFFSETS, fine=fine)


def test_the_frame_holds_the_hole_in_whole_blocks() -> None:
    picture = tiles(70, 90, 20)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs = costs_of(picture, known_mask)
    assert costs.frame.w % labelling.BLOCK == costs.frame.h % labelling.BLOCK == 0
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
    costs = labelling.offset_costs(picture, known_mask, hole_mask, guide, offsets, fine=fine)
    far = 60
    wide = np.pad(np.where(known_mask[..., None], picture, 0), ((far, far), (far, far), (0, 0)))
    wide_known = np.pad(known_mask, far).astype(np.float32)
    # The frame's place in the picture: that of the hole with two blocks around it.
    box = Box.bounding(hole_mask).grown(2 * labelling.BLOCK, hole_mask.shape)
    top, left = box.y + far, box.x + far
    rows = costs.hole_mask.shape

    def moved(plane: np.ndarray, dy: int = 0, dx: int = 0) -> np.ndarray:
        return plane[top + dy :, left + dx :][: rows[0], : rows[1]]

    def halved(plane: np.ndarray) -> np.ndarray:
        return plane.reshape(rows[0] // 2, 2, rows[1] // 2, 2).mean((1, 3))

    depth = cv2.distanceTransform(costs.hole_mask.astype(np.uint8), cv2.DIST_L2, 3)
    here, here_known = moved(wide), moved(wide_known)
    share = cv2.GaussianBlur(halved(here_known), (0, 0), labelling.RIM_REACH / 2)
    weight = halved(labelling.RIM * np.exp(-depth / labelling.RIM_REACH)) / np.maximum(share, 1e-3)
    scales = [(labelling.GUIDE, labelling.GUIDE_SMOOTH)]
    if fine:
        near = labelling.FINE * np.exp(-depth[::2, ::2] / labelling.FINE_REACH)
        scales.append((near, labelling.FINE_SMOOTH))
    inside = halved(costs.hole_mask) > 0
    for found, (dy, dx) in zip(costs.unary, offsets.tolist(), strict=True):
        legal = moved(wide_known, dy, dx)
        both = here_known * legal
        differs = np.minimum(np.abs(here - moved(wide, dy, dx)).sum(2), 3 * labelling.TRUNCATED)
        blurred = [
            cv2.GaussianBlur(halved(plane), (0, 0), labelling.RIM_REACH / 2)
            for plane in (differs * both / 3, both)
        ]
        cost = weight * (blurred[0] + labelling.TRUNCATED / 2 * (share - blurred[1]))
        cost += labelling.UPRIGHT * abs(dy) / 90 + labelling.IMPOSSIBLE * halved(1 - legal)
        for of_guide, sigma in scales:
            covered = np.maximum(
                cv2.GaussianBlur(wide_known[far:-far, far:-far], (0, 0), sigma), 1e-3
            )
            smooth = cv2.GaussianBlur(wide[far:-far, far:-far], (0, 0), sigma) / covered[..., None]
            smooth = np.pad(smooth, ((far, far), (far, far), (0, 0)))
            wanted = cv2.GaussianBlur(guide, (0, 0), sigma / 2)
            wanted = np.pad(wanted, ((far, far), (far, far), (0, 0)))
            colour = np.abs(moved(wanted) - moved(smooth, dy, dx))[::2, ::2].mean(2)
            cost += of_guide * np.minimum(colour, labelling.TRUNCATED)
        assert np.abs(found - cost)[inside].max() < 1e-3


@pytest.mark.parametrize("fine", [False, True])
def test_offsets_by_a_period_cost_least_and_illegal_ones_most(fine: bool) -> None:
    picture = tiles(70, 90, 20)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs = costs_of(picture, known_mask, fine=fine)
    covered = labelling.halved(costs.hole_mask) > 0
    assert (costs.unary[:, ~covered] == 0).all()
    mean = costs.unary[:, covered].mean(1)
    assert mean[:3].max() < mean[3]
    assert mean[4] > labelling.IMPOSSIBLE / 2


def test_of_equal_sources_the_one_beside_costs_less_than_the_one_above() -> None:
    picture = np.full((140, 180, 3), 0.5, np.float32)
    known_mask = known_outside(picture, 61, 82, 13, 9)
    offsets = np.array([(0, 40), (-40, 0)])
    costs = labelling.offset_costs(picture, known_mask, ~known_mask, picture, offsets, fine=True)
    covered = labelling.halved(costs.hole_mask) > 0
    beside, above = costs.unary[:, covered]
    assert np.allclose(above - beside, labelling.UPRIGHT * 40 / 180, atol=1e-5)


#: Four offsets that repeat tiles of 20 pixels, and twenty that do not.
REPEATING = np.array(
    [(0, 60), (0, -60), (40, 0), (-40, 0)]
    + [(dy, dx) for dy in (-33, -7, 7, 33) for dx in (-53, -31, 11, 31, 53)]
)


def costs_around(picture: np.ndarray) -> labelling.Costs:
    """The costs of ``REPEATING`` at a hole whose guide shows nothing."""
    known_mask = known_outside(picture, 60, 72, 44, 46)
    grey = np.full(picture.shape, picture.mean(), np.float32)
    return labelling.offset_costs(picture, known_mask, ~known_mask, grey, REPEATING, fine=False)


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
    monkeypatch.setattr(labelling, "SURROUNDINGS", 0.0)
    assert np.array_equal(priced, costs_around(grass).unary)
    assert not np.array_equal(priced, costs_around(tiles(160, 190, 20)).unary)


def test_every_hole_pixel_gets_a_label_and_no_other() -> None:
    picture = tiles(70, 90, 20)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs, labels = labelling.label(picture, known_mask, ~known_mask, picture, OFFSETS)
    assert np.array_equal(labels >= 0, costs.hole_mask)
    assert set(np.unique(labels[costs.hole_mask])) <= {0, 1, 2}


def test_the_mean_difference_is_numpys() -> None:
    a, b = np.random.default_rng(2).random((2, 5, 7, 3)).astype(np.float32)
    assert np.allclose(labelling.mean_difference(a, b), np.abs(a - b).mean(2), atol=1e-7)
