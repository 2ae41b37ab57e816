"""Each loss against numbers computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from remove_objects.train import losses


def maps(*rows: list[list[float]]) -> Tensor:
    """1CHW, one nested list a channel."""
    return torch.tensor([rows]).float()


def test_hole_and_valid_l1_are_means_over_all_pixels() -> None:
    output, truth, mask = maps([[1, 2], [3, 4]]), maps([[0, 0], [0, 6]]), maps([[1, 0], [1, 1]])
    assert float(losses.hole_l1(output, truth, mask)) == 0.5  # 2 / 4
    assert float(losses.valid_l1(output, truth, mask)) == 1.5  # (1 + 3 + 2) / 4
    # The one-channel mask counts for each channel.
    three_channels = losses.hole_l1(output.expand(1, 3, 2, 2), truth.expand(1, 3, 2, 2), mask)
    assert float(three_channels) == 0.5


def test_total_variation() -> None:
    assert (
        float(losses.total_variation(maps([[1, 4], [2, 2]]))) == 3.0
    )  # across (3 + 0) / 2, down (1 + 2) / 2


def test_total_variation_near_the_hole_only() -> None:
    picture = maps([[0, 1, 3, 6, 10], [0, 1, 3, 6, 10]])
    hole = maps([[0, 1, 1, 1, 1], [0, 1, 1, 1, 1]])
    # The hole grown by one pixel is columns 0 and 1: one pair per row, 1 + 1, of 8 pairs.
    assert float(losses.total_variation(picture, hole)) == 0.25
    assert float(losses.total_variation(picture, torch.ones_like(hole))) == 0.0
    assert (
        float(losses.total_variation(picture, torch.zeros_like(hole)))
        == float(losses.total_variation(picture))
        == 2.5
    )
    assert float(losses.total_variation(picture.flip(3), hole.flip(3))) == 0.25
    tall = picture.transpose(2, 3)
    assert float(losses.total_variation(tall, hole.transpose(2, 3))) == 0.25


def test_perceptual_adds_the_layers_means() -> None:
    features, truth = (
        [maps([[1, 2]], [[3, 4]]), maps([[5.0]])],
        [maps([[0, 2]], [[1, 0]]), maps([[3.0]])],
    )
    assert float(losses.perceptual(features, truth)) == pytest.approx((1 + 0 + 2 + 4) / 4 + 2)


def test_normalised_perceptual_is_the_squared_distance_of_unit_vectors() -> None:
    a, b = (torch.randn(2, 5, 4, 3, requires_grad=True) for _ in range(2))
    one, two = (x / x.square().sum(1, keepdim=True).sqrt() for x in (a, b))
    expected = (one - two).square().sum(1).mean()
    distance = losses.normalised_perceptual([a], [b])
    torch.testing.assert_close(distance, expected, rtol=1e-4, atol=1e-5)
    for wanted, got in zip(
        torch.autograd.grad(expected, (a, b)), torch.autograd.grad(distance, (a, b)), strict=True
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-3, atol=1e-5)


def test_normalised_perceptual_compares_directions() -> None:
    a, b = maps([[3.0]], [[4.0]]), maps([[4.0]], [[3.0]])
    same = maps([[6.0]], [[8.0]])
    assert float(losses.normalised_perceptual([a], [b])) == pytest.approx(
        0.08, rel=1e-4
    )  # (0.6 - 0.8)² twice
    assert float(losses.normalised_perceptual([a], [same])) == pytest.approx(0, abs=1e-8)
    assert float(losses.normalised_perceptual([a, a], [b, same])) == pytest.approx(
        0.04, rel=1e-4
    )  # mean over layers
    nothing = torch.zeros(1, 2, 1, 1, requires_grad=True)
    losses.normalised_perceptual([nothing], [a]).backward()
    assert nothing.grad is not None
    assert nothing.grad.isfinite().all()


def test_gram_by_hand() -> None:
    assert losses.gram(maps([[1, 2]], [[3, 4]])).tolist() == [
        [[1.25, 2.75], [2.75, 6.25]]
    ]  # [[5, 11], [11, 25]] / (2 * 1 * 2)


def test_style_adds_the_layers_mean_gram_differences() -> None:
    features = maps([[1, 2]], [[3, 4]])
    assert float(losses.style([features], [torch.zeros_like(features)])) == pytest.approx(
        (1.25 + 2.75 + 2.75 + 6.25) / 4
    )
    assert float(
        losses.style([features, features], [torch.zeros_like(features)] * 2)
    ) == pytest.approx(6.5)
    assert float(losses.style([features], [features.flip(3)])) == 0.0  # the place does not matter


def test_layers_that_do_not_pair_up_are_an_error() -> None:
    x = maps([[1.0]])
    for loss in (losses.perceptual, losses.normalised_perceptual, losses.style):
        with pytest.raises(ValueError, match="zip"):
            loss([x, x], [x])


def test_adversarial_l1_wants_one_for_real_and_zero_for_reconstructed() -> None:
    judged = torch.tensor([0.25, 1.5])
    assert float(losses.adversarial_l1(judged, True)) == 0.625
    assert float(losses.adversarial_l1(judged, False)) == 0.875


def test_hinge() -> None:
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-2.0, 0.5])
    assert float(losses.hinge_discriminator(real, fake)) == 1.0  # (0 + 0.5) / 2 + (0 + 1.5) / 2
    assert float(losses.hinge_generator(fake)) == 0.75
