"""Training of the context encoder with skip connections (Jiang & Zhang, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.discriminators import PatchDiscriminator, PatchDiscriminatorConfig
from ...models.skip_context_encoder import HOLE, SIZE, SkipContextEncoder, SkipContextEncoderConfig
from ...pipeline.detect.faces import FaceDetector
from .. import losses
from ..recipe import Preset
from ..request import Request
from .base import InpaintingTask, Losses, frozen


class SkipContextTask(InpaintingTask):
    """L1 = adv_weight * adv + (1 - adv_weight) * rec and L2 = half real + half fake.

    The shipped preset adds perceptual, style, L1 and semantic losses.

    Args:
        variant: Model 0, 1, 2 or 3.
        width: channels of the network.
        adversarial: adv_weight; 0 = no discriminator.
        perceptual: weight of the perceptual loss.
        style: weight of the style loss.
        l1: weight of L1 over the hole.
        semantic: weight of the semantic loss.
        blocks: residual blocks behind each middle map.
        **common: see ``InpaintingTask``.
    """

    preprocessing: ClassVar[str] = "128x128, RGB / 127.5 - 1, holes 0"
    own_options: ClassVar[tuple[str, ...]] = ("variant", "blocks")

    def __init__(
        self,
        *,
        variant: int,
        width: int,
        adversarial: float,
        perceptual: float,
        style: float,
        l1: float,
        semantic: float = 0.0,
        blocks: int = 0,
        **common: Any,
    ) -> None:
        network = SkipContextEncoder(SkipContextEncoderConfig(variant, width, blocks))
        super().__init__(network.to(memory_format=torch.channels_last), **common)
        if adversarial:
            discriminator = PatchDiscriminator(PatchDiscriminatorConfig(max(16, width // 2)))
            self.add_discriminator(discriminator.to(memory_format=torch.channels_last))
        self.adversarial, self.perceptual, self.style, self.l1 = adversarial, perceptual, style, l1
        self.semantic_weight = semantic

    @classmethod
    def adapt(cls, preset: Preset, request: Request) -> Preset:
        """See ``InpaintingTask``. Models 0 and 1 fill only square holes of 64x64."""
        preset = super().adapt(preset, request)
        if request.variant is not None and request.variant < 2:
            return replace(preset, holes=((1.0, "rectangle"),))
        return preset

    def card_samples(
        self, network: nn.Module, photos: Sequence[NDArray[np.uint8]]
    ) -> NDArray[np.uint8] | None:
        """``samples`` of the faces that the Haar cascades detect in the photos."""
        return super().card_samples(network, [face for photo in photos for face in _faces(photo)])

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """See ``InpaintingTask``."""
        return self._at_full_size(network(picture * 2 - 1, mask), mask) / 2 + 0.5

    def _at_full_size(self, output: Tensor, mask: Tensor) -> Tensor:
        """The output as it is, or the 64x64 hole of Models 0 and 1 at its place in the picture."""
        if output.shape[-1] == SIZE:
            return output
        whole = []
        for patch, m in zip(output, mask, strict=True):
            spot = (m[0] < 0.5).nonzero().min(0).values
            top, left = int(spot[0]), int(spot[1])
            whole.append(F.pad(patch, (left, SIZE - HOLE - left, top, SIZE - HOLE - top)))
        return torch.stack(whole)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """The network's terms; the discriminator's ``real`` and ``fake``."""
        picture, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        truth = picture * 2 - 1
        output = self._at_full_size(self.modules["network"](truth, mask).float(), mask)
        composite = truth * mask + output * (1 - mask)
        terms: dict[str, Tensor] = {}
        discriminator_terms: dict[str, Tensor] = {}
        if self.adversarial:
            real, fake = (
                self.modules["discriminator"](torch.cat([truth, composite.detach()]))
                .float()
                .chunk(2)
            )
            discriminator_terms["real"] = 0.5 * losses.adversarial_l1(real, True)
            discriminator_terms["fake"] = 0.5 * losses.adversarial_l1(fake, False)
            with frozen(self.discriminator) as discriminator, self.autocast():
                score = discriminator(composite)
            terms["adversarial"] = self.adversarial * losses.adversarial_l1(score.float(), True)
        region = 1.0 if self.network.config.whole_picture else 1 - mask  # type: ignore[union-attr]
        terms["rec"] = (1 - self.adversarial) * ((output - truth) * region).pow(2).mean()
        if self.l1:
            terms["l1"] = self.l1 * losses.hole_l1(output, truth, mask)
        if self.perceptual and self.features is not None:
            perceptual, style = self.perceptual_and_style(composite / 2 + 0.5, picture, mask)
            terms |= {"perceptual": self.perceptual * perceptual, "style": self.style * style}
        if self.semantic_weight and self.segmenter is not None:
            terms["semantic"] = self.semantic_weight * self.semantic(composite / 2 + 0.5, picture)
        if not discriminator_terms:
            return {"network": terms}
        return {"network": terms, "discriminator": discriminator_terms}


def _faces(rgb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The square of each detected face that lies wholly inside a photo HWC RGB."""
    squares = []
    for face in FaceDetector(offline=True).detect(rgb):
        w = face.frame
        if w.x >= 0 and w.y >= 0 and w.x + w.w <= rgb.shape[1] and w.y + w.h <= rgb.shape[0]:
            squares.append(rgb[w.slices])
    return squares
