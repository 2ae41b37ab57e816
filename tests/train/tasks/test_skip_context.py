"""Models 0 to 3 of the context encoder: their losses, and the place of the 64x64 patch."""

from __future__ import annotations

import math

import pytest
import torch

from tests.support.training import (
    batch,
    numbers,
    skip_context,
)


@pytest.mark.parametrize("variant", range(4))
def test_skip_context_losses(variant: int) -> None:
    terms = skip_context(variant).losses(batch())
    assert {k: set(v) for k, v in terms.items()} == {
        "network": {"adversarial", "rec", "l1", "perceptual", "style"},
        "discriminator": {"real", "fake"},
    }
    assert all(
        math.isfinite(v) and v > 0 for parts in terms.values() for v in numbers(parts).values()
    )


def test_paper_losses_alone_make_a_joint_loss() -> None:
    task = skip_context(2, adversarial=0.001, perceptual=0, style=0, l1=0)
    picture, mask = batch()
    with torch.no_grad():
        truth = picture * 2 - 1
        output = task.network(truth, mask)
        composite = truth * mask + output * (1 - mask)
        real, fake = (task.discriminator(p) for p in (truth, composite))
    terms = task.losses((picture, mask))
    assert numbers(terms["network"]) == pytest.approx(
        {
            "adversarial": 0.001 * float((fake - 1).abs().mean()),
            "rec": 0.999 * float((output - truth).square().mean()),
        },
        rel=1e-4,
    )
    assert numbers(terms["discriminator"]) == pytest.approx(
        {"real": 0.5 * float((real - 1).abs().mean()), "fake": 0.5 * float(fake.abs().mean())},
        rel=1e-4,
    )


def test_models_that_fill_the_hole_alone_are_measured_there() -> None:
    task = skip_context(1, adversarial=0)
    picture, mask = batch()
    truth = picture * 2 - 1
    with torch.no_grad():
        output = task._at_full_size(task.network(truth, mask), mask)
    # The mean over the 64x64 that the network returns, not over the 128x128 around it.
    expected = ((output - truth) * (1 - mask)).square().sum() / (len(picture) * 3 * 64 * 64)
    assert float(task.losses((picture, mask))["network"]["rec"].detach()) == pytest.approx(
        float(expected), rel=1e-4
    )


@torch.no_grad()
def test_patch_of_models_0_and_1_is_placed_in_the_hole() -> None:
    task = skip_context(1)
    task.network.eval()
    masks = torch.ones(2, 1, 128, 128)
    masks[0, :, 10:74, 50:114] = 0
    masks[1, :, 64:, :64] = 0
    picture = torch.rand(2, 3, 128, 128)
    patch = task.network(picture * 2 - 1, masks) / 2 + 0.5
    whole = task.fill(task.network, picture, masks)
    assert whole.shape == picture.shape
    assert torch.equal(whole[0, :, 10:74, 50:114], patch[0])
    assert torch.equal(whole[1, :, 64:, :64], patch[1])
    assert whole[masks.expand_as(whole) > 0].eq(0.5).all()
