"""The tasks: schedule, held-out figures and samples, what each loss weighs and which network it reaches."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from remove_objects.models.partial_conv import PartialConv2d
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.train import losses
from remove_objects.train.data.holes import edge, rectangle
from remove_objects.train.recipe import PartialConvWeights, Schedule
from remove_objects.train.tasks.base import (
    InpaintingTask,
    frozen,
    held_out_set,
    split,
    squares_with_holes,
)
from remove_objects.train.tasks.compression import CompressionTask
from remove_objects.train.tasks.edsr import EDSRTask
from remove_objects.train.tasks.partial_conv import PartialConvTask, lsuv_init
from remove_objects.train.tasks.skip_context import SkipContextTask


class Features(nn.Module):
    """Stands in for VGG: the picture, and the picture at half the size."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, nn.functional.avg_pool2d(image, 2)]


class Scorer(nn.Module):
    """Stands in for LPIPS: the mean difference of each pair."""

    def forward(self, found: Tensor, truth: Tensor) -> Tensor:
        return (found - truth).abs().mean((1, 2, 3))


def noise(count: int = 2, shape: tuple[int, int] = (140, 150)) -> list[np.ndarray]:
    return [np.random.default_rng(i).integers(0, 256, (*shape, 3), np.uint8) for i in range(count)]


def batch(size: int = 128, holes: Any = rectangle) -> tuple[Tensor, Tensor]:
    """Other pictures and holes than those that are held out."""
    return torch.rand(2, 3, size, size), squares_with_holes(noise(4), holes, size)[1][2:]


def common(
    size: int = 128, *, features: nn.Module | None = None, holes: Any = rectangle, **schedule: Any
) -> dict[str, Any]:
    return {
        "schedule": Schedule(
            **{"batch": 2, "size": size, "learning_rate": 1e-3, "perceptual_crop": 32, **schedule}
        ),
        "pictures": [Path("is-not-read-before-the-first-batch.png")],
        "holes": holes,
        "held_out": squares_with_holes(noise(), holes, size),
        "features": features,
    }


def gradients(network: nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.clone() for p in network.parameters()]


def total(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(parts.values())).sum()


def numbers(parts: dict[str, Tensor]) -> dict[str, float]:
    return {k: float(v.detach()) for k, v in parts.items()}


class Constant(InpaintingTask):
    """Paints one value."""

    value = 0.0

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return torch.full_like(picture, self.value)


def constant(size: int = 16, **more: Any) -> Constant:
    return Constant(nn.Conv2d(3, 3, 1), **common(size, **more))


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


def test_held_out_pictures_are_centre_squares_with_fixed_holes() -> None:
    image = np.zeros((20, 60, 3), np.uint8)
    image[:, 20:40] = (255, 0, 51)
    x, masks = squares_with_holes([image, image.transpose(1, 0, 2)], rectangle, 10)
    assert torch.equal(x, torch.tensor([1, 0, 0.2]).view(1, 3, 1, 1).expand(2, 3, 10, 10))
    assert masks.shape == (2, 1, 10, 10)
    assert masks.dtype == torch.float32
    assert (1 - masks).sum(dim=(1, 2, 3)).tolist() == [25, 25]
    assert torch.equal(squares_with_holes([image] * 3, rectangle, 10)[1][:2], masks)


def test_held_out_set_leaves_unreadable_files_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abc"]
    for path, level in zip(paths, (51, 0, 102), strict=True):
        cv2.imwrite(str(path), np.full((8, 8, 3), level, np.uint8))
    paths[1].write_bytes(b"not a picture")
    with caplog.at_level(logging.WARNING):
        x, masks = held_out_set(paths, rectangle, 4)
    assert x[:, 0, 0, 0].tolist() == pytest.approx([0.2, 0.4])
    assert len(masks) == 2
    assert [r.getMessage() for r in caplog.records] == [
        f"{paths[1]}: not a readable picture; left out"
    ]
    with pytest.raises(OSError, match=r"none of 1 held-out pictures can be read, from .*b\.png on"):
        held_out_set(paths[1:2], rectangle, 4)


