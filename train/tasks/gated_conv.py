"""Training of DeepFill v2's coarse network (Yu et al. 2019), a baseline of Wu & Cui's Table 2."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...models.gated_conv import GatedConvConfig, GatedConvNetwork
from ..recipe import Discriminator
from .base import InpaintingTask, Losses, sn_patch


class GatedConvTask(InpaintingTask):
    """L1 over the whole picture and SN-PatchGAN's hinge (Yu et al. 2019, section 3.4).

    Args:
        width: channels of the network.
        attention: whether the network has contextual attention.
        adversarial: weight of the adversarial loss.
        discriminator: SN-PatchGAN's size, and what it judges.
        **common: see ``InpaintingTask``.
    """

    network_class: ClassVar[type[nn.Module]] = GatedConvNetwork
    telling = ("l1", "adversarial")
    preprocessing: ClassVar[str] = "sides in multiples of 4, RGB / 127.5 - 1, and the mask"

    def __init__(
        self,
        *,
        width: int,
        attention: bool,
        adversarial: float,
        discriminator: Discriminator,
        **common: Any,
    ) -> None:
        network = GatedConvNetwork(GatedConvConfig(width, attention)).to(
            memory_format=torch.channels_last
        )  # type: ignore[call-overload]
        super().__init__(network, **common)
        judge = sn_patch(discriminator)
        self.add_discriminator(judge.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
        self.judges, self.adversarial = discriminator, adversarial

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """See ``InpaintingTask``."""
        return network(picture * 2 - 1, mask) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """L1 and adversarial loss of the network; the discriminator's hinge."""
        picture, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        truth = picture * 2 - 1
        output = self.modules["network"](truth, mask).float()
        composite = truth * mask + output * (1 - mask)
        adversarial, hinge = self.hinge(truth, self.judged(output, composite), mask)
        terms = {"l1": (output - truth).abs().mean(), "adversarial": self.adversarial * adversarial}
        return {"network": terms, "discriminator": {"hinge": hinge}}
