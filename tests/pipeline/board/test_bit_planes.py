"""Compressed values come back as they were."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.board.bit_planes import BitPlanes


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (40, 17)])
@pytest.mark.parametrize("most", [1, 2, 12, 256])
def test_values_come_back(size: tuple[int, int], most: int) -> None:
    values = np.random.default_rng(most).integers(0, most, size).astype(np.uint8)
    packed = BitPlanes.pack(values)
    assert np.array_equal(packed.unpack(), values)
    assert {bit for bit, _ in packed.planes} == {
        bit for bit in range(8) if (values >> bit & 1).any()
    }


def test_an_even_picture_takes_next_to_no_memory() -> None:
    values = np.zeros((1000, 1000), np.uint8)
    assert BitPlanes.pack(values).bytes == 0
    values[100:900, 300:800] = 9
    assert 0 < BitPlanes.pack(values).bytes < 20_000
