"""The smooth base."""

from __future__ import annotations

import pytest
import torch

from remove_objects.models.smooth_base import smooth_base


def test_smooth_base_is_the_mean_of_the_known_and_reads_nothing_else() -> None:
    image = torch.rand(1, 3, 64, 128)
    mask = torch.ones(1, 1, 64, 128)
    # Without holes, the blend at a cell's centre is the mean of the cells of the four pixels around
    # it, so the picture keeps its mean.
    even = smooth_base(torch.full_like(image, 0.3), mask, 32, middle=0.5)
    torch.testing.assert_close(even, torch.full_like(image, 0.3))
    mask[..., 16:48, 32:112] = 0
    base = smooth_base(image, mask, 32, middle=0.5)
    torch.testing.assert_close(
        smooth_base(
            torch.where(mask > 0, image, torch.full_like(image, torch.nan)), mask, 32, middle=0.5
        ),
        base,
    )
    assert abs(float(base.mean()) - float((image * mask).sum() / mask.sum() / 3)) < 0.03
    torch.testing.assert_close(
        smooth_base(image, torch.zeros_like(mask), 32, middle=0.5), torch.full_like(image, 0.5)
    )


def test_smooth_base_carries_a_slope_into_the_hole() -> None:
    """In a hole between two colours, the base changes gradually from one to the other."""
    image = torch.zeros(1, 3, 128, 256)
    image[..., 128:] = 1
    mask = torch.ones(1, 1, 128, 256)
    mask[..., 32:96, 64:192] = 0
    base = smooth_base(image, mask, 32, middle=0.5)[0, 0, 64]
    assert base[70] < 0.25
    assert base[186] > 0.75
    assert (base.diff() > -1e-6).all()


@pytest.mark.parametrize("size", [(8, 8), (40, 72), (33, 200)])
def test_smooth_base_takes_any_size(size: tuple[int, int]) -> None:
    image, mask = torch.full((2, 3, *size), -0.4), (torch.rand(2, 1, *size) > 0.5).float()
    torch.testing.assert_close(smooth_base(image, mask, 32, middle=0.0), image)
