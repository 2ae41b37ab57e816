"""Training of DeepFill v2's coarse network (Yu et al. 2019), a baseline of Wu & Cui's Table 2."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...models.discriminators import (
    SNPatchDiscriminator,
    SNPatchDiscriminatorConfig,
)
from ...models.gated_conv import GatedConvConfig, GatedConvNetwork
from .base import InpaintingTask, Losses


class GatedConvTask(InpaintingTask):
    """L1 over the whole picture and SN-PatchGAN's hinge (Yu et al. 2019, section 3.4).

    The discriminator grows with the network: at the authors' width of 48 it has their 64
    channels.

    Args:
        width: channels of the network.
        attention: whether the network has contextual attention.
        adversarial: weight of the adversarial loss.
        **common: see ``InpaintingTask``.
    """

    preprocessing: ClassVar[str] = "sides in multiples of 4, RGB / 127.5 - 1, and the mask"

    def __init__(self, *, width: int, attention: bool, adversarial: float, **common: Any) -> None:
        network = GatedConvNetwork(GatedConvConfig(width, attention)).to(
            memory_format=torch.channels_last
        )  # type: ignore[call-overload]
        super().__init__(network, **common)
        discriminator = SNPatchDiscriminator(
            SNPatchDiscriminatorConfig(width * 4 // 3, (2,) * 6, one_score=False)
        )
        self.add_discriminator(discriminator.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
        self.adversarial = adversarial

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """See ``InpaintingTask``."""
        return network(picture * 2 - 1, mask) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """L1 and adversarial loss of the network; the discriminator's hinge."""
        picture, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        truth = picture * 2 - 1
        output = self.modules["network"](truth, mask).float()
        adversarial, hinge = self.hinge(truth, truth * mask + output * (1 - mask), mask)
        terms = {"l1": (output - truth).abs().mean(), "adversarial": self.adversarial * adversarial}
        return {"network": terms, "discriminator": {"hinge": hinge}}
