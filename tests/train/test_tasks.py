"""The tasks: schedule, held-out figures, what one step does to which network."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.partial_conv import PartialConv2d
from models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from train import losses
from train.data import Pictures
from train.holes import edge, rectangle
from train.tasks import (
    CompressionTask,
    InpaintingTask,
    PartialConvTask,
    PartialConvWeights,
    Schedule,
    SkipContextTask,
    even_out,
    held_out_set,
    split,
)


class Features(nn.Module):
    """Stands in for VGG: the picture, and the picture at half the size."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, nn.functional.avg_pool2d(image, 2)]


def pictures(count: int = 3, shape: tuple[int, int] = (140, 150)) -> Pictures:
    found = Pictures([])
    found.images = [np.random.default_rng(i).integers(0, 256, (*shape, 3), np.uint8) for i in range(count)]
    return found


def common(size: int = 128, *, features: nn.Module | None = None, holes: Any = rectangle, **schedule: Any) -> dict[str, Any]:
    return {
        "schedule": Schedule(**{"batch": 2, "size": size, "learning_rate": 1e-3, **schedule}),
        "pictures": pictures(),
        "holes": holes,
        "held_out": held_out_set(pictures(2), holes, size, 2),
        "features": features,
        "perceptual_crop": 32,
    }


def weights(network: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in network.parameters()]


def changed(before: list[Tensor], network: nn.Module) -> bool:
    return any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))


class Constant(InpaintingTask):
    """Paints one value."""

    value = 0.0

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return torch.full_like(picture, self.value)


def test_split_is_seeded_disjoint_and_whole() -> None:
    training, held_out = split(list(range(20)), 6)
    assert len(held_out) == 6
    assert sorted(training + held_out) == list(range(20))
    assert (training, held_out) == split(list(range(20)), 6)
    assert held_out != split(list(range(20)), 6, seed=1)[1]


@pytest.mark.parametrize("held_out", [0, 5, 64])
def test_split_that_leaves_nothing_says_what_to_set(held_out: int) -> None:
    with pytest.raises(ValueError, match=rf"{held_out} of 5 pictures .* 1 to 4: set --held-out"):
        split(list(range(5)), held_out)


def test_held_out_set_is_fixed_centre_squares() -> None:
    wide = Pictures([])
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, 20:40] = (255, 0, 51)
    wide.images = [image] * 3
    x, masks = held_out_set(wide, rectangle, 10, 2)
    assert torch.equal(x, torch.tensor([1, 0, 0.2]).view(1, 3, 1, 1).expand(2, 3, 10, 10))
    assert masks.shape == (2, 1, 10, 10)
    assert (1 - masks).sum(dim=(1, 2, 3)).tolist() == [25, 25]
    assert torch.equal(held_out_set(wide, rectangle, 10, 2)[1], masks)


def test_learning_rate_warms_up_stays_and_falls_to_a_twentieth() -> None:
    task = Constant(nn.Conv2d(3, 3, 1), **common(16, learning_rate=2.0, warmup=0.1, decay_from=0.5))
    judge = torch.optim.Adam(nn.Linear(1, 1).parameters(), 2.0)
    task.others = [judge]
    found = []
    for share in (0.0, 0.05, 0.1, 0.3, 0.5, 0.75, 1.0):
        task.set_progress(share)
        found.append(task.optimizer.param_groups[0]["lr"] / 2)
        assert judge.param_groups[0]["lr"] == task.optimizer.param_groups[0]["lr"]
    assert found == pytest.approx([0, 0.5, 1, 1, 1, 0.525, 0.05], abs=1e-4)


@pytest.mark.parametrize(("value", "painted"), [(0.5, 0.5), (7.0, 1.0), (-3.0, 0.0)])
def test_held_out_figures_by_hand(value: float, painted: float) -> None:
    black = torch.full((3, 3, 8, 8), 0.25)
    masks = torch.ones(3, 1, 8, 8)
    masks[..., :4] = 0
    task = Constant(nn.Conv2d(3, 3, 1), **{**common(16, features=Features()), "held_out": (black, masks)})
    task.value = value
    figures = task.evaluate(task.network)
    error = abs(painted - 0.25)
    assert figures["val_hole_l1"] == pytest.approx(error, rel=1e-5)
    assert figures["val_psnr"] == pytest.approx(-10 * math.log10(error**2 / 2), rel=1e-5)  # half of the picture is known
    # Grey beside grey: the direction of the colour is the same. Black has none, and lies at distance 1, in half of the picture.
    assert figures["val_perceptual"] == pytest.approx(0.5 if painted == 0 else 0, abs=1e-3)
    task.features = None
    assert set(task.evaluate(task.network)) == {"val_hole_l1", "val_psnr"}


@torch.no_grad()
def test_even_out_gives_every_layer_unit_spread() -> None:
    network = PartialConvUNet(PartialConvUNetConfig(2))
    x, mask = held_out_set(pictures(2), rectangle, 128, 2)
    even_out(network, x, mask)
    spreads: dict[str, float] = {}
    for name, module in network.named_modules():
        if isinstance(module, PartialConv2d):
            module.register_forward_hook(lambda _m, _i, out, n=name: spreads.update({n: float(out[0][out[1].expand_as(out[0]) > 0].std())}))
    network(x, mask)
    assert len(spreads) == 28
    assert spreads.pop("decoders.0.1") == pytest.approx(0.1, rel=1e-2)
    assert list(spreads.values()) == pytest.approx([1.0] * 27, rel=1e-2)


