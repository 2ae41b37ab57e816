"""Labels of blocks and pixels against exhaustive search."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import labelling
from remove_objects.pipeline.inpaint.texture.costs import BLOCK, Costs
from tests.support.costs import stacked_costs
from tests.support.textures import known_outside, tiles


def test_belief_propagation_finds_the_cheapest_row_of_blocks() -> None:
    """A row of blocks is a chain, on which min-sum is exact: the labels have the least energy."""
    rng, b = np.random.default_rng(4), BLOCK
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
    rng, b = np.random.default_rng(8), BLOCK
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
    rng, b = np.random.default_rng(9), BLOCK
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


def _like_sources(unary: np.ndarray) -> Costs:
    """Costs of offsets that all copy the same, so that only ``unary``, K by blocks, differs."""
    b = BLOCK
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


def test_every_hole_pixel_gets_a_label_and_no_other() -> None:
    picture = tiles(70, 90, 20)
    known_mask = known_outside(picture, 31, 42, 13, 9)
    costs, labels = labelling.label(
        picture, known_mask, ~known_mask, picture, np.array([(0, 20), (-20, 0), (20, 20)])
    )
    assert np.array_equal(labels >= 0, costs.hole_mask)
    assert set(np.unique(labels[costs.hole_mask])) <= {0, 1, 2}


def test_a_strip_at_the_border_takes_the_cheapest_labelling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    picture = tiles(70, 90, 20)
    offsets = np.array([(0, 20), (-20, 0), (20, 20)])

    def with_few(costs: Costs) -> np.ndarray:
        raise AssertionError

    monkeypatch.setattr(labelling, "label_pixels", with_few)
    known_mask = np.ones(picture.shape[:2], bool)
    known_mask[:, -20:] = False
    costs, labels = labelling.label(picture, known_mask, ~known_mask, picture, offsets)
    assert np.array_equal(labels >= 0, costs.hole_mask)
    within = known_outside(picture, 31, 42, 13, 9)
    with pytest.raises(AssertionError):
        labelling.label(picture, within, ~within, picture, offsets)
