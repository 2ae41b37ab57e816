"""Training of the partial-convolution U-Net (Kulkarni et al., equations 3-9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ...models.partial_conv import PartialConv2d
from ...models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from .. import losses
from ..recipe import Discriminator, PartialConvWeights
from .base import InpaintingTask, Losses, sn_patch


class PartialConvTask(InpaintingTask):
    """Equation 9, with perceptual and style losses on the composite.

    Args:
        width: channels of the network.
        weights: the lambdas.
        base: side in pixels of the network's smooth base; 0 = none.
        adversarial: weight of SN-PatchGAN's loss; 0 = no discriminator.
        discriminator: SN-PatchGAN's size, and what it judges; None = no discriminator.
        semantic: weight of the semantic loss; 0 = none.
        lsuv: whether the fresh network is initialised by ``lsuv_init``.
        **common: see ``InpaintingTask``.
    """

    network_class: ClassVar[type[nn.Module]] = PartialConvUNet
    telling = ("hole", "perceptual", "semantic")
    preprocessing: ClassVar[str] = (
        "RGB / 255, holes 0, sides padded to multiples of 128 with unknown pixels"
    )

    def __init__(
        self,
        *,
        width: int,
        weights: PartialConvWeights,
        base: int,
        adversarial: float,
        discriminator: Discriminator | None,
        semantic: float,
        lsuv: bool,
        **common: Any,
    ) -> None:
        network = PartialConvUNet(PartialConvUNetConfig(width, base))
        if lsuv:
            pictures, masks = common["held_out"]
            lsuv_init(network, pictures[:8], masks[:8])
        super().__init__(network.to(memory_format=torch.channels_last), **common)  # type: ignore[call-overload]
        self.weights, self.adversarial, self.semantic_weight = weights, adversarial, semantic
        self.judges = discriminator
        if adversarial and discriminator:
            judge = sn_patch(discriminator)
            self.add_discriminator(judge.to(memory_format=torch.channels_last))  # type: ignore[call-overload]

    @classmethod
    def learns_from_features(cls, numbers: Mapping[str, Any]) -> bool:
        """See ``InpaintingTask``."""
        return True

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """See ``InpaintingTask``."""
        return network(picture, mask)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """Equation 9, semantic and adversarial loss of the network; the discriminator's hinge."""
        truth, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        w = self.weights
        output = self.modules["network"](truth, mask).float()
        composite = truth * mask + output * (1 - mask)
        terms = {
            "valid": w.valid * losses.valid_l1(output, truth, mask),
            "hole": w.hole * losses.hole_l1(output, truth, mask),
            "tv": w.tv * losses.total_variation(composite, mask),
        }
        if self.features is not None:
            perceptual, style = self.perceptual_and_style(composite, truth, mask)
            if w.features_of_output:
                of_output = self.perceptual_and_style(output, truth, mask)
                perceptual, style = perceptual + of_output[0], style + of_output[1]
            terms |= {"perceptual": w.perceptual * perceptual, "style": w.style * style}
        if self.semantic_weight and self.segmenter is not None:
            terms["semantic"] = self.semantic_weight * self.semantic(composite, truth)
        if not self.discriminators:
            return {"network": terms}
        judged = self.judged(output, composite)
        adversarial, hinge = self.hinge(truth * 2 - 1, judged * 2 - 1, mask)
        return {
            "network": terms | {"adversarial": self.adversarial * adversarial},
            "discriminator": {"hinge": hinge},
        }


@torch.no_grad()
def lsuv_init(network: PartialConvUNet, picture: Tensor, mask: Tensor) -> None:
    """Scale each layer of a fresh network to unit output (LSUV, Mishkin & Matas 2016).

    Only weights are scaled. The paper's U-Net has no normalisation, and equation 1's ratio
    amplifies the values at the border of the small maps at every one of its 28 layers: without
    this initialisation the first outputs are far too large, and hundreds of steps go into undoing
    that.

    Args:
        network: changed in place.
        picture: one batch N3HW in [0, 1].
        mask: N1HW, 1 = known.
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
