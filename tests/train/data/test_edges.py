"""Canny's edges: their place, that they never show a hole's pixels, and that crops have them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.train.data.edges import EdgeCrops, canny_edges, known_edges
from remove_objects.train.data.holes import rectangle
from remove_objects.train.data.pictures import Crops


def halves(size: int = 64) -> np.ndarray:
    """Black on the left, grey on the right, the edge in the middle of a pixel."""
    rgb = np.zeros((size, size, 3), np.uint8)
    rgb[:, size // 2] = 90
    rgb[:, size // 2 + 1 :] = 180
    return rgb


@pytest.mark.parametrize("rgb", [halves(), halves().astype(np.float32) / 255])
def test_edge_of_two_halves_is_one_line(rgb: np.ndarray) -> None:
    edges = canny_edges(rgb)
    assert edges.dtype == bool
    assert (edges[1:-1].sum(1) == 1).all()
    assert edges[1:-1, 32].all()


def test_a_holes_border_is_not_an_edge_and_known_edges_reach_it() -> None:
    rgb, known = halves(), np.ones((64, 64), bool)
    known[20:40, 10:60] = False
    rgb[~known] = 255
    edges = canny_edges(rgb, known)
    assert set(edges.nonzero()[1]) == {32}
    assert edges[[4, 17, 42, 59], 32].all()
    assert not edges[20:40].any()


def test_a_batch_is_read_picture_by_picture_and_never_under_its_holes() -> None:
    rng = np.random.default_rng(0)
    rgb = np.stack(
        [
            cv2.resize(
                rng.random((6, 6, 3), np.float32), (48, 48), interpolation=cv2.INTER_CUBIC
            ).clip(0, 1)
            for _ in range(3)
        ]
    )
    pictures, masks = torch.from_numpy(rgb.transpose(0, 3, 1, 2).copy()), torch.ones(3, 1, 48, 48)
    masks[0, :, 8:30, 10:30] = 0
    masks[1, :, :20] = 0
    edges = known_edges(pictures, masks)
    assert (edges.shape, edges.dtype) == ((3, 1, 48, 48), torch.float32)
    assert set(edges.unique().tolist()) == {0, 1}
    assert not (edges * (1 - masks)).any()
    for i in range(3):
        assert np.array_equal(edges[i, 0].numpy() > 0, canny_edges(rgb[i], masks[i, 0].numpy() > 0))
    for poison in (0.0, 1.0, 100.0, float("nan")):
        assert torch.equal(known_edges(torch.where(masks > 0, pictures, poison), masks), edges)
    assert not known_edges(pictures, torch.zeros_like(masks)).any()


def test_crops_come_with_both_edge_maps(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), halves(80))
    crops = Crops([tmp_path / "a.png"], rectangle, size=64, zoom=(1.0, 1.0))
    picture, known, seen, true = EdgeCrops(crops)[3]
    assert torch.equal(picture, crops[3][0])
    assert torch.equal(known, crops[3][1])
    assert [t.dtype for t in (known, seen, true)] == [torch.uint8] * 3
    rgb = picture.permute(1, 2, 0).numpy()
    assert np.array_equal(true[0].numpy() > 0, canny_edges(rgb))
    assert np.array_equal(seen[0].numpy() > 0, canny_edges(rgb, known[0].numpy() > 0))
    assert seen.sum() < true.sum()
