"""Arrays of samples: from one type to another, and from known pixels to unknown ones."""

from __future__ import annotations

import numpy as np

from remove_objects.pipeline.pixels import as_float, eight_bits, nearest_values


def test_eight_bits_of_any_samples_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert eight_bits(levels) is levels
    assert np.array_equal(eight_bits(levels.astype(np.uint16) * 257), levels)
    assert np.array_equal(eight_bits(as_float(levels)), levels)
    assert eight_bits(np.array([-0.5, 0.5, 1.5], np.float32)).tolist() == [0, 128, 255]


def test_unknown_pixels_take_the_nearest_known_values_of_every_channel() -> None:
    picture = np.random.default_rng(0).random((20, 30, 3)).astype(np.float32)
    known = np.zeros((20, 30), bool)
    known[:, :10] = known[:, 25:] = True
    filled = nearest_values(np.where(known[..., None], picture, np.nan), known)
    assert np.array_equal(filled[known], picture[known])
    assert np.array_equal(filled[5, 10], picture[5, 9])
    assert np.array_equal(filled[5, 24], picture[5, 25])
    for channel in range(3):
        assert np.array_equal(nearest_values(picture[..., channel], known), filled[..., channel])
    assert not nearest_values(picture, np.zeros_like(known)).any()
