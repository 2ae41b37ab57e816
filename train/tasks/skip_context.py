"""Training of the context encoder with skip connections (Jiang & Zhang, section 3.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from ..data.holes import HoleGenerator
from ..recipe import Discriminator, Preset
from ..request import Request
from .base import InpaintingTask, Losses, frozen


class SkipContextTask(InpaintingTask):
    """L1 = adv_weight * adv + (1 - adv_weight) * rec and L2 = half real + half fake.

    rec is the mean over what the network returns: over the 64x64 hole of Models 0 and 1, over the
    whole picture of Models 2 and 3. The shipped preset adds perceptual, style, L1 and semantic
    losses.

    Args:
        variant: Model 0, 1, 2 or 3.
        width: channels of the network.
        adversarial: adv_weight; 0 = no discriminator.
        discriminator: the patch discriminator's size, and what it judges.
        perceptual: weight of the perceptual loss.
        style: weight of the style loss.
        l1: weight of L1 over the hole.
        semantic: weight of the semantic loss.
        blocks: residual blocks behind each middle map.
        **common: see ``InpaintingTask``.
    """

    network_class: ClassVar[type[nn.Module]] = SkipContextEncoder
    telling = ("l1", "perceptual", "semantic", "rec")
    only_size = SIZE
    preprocessing: ClassVar[str] = "128x128, RGB / 127.5 - 1, holes 0"
    own_options: ClassVar[tuple[str, ...]] = ("variant", "blocks")

    def __init__(
        self,
        *,
        variant: int,
        width: int,
        adversarial: float,
        discriminator: Discriminator,
        perceptual: float,
        style: float,
        l1: float,
        semantic: float,
        blocks: int,
        **common: Any,
    ) -> None:
        network = SkipContextEncoder(SkipContextEncoderConfig(variant, width, blocks))
        super().__init__(network.to(memory_format=torch.channels_last), **common)
        if adversarial:
            judge = PatchDiscriminator(PatchDiscriminatorConfig(discriminator.width))
            self.add_discriminator(judge.to(memory_format=torch.channels_last))  # type: ignore[call-overload]
        self.judges = discriminator
        self.adversarial, self.perceptual, self.style, self.l1 = adversarial, perceptual, style, l1
        self.semantic_weight = semantic

    @classmethod
    def adapt(cls, preset: Preset, request: Request) -> Preset:
        """See ``InpaintingTask``. Models 0 and 1 fill only square holes of 64x64."""
        preset = super().adapt(preset, request)
        if request.variant is not None and request.variant < 2:
            return replace(preset, holes=((1.0, "rectangle"),))
        return preset

    @classmethod
    def learns_from_features(cls, numbers: Mapping[str, Any]) -> bool:
        """See ``InpaintingTask``."""
        return bool(numbers["perceptual"] or numbers["style"])

    @classmethod
    def card_samples(
        cls,
        network: nn.Module,
        photos: Sequence[NDArray[np.uint8]],
        holes: HoleGenerator,
        size: int,
    ) -> NDArray[np.uint8] | None:
        """The ``grid`` of the faces that are detected in the photos."""
        faces = [face for photo in photos for face in _faces(photo)]
        return super().card_samples(network, faces, holes, size)

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """See ``InpaintingTask``."""
        return cls._at_full_size(network(picture * 2 - 1, mask), mask) / 2 + 0.5

    @classmethod
    def _at_full_size(cls, output: Tensor, mask: Tensor) -> Tensor:
        """The output as it is, or the 64x64 hole of Models 0 and 1 at its place in the picture."""
        if output.shape[-1] == SIZE:
            return output
        whole = [
            F.pad(patch, (left, SIZE - HOLE - left, top, SIZE - HOLE - top))
            for patch, (top, left) in zip(output, _corners(mask), strict=True)
        ]
        return torch.stack(whole)

    def _as_returned(self, truth: Tensor, mask: Tensor) -> Tensor:
        """The part of the ground truth that the network returns: all, or the 64x64 hole."""
        if self.network.config.whole_picture:  # type: ignore[union-attr]
            return truth
        patches = [
            t[:, top : top + HOLE, left : left + HOLE]
            for t, (top, left) in zip(truth, _corners(mask), strict=True)
        ]
        return torch.stack(patches)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """The network's terms; the discriminator's ``real`` and ``fake``."""
        picture, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        truth = picture * 2 - 1
        returned, target = (
            self.modules["network"](truth, mask).float(),
            self._as_returned(truth, mask),
        )
        output = self._at_full_size(returned, mask)
        composite = truth * mask + output * (1 - mask)
        terms: dict[str, Tensor] = {}
        discriminator_terms: dict[str, Tensor] = {}
        if self.adversarial:
            judged = self.judged(returned, composite)
            original = self.judged(target, truth)
            real, fake = (
                self.modules["discriminator"](torch.cat([original, judged.detach()]))
                .float()
                .chunk(2)
            )
            discriminator_terms["real"] = 0.5 * losses.adversarial_l1(real, True)
            discriminator_terms["fake"] = 0.5 * losses.adversarial_l1(fake, False)
            with frozen(self.discriminator) as discriminator, self.autocast():
                score = discriminator(judged)
            terms["adversarial"] = self.adversarial * losses.adversarial_l1(score.float(), True)
        terms["rec"] = (1 - self.adversarial) * (returned - target).pow(2).mean()
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


def _corners(mask: Tensor) -> list[tuple[int, int]]:
    """(top, left) of each hole in a mask N1HW."""
    spots = [(m[0] < 0.5).nonzero().min(0).values for m in mask]
    return [(int(spot[0]), int(spot[1])) for spot in spots]


def _faces(rgb: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """The square of each detected face that lies wholly inside a photo HWC RGB."""
    squares = []
    for face in FaceDetector(torch.device("cpu"), offline=True).detect(rgb):
        w = face.frame
        if w.x >= 0 and w.y >= 0 and w.x + w.w <= rgb.shape[1] and w.y + w.h <= rgb.shape[0]:
            squares.append(rgb[w.slices])
    return squares
