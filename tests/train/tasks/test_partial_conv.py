"""Partial convolution: LSUV's unit spread and the weights of equation 9."""

from __future__ import annotations

import pytest
import torch

from remove_objects.models.partial_conv import PartialConv2d
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.train import losses
from remove_objects.train.data.holes import rectangle
from remove_objects.train.recipe import PartialConvWeights
from remove_objects.train.tasks.base import (
    squares_with_holes,
)
from remove_objects.train.tasks.partial_conv import PartialConvTask, lsuv_init
from tests.support.training import (
    PARTIAL_CONV,
    Features,
    batch,
    common,
    noise,
    numbers,
)


@torch.no_grad()
def test_lsuv_init_gives_every_layer_unit_spread() -> None:
    network = PartialConvUNet(PartialConvUNetConfig(2))
    x, mask = squares_with_holes(noise(), rectangle, 128)
    lsuv_init(network, x, mask)
    spreads: dict[str, float] = {}
    for name, module in network.named_modules():
        if isinstance(module, PartialConv2d):
            module.register_forward_hook(
                lambda _m, _i, out, n=name: spreads.update(
                    {n: float(out[0][out[1].expand_as(out[0]) > 0].std())}
                )
            )
    network(x, mask)
    assert len(spreads) == 28
    assert spreads.pop("decoders.0.1") == pytest.approx(0.1, rel=1e-2)
    assert list(spreads.values()) == pytest.approx([1.0] * 27, rel=1e-2)


@pytest.mark.parametrize("at_output", [False, True])
def test_partial_conv_weighs_equation_9(at_output: bool) -> None:
    w = PartialConvWeights(
        tv=0.3, valid=2.0, hole=5.0, perceptual=0.7, style=11.0, features_of_output=at_output
    )
    task = PartialConvTask(
        width=2,
        **{**PARTIAL_CONV, "weights": w},
        **common(features=Features(), perceptual="l1", perceptual_crop=0),
    )
    truth, mask = batch()
    with torch.no_grad():
        output = task.network(truth, mask)
    terms = task.losses((truth, mask))
    assert set(terms) == {"network"}
    composite = truth * mask + output * (1 - mask)
    looks = [Features()(p) for p in ([composite, output] if at_output else [composite])]
    wanted = Features()(truth)
    expected = {
        "valid": 2 * losses.valid_l1(output, truth, mask),
        "hole": 5 * losses.hole_l1(output, truth, mask),
        "tv": 0.3 * losses.total_variation(composite, mask),
        "perceptual": 0.7 * sum(losses.perceptual(look, wanted) for look in looks),
        "style": 11 * sum(losses.style(look, wanted) for look in looks),
    }
    assert numbers(terms["network"]) == pytest.approx(
        {k: float(v) for k, v in expected.items()}, rel=1e-4
    )
    task.features = None
    assert set(task.losses((truth, mask))["network"]) == {"valid", "hole", "tv"}
