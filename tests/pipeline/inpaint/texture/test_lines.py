"""Lines that cross a hole are drawn through it, and what is no line is not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import patch as texture
from remove_objects.pipeline.inpaint.texture.lines import MOST_OFFSETS, Lines, crossing_lines
from tests.support.textures import fill_window, known_outside

HEIGHT, WIDTH = 160, 200
#: Over the middle of the pictures.
HOLE = known_outside(np.ones((HEIGHT, WIDTH, 3)), 50, 60, 60, 70)


def sky(seed: int = 0) -> np.ndarray:
    grain = np.random.default_rng(seed).normal(0, 0.01, (HEIGHT, WIDTH, 3))
    return (np.array([0.35, 0.5, 0.8]) + grain).astype(np.float32)


def with_line(
    picture: np.ndarray, start: tuple[int, int], stop: tuple[int, int], colour: float = 0.1
) -> np.ndarray:
    """A line four pixels wide from one (x, y) to another."""
    mask = cv2.line(np.zeros((HEIGHT, WIDTH), np.uint8), start, stop, 255, 4, cv2.LINE_AA)
    share = mask[..., None].astype(np.float32) / 255
    return (picture * (1 - share) + colour * share).astype(np.float32)


def found(picture: np.ndarray, hole_mask: np.ndarray | None = None) -> Lines | None:
    """What ``crossing_lines`` finds if the guide is plain sky."""
    return crossing_lines(
        np.where(HOLE[..., None], picture, sky(1)), HOLE, ~HOLE if hole_mask is None else hole_mask
    )


@pytest.mark.parametrize(("start", "stop"), [((95, 0), (95, 159)), ((40, 0), (150, 159))])
def test_a_mast_is_continued_through_the_hole(
    monkeypatch: pytest.MonkeyPatch, start: tuple[int, int], stop: tuple[int, int]
) -> None:
    picture = with_line(sky(), start, stop)
    on_mast = (picture.mean(2) < 0.25) & ~HOLE
    assert on_mast.sum() > 150
    filled = fill_window(picture, HOLE, sky(1))
    assert filled is not None
    assert (filled.mean(2) < 0.3)[on_mast].mean() > 0.9
    assert (filled.mean(2) < 0.3)[~HOLE & (picture.mean(2) > 0.5)].mean() < 0.02
    monkeypatch.setattr(texture, "crossing_lines", lambda *_: None)
    without = fill_window(picture, HOLE, sky(1))
    assert without is not None
    assert (without.mean(2) < 0.3)[on_mast].mean() < 0.9  # the guide shows none


def test_what_is_drawn_is_the_line() -> None:
    picture = with_line(sky(), (40, 0), (150, 159))
    lines = found(picture)
    assert lines is not None
    assert (lines.strength[HOLE] == 0).all()
    on = lines.strength > 0.5
    assert np.abs(lines.drawn - picture)[on].mean() < 0.05
    # Each offset moves along the line.
    assert len(lines.offsets)
    across = np.array([-110, 159]) / np.hypot(110, 159)  # (dy, dx) at a right angle to the line
    assert np.abs(lines.offsets @ across).max() < 1.0
    assert np.hypot(*lines.offsets.T).max() > 60


@pytest.mark.parametrize(
    "halves",
    [
        pytest.param([((95, 0), (95, 80), 0.1)], id="one side only"),
        pytest.param([((95, 0), (95, 80), 0.1), ((108, 80), (108, 159), 0.1)], id="side by side"),
        pytest.param([((95, 0), (95, 80), 0.1), ((95, 80), (145, 159), 0.1)], id="bent"),
        pytest.param([((95, 0), (95, 80), 0.1), ((95, 80), (95, 159), 0.95)], id="dark and light"),
    ],
)
def test_what_is_not_one_line_is_not_joined(
    halves: list[tuple[tuple[int, int], tuple[int, int], float]],
) -> None:
    picture = sky()
    for start, stop, colour in halves:
        picture = with_line(picture, start, stop, colour)
    assert found(picture) is None


def test_many_lines_bring_a_bounded_number_of_sources() -> None:
    """A fence of short rails: each line alone has some fifty offsets."""
    known_mask = known_outside(np.ones((HEIGHT, WIDTH, 3)), 15, 0, 130, WIDTH)
    fence = sky()
    for k in range(-60, 260, 16):
        fence = with_line(fence, (k, 0), (k + (k - 100) // 4, HEIGHT - 1))
    fence[~known_mask] = 0.5
    lines = crossing_lines(fence, known_mask, ~known_mask)
    assert lines is not None
    assert lines.number > 10
    assert MOST_OFFSETS <= len(lines.offsets) < MOST_OFFSETS + 120
    assert (lines.strength > 0.9).any(0).sum() > 20  # all are drawn


def test_a_segment_that_ends_outside_the_picture_is_no_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The detector's ends may lie half a pixel outside."""
    hole_mask = np.zeros((HEIGHT, WIDTH), bool)
    hole_mask[120:, 80:120] = True
    picture = with_line(sky(), (0, HEIGHT - 1), (WIDTH - 1, HEIGHT - 1))

    class Detector:
        def detect(self, _: np.ndarray) -> list[np.ndarray]:
            y = HEIGHT - 0.4
            return [np.array([[[30, y, 79, y - 0.2]], [[170, y, 120, y - 0.2]]], np.float32)]

    monkeypatch.setattr(cv2, "createLineSegmentDetector", lambda *_: Detector())
    crossing_lines(picture, ~hole_mask, hole_mask)


def test_noise_has_no_lines() -> None:
    noise = np.random.default_rng(3).random((HEIGHT, WIDTH, 3)).astype(np.float32)
    assert found(noise) is None


def test_a_line_that_leaves_the_photo_does_not_cross_the_hole() -> None:
    """Beside a picture seen at an angle lies nothing: neither hole nor known."""
    picture = with_line(sky(), (95, 0), (95, 159))
    assert found(picture) is not None
    assert found(picture, np.zeros_like(HOLE)) is None


@pytest.mark.parametrize("under", [0.0, 1.0, np.nan])
def test_the_hole_is_never_read(under: float) -> None:
    picture = with_line(sky(), (95, 0), (95, 159))
    expected = fill_window(picture, HOLE, sky(1))
    filled = fill_window(np.where(HOLE[..., None], picture, np.float32(under)), HOLE, sky(1))
    assert filled is not None
    assert expected is not None
    assert np.array_equal(filled, expected)
