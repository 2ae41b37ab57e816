"""TODO docstring."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...models.discriminators import PatchDiscriminator, PatchDiscriminatorConfig
from ...models.skip_context_encoder import HOLE, SIZE, SkipContextEncoder, SkipContextEncoderConfig
from .. import losses
from .base import InpaintingTask, Losses, frozen


class SkipContextTask(InpaintingTask):
    """L1 = adv_weight * adv + (1 - adv_weight) * rec, L2 = half real + half fake (Jiang & Zhang, 3.2). The shipped preset adds more."""

    def __init__(
        self, *, variant: int, width: int, adversarial: float, perceptual: float, style: float, l1: float, semantic: float = 0.0,
        blocks: int = 0, **common: Any,
    ) -> None:  # fmt: skip
        network = SkipContextEncoder(SkipContextEncoderConfig(variant, width, blocks))
        super().__init__(network.to(memory_format=torch.channels_last), **common)
        if adversarial:
            self.judged_by(
                PatchDiscriminator(PatchDiscriminatorConfig(max(16, width // 2))).to(
                    memory_format=torch.channels_last
                )
            )
        self.adversarial, self.perceptual, self.style, self.l1 = adversarial, perceptual, style, l1
        self.semantic_weight = semantic

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return self._whole(network(picture * 2 - 1, mask), mask) / 2 + 0.5

    def _whole(self, output: Tensor, mask: Tensor) -> Tensor:
        """Models 0 and 1 give the 64x64 hole alone: laid where the mask's hole is."""
        if output.shape[-1] == SIZE:
            return output
        whole = []
        for patch, m in zip(output, mask, strict=True):
            spot = (m[0] < 0.5).nonzero().min(0).values
            top, left = int(spot[0]), int(spot[1])
            whole.append(F.pad(patch, (left, SIZE - HOLE - left, top, SIZE - HOLE - top)))
        return torch.stack(whole)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        picture, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        truth = picture * 2 - 1
        output = self._whole(self.modules["network"](truth, mask).float(), mask)
        composite = truth * mask + output * (1 - mask)
        parts: dict[str, Tensor] = {}
        judged: dict[str, Tensor] = {}
        if self.adversarial:
            real, fake = (
                self.modules["discriminator"](torch.cat([truth, composite.detach()]))
                .float()
                .chunk(2)
            )
            judged["real"] = 0.5 * losses.adversarial_l1(real, True)
            judged["fake"] = 0.5 * losses.adversarial_l1(fake, False)
            with frozen(self.discriminator) as judge, self.autocast():
                seen = judge(composite)
            parts["adversarial"] = self.adversarial * losses.adversarial_l1(seen.float(), True)
        region = 1.0 if self.network.config.whole_picture else 1 - mask  # type: ignore[union-attr]
        parts["rec"] = (1 - self.adversarial) * ((output - truth) * region).pow(2).mean()
        if self.l1:
            parts["l1"] = self.l1 * losses.hole_l1(output, truth, mask)
        if self.perceptual and self.features is not None:
            perceptual, style = self.look(composite / 2 + 0.5, picture, mask)
            parts |= {"perceptual": self.perceptual * perceptual, "style": self.style * style}
        if self.semantic_weight and self.segmenter is not None:
            parts["semantic"] = self.semantic_weight * self.semantic(composite / 2 + 0.5, picture)
        return {"network": parts, **({"discriminator": judged} if judged else {})}
