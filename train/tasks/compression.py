"""TODO docstring."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ...models.compression import CompressionConfig, CompressionNetwork
from ...models.discriminators import SNPatchDiscriminator, SNPatchDiscriminatorConfig
from .. import losses
from .base import InpaintingTask, Losses


class CompressionTask(InpaintingTask):
    """L1 against the picture at an eighth of its size, hinge SN-PatchGAN, variance loss (Wu & Cui, 3 and 3.1)."""

    def __init__(
        self, *, width: int, adversarial: float, variance: float, hole_weight: float, base: int = 0, **common: Any
    ) -> None:  # fmt: skip
        super().__init__(CompressionNetwork(CompressionConfig(width, base)), **common)
        if adversarial:
            self.judged_by(SNPatchDiscriminator(SNPatchDiscriminatorConfig(32, (1, 2, 2))))
        self.clip = {"network": 5.0}
        self.adversarial, self.variance, self.hole_weight = adversarial, variance, hole_weight

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        small = network(picture * 2 - 1, mask)
        return F.interpolate(small, scale_factor=8, mode="bilinear", align_corners=False) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        picture, mask = batch
        truth = F.avg_pool2d(picture, 8) * 2 - 1
        small_mask = (F.avg_pool2d(mask, 8) > 0.999).float()
        output = self.modules["network"](picture * 2 - 1, mask).float()
        composite = truth * small_mask + output * (1 - small_mask)
        parts = {
            "valid": losses.valid_l1(output, truth, small_mask),
            "hole": self.hole_weight * losses.hole_l1(output, truth, small_mask),
            "variance": self.variance * losses.total_variation(output),
        }
        if not self.adversarial:
            return {"network": parts}
        adversarial, hinge = self.hinge(truth, composite, small_mask)
        return {
            "network": parts | {"adversarial": self.adversarial * adversarial},
            "discriminator": {"hinge": hinge},
        }
