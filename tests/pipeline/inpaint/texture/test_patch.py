"""The coherent texture of a window, against what it promises."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import patch as texture
from remove_objects.train.experiments import texture_selection
from tests.support.textures import fill_window, known_outside, tiles

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("period", [11, 16])
def test_a_periodic_texture_is_continued_exactly(period: int) -> None:
    picture = tiles(120, 150, period)
    known_mask = known_outside(picture, 40, 50, 45, 60)
    blurred = cv2.GaussianBlur(picture, (0, 0), 6)
    filled = fill_window(np.where(known_mask[..., None], picture, np.nan), known_mask, blurred)
    assert filled is not None
    assert np.array_equal(filled[known_mask], picture[known_mask])
    # Only the soft seam differs.
    assert np.abs(filled - picture)[~known_mask].mean() < 0.01
    middle = np.zeros_like(known_mask)
    middle[50:75, 60:100] = True
    assert np.abs(cv2.Laplacian(filled, -1) - cv2.Laplacian(picture, -1))[middle].mean() < 0.02


def test_a_window_above_the_working_size_is_copied_pixel_for_pixel() -> None:
    picture = tiles(500, 640, 45, seed=1)
    known_mask = known_outside(picture, 180, 250, 130, 150)
    assert max(known_mask.shape) > texture.WORKING_SIZE
    filled = fill_window(
        picture, known_mask, cv2.resize(picture, (64, 50), interpolation=cv2.INTER_AREA)
    )
    assert filled is not None
    assert np.abs(filled - picture)[~known_mask].mean() < 0.01  # an offset off by one pixel: 0.03
    assert np.abs(np.roll(picture, 1, 1) - picture)[~known_mask].mean() > 0.02


def test_the_hole_is_never_read() -> None:
    picture = RNG.random((90, 110, 3)).astype(np.float32)
    known_mask = known_outside(picture, 30, 0, 40, 50)
    guide = RNG.random((12, 14, 3)).astype(np.float32)
    results = [
        fill_window(np.where(known_mask[..., None], picture, under), known_mask, guide)
        for under in (0.0, 1.0, np.nan)
    ]
    assert results[0] is not None
    assert np.isfinite(results[0]).all()
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 300), (300, 2), (5, 4), (9, 20), (20, 20)]
)
@pytest.mark.filterwarnings("error")
def test_tiny_and_narrow_windows_are_filled_or_left(height: int, width: int, dtype: type) -> None:
    rng = np.random.default_rng(height)
    grey = np.repeat(rng.random((height, width, 1)), 3, 2)
    peak = 1 if dtype == np.float32 else np.iinfo(dtype).max
    frame = np.ones((height, width), bool)
    frame[0] = frame[-1] = frame[:, 0] = frame[:, -1] = False
    for known_mask in (
        rng.random((height, width)) < 0.5,
        known_outside(grey, height // 3, width // 3, height // 2 + 1, width // 2 + 1),
        frame,
    ):
        picture = (grey * peak).astype(dtype)
        picture[~known_mask] = np.nan if dtype == np.float32 else peak
        filled = fill_window(picture, known_mask, np.full((7, 9, 3), 0.5, np.float32))
        if filled is not None:
            assert np.isfinite(filled).all()


def test_seams_cost_less_than_by_colour_alone() -> None:
    yy, xx = np.mgrid[:128, :128]
    picture = (0.5 + 0.5 * np.sin(xx / 5.0 + yy / 9.0))[..., None].repeat(3, 2).astype(np.float32)
    known_mask = known_outside(picture, 32, 32, 56, 56)
    coarse, candidates = (
        texture_selection.block_means(picture, 8),
        texture_selection.known_blocks(known_mask, 8),
    )
    plain = texture_selection.copy_blocks(
        picture, texture_selection.select(coarse, coarse, candidates, ~candidates), 8
    )
    filled = fill_window(picture, known_mask, coarse)
    assert filled is not None
    inside = slice(32, 88)

    def steps(p: np.ndarray) -> float:
        return float(
            np.abs(np.diff(p[inside, 31:89], axis=1)).max()
            + np.abs(np.diff(p[31:89, inside], axis=0)).max()
        )

    assert steps(filled) < 0.7 * steps(plain)


def test_the_guide_decides_between_two_textures(monkeypatch: pytest.MonkeyPatch) -> None:
    # The border between the two would cross the hole as a line.
    monkeypatch.setattr(texture, "crossing_lines", lambda *_: None)
    picture = np.concatenate(
        [tiles(120, 90, 10) * 0.3, 0.7 + tiles(120, 90, 10, seed=2) * 0.3], axis=1
    )
    known_mask = known_outside(picture, 30, 60, 60, 60)
    for border in (75, 105):
        guide = (
            np.where(np.arange(180)[None, :, None] < border, 0.15, 0.85)
            .repeat(120, 0)
            .repeat(3, 2)
            .astype(np.float32)
        )
        filled = fill_window(picture, known_mask, guide)
        assert filled is not None
        middle = filled[50:70, 60:120].mean((0, 2))
        # Nearer to the guide's border than to the other one; whole tiles of 10 pixels are kept.
        assert abs(int(np.argmax(middle > 0.5)) + 60 - border) < 15


def test_too_little_known_gives_none() -> None:
    known_mask = np.zeros((100, 100), bool)
    known_mask[:4] = True
    assert (
        fill_window(
            np.zeros((100, 100, 3), np.float32), known_mask, np.zeros((8, 8, 3), np.float32)
        )
        is None
    )
    assert (
        fill_window(
            np.zeros((9, 9, 3), np.float32), np.ones((9, 9), bool), np.zeros((8, 8, 3), np.float32)
        )
        is None
    )


@pytest.mark.parametrize("scale", [1, 3])
def test_grain_goes_on_inside_the_hole(scale: int) -> None:
    """A smooth slope with grain, labelled at its own size and in a photo 3 times as large."""
    h, w = 160 * scale, 240 * scale
    slope = np.linspace(0.3, 0.6, w, dtype=np.float32)[None, :, None].repeat(h, 0).repeat(3, 2)
    picture = slope + np.random.default_rng(1).normal(0, 0.04, (h, w, 3)).astype(np.float32)
    known_mask = known_outside(picture, 50 * scale, 80 * scale, 50 * scale, 60 * scale)
    filled = fill_window(picture, known_mask, cv2.resize(slope, (60, 40)))
    assert filled is not None
    fine = filled - cv2.GaussianBlur(filled, (0, 0), 2)
    hole = (~known_mask).astype(np.uint8)
    inside = cv2.erode(hole, np.ones((9, 9), np.uint8)) > 0
    around = known_mask & (cv2.dilate(hole, np.ones((41, 41), np.uint8)) > 0)
    assert fine[inside].std() == pytest.approx(fine[around].std(), rel=0.15)
    assert filled[inside].mean() == pytest.approx(slope[inside].mean(), abs=0.02)


def test_a_sharp_guide_is_followed_to_the_pixel_beside_what_is_known() -> None:
    error = {True: 0.0, False: 0.0}
    for seed in range(4):
        picture = np.random.default_rng(seed).random((24, 24, 3)).astype(np.float32)
        # Spots of four pixels.
        picture = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_CUBIC).clip(0, 1)
        known_mask = np.ones((96, 96), bool)
        known_mask[40:56, 30:66] = False
        for fine in error:
            filled = fill_window(
                np.where(known_mask[..., None], picture, 0), known_mask, picture, fine=fine
            )
            assert filled is not None
            error[fine] += float(np.abs(filled - picture)[~known_mask].mean())
    assert error[True] < 0.9 * error[False]


def test_only_a_fine_guide_corrects_low_frequencies(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(texture, "guide_low_frequencies", lambda *args: called.append(args))
    picture = np.random.default_rng(0).random((64, 64, 3)).astype(np.float32)
    known_mask = known_outside(picture, 20, 20, 20, 20)
    for fine in (False, True):
        assert (
            fill_window(picture, known_mask, np.full((8, 8, 3), 0.5, np.float32), fine=fine)
            is not None
        )
        assert len(called) == fine
