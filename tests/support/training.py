"""Tiny tasks of every inpainter, and the helpers of the training tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from remove_objects.train.data.holes import edge, rectangle
from remove_objects.train.recipe import (
    Discriminator,
    EdgeConnectWeights,
    PartialConvWeights,
    Schedule,
)
from remove_objects.train.tasks.base import (
    squares_with_holes,
)
from remove_objects.train.tasks.compression import CompressionTask
from remove_objects.train.tasks.edge_connect import EdgeConnectTask
from remove_objects.train.tasks.gated_conv import GatedConvTask
from remove_objects.train.tasks.partial_conv import PartialConvTask
from remove_objects.train.tasks.skip_context import SkipContextTask

#: The partial-convolution task's numbers without a discriminator.
PARTIAL_CONV: dict[str, Any] = {
    "weights": PartialConvWeights(),
    "base": 0,
    "lsuv": True,
    "adversarial": 0.0,
    "discriminator": None,
    "semantic": 0.0,
}


class Features(nn.Module):
    """Replaces VGG: the picture, and the picture at half the size."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, nn.functional.avg_pool2d(image, 2)]


class Scorer(nn.Module):
    """Replaces LPIPS: the mean difference of each pair."""

    def forward(self, result: Tensor, truth: Tensor) -> Tensor:
        return (result - truth).abs().mean((1, 2, 3))


def noise(count: int = 2, shape: tuple[int, int] = (140, 150)) -> list[np.ndarray]:
    return [np.random.default_rng(i).integers(0, 256, (*shape, 3), np.uint8) for i in range(count)]


def batch(size: int = 128, holes: Any = rectangle) -> tuple[Tensor, Tensor]:
    """A batch whose pictures and holes differ from the held-out ones."""
    return torch.rand(2, 3, size, size), squares_with_holes(noise(4), holes, size)[1][2:]


def common(
    size: int = 128, *, features: nn.Module | None = None, holes: Any = rectangle, **schedule: Any
) -> dict[str, Any]:
    return {
        "schedule": Schedule(
            **{
                "batch": 2,
                "size": size,
                "learning_rate": 1e-3,
                "betas": (0.9, 0.999),
                "warmup": 0.01,
                "decay_from": 0.7,
                "zoom": (0.4, 1.0),
                "flip": True,
                "perceptual": "normalised",
                "perceptual_crop": 32,
                **schedule,
            }
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


def skip_context(variant: int = 3, **more: Any) -> SkipContextTask:
    numbers = {
        "adversarial": 0.1,
        "discriminator": Discriminator(2, "composite"),
        "perceptual": 0.5,
        "style": 0.5,
        "l1": 2.0,
        "semantic": 0.0,
        "blocks": 0,
        **more,
    }
    return SkipContextTask(variant=variant, width=2, **numbers, **common(features=Features()))


def compression(**more: Any) -> CompressionTask:
    return CompressionTask(
        width=2,
        **{
            "adversarial": 0.1,
            "discriminator": Discriminator(2, "composite", (1, 2, 2)),
            "variance": 0.5,
            "hole_weight": 3.0,
            "base": 0,
            "clip": 5.0,
            **more,
        },
        **common(64, holes=edge),
    )


def partial_conv(**more: Any) -> PartialConvTask:
    return PartialConvTask(
        width=2,
        **{
            **PARTIAL_CONV,
            "adversarial": 0.1,
            "discriminator": Discriminator(2, "composite", (2, 2, 2)),
            "clip": 5.0,
            **more,
        },
        **common(features=Features()),
    )


SIZE = 64


def gated(**more: Any) -> GatedConvTask:
    given = {
        "width": 4,
        "attention": False,
        "adversarial": 0.5,
        "discriminator": Discriminator(5, "composite", (2,) * 6, one_score=False),
        **more,
    }
    return GatedConvTask(**given, **common(SIZE, holes=edge))


def connect(**more: Any) -> EdgeConnectTask:
    given = {
        "width": 2,
        "discriminator": Discriminator(2, "output"),
        "discriminator_lr_scale": 0.1,
        "weights": EdgeConnectWeights(),
        **more,
    }
    return EdgeConnectTask(
        **given, **common(SIZE, holes=edge, features=Features(), perceptual="l1", perceptual_crop=0)
    )


def with_edges(task: Any) -> tuple[Tensor, ...]:
    """A batch of the task: for EdgeConnect with edge maps, the true edges everywhere."""
    picture, mask = batch(SIZE, edge)
    if isinstance(task, GatedConvTask):
        return picture, mask
    true = (torch.rand(2, 1, SIZE, SIZE) < 0.2).float()
    return picture, mask, true * mask, true


SMALL = ["--features", "none", "--width", "4", "--batch", "2", "--held-out", "2"]


def command(model: str, data: Path, run: Path, *more: str, small: list[str] = SMALL) -> list[str]:
    here = ["--device", "cpu", "--precision", "32-true", "--workers", "0"]
    return [model, "--data", str(data), "--run", str(run), *small, *here, *more]
