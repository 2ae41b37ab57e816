"""Equations 1-3 of Wu & Cui against nested loops."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.train.experiments import texture_selection

SIZE = 3
RNG = np.random.default_rng(0)


def random_case(gh: int = 6, gw: int = 7) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of gh x gw blocks, its known mask (False at the right), a coarse prediction."""
    picture = RNG.random((gh * SIZE, gw * SIZE, 3)).astype(np.float32)
    known_mask = np.ones((gh * SIZE, gw * SIZE), bool)
    known_mask[:, -2 * SIZE + 1 :] = False
    return picture, known_mask, RNG.random((gh, gw, 3)).astype(np.float32)


def block(x: int, y: int) -> tuple[slice, slice]:
    """The pixels of the block in row ``x`` and column ``y``."""
    return slice(x * SIZE, (x + 1) * SIZE), slice(y * SIZE, (y + 1) * SIZE)


def nearest_block(
    picture: np.ndarray, candidates: np.ndarray, colour: np.ndarray
) -> tuple[int, int]:
    """Equation 1 for one block, by a loop over all candidates."""
    best, place = np.inf, (0, 0)
    for i, j in np.argwhere(candidates).tolist():
        mean = picture[block(i, j)].reshape(-1, 3).mean(0)
        loss = sum(abs(float(colour[c]) - float(mean[c])) for c in range(3))
        if loss < best - 1e-7:
            best, place = loss, (i, j)
    return place


def test_equation_1_and_2_equal_nested_loops() -> None:
    picture, known_mask, coarse = random_case()
    low = texture_selection.block_means(picture, SIZE)
    candidates = texture_selection.known_blocks(known_mask, SIZE)
    chosen = texture_selection.select(coarse, low, candidates, ~candidates)
    output = texture_selection.copy_blocks(picture, chosen, SIZE)
    expected = picture.copy()
    for x, y in np.argwhere(~candidates).tolist():
        i, j = nearest_block(picture, candidates, coarse[x, y])
        for n in range(SIZE):
            for m in range(SIZE):
                expected[x * SIZE + n, y * SIZE + m] = picture[i * SIZE + n, j * SIZE + m]
    assert np.array_equal(output, expected)


def test_candidates_are_wholly_known_blocks() -> None:
    known_mask = np.ones((4, 4), bool)
    known_mask[0, 1] = False
    assert texture_selection.known_blocks(known_mask, 2).tolist() == [[False, True], [True, True]]


def test_block_means_by_hand() -> None:
    picture = np.zeros((2, 4, 3), np.float32)
    picture[:, :2, 0] = [[0, 1], [1, 0]]
    picture[:, 2:, 1] = 1
    assert texture_selection.block_means(picture, 2).tolist() == [[[0.5, 0, 0], [0, 1, 0]]]


def test_no_candidate_is_an_error() -> None:
    nothing = np.zeros((2, 2), bool)
    with pytest.raises(ValueError, match="wholly known"):
        texture_selection.select(
            np.zeros((2, 2, 3), np.float32), np.zeros((2, 2, 3), np.float32), nothing, ~nothing
        )


def test_equation_3_equals_nested_loops() -> None:
    output, stretched = RNG.random((2, 9, 8, 3)).astype(np.float32)
    tuned = texture_selection.finetune(output, stretched, 0.25)
    replaced = 0
    for i in range(9):
        for j in range(8):
            difference = [abs(float(output[i, j, c]) - float(stretched[i, j, c])) for c in range(3)]
            near = sum(difference) / 3 < 0.25
            replaced += near
            assert np.array_equal(tuned[i, j], stretched[i, j] if near else output[i, j])
    assert 0 < replaced < 72


def test_the_stretched_picture_is_the_known_strip_enlarged() -> None:
    picture = np.zeros((8, 8, 3), np.float32)
    picture[:, :4, 0] = np.linspace(0, 1, 8)[:, None]
    known_mask = np.ones((8, 8), bool)
    known_mask[:, 4:] = False
    stretched = texture_selection.stretch(picture, known_mask)
    assert stretched is not None
    assert np.allclose(stretched[..., 0], np.linspace(0, 1, 8)[:, None], atol=1e-6)
    assert texture_selection.stretch(picture, np.zeros((8, 8), bool)) is None


def test_a_filled_window_keeps_its_known_pixels() -> None:
    picture = RNG.random((60, 70, 3)).astype(np.float32)
    known_mask = np.ones((60, 70), bool)
    known_mask[20:40, 30:50] = False
    filled = texture_selection.texture_fill(picture, known_mask, picture)
    assert filled is not None
    assert np.array_equal(filled[known_mask], picture[known_mask])
    nothing_known = np.zeros_like(known_mask)
    assert texture_selection.texture_fill(picture, nothing_known, picture) is None
