"""The gated convolutions' losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.support.training import (
    gated,
    numbers,
    with_edges,
)


def test_gated_conv_weighs_l1_of_the_whole_and_the_hinge() -> None:
    task = gated()
    (
        task.network.eval(),
        task.discriminator.eval(),
    )  # no step of the power iteration between the two passes
    picture, mask = with_edges(task)
    truth = picture * 2 - 1
    with torch.no_grad():
        output = task.network(truth, mask)
        real, fake = (
            task.discriminator(p, mask) for p in (truth, truth * mask + output * (1 - mask))
        )
        filled = task.fill(task.network, picture, mask)
    terms = task.losses((picture, mask))
    expected = {
        "l1": float((output - truth).abs().mean()),
        "adversarial": -0.5 * float(fake.mean()),
    }
    assert numbers(terms["network"]) == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert numbers(terms["discriminator"]) == pytest.approx(
        {"hinge": float(F.relu(1 - real).mean() + F.relu(1 + fake).mean())}, rel=1e-4
    )
    torch.testing.assert_close(filled, output / 2 + 0.5)
