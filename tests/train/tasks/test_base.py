"""The inpainters' common part: schedule, held-out metrics and samples, perceptual losses."""

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

from remove_objects.train import losses
from remove_objects.train.data.holes import rectangle
from remove_objects.train.data.pictures import split
from remove_objects.train.tasks.base import (
    InpaintingTask,
    frozen,
    read_held_out,
    squares_with_holes,
)
from remove_objects.train.tasks.edsr import EDSRTask
from remove_objects.train.tasks.partial_conv import PartialConvTask
from tests.support.training import (
    PARTIAL_CONV,
    Features,
    Scorer,
    batch,
    common,
    gradients,
    partial_conv,
    skip_context,
    total,
)


class Constant(InpaintingTask):
    """Fills with one value."""

    value = 0.0

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return torch.full_like(picture, cls.value)


def constant(size: int = 16, **more: Any) -> Constant:
    return Constant(nn.Conv2d(3, 3, 1), **common(size, **more))


def test_split_is_seeded_disjoint_and_whole() -> None:
    training, held_out = split(list(range(20)), 6)
    assert len(held_out) == 6
    assert sorted(training + held_out) == list(range(20))
    assert (training, held_out) == split(list(range(20)), 6)
    assert held_out != split(list(range(20)), 6, seed=1)[1]


@pytest.mark.parametrize("held_out", [0, 5, 64])
def test_an_empty_split_names_the_option(held_out: int) -> None:
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


def test_unreadable_held_out_files_are_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [tmp_path / f"{name}.png" for name in "abcd"]
    for path, level in zip(paths, (51, 0, 102, 204), strict=True):
        cv2.imwrite(str(path), np.full((8, 8, 3), level, np.uint8))
    paths[1].write_bytes(b"not a picture")
    with caplog.at_level(logging.WARNING):
        pictures, left = read_held_out(paths[:3], paths[3:])
    assert ([int(p[0, 0, 0]) for p in pictures], left) == ([51, 102], paths[3:])
    assert [r.getMessage() for r in caplog.records] == [
        f"{paths[1]}: not a readable picture; left out"
    ]
    # The only held-out picture is damaged: another takes its place.
    pictures, left = read_held_out([paths[1]], [paths[0], paths[2]])
    assert ([int(p[0, 0, 0]) for p in pictures], left) == ([51], [paths[2]])
    with pytest.raises(OSError, match=r"none of 2 pictures can be held out, from .*b\.png on"):
        read_held_out([paths[1]], [paths[0]])


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
    factors = []
    for share in (0.0, 0.05, 0.1, 0.3, 0.5, 0.75, 1.0):
        task.set_progress(share)
        rates = {o.param_groups[0]["lr"] / 2 for o in task.optimizers.values()}
        assert len(rates) == 1
        factors += rates
    assert factors == pytest.approx([0, 0.5, 1, 1, 1, 0.525, 0.05], abs=1e-4)


def test_learning_rate_of_the_papers_is_constant() -> None:
    task = constant(learning_rate=2.0, warmup=0, decay_from=1.0)
    for share in (0.0, 0.5, 1.0):
        task.set_progress(share)
        assert task.optimizers["network"].param_groups[0]["lr"] == 2.0


def test_adam_has_the_schedules_numbers() -> None:
    group = constant(learning_rate=0.3, betas=(0.5, 0.9)).optimizers["network"].param_groups[0]
    assert (group["lr"], group["betas"]) == (0.3, (0.5, 0.9))


