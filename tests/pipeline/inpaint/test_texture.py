"""Equations 1-3 against nested loops; the coherent selection and the fill against what they promise."""

import itertools

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import full_size, labelling
from remove_objects.pipeline.inpaint.texture import patch as texture
from remove_objects.pipeline.inpaint.texture.offsets import candidate_offsets
from remove_objects.pipeline.types import Box
from remove_objects.train.experiments import texture_selection
from tests.support.costs import stacked_costs

RNG = np.random.default_rng(0)


def random_case(
    gh: int = 6, gw: int = 7, size: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    picture = RNG.random((gh * size, gw * size, 3)).astype(np.float32)
    known = np.ones((gh * size, gw * size), bool)
    known[:, -2 * size + 1 :] = False
    return picture, known, RNG.random((gh, gw, 3)).astype(np.float32)


def test_equation_1_and_2_equal_nested_loops() -> None:
    size = 3
    picture, known, coarse = random_case(size=size)
    low = texture_selection.block_means(picture, size)
    candidates = texture_selection.known_blocks(known, size)
    chosen = texture_selection.select(coarse, low, candidates, ~candidates)
    output = texture_selection.copy_blocks(picture, chosen, size)
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
                    mean = (
                        picture[i * size : (i + 1) * size, j * size : (j + 1) * size]
                        .reshape(-1, 3)
                        .mean(0)
                    )
                    loss = sum(abs(float(coarse[x, y, c]) - float(mean[c])) for c in range(3))
                    if loss < best - 1e-7:
                        best, place = loss, (i, j)
            for n in range(size):
                for m in range(size):
                    expected[x * size + n, y * size + m] = picture[
                        place[0] * size + n, place[1] * size + m
                    ]
    assert np.array_equal(output, expected)


def test_candidates_are_wholly_known_blocks() -> None:
    known = np.ones((4, 4), bool)
    known[0, 1] = False
    assert texture_selection.known_blocks(known, 2).tolist() == [[False, True], [True, True]]


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
    took = 0
    for i in range(9):
        for j in range(8):
            near = (
                sum(abs(float(output[i, j, c]) - float(stretched[i, j, c])) for c in range(3)) / 3
                < 0.25
            )
            took += near
            assert np.array_equal(tuned[i, j], stretched[i, j] if near else output[i, j])
    assert 0 < took < 72


def test_the_stretched_picture_is_the_known_strip_enlarged() -> None:
    picture = np.zeros((8, 8, 3), np.float32)
    picture[:, :4, 0] = np.linspace(0, 1, 8)[:, None]
    known = np.ones((8, 8), bool)
    known[:, 4:] = False
    stretched = texture_selection.stretch(picture, known)
    assert stretched is not None
    assert np.allclose(stretched[..., 0], np.linspace(0, 1, 8)[:, None], atol=1e-6)
    assert texture_selection.stretch(picture, np.zeros((8, 8), bool)) is None


def tiles(height: int, width: int, period: int, seed: int = 0) -> np.ndarray:
    """One tile of smooth noise, repeated: a copy by a multiple of ``period`` continues it exactly."""
    tile = np.random.default_rng(seed).random((period, period, 3)).astype(np.float32)
    tile = cv2.GaussianBlur(np.tile(tile, (3, 3, 1)), (0, 0), 1.0)[
        period : 2 * period, period : 2 * period
    ]
    return np.tile(tile, (-(-height // period), -(-width // period), 1))[:height, :width]


def holed(picture: np.ndarray, top: int, left: int, height: int, width: int) -> np.ndarray:
    known = np.ones(picture.shape[:2], bool)
    known[top : top + height, left : left + width] = False
    return known


@pytest.mark.parametrize("period", [11, 16])
def test_a_periodic_texture_is_continued_exactly(period: int) -> None:
    picture = tiles(120, 150, period)
    known = holed(picture, 40, 50, 45, 60)
    blurred = cv2.GaussianBlur(picture, (0, 0), 6)
    filled = texture_selection.texture_fill(
        np.where(known[..., None], picture, np.nan), known, blurred
    )
    assert filled is not None
    assert np.array_equal(filled[known], picture[known])
    # What is left is the soft seam.
    assert np.abs(filled - picture)[~known].mean() < 0.01
    middle = np.zeros_like(known)
    middle[50:75, 60:100] = True
    assert np.abs(cv2.Laplacian(filled, -1) - cv2.Laplacian(picture, -1))[middle].mean() < 0.02


def test_a_window_above_the_working_size_is_copied_pixel_for_pixel() -> None:
    picture = tiles(500, 640, 45, seed=1)
    known = holed(picture, 180, 250, 130, 150)
    assert max(known.shape) > texture.WORKING_SIZE
    filled = texture_selection.texture_fill(
        picture, known, cv2.resize(picture, (64, 50), interpolation=cv2.INTER_AREA)
    )
    assert filled is not None
    assert np.abs(filled - picture)[~known].mean() < 0.01  # an offset wrong by one pixel gives 0.03
    assert np.abs(np.roll(picture, 1, 1) - picture)[~known].mean() > 0.02


def test_the_hole_is_never_read() -> None:
    picture = RNG.random((90, 110, 3)).astype(np.float32)
    known = holed(picture, 30, 0, 40, 50)
    guide = RNG.random((12, 14, 3)).astype(np.float32)
    results = [
        texture_selection.texture_fill(np.where(known[..., None], picture, under), known, guide)
        for under in (0.0, 1.0, np.nan)
    ]
    assert results[0] is not None
    assert np.isfinite(results[0]).all()
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


def test_seams_cost_less_than_by_colour_alone() -> None:
    yy, xx = np.mgrid[:128, :128]
    picture = (0.5 + 0.5 * np.sin(xx / 5.0 + yy / 9.0))[..., None].repeat(3, 2).astype(np.float32)
    known = holed(picture, 32, 32, 56, 56)
    coarse, candidates = (
        texture_selection.block_means(picture, 8),
        texture_selection.known_blocks(known, 8),
    )
    plain = texture_selection.copy_blocks(
        picture, texture_selection.select(coarse, coarse, candidates, ~candidates), 8
    )
    filled = texture_selection.texture_fill(picture, known, coarse)
    assert filled is not None
    inside = slice(32, 88)

    def steps(p: np.ndarray) -> float:
        return float(
            np.abs(np.diff(p[inside, 31:89], axis=1)).max()
            + np.abs(np.diff(p[31:89, inside], axis=0)).max()
        )

    assert steps(filled) < 0.7 * steps(plain)


def test_the_guide_decides_between_two_textures() -> None:
    picture = np.concatenate(
        [tiles(120, 90, 10) * 0.3, 0.7 + tiles(120, 90, 10, seed=2) * 0.3], axis=1
    )
    known = holed(picture, 30, 60, 60, 60)
    for border in (75, 105):
        guide = (
            np.where(np.arange(180)[None, :, None] < border, 0.15, 0.85)
            .repeat(120, 0)
            .repeat(3, 2)
            .astype(np.float32)
        )
        filled = texture_selection.texture_fill(picture, known, guide)
        assert filled is not None
        middle = filled[50:70, 60:120].mean((0, 2))
        assert abs(int(np.argmax(middle > 0.5)) + 60 - border) <= 10


def test_too_little_known_gives_none() -> None:
    known = np.zeros((100, 100), bool)
    known[:4] = True
    assert (
        texture_selection.texture_fill(
            np.zeros((100, 100, 3), np.float32), known, np.zeros((8, 8, 3), np.float32)
        )
        is None
    )
    assert (
        texture_selection.texture_fill(
            np.zeros((9, 9, 3), np.float32), np.ones((9, 9), bool), np.zeros((8, 8, 3), np.float32)
        )
        is None
    )


def test_offsets_are_the_period_of_the_texture() -> None:
    picture = tiles(100, 120, 20)
    known = holed(picture, 30, 30, 40, 50)
    offsets = candidate_offsets(
        np.where(known[..., None], picture, 0.5).astype(np.float32), known, np.random.default_rng(0)
    )
    assert len(offsets)
    assert np.abs(offsets).sum(1).min() > 0
    surroundings = [o for o in offsets.tolist() if o[0] % 20 == 0 and o[1] % 20 == 0]
    assert len(surroundings) >= 3


def test_belief_propagation_finds_the_cheapest_row_of_blocks() -> None:
    """A row of blocks is a chain, on which min-sum is exact: the labels are the best of all that can be."""
    rng, b = np.random.default_rng(4), labelling.BLOCK
    for _ in range(10):
        count, blocks = 3, 4
        sources = rng.random((count, b, blocks * b, 3)).astype(np.float32)
        unary = rng.random((count, b // 2, blocks * b // 2)).astype(np.float32) * 0.6
        costs = stacked_costs(sources, unary, np.ones((b, blocks * b), bool))
        found = labelling.label_blocks(costs)[0, ::b]

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
        assert total(tuple(found.tolist())) == pytest.approx(total(best), abs=1e-5)


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


@pytest.mark.parametrize("scale", [1, 3])
def test_grain_goes_on_inside_the_hole(scale: int) -> None:
    """Noise of a photo that is labelled at its own size, and of one three times as large: a smooth slope with grain."""
    h, w = 160 * scale, 240 * scale
    slope = np.linspace(0.3, 0.6, w, dtype=np.float32)[None, :, None].repeat(h, 0).repeat(3, 2)
    picture = slope + np.random.default_rng(1).normal(0, 0.04, (h, w, 3)).astype(np.float32)
    known = holed(picture, 50 * scale, 80 * scale, 50 * scale, 60 * scale)
    filled = texture_selection.texture_fill(picture, known, cv2.resize(slope, (60, 40)))
    assert filled is not None
    fine = filled - cv2.GaussianBlur(filled, (0, 0), 2)
    inside = cv2.erode((~known).astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    around = known & (cv2.dilate((~known).astype(np.uint8), np.ones((41, 41), np.uint8)) > 0)
    assert fine[inside].std() == pytest.approx(fine[around].std(), rel=0.15)
    assert filled[inside].mean() == pytest.approx(slope[inside].mean(), abs=0.02)


def test_a_sharp_guide_is_followed_to_the_pixel_beside_what_is_known() -> None:
    error = {True: 0.0, False: 0.0}
    for seed in range(4):
        picture = np.random.default_rng(seed).random((24, 24, 3)).astype(np.float32)
        picture = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_CUBIC).clip(
            0, 1
        )  # spots of four pixels
        known = np.ones((96, 96), bool)
        known[40:56, 30:66] = False
        for fine in error:
            filled = texture_selection.texture_fill(
                np.where(known[..., None], picture, 0), known, picture, fine=fine
            )
            assert filled is not None
            error[fine] += float(np.abs(filled - picture)[~known].mean())
    assert error[True] < 0.9 * error[False]


def led(content: np.ndarray, known: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """What ``guide_low_frequencies`` adds to a whole window's content."""
    patch = full_size.Patch(Box.full(known.shape), content.astype(np.float32))
    full_size.guide_low_frequencies(patch, known, guide.astype(np.float32))
    return patch.content - content.astype(np.float32)


@pytest.mark.parametrize("scale", [1, 4])
def test_the_guides_colour_fades_into_the_hole(scale: int) -> None:
    known = holed(
        np.ones((60 * scale, 80 * scale, 3)), 10 * scale, 20 * scale, 40 * scale, 40 * scale
    )
    content = np.full((*known.shape, 3), 0.3)
    added = led(content, known, np.full((60, 80, 3), 0.5))
    assert (added[known] == 0).all()
    row = (
        added[30 * scale + scale // 2, :, 0].reshape(80, scale).mean(1)[20:40]
    )  # from the hole's left side to its middle
    np.testing.assert_allclose(
        row,
        0.2 * np.exp(-np.arange(1, 21) / full_size.GUIDED_REACH),
        atol=0.004 if scale == 1 else 0.02,
    )


def test_a_guide_that_says_what_the_copy_says_changes_nothing() -> None:
    """Where one is read a fraction of a pixel beside the other, slopes would show it: the window is 2.7 times the working size."""
    h, w = 270, 432
    y, x = np.mgrid[:h, :w]
    ramp = np.stack([x / w, y / h, (x + y) / (h + w)], 2)
    guide = cv2.resize(ramp, (160, 100), interpolation=cv2.INTER_AREA)
    added = led(ramp, holed(ramp, 41, 59, 150, 203), guide)
    assert np.abs(added).max() < 0.002


def test_what_is_finer_stays_the_copys() -> None:
    known = holed(np.ones((60, 80, 3)), 20, 20, 20, 40)
    grain = np.random.default_rng(0).normal(0, 0.1, (60, 80, 1)).repeat(3, 2)
    fine = grain - cv2.GaussianBlur(grain, (0, 0), full_size.GUIDED_SMOOTH)
    result = 0.5 + fine + led(0.5 + fine, known, np.full((60, 80, 3), 0.5))
    assert result[~known].std() > 0.85 * fine[~known].std()


def test_a_hole_that_fills_its_window_is_led_nowhere() -> None:
    assert (
        np.abs(led(np.full((16, 16, 3), 0.2), np.zeros((16, 16), bool), np.ones((16, 16, 3)))).max()
        < 0.01
    )


def test_a_coarse_guide_leads_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(texture, "guide_low_frequencies", lambda *given: called.append(given))
    picture = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    known = holed(picture, 20, 20, 20, 20)
    for fine in (False, True):
        assert (
            texture_selection.texture_fill(
                picture, known, np.full((8, 8, 3), 0.5, np.float32), fine=fine
            )
            is not None
        )
        assert len(called) == fine