def test_batches_are_crops_of_the_pictures_with_holes(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.full((30, 30, 3), (0, 51, 255), np.uint8))
    task = Constant(nn.Conv2d(3, 3, 1), **{**common(16), "pictures": [tmp_path / "a.png"]})
    x, mask = next(task.batches(3))
    assert torch.equal(x, torch.tensor([1, 0.2, 0]).view(1, 3, 1, 1).expand(2, 3, 16, 16))
    assert (1 - mask).sum(dim=(1, 2, 3)).tolist() == [64, 64]
    second = next(task.batches(0, accumulate=2, rank=1, world=2))[1]
    assert torch.equal(second, next(task.batches(1))[1])  # samples 2 and 3


def test_learning_rate_warms_up_stays_and_falls_to_a_twentieth() -> None:
    task = constant(learning_rate=2.0, warmup=0.1, decay_from=0.5)
    task.optimizers["judge"] = torch.optim.Adam(nn.Linear(1, 1).parameters(), 2.0)
    found = []
    for share in (0.0, 0.05, 0.1, 0.3, 0.5, 0.75, 1.0):
        task.set_progress(share)
        rates = {o.param_groups[0]["lr"] / 2 for o in task.optimizers.values()}
        assert len(rates) == 1
        found += rates
    assert found == pytest.approx([0, 0.5, 1, 1, 1, 0.525, 0.05], abs=1e-4)


def test_learning_rate_of_the_papers_is_constant() -> None:
    task = constant(learning_rate=2.0, warmup=0, decay_from=1.0)
    for share in (0.0, 0.5, 1.0):
        task.set_progress(share)
        assert task.optimizers["network"].param_groups[0]["lr"] == 2.0


def test_adam_has_the_schedules_numbers() -> None:
    group = constant(learning_rate=0.3, betas=(0.5, 0.9)).optimizers["network"].param_groups[0]
    assert (group["lr"], group["betas"]) == (0.3, (0.5, 0.9))


@pytest.mark.parametrize(("value", "painted"), [(0.5, 0.5), (7.0, 1.0), (-3.0, 0.0)])
def test_held_out_figures_by_hand(value: float, painted: float) -> None:
    dark = torch.full((3, 3, 8, 8), 0.25)
    masks = torch.ones(3, 1, 8, 8)
    masks[..., :4] = 0
    task = Constant(
        nn.Conv2d(3, 3, 1), **{**common(16, features=Features()), "held_out": (dark, masks)}
    )
    task.value = value
    figures = task.evaluate(task.network)
    error = abs(painted - 0.25)
    assert figures["val_hole_l1"] == pytest.approx(error, rel=1e-5)
    assert figures["val_psnr"] == pytest.approx(
        -10 * math.log10(error**2 / 2), rel=1e-5
    )  # half of the picture is known
    # Grey beside grey: the direction of the colour is the same. Black has none, and lies at distance 1, in half of the picture.
    assert figures["val_perceptual"] == pytest.approx(0.5 if painted == 0 else 0, abs=1e-3)
    task.scorer = Scorer()
    assert task.evaluate(task.network)["val_lpips"] == pytest.approx(error / 2, rel=1e-5)
    task.features = task.scorer = None
    assert set(task.evaluate(task.network)) == {"val_hole_l1", "val_psnr"}


def test_every_held_out_picture_counts_the_same_however_they_are_divided() -> None:
    pictures, masks = torch.zeros(11, 3, 8, 8), torch.ones(11, 1, 8, 8)
    masks[:5, :, :4] = 0
    masks[5:, :, :1] = 0
    pictures[8:] = 0.5  # the second part of at most eight
    task = Constant(
        nn.Conv2d(3, 3, 1),
        **{**common(16, features=Features()), "held_out": (pictures, masks), "scorer": Scorer()},
    )
    task.value = 0.25
    figures = task.evaluate(task.network)
    share = [0.5] * 5 + [0.125] * 6
    assert figures["val_hole_l1"] == pytest.approx(0.25, rel=1e-5)
    assert figures["val_psnr"] == pytest.approx(
        sum(-10 * math.log10(s / 16) for s in share) / 11, rel=1e-5
    )
    assert figures["val_lpips"] == pytest.approx(sum(s / 4 for s in share) / 11, rel=1e-5)
    # Grey in a black picture's hole lies at distance 1 from it; in a grey one at 0.
    assert figures["val_perceptual"] == pytest.approx(sum(share[:8]) / 11, abs=2e-2)


