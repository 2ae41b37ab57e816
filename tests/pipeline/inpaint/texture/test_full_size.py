"""Copying at full size: the rectangles of labels and sources, and the guide's low frequencies."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.inpaint.texture import full_size
from remove_objects.pipeline.types import Box
from tests.support.textures import known_outside


def guided(content: np.ndarray, known_mask: np.ndarray, guide: np.ndarray) -> np.ndarray:
    """What ``guide_low_frequencies`` adds to a whole window's content."""
    patch = full_size.Patch(Box.full(known_mask.shape), content.astype(np.float32))
    full_size.guide_low_frequencies(patch, ~known_mask, guide.astype(np.float32))
    return patch.content - content.astype(np.float32)


@pytest.mark.parametrize("scale", [1, 4])
def test_the_guides_colour_fades_into_the_hole(scale: int) -> None:
    known_mask = known_outside(
        np.ones((60 * scale, 80 * scale, 3)), 10 * scale, 20 * scale, 40 * scale, 40 * scale
    )
    content = np.full((*known_mask.shape, 3), 0.3)
    added = guided(content, known_mask, np.full((60, 80, 3), 0.5))
    assert (added[known_mask] == 0).all()
    # From the hole's left side to its middle.
    row = added[30 * scale + scale // 2, :, 0].reshape(80, scale).mean(1)[20:40]
    np.testing.assert_allclose(
        row,
        0.2 * np.exp(-np.arange(1, 21) / full_size.GUIDED_REACH),
        atol=0.004 if scale == 1 else 0.02,
    )


def test_a_guide_equal_to_the_copy_changes_nothing() -> None:
    """The window is 2.7 times the working size; slopes would show a shift by part of a pixel."""
    h, w = 270, 432
    y, x = np.mgrid[:h, :w]
    ramp = np.stack([x / w, y / h, (x + y) / (h + w)], 2)
    guide = cv2.resize(ramp, (160, 100), interpolation=cv2.INTER_AREA)
    added = guided(ramp, known_outside(ramp, 41, 59, 150, 203), guide)
    assert np.abs(added).max() < 0.002


def test_fine_detail_stays_the_copys() -> None:
    known_mask = known_outside(np.ones((60, 80, 3)), 20, 20, 20, 40)
    grain = np.random.default_rng(0).normal(0, 0.1, (60, 80, 1)).repeat(3, 2)
    fine = grain - cv2.GaussianBlur(grain, (0, 0), full_size.GUIDED_SMOOTH)
    result = 0.5 + fine + guided(0.5 + fine, known_mask, np.full((60, 80, 3), 0.5))
    assert result[~known_mask].std() > 0.85 * fine[~known_mask].std()


def test_a_hole_that_fills_its_window_hardly_changes() -> None:
    content, nothing_known = np.full((16, 16, 3), 0.2), np.zeros((16, 16), bool)
    assert np.abs(guided(content, nothing_known, np.ones((16, 16, 3)))).max() < 0.01


@pytest.mark.parametrize("gap", [1, 3, 8])
def test_label_boxes_hold_every_label_in_parts_that_lie_apart(gap: int) -> None:
    rng = np.random.default_rng(gap)
    # One label here and there, one in two corners, one everywhere.
    labels = np.full((60, 90), -1)
    labels[tuple(rng.integers(0, (60, 90), (12, 2)).T)] = 0
    labels[:7, :5] = labels[50:, 80:] = 1
    labels[20:24, 3:80] = 4
    boxes = full_size._label_boxes(labels, gap)
    assert sorted(boxes) == [0, 1, 4]
    assert boxes[1] == [Box(0, 0, 5, 7), Box(80, 50, 10, 10)]
    for k, parts in boxes.items():
        covered = np.zeros((60 + 2 * gap, 90 + 2 * gap), int)
        for part in parts:
            assert Box.bounding(labels[part.slices] == k) == Box(0, 0, part.w, part.h)
            covered[part.y : part.bottom + 2 * gap, part.x : part.right + 2 * gap] += 1
        assert covered.max() == 1
        assert covered[gap:-gap, gap:-gap][labels == k].all()
    assert full_size._label_boxes(np.full((3, 4), -1), gap) == {}


def test_a_label_in_parts_is_copied_as_if_it_had_one_box(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = np.random.default_rng(3).random((120, 160, 3)).astype(np.float32)
    known_mask = known_outside(picture, 30, 40, 60, 80)
    small_known = known_outside(picture[::2, ::2], 15, 20, 30, 40)
    labels = np.where(small_known, -1, 1)
    labels[16:19, 22:25] = labels[40:44, 50:58] = 0
    offsets, shift = np.array([(0, 45), (-35, 0)]), np.zeros((60, 80, 3), np.float32)

    def copied() -> np.ndarray:
        full = full_size.scale_labels(labels, offsets, picture, known_mask, ~known_mask)
        counts.append(len(full.boxes[0]))
        patch = full_size.copy_sources(picture, known_mask, ~known_mask, full, labels, shift, 3)
        return patch.content

    counts: list[int] = []
    parts = copied()
    monkeypatch.setattr(full_size, "_parts", lambda places, gap: around(places))
    assert np.abs(parts - copied()).max() < 1e-5
    assert counts == [2, 1]


def around(places: np.ndarray) -> list[Box]:
    """One box around N2 places (row, column)."""
    (top, left), (bottom, right) = places.min(0).tolist(), places.max(0).tolist()
    return [Box.from_corners(left, top, right + 1, bottom + 1)]


@pytest.mark.parametrize("offset", [(0, 0), (5, -3), (-9, 4), (100, 0), (0, -100), (-100, 100)])
def test_the_overlap_is_the_part_whose_source_lies_in_the_picture(offset: tuple[int, int]) -> None:
    shape, box = (20, 30), Box(2, 4, 10, 12)
    target, source = full_size._overlap(box, np.array(offset), shape)
    pixels = [(y + offset[0], x + offset[1]) for y in range(4, 16) for x in range(2, 12)]
    legal = [(y, x) for y, x in pixels if 0 <= y < shape[0] and 0 <= x < shape[1]]
    assert target.area == source.area == len(legal)
    picture = np.zeros(shape, bool)
    picture[source.slices] = True
    assert [tuple(p) for p in np.argwhere(picture).tolist()] == sorted(legal)
    if legal:
        assert source == target.shifted(*offset)


def test_a_label_moves_to_full_size_with_its_offset() -> None:
    """Twice the working size: the scaled offset is exact, and no better one is nearby."""
    picture = np.random.default_rng(1).random((40, 60, 3)).astype(np.float32)
    picture[10:30, 16:40] = picture[10:30, 36:60]
    known_mask = known_outside(picture, 14, 20, 12, 16)
    labels = np.full((20, 30), -1)
    labels[7:13, 10:18] = 0
    scaled = full_size.scale_labels(labels, np.array([(0, 10)]), picture, known_mask, ~known_mask)
    assert scaled.offsets.tolist() == [[0, 20]]
    frame = scaled.frame
    assert np.array_equal(scaled.labels == 0, ~known_mask[frame.slices])
    ((box,),) = scaled.boxes.values()
    assert box.shifted(frame.y, frame.x) == Box(20, 14, 16, 12)
