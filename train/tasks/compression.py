"""Training of the compression network (Wu & Cui, sections 3 and 3.1)."""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ...models.compression import CompressionConfig, CompressionNetwork
from .. import losses
from ..recipe import Discriminator
from .base import InpaintingTask, Losses, sn_patch


class CompressionTask(InpaintingTask):
    """L1 against the picture at an eighth of its size, hinge SN-PatchGAN, variance loss.

    Args:
        width: channels of the network.
        adversarial: weight of the adversarial loss; 0 = no discriminator.
        discriminator: SN-PatchGAN's size, and what it judges.
        variance: weight of the variance loss.
        hole_weight: weight of L1 over the hole; L1 over the known part has 1.
        base: side in pixels of the network's smooth base; 0 = none.
        **common: see ``InpaintingTask``.
    """

    network_class: ClassVar[type[nn.Module]] = CompressionNetwork
    telling = ("hole", "adversarial")
    preprocessing: ClassVar[str] = (
        "256 pixels on the longer side, multiples of 8, RGB / 127.5 - 1, holes 0, and the mask"
    )

    def __init__(
        self,
        *,
        width: int,
        adversarial: float,
        discriminator: Discriminator,
        variance: float,
        hole_weight: float,
        base: int,
        **common: Any,
    ) -> None:
        super().__init__(CompressionNetwork(CompressionConfig(width, base)), **common)
        if adversarial:
            self.add_discriminator(sn_patch(discriminator))
        self.judges = discriminator
        self.adversarial, self.variance, self.hole_weight = adversarial, variance, hole_weight

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The network's output enlarged to the picture's size; see ``InpaintingTask``."""
        small = network(picture * 2 - 1, mask)
        return F.interpolate(small, scale_factor=8, mode="bilinear", align_corners=False) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """L1, variance and adversarial loss of the network; the discriminator's hinge."""
        picture, mask = batch
        truth = F.avg_pool2d(picture, 8) * 2 - 1
        small_mask = (F.avg_pool2d(mask, 8) > 0.999).float()
        output = self.modules["network"](picture * 2 - 1, mask).float()
        composite = truth * small_mask + output * (1 - small_mask)
        terms = {
            "valid": losses.valid_l1(output, truth, small_mask),
            "hole": self.hole_weight * losses.hole_l1(output, truth, small_mask),
            "variance": self.variance * losses.total_variation(output),
        }
        if not self.adversarial:
            return {"network": terms}
        adversarial, hinge = self.hinge(truth, self.judged(output, composite), small_mask)
        return {
            "network": terms | {"adversarial": self.adversarial * adversarial},
            "discriminator": {"hinge": hinge},
        }