def test_partial_conv_step_weighs_equation_9() -> None:
    w = PartialConvWeights(tv=0.3, valid=2.0, hole=5.0, perceptual=0.7, style=11.0)
    task = PartialConvTask(width=2, weights=w, **common(features=Features()))
    truth, mask = next(task.batches(0))
    with torch.no_grad():
        output = task.network(truth, mask)
    before = weights(task.network)
    parts = task.step((truth, mask))
    composite = truth * mask + output * (1 - mask)
    assert parts["valid"] == pytest.approx(2 * float(losses.valid_l1(output, truth, mask)), rel=1e-4)
    assert parts["hole"] == pytest.approx(5 * float(losses.hole_l1(output, truth, mask)), rel=1e-4)
    assert parts["tv"] == pytest.approx(0.3 * float(losses.total_variation(composite, mask)), rel=1e-4)
    assert parts["perceptual"] > 0
    assert parts["style"] > 0
    assert changed(before, task.network)
    task.features = None
    assert set(task.step((truth, mask))) == {"valid", "hole", "tv", "grad"}


def test_perceptual_losses_look_at_the_hole() -> None:
    task = Constant(nn.Conv2d(3, 3, 1), **common(64, features=Features()))
    truth = torch.rand(2, 3, 64, 64)
    mask = torch.ones(2, 1, 64, 64)
    mask[..., 50:60, 2:8] = 0
    assert [float(v) for v in task.look(truth.clone(), truth, mask)] == [0, 0]
    composite = torch.where(mask > 0, truth, 1 - truth)
    for _ in range(5):  # whatever random pixel of the hole it looks at, 32 pixels around it hold the hole
        perceptual, style = task.look(composite, truth, mask)
        assert perceptual > 0
        assert style > 0


@pytest.mark.parametrize("variant", range(4))
def test_skip_context_step(variant: int) -> None:
    task = SkipContextTask(variant=variant, width=2, adversarial=0.1, perceptual=0.5, style=0.5, l1=2.0, **common(features=Features()))
    truth, mask = next(task.batches(0))
    before = weights(task.network), weights(task.discriminator)
    parts = task.step((truth, mask))
    assert set(parts) == {"adversarial", "rec", "l1", "perceptual", "style"}
    assert all(math.isfinite(v) and v > 0 for v in parts.values())
    assert changed(before[0], task.network)
    assert changed(before[1], task.discriminator)


def test_paper_losses_alone_make_a_joint_loss() -> None:
    task = SkipContextTask(variant=2, width=2, adversarial=0.001, perceptual=0, style=0, l1=0, **common())
    picture, mask = next(task.batches(0))
    with torch.no_grad():
        truth = picture * 2 - 1
        rec = (task.network.train()(truth, mask) - truth).square().mean()
    parts = task.step((picture, mask))
    assert set(parts) == {"adversarial", "rec"}
    assert parts["rec"] == pytest.approx(0.999 * float(rec), rel=1e-4)


def test_without_an_adversary_the_discriminator_rests() -> None:
    task = SkipContextTask(variant=3, width=2, adversarial=0, perceptual=0, style=0, l1=1.0, **common())
    before = weights(task.discriminator)
    assert set(task.step(next(task.batches(0)))) == {"rec", "l1"}
    assert not changed(before, task.discriminator)


@torch.no_grad()
def test_patch_of_models_0_and_1_is_laid_where_the_hole_is() -> None:
    task = SkipContextTask(variant=1, width=2, adversarial=0, perceptual=0, style=0, l1=0, **common())
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


def test_compression_step_and_fill() -> None:
    task = CompressionTask(width=2, adversarial=0.1, variance=0.5, hole_weight=3.0, **common(64, holes=edge))
    picture, mask = next(task.batches(0))
    before = weights(task.network), weights(task.discriminator)
    parts = task.step((picture, mask))
    assert set(parts) == {"valid", "hole", "variance", "adversarial"}
    assert all(math.isfinite(v) for v in parts.values())
    assert min(parts["valid"], parts["hole"], parts["variance"]) > 0
    assert changed(before[0], task.network)
    assert changed(before[1], task.discriminator)
    with torch.no_grad():
        assert task.fill(task.network, picture, mask).shape == picture.shape


def test_compression_losses_are_at_an_eighth_where_all_64_pixels_are_known() -> None:
    task = CompressionTask(width=2, adversarial=0, variance=0.0, hole_weight=3.0, **common(64))
    picture, mask = torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64)
    mask[..., 20:33, :] = 0  # touches rows 2, 3 and 4 of the eight
    with torch.no_grad():
        output = task.network.train()(picture * 2 - 1, mask)
    truth = picture.view(2, 3, 8, 8, 8, 8).mean((3, 5)) * 2 - 1
    error = (output - truth).abs()
    parts = task.step((picture, mask))
    assert parts["hole"] == pytest.approx(3 * float(error[:, :, 2:5].sum()) / error.numel(), rel=1e-4)
    assert parts["valid"] == pytest.approx(float(error[:, :, [0, 1, 5, 6, 7]].sum()) / error.numel(), rel=1e-4)
