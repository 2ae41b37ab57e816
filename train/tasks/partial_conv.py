"""TODO docstring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...models.discriminators import SNPatchDiscriminator, SNPatchDiscriminatorConfig
from ...models.partial_conv import PartialConv2d
from ...models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from .. import losses
from .base import InpaintingTask, Losses


@dataclass(frozen=True)
class PartialConvWeights:
    """The lambdas of eq. 9. ``look_at_output``: eq. 4 and 5 for I_out as well as I_comp, as the paper has it."""

    tv: float = 0.1
    valid: float = 1.0
    hole: float = 6.0
    perceptual: float = 0.05
    style: float = 120.0
    look_at_output: bool = True


class PartialConvTask(InpaintingTask):
    """Equation 9, with perceptual and style losses on the composite; ``adversarial`` > 0 adds SN-PatchGAN's."""

    def __init__(
        self,
        *,
        width: int,
        weights: PartialConvWeights,
        base: int = 0,
        adversarial: float = 0.0,
        semantic: float = 0.0,
        **common: Any,
    ) -> None:
        network = PartialConvUNet(PartialConvUNetConfig(width, base))
        pictures, masks = common["held_out"]
        even_out(network, pictures[:8], masks[:8])
        super().__init__(network.to(memory_format=torch.channels_last), **common)  # type: ignore[call-overload]
        self.weights, self.adversarial, self.semantic_weight = weights, adversarial, semantic
        self.clip = {"network": 5.0}
        if adversarial:
            self.judged_by(
                SNPatchDiscriminator(SNPatchDiscriminatorConfig(24, (2, 2, 2))).to(
                    memory_format=torch.channels_last
                )
            )  # type: ignore[call-overload]

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return network(picture, mask)  # type: ignore[no-any-return]

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        truth, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        w = self.weights
        output = self.modules["network"](truth, mask).float()
        composite = truth * mask + output * (1 - mask)
        parts = {
            "valid": w.valid * losses.valid_l1(output, truth, mask),
            "hole": w.hole * losses.hole_l1(output, truth, mask),
            "tv": w.tv * losses.total_variation(composite, mask),
        }
        if self.features is not None:
            perceptual, style = self.look(composite, truth, mask)
            if w.look_at_output:
                of_output = self.look(output, truth, mask)
                perceptual, style = perceptual + of_output[0], style + of_output[1]
            parts |= {"perceptual": w.perceptual * perceptual, "style": w.style * style}
        if self.semantic_weight and self.segmenter is not None:
            parts["semantic"] = self.semantic_weight * self.semantic(composite, truth)
        if not self.adversarial:
            return {"network": parts}
        adversarial, hinge = self.hinge(truth * 2 - 1, composite * 2 - 1, mask)
        return {
            "network": parts | {"adversarial": self.adversarial * adversarial},
            "discriminator": {"hinge": hinge},
        }


@torch.no_grad()
def even_out(network: PartialConvUNet, picture: Tensor, mask: Tensor) -> None:
    """Scale each layer of a fresh network to unit output on one batch (Mishkin & Matas 2016, LSUV; weights only).

    The paper's U-Net has no normalisation, and eq. 1's ratio enlarges what lies at the border of the small maps at every one of 28
    layers: without this the first steps at a useful learning rate diverge.
    """

    def scale(module: nn.Module, _: Any, result: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        features, known = result
        spread = float(features[known.expand_as(features) > 0].std())
        module.conv.weight.div_(spread)  # type: ignore[union-attr,operator]
        return features / spread, known

    layers = [m for m in network.modules() if isinstance(m, PartialConv2d)]
    hooks = [layer.register_forward_hook(scale) for layer in layers]
    network(picture, mask)
    for hook in hooks:
        hook.remove()
    network.decoders[0][1].conv.weight.mul_(0.1)  # type: ignore[index,union-attr]