def test_samples_are_a_row_a_picture_hole_answer_composite_truth() -> None:
    pictures, masks = torch.full((7, 3, 8, 8), 0.2), torch.ones(7, 1, 8, 8)
    pictures[:, 0] = torch.arange(7).view(7, 1, 1) / 10
    masks[:, :, :, :4] = 0
    task = Constant(nn.Conv2d(3, 3, 1), **{**common(16), "held_out": (pictures, masks)})
    task.value = 2.0
    grid = task.samples(task.network)
    assert grid is not None
    assert (grid.shape, grid.dtype) == ((48, 32, 3), np.uint8)  # the first six
    for i in range(6):
        truth = [round(25.5 * i), 51, 51]
        row = grid[8 * i : 8 * i + 8]
        for left, expected in (
            (0, [128] * 3),
            (4, truth),
            (8, [255] * 3),
            (12, [255] * 3),
            (16, [255] * 3),
            (20, truth),
            (24, truth),
        ):
            assert abs(row[:, left : left + 4].astype(int) - expected).max() <= 1
    task.held_out = (pictures[:2], masks[:2])
    assert task.samples(task.network).shape == (16, 32, 3)  # type: ignore[union-attr]


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
        width=2, weights=w, **common(features=Features(), perceptual="l1", perceptual_crop=0)
    )
    truth, mask = batch()
    with torch.no_grad():
        output = task.network(truth, mask)
    found = task.losses((truth, mask))
    assert set(found) == {"network"}
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
    assert numbers(found["network"]) == pytest.approx(
        {k: float(v) for k, v in expected.items()}, rel=1e-4
    )
    task.features = None
    assert set(task.losses((truth, mask))["network"]) == {"valid", "hole", "tv"}


def test_perceptual_losses_look_at_the_hole() -> None:
    task = constant(64, features=Features())
    truth = torch.rand(2, 3, 64, 64)
    mask = torch.ones(2, 1, 64, 64)
    mask[..., 50:60, 2:8] = 0
    assert [float(v) for v in task.perceptual_and_style(truth.clone(), truth, mask)] == [0, 0]
    composite = torch.where(mask > 0, truth, 1 - truth)
    for _ in range(
        5
    ):  # whatever random pixel of the hole it looks at, 32 pixels around it hold the hole
        perceptual, style = task.perceptual_and_style(composite, truth, mask)
        assert perceptual > 0
        assert style > 0
    far = truth.clone()
    far[..., :20, 44:] = 0  # no 32 pixels around the hole reach that corner
    assert [float(v) for v in task.perceptual_and_style(far, truth, mask)] == [0, 0]


@pytest.mark.parametrize(
    ("y", "x", "seen"),
    [
        (14, 18, True),
        (45, 49, True),
        (13, 18, False),
        (14, 17, False),
        (46, 49, False),
        (45, 50, False),
    ],
)
def test_perceptual_losses_look_at_32_pixels_around_the_hole(y: int, x: int, seen: bool) -> None:
    task = constant(64, features=Features())
    truth, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    mask[..., 30, 34] = 0
    composite = truth.clone()
    composite[..., y, x] = 1 - composite[..., y, x]
    assert (float(task.perceptual_and_style(composite, truth, mask)[0]) > 0) == seen


@pytest.mark.parametrize(
    ("kind", "distance"), [("l1", losses.perceptual), ("normalised", losses.normalised_perceptual)]
)
def test_perceptual_losses_of_whole_pictures(kind: str, distance: Callable[..., Tensor]) -> None:
    task = constant(64, features=Features(), perceptual=kind, perceptual_crop=0)
    composite, truth = torch.rand(2, 2, 3, 64, 64)
    composite.requires_grad_(True)
    perceptual, style = task.perceptual_and_style(composite, truth, torch.ones(2, 1, 64, 64))
    pair = Features()(composite), Features()(truth)
    assert float(perceptual.detach()) == pytest.approx(float(distance(*pair).detach()), rel=1e-5)
    assert float(style.detach()) == pytest.approx(float(losses.style(*pair).detach()), rel=1e-5)
    (perceptual + style).backward()
    assert composite.grad is not None
    assert composite.grad.abs().sum() > 0


