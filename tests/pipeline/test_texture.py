"""Equations 1-3 against nested loops; the coherent selection and the fill against what they promise."""

import numpy as np
import pytest

from pipeline import texture

RNG = np.random.default_rng(0)


def random_case(gh: int = 6, gw: int = 7, size: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    picture = RNG.random((gh * size, gw * size, 3)).astype(np.float32)
    known = np.ones((gh * size, gw * size), bool)
    known[:, -2 * size + 1 :] = False
    return picture, known, RNG.random((gh, gw, 3)).astype(np.float32)


def test_equation_1_and_2_equal_nested_loops() -> None:
    size = 3
    picture, known, coarse = random_case(size=size)
    low = texture.block_means(picture, size)
    candidates = texture.known_blocks(known, size)
    chosen = texture.select(coarse, low, candidates, ~candidates)
    output = texture.copy_blocks(picture, chosen, size)
    gh, gw = candidates.shape
    expected = picture.copy()
    for x in range(gh):
        for y in range(gw):
            if candidates[x, y]:
                continue
            best, place = np.inf, (0, 0)
            for i in range(gh):
                for j in range(gw):
                    if not candidates[i, j]:
                        continue
                    mean = picture[i * size : (i + 1) * size, j * size : (j + 1) * size].reshape(-1, 3).mean(0)
                    loss = sum(abs(float(coarse[x, y, c]) - float(mean[c])) for c in range(3))
                    if loss < best - 1e-7:
                        best, place = loss, (i, j)
            for n in range(size):
                for m in range(size):
                    expected[x * size + n, y * size + m] = picture[place[0] * size + n, place[1] * size + m]
    assert np.array_equal(output, expected)


def test_candidates_are_wholly_known_blocks() -> None:
    known = np.ones((4, 4), bool)
    known[0, 1] = False
    assert texture.known_blocks(known, 2).tolist() == [[False, True], [True, True]]


def test_block_means_by_hand() -> None:
    picture = np.zeros((2, 4, 3), np.float32)
    picture[:, :2, 0] = [[0, 1], [1, 0]]
    picture[:, 2:, 1] = 1
    assert texture.block_means(picture, 2).tolist() == [[[0.5, 0, 0], [0, 1, 0]]]


def test_no_candidate_is_an_error() -> None:
    nothing = np.zeros((2, 2), bool)
    with pytest.raises(ValueError, match="wholly known"):
        texture.select(np.zeros((2, 2, 3), np.float32), np.zeros((2, 2, 3), np.float32), nothing, ~nothing)


def test_equation_3_equals_nested_loops() -> None:
    output, stretched = RNG.random((2, 9, 8, 3)).astype(np.float32)
    tuned = texture.finetune(output, stretched, 0.25)
    took = 0
    for i in range(9):
        for j in range(8):
            near = sum(abs(float(output[i, j, c]) - float(stretched[i, j, c])) for c in range(3)) / 3 < 0.25
            took += near
            assert np.array_equal(tuned[i, j], stretched[i, j] if near else output[i, j])
    assert 0 < took < 72


def test_the_stretched_picture_is_the_known_strip_enlarged() -> None:
    picture = np.zeros((8, 8, 3), np.float32)
    picture[:, :4, 0] = np.linspace(0, 1, 8)[:, None]
    known = np.ones((8, 8), bool)
    known[:, 4:] = False
    stretched = texture.stretch(picture, known)
    assert stretched is not None
    assert np.allclose(stretched[..., 0], np.linspace(0, 1, 8)[:, None], atol=1e-6)
    assert texture.stretch(picture, np.zeros((8, 8), bool)) is None


def stripes(size: int, gh: int = 16, gw: int = 16) -> np.ndarray:
    """A picture whose every block is the same stripe: any coherent copy continues it exactly."""
    column = (np.arange(gw * size) % size) / size
    return np.repeat(np.repeat(column[None, :, None], gh * size, 0), 3, 2).astype(np.float32)


@pytest.mark.parametrize("size", [3, 8, 11])
def test_a_periodic_texture_is_continued_exactly_at_any_resolution(size: int) -> None:
    picture = stripes(size)
    known = np.ones(picture.shape[:2], bool)
    known[5 * size : 9 * size, 6 * size : 10 * size] = False
    coarse = texture.block_means(picture, size)
    filled = texture.texture_fill(np.where(known[..., None], picture, np.nan), known, coarse, size)
    assert filled is not None
    assert np.abs(filled - picture).max() < 1e-4


def test_the_hole_is_never_read() -> None:
    size = 8
    picture = RNG.random((16 * size, 16 * size, 3)).astype(np.float32)
    known = np.ones(picture.shape[:2], bool)
    known[40:80, :50] = False
    coarse = RNG.random((16, 16, 3)).astype(np.float32)
    results = [texture.texture_fill(np.where(known[..., None], picture, under), known, coarse, size) for under in (0.0, 1.0, np.nan)]
    assert results[0] is not None
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_neighbours_agree_more_than_by_colour_alone() -> None:
    """Seams inside the hole cost less with the coherent selection than with equation 1 alone."""
    size, gh, gw = 8, 16, 16
    yy, xx = np.mgrid[: gh * size, : gw * size]
    picture = (0.5 + 0.5 * np.sin(xx / 5.0 + yy / 9.0))[..., None].repeat(3, 2).astype(np.float32)
    known = np.ones(picture.shape[:2], bool)
    known[4 * size : 11 * size, 4 * size : 11 * size] = False
    candidates = texture.known_blocks(known, size)
    coarse = texture.block_means(picture, size)
    plain = texture.copy_blocks(picture, texture.select(coarse, coarse, candidates, ~candidates), size)
    chosen = texture.select_coherent(coarse, np.where(known[..., None], picture, 0), candidates, ~candidates, detail=size)
    coherent = texture.copy_blocks(picture, chosen, size)

    def seams(filled: np.ndarray) -> float:
        across = np.abs(filled[:, size::size] - filled[:, size - 1 : -1 : size])[4 * size : 11 * size, 4:10].mean()
        down = np.abs(filled[size::size] - filled[size - 1 : -1 : size])[4:10, 4 * size : 11 * size].mean()
        return float(across + down)

    assert seams(coherent) < 0.8 * seams(plain)


def test_too_little_known_gives_none() -> None:
    known = np.zeros((64, 64), bool)
    known[:4] = True
    assert texture.texture_fill(np.zeros((64, 64, 3), np.float32), known, np.zeros((8, 8, 3), np.float32), 8) is None