@pytest.mark.parametrize(("value", "painted"), [(0.5, 0.5), (7.0, 1.0), (-3.0, 0.0)])
def test_held_out_metrics_by_hand(
    value: float, painted: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = torch.full((3, 3, 8, 8), 0.25)
    masks = torch.ones(3, 1, 8, 8)
    masks[..., :4] = 0
    task = Constant(
        nn.Conv2d(3, 3, 1), **{**common(16, features=Features()), "held_out": (dark, masks)}
    )
    monkeypatch.setattr(Constant, "value", value)
    figures = task.evaluate(task.network)
    error = abs(painted - 0.25)
    assert figures["val_hole_l1"] == pytest.approx(error, rel=1e-5)
    assert figures["val_psnr"] == pytest.approx(
        -10 * math.log10(error**2 / 2), rel=1e-5
    )  # half of the picture is known
    # Two greys have the same direction of colour. Black has none and lies at distance 1, in
    # half of the picture.
    assert figures["val_perceptual"] == pytest.approx(0.5 if painted == 0 else 0, abs=1e-3)
    task.scorer = Scorer()
    assert task.evaluate(task.network)["val_lpips"] == pytest.approx(error / 2, rel=1e-5)
    task.features = task.scorer = None
    assert set(task.evaluate(task.network)) == {"val_hole_l1", "val_psnr"}


def test_every_held_out_picture_counts_the_same_in_any_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures, masks = torch.zeros(11, 3, 8, 8), torch.ones(11, 1, 8, 8)
    masks[:5, :, :4] = 0
    masks[5:, :, :1] = 0
    pictures[8:] = 0.5  # the second part of at most eight
    task = Constant(
        nn.Conv2d(3, 3, 1),
        **{**common(16, features=Features()), "held_out": (pictures, masks), "scorer": Scorer()},
    )
    monkeypatch.setattr(Constant, "value", 0.25)
    figures = task.evaluate(task.network)
    share = [0.5] * 5 + [0.125] * 6
    assert figures["val_hole_l1"] == pytest.approx(0.25, rel=1e-5)
    assert figures["val_psnr"] == pytest.approx(
        sum(-10 * math.log10(s / 16) for s in share) / 11, rel=1e-5
    )
    assert figures["val_lpips"] == pytest.approx(sum(s / 4 for s in share) / 11, rel=1e-5)
    # Grey in the hole of a black picture lies at distance 1, in that of a grey one at 0.
    assert figures["val_perceptual"] == pytest.approx(sum(share[:8]) / 11, abs=2e-2)


def test_samples_are_a_row_a_picture_hole_answer_composite_truth(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pictures, masks = torch.full((7, 3, 8, 8), 0.2), torch.ones(7, 1, 8, 8)
    pictures[:, 0] = torch.arange(7).view(7, 1, 1) / 10
    masks[:, :, :, :4] = 0
    task = Constant(nn.Conv2d(3, 3, 1), **{**common(16), "held_out": (pictures, masks)})
    monkeypatch.setattr(Constant, "value", 2.0)
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


def test_perceptual_losses_see_the_hole() -> None:
    task = constant(64, features=Features())
    truth = torch.rand(2, 3, 64, 64)
    mask = torch.ones(2, 1, 64, 64)
    mask[..., 50:60, 2:8] = 0
    assert [float(v) for v in task.perceptual_and_style(truth.clone(), truth, mask)] == [0, 0]
    composite = torch.where(mask > 0, truth, 1 - truth)
    for _ in range(5):  # the 32 pixels around any hole pixel contain the hole
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
def test_perceptual_losses_see_32_pixels_around_the_hole(y: int, x: int, seen: bool) -> None:
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


@pytest.mark.parametrize("make", [skip_context, partial_conv])
def test_semantic_loss_is_the_segmenters_distance_of_composite_and_truth(
    make: Callable[..., Any],
) -> None:
    task = make(semantic=0.5)
    task.segmenter = Features()
    truth, mask = batch()
    term = task.losses((truth, mask))["network"]["semantic"]
    with torch.no_grad():
        composite = task.composite(task.network, truth, mask)
        expected = 0.5 * losses.normalised_perceptual(Features()(composite), Features()(truth))
    assert "semantic" not in make().losses((truth, mask))["network"]
    assert float(term.detach()) == pytest.approx(
        float(expected), rel=0.2
    )  # ``composite`` is clipped, the loss's composite is not
    total({"semantic": term}).backward()
    assert any(g is not None and g.abs().max() > 0 for g in gradients(task.network))


@pytest.mark.parametrize("kind", [PartialConvTask, EDSRTask])
def test_every_parameter_of_the_networks_alone_learns(kind: type) -> None:
    own = PARTIAL_CONV if kind is PartialConvTask else {"blocks": 1}
    task = kind(width=2, **own, **common())
    total(task.losses(batch())["network"]).backward()
    assert all(g is not None for g in gradients(task.network))


def test_feature_network_scorer_and_held_out_set_move_to_the_runs_device() -> None:
    task = PartialConvTask(
        width=2,
        **PARTIAL_CONV,
        **common(features=nn.Linear(1, 1)),
        scorer=nn.Linear(1, 1),
    )
    task.prepare(SimpleNamespace(device=torch.device("meta"), autocast=nullcontext))  # type: ignore[arg-type]
    assert {p.device.type for n in (task.features, task.scorer) for p in n.parameters()} == {"meta"}  # type: ignore[union-attr]
    assert [t.device.type for t in task.held_out] == ["meta", "meta"]
