"""What goes with an object: photo and object mask in; shadow, reflection and carried things out."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor, nn

from .object_unet import ObjectUNet, doubled

#: The channels of the output.
EFFECTS = ("shadow", "reflection", "carried")
#: Prior probability of an effect: with it, the loss of an untrained network is small (Lin et al.
#: 2017, section 4.1).
_PRIOR = 0.05


@dataclass(frozen=True)
class ObjectEffectsConfig:
    """Size of an ``ObjectEffects``, and the encoder that it was trained on.

    Attributes:
        widths: channels at stride 2, 4, 8 and 16.
        encoder: sha256 of the compact segmenter's weight file whose encoder gives the features;
            empty if the network was trained on none.
    """

    widths: tuple[int, int, int, int] = (24, 48, 96, 128)
    encoder: str = ""


class ObjectEffects(ObjectUNet):
    """Find shadow, reflection and what an object carries.

    The output is at stride 2 and enlarged: a shadow's edge is soft, and whatever removes it widens
    it anyway.
    """

    config_class = ObjectEffectsConfig

    def __init__(self, config: ObjectEffectsConfig | None = None) -> None:
        config = config or ObjectEffectsConfig()
        super().__init__(config.widths)
        self.config = config
        self.head = nn.Conv2d(config.widths[0], len(EFFECTS), 3, padding=1)
        nn.init.constant_(self.head.bias, math.log(_PRIOR / (1 - _PRIOR)))  # type: ignore[arg-type]

    def forward(self, image: Tensor, removed: Tensor, *features: Tensor) -> Tensor:
        """Find the effects of an object.

        Args:
            image: N3HW RGB in [-1, 1], H and W multiples of 16.
            removed: N1HW, 1 = the object that is removed, 0 = not.
            features: ``MobileNetV2.levels(image)``.

        Returns:
            N3HW logits: whether a pixel shows the object's shadow; its reflection; something that
            it carries, or a part of it that the mask left. What is said of the mask's own pixels
            means nothing.

        Raises:
            ValueError: an illegal size; the message names the next legal one.
        """
        return doubled(self.head(self.decoded(image, removed, *features)))
