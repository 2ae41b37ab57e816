"""Partial convolution and mask update.

The references are arrays computed by hand and a loop with one mask per channel.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from remove_objects.models.partial_conv import PartialConv2d, known_count


def layer(
    groups: tuple[int, ...],
    out_channels: int,
    kernel_size: int,
    *,
    weight: float | None = None,
    bias: float = 0.0,
) -> PartialConv2d:
    conv = PartialConv2d(groups, out_channels, kernel_size).requires_grad_(False)
    if weight is not None:
        conv.conv.weight.fill_(weight)
    conv.conv.bias.fill_(bias)
    return conv


def picture(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows)[None, None].float()


def slow_reference(
    conv: PartialConv2d, features: list[Tensor], masks: list[Tensor]
) -> tuple[Tensor, Tensor]:
    """Compute equations 1 and 2 literally: one mask per channel, pixel by pixel, in float64."""
    x = torch.cat(features, dim=1).double()
    m = torch.cat(
        [mask.expand_as(f) for f, mask in zip(features, masks, strict=True)], dim=1
    ).double()
    weight, bias = conv.conv.weight.double(), conv.conv.bias.double()
    n, channels, height, width = x.shape
    k, pad = conv.kernel_size, conv.kernel_size // 2
    output, known = (
        torch.zeros(n, len(weight), height, width).double(),
        torch.zeros(n, 1, height, width).double(),
    )
    for i in range(n):
        for row in range(height):
            for column in range(width):
                total, count = torch.zeros(len(weight)).double(), 0.0
                for dy in range(k):
                    for dx in range(k):
                        y, z = row + dy - pad, column + dx - pad
                        if 0 <= y < height and 0 <= z < width:
                            for c in range(channels):
                                total += weight[:, c, dy, dx] * x[i, c, y, z] * m[i, c, y, z]
                                count += float(m[i, c, y, z])
                if count:
                    output[i, :, row, column] = total * (channels * k * k) / count + bias
                    known[i, 0, row, column] = 1
    return output, known


def test_equations_1_and_2_by_hand() -> None:
    image = picture([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    mask = picture([[1, 0, 0], [0, 0, 0], [0, 0, 1]])
    output, known = layer((1,), 1, 3, weight=1.0, bias=0.5)([image], [mask])
    # A single known pixel is multiplied by 9/1; the centre is (1 + 9) * 9/2; unknown pixels get no
    # bias.
    assert output.tolist() == [[[[9.5, 9.5, 0.0], [9.5, 45.5, 81.5], [0.0, 81.5, 81.5]]]]
    assert known.tolist() == [[[[1, 1, 0], [1, 1, 1], [0, 1, 1]]]]


def test_border_of_a_known_picture_counts_the_outside_as_unknown() -> None:
    output, known = layer((1,), 1, 3, weight=1.0)(
        [torch.full((1, 1, 4, 5), 2.0)], [torch.ones(1, 1, 4, 5)]
    )
    torch.testing.assert_close(
        output, torch.full((1, 1, 4, 5), 18.0)
    )  # 2 * 4 known * 9/4 in a corner as 2 * 9 inside
    assert known.eq(1).all()


def test_nothing_known_gives_exactly_zero_without_bias() -> None:
    output, known = layer((2, 1), 3, 5, bias=7.0)(
        [torch.randn(1, 2, 6, 6), torch.randn(1, 1, 6, 6)], [torch.zeros(1, 1, 6, 6)] * 2
    )
    assert output.eq(0).all()
    assert known.eq(0).all()


def test_groups_count_channels_times_pixels() -> None:
    features = [torch.tensor([2.0, 4.0]).view(1, 2, 1, 1), torch.tensor([3.0]).view(1, 1, 1, 1)]
    yes, no = torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1)
    conv = layer((2, 1), 1, 1, weight=1.0)
    assert float(conv(features, [yes, yes])[0]) == 9.0  # (2 + 4 + 3) * 3/3
    assert float(conv(features, [yes, no])[0]) == 9.0  # (2 + 4) * 3/2
    assert float(conv(features, [no, yes])[0]) == 9.0  # 3 * 3/1
    assert float(conv(features, [no, yes])[1]) == 1.0


@pytest.mark.parametrize("groups", [(1,), (3,), (2, 3), (1, 2, 2)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5])
def test_slow_reference_with_a_mask_a_channel(groups: tuple[int, ...], kernel_size: int) -> None:
    conv = layer(groups, 2, kernel_size)
    conv.conv.bias.copy_(torch.tensor([0.7, -1.3]))
    features = [torch.randn(2, c, 5, 6) for c in groups]
    masks = [(torch.rand(2, 1, 5, 6) < 0.3).float() for _ in groups]
    for mask in masks:
        mask[0, :, :, 3:] = 0
    output, known = conv(features, masks)
    expected, expected_known = slow_reference(conv, features, masks)
    assert torch.equal(known.double(), expected_known)
    assert 0 < expected_known.mean() < 1
    torch.testing.assert_close(output.double(), expected, rtol=1e-4, atol=1e-4)
    assert output.masked_select(known.expand_as(output) == 0).eq(0).all()


def test_inside_a_known_picture_it_is_an_ordinary_convolution() -> None:
    conv = layer((3,), 4, 5, bias=0.3)
    image = torch.randn(1, 3, 9, 11)
    expected = torch.nn.functional.conv2d(image, conv.conv.weight, conv.conv.bias)
    torch.testing.assert_close(
        conv([image], [torch.ones(1, 1, 9, 11)])[0][..., 2:-2, 2:-2], expected, rtol=1e-5, atol=1e-5
    )


def test_gradient_of_a_hole_pixel_is_zero() -> None:
    conv = layer((2,), 3, 3)
    image = torch.randn(1, 2, 6, 6, requires_grad=True)
    mask = (torch.rand(1, 1, 6, 6) < 0.5).float()
    conv([image], [mask])[0].square().sum().backward()
    assert image.grad is not None
    hole = mask.expand_as(image) == 0
    assert image.grad[hole].eq(0).all()
    assert image.grad[~hole].ne(0).all()


@pytest.mark.parametrize("kernel_size", [3, 5])
def test_mask_grows_by_half_a_kernel_until_full(kernel_size: int) -> None:
    size, reach = 9, kernel_size // 2
    conv = layer((1,), 1, kernel_size)
    x, mask = torch.ones(1, 1, size, size), torch.zeros(1, 1, size, size)
    mask[..., 0, 0] = 1
    for step in range(1, size):
        x, mask = conv([x], [mask])
        side = min(size, 1 + step * reach)
        assert mask.sum() == side * side
        assert mask[..., :side, :side].eq(1).all()
    assert mask.eq(1).all()


def test_mask_without_a_known_pixel_never_fills() -> None:
    conv = layer((1,), 1, 3)
    x, mask = torch.ones(1, 1, 5, 5), torch.zeros(1, 1, 5, 5)
    for _ in range(6):
        x, mask = conv([x], [mask])
    assert mask.eq(0).all()
    assert x.eq(0).all()


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
@pytest.mark.parametrize("shape", [(1, 1), (4, 9), (12, 7)])
def test_known_count_is_exact(kernel_size: int, shape: tuple[int, int]) -> None:
    mask = (torch.rand(2, 1, *shape) < 0.6).float()
    pad = kernel_size // 2
    expected = torch.zeros_like(mask)
    for n in range(2):
        for y in range(shape[0]):
            for x in range(shape[1]):
                expected[n, 0, y, x] = mask[
                    n, 0, max(0, y - pad) : y + pad + 1, max(0, x - pad) : x + pad + 1
                ].sum()
    count = known_count(mask, kernel_size)
    assert count.dtype == torch.float32
    assert torch.equal(count, expected)


def test_known_count_by_hand() -> None:
    mask = picture([[1, 0, 1], [0, 0, 0], [1, 1, 0]])
    assert known_count(mask, 3).tolist() == [[[[1, 2, 1], [3, 4, 2], [2, 2, 1]]]]


def test_errors_say_what_was_given() -> None:
    with pytest.raises(ValueError, match="odd, got 4"):
        PartialConv2d((3,), 1, 4)
    conv = PartialConv2d((2, 1), 1, 3)
    x, m = torch.zeros(1, 2, 3, 3), torch.ones(1, 1, 3, 3)
    with pytest.raises(ValueError, match=r"\(2, 1\) channels .* got \[2, 2\]"):
        conv([x, x], [m, m])
    with pytest.raises(ValueError, match="and 1 masks"):
        conv([x, x[:, :1]], [m])


def test_features_that_are_gated_already_need_no_product_with_the_mask() -> None:
    mask = (torch.rand(2, 1, 8, 8) < 0.5).float()
    features = torch.randn(2, 3, 8, 8)
    conv = layer((3,), 4, 3, bias=0.2)
    expected, grown = conv([features], [mask])
    output, same = conv([features * mask], [mask], gated=True)
    assert torch.equal(output, expected)
    assert torch.equal(same, grown)
    # The layer does not check that the features are 0 under the mask.
    assert not torch.equal(conv([features], [mask], gated=True)[0], expected)


def test_under_autocast_features_and_masks_stay_in_the_products_type() -> None:
    conv = layer((2, 1), 4, 5, bias=0.2)
    features, masks = (
        [torch.randn(1, 2, 9, 9), torch.randn(1, 1, 9, 9)],
        [(torch.rand(1, 1, 9, 9) < 0.3).float() for _ in range(2)],
    )
    expected, known = conv(features, masks)
    with torch.autocast("cpu", torch.bfloat16):
        output, grown = conv(features, masks)
    assert output.dtype == grown.dtype == torch.bfloat16
    assert torch.equal(grown.float(), known)
    torch.testing.assert_close(
        output.float(), expected, rtol=0.05, atol=0.05 * float(expected.abs().max())
    )