def test_frozen_network_passes_gradients_on_and_keeps_none() -> None:
    network = nn.Linear(3, 2)
    x = torch.randn(4, 3, requires_grad=True)
    with frozen(network) as judge:
        judge(x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, network.weight.detach().sum(0).expand(4, 3))
    assert gradients(network) == [None, None]
    assert all(p.requires_grad for p in network.parameters())
    with pytest.raises(RuntimeError, match="inside"), frozen(network):
        raise RuntimeError("inside")
    assert all(p.requires_grad for p in network.parameters())


def skip_context(variant: int = 3, **more: Any) -> SkipContextTask:
    numbers = {"adversarial": 0.1, "perceptual": 0.5, "style": 0.5, "l1": 2.0, **more}
    return SkipContextTask(variant=variant, width=2, **numbers, **common(features=Features()))


def compression(**more: Any) -> CompressionTask:
    return CompressionTask(
        width=2,
        **{"adversarial": 0.1, "variance": 0.5, "hole_weight": 3.0, **more},
        **common(64, holes=edge),
    )


def partial_conv(**more: Any) -> PartialConvTask:
    return PartialConvTask(
        width=2,
        **{"weights": PartialConvWeights(), "adversarial": 0.1, **more},
        **common(features=Features()),
    )


@pytest.mark.parametrize("variant", range(4))
def test_skip_context_losses(variant: int) -> None:
    found = skip_context(variant).losses(batch())
    assert {k: set(v) for k, v in found.items()} == {
        "network": {"adversarial", "rec", "l1", "perceptual", "style"},
        "discriminator": {"real", "fake"},
    }
    assert all(
        math.isfinite(v) and v > 0 for parts in found.values() for v in numbers(parts).values()
    )


@pytest.mark.parametrize("make", [skip_context, partial_conv])
def test_semantic_loss_is_the_segmenters_distance_of_composite_and_truth(
    make: Callable[..., Any],
) -> None:
    task = make(semantic=0.5)
    task.segmenter = Features()
    truth, mask = batch()
    found = task.losses((truth, mask))["network"]["semantic"]
    with torch.no_grad():
        composite = task.composite(task.network, truth, mask)
        expected = 0.5 * losses.normalised_perceptual(Features()(composite), Features()(truth))
    assert "semantic" not in make().losses((truth, mask))["network"]
    assert float(found.detach()) == pytest.approx(
        float(expected), rel=0.2
    )  # ``composite`` is clipped, what is trained is not
    total({"semantic": found}).backward()
    assert any(g is not None and g.abs().max() > 0 for g in gradients(task.network))


@pytest.mark.parametrize("make", [skip_context, compression, partial_conv])
def test_network_and_discriminator_learn_from_their_own_losses_alone(
    make: Callable[[], Any],
) -> None:
    task = make()
    found = task.losses(batch(task.schedule.size, task.crops.holes))
    total(found["network"]).backward()
    of_network = gradients(task.network)
    # DistributedDataParallel waits for every gradient: none may be missing.
    assert all(g is not None for g in of_network)
    assert all(g is None for g in gradients(task.discriminator))
    total(found["discriminator"]).backward()
    assert all(g is not None for g in gradients(task.discriminator))
    assert all(torch.equal(a, b) for a, b in zip(of_network, gradients(task.network), strict=True))


@pytest.mark.parametrize("make", [skip_context, compression, partial_conv])
def test_adversarial_loss_reaches_the_network(make: Callable[[], Any]) -> None:
    task = make()
    (adversarial,) = [
        v
        for k, v in task.losses(batch(task.schedule.size))["network"].items()
        if k == "adversarial"
    ]
    adversarial.backward()
    assert any(g is not None and g.abs().sum() > 0 for g in gradients(task.network))


@pytest.mark.parametrize("kind", [PartialConvTask, EDSRTask])
def test_every_parameter_of_the_networks_alone_learns(kind: type) -> None:
    own = {"weights": PartialConvWeights()} if kind is PartialConvTask else {"blocks": 1}
    task = kind(width=2, **own, **common())
    total(task.losses(batch())["network"]).backward()
    assert all(g is not None for g in gradients(task.network))


def test_discriminator_is_trained_only_where_it_has_a_say() -> None:
    for make in (skip_context, compression, partial_conv):
        judged, alone = make(), make(adversarial=0)  # type: ignore[operator]
        assert set(judged.modules) == set(judged.optimizers) == {"network", "discriminator"}
        assert judged.modules["discriminator"] is judged.discriminator
        assert set(alone.modules) == set(alone.optimizers) == {"network"}
        found = alone.losses(batch(alone.schedule.size))
        assert set(found) == {"network"}
        assert "adversarial" not in found["network"]


def test_paper_losses_alone_make_a_joint_loss() -> None:
    task = SkipContextTask(
        variant=2, width=2, adversarial=0.001, perceptual=0, style=0, l1=0, **common()
    )
    picture, mask = batch()
    with torch.no_grad():
        truth = picture * 2 - 1
        output = task.network(truth, mask)
        composite = truth * mask + output * (1 - mask)
        real, fake = (task.discriminator(p) for p in (truth, composite))
    found = task.losses((picture, mask))
    assert numbers(found["network"]) == pytest.approx(
        {
            "adversarial": 0.001 * float((fake - 1).abs().mean()),
            "rec": 0.999 * float((output - truth).square().mean()),
        },
        rel=1e-4,
    )
    assert numbers(found["discriminator"]) == pytest.approx(
        {"real": 0.5 * float((real - 1).abs().mean()), "fake": 0.5 * float(fake.abs().mean())},
        rel=1e-4,
    )


def test_models_that_paint_the_hole_alone_are_judged_there() -> None:
    task = skip_context(1, adversarial=0)
    picture, mask = batch()
    truth = picture * 2 - 1
    with torch.no_grad():
        output = task._at_full_size(task.network(truth, mask), mask)
    expected = ((output - truth) * (1 - mask)).square().mean()
    assert float(task.losses((picture, mask))["network"]["rec"].detach()) == pytest.approx(
        float(expected), rel=1e-4
    )


@torch.no_grad()
def test_patch_of_models_0_and_1_is_laid_where_the_hole_is() -> None:
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


def test_compression_losses_and_fill() -> None:
    task = compression()
    picture, mask = batch(64, edge)
    found = task.losses((picture, mask))
    assert {k: set(v) for k, v in found.items()} == {
        "network": {"valid", "hole", "variance", "adversarial"},
        "discriminator": {"hinge"},
    }
    parts = numbers(found["network"])
    assert all(math.isfinite(v) for v in parts.values())
    assert min(parts["valid"], parts["hole"], parts["variance"]) > 0
    with torch.no_grad():
        assert task.fill(task.network, picture, mask).shape == picture.shape


def test_compression_losses_are_at_an_eighth_where_all_64_pixels_are_known() -> None:
    task = compression(adversarial=0)
    picture, mask = torch.rand(2, 3, 64, 64), torch.ones(2, 1, 64, 64)
    mask[..., 20:33, :] = 0  # touches rows 2, 3 and 4 of the eight
    with torch.no_grad():
        output = task.network(picture * 2 - 1, mask)
    truth = picture.view(2, 3, 8, 8, 8, 8).mean((3, 5)) * 2 - 1
    error = (output - truth).abs()
    parts = numbers(task.losses((picture, mask))["network"])
    assert parts["hole"] == pytest.approx(
        3 * float(error[:, :, 2:5].sum()) / error.numel(), rel=1e-4
    )
    assert parts["valid"] == pytest.approx(
        float(error[:, :, [0, 1, 5, 6, 7]].sum()) / error.numel(), rel=1e-4
    )
    assert parts["variance"] == pytest.approx(0.5 * float(losses.total_variation(output)), rel=1e-4)


def test_edsr_enlarges_the_eighth_of_the_picture() -> None:
    task = EDSRTask(width=2, blocks=1, **common(64))
    picture, mask = batch(64)
    with torch.no_grad():
        output = task.fill(task.network, picture, mask)
    assert output.shape == picture.shape
    found = numbers(task.losses((picture, mask))["network"])
    assert found == pytest.approx({"l1": 2 * float((output - picture).abs().mean())}, rel=1e-4)


def test_feature_network_scorer_and_held_out_set_go_where_the_run_is() -> None:
    task = PartialConvTask(
        width=2,
        weights=PartialConvWeights(),
        **common(features=nn.Linear(1, 1)),
        scorer=nn.Linear(1, 1),
    )
    task.prepare(SimpleNamespace(device=torch.device("meta"), autocast=nullcontext))  # type: ignore[arg-type]
    assert {p.device.type for n in (task.features, task.scorer) for p in n.parameters()} == {"meta"}  # type: ignore[union-attr]
    assert [t.device.type for t in task.held_out] == ["meta", "meta"]
