"""The discriminators.

An instance-norm patch map (Jiang & Zhang, sections 3.2 and 4.3), SN-PatchGAN (Wu & Cui, section
3.1; Yu et al. 2019), and EdgeConnect's (Nazeri et al. 2019, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

LEAKY_SLOPE = 0.2


@dataclass(frozen=True)
class PatchDiscriminatorConfig:
    """Size of a ``PatchDiscriminator``.

    Attributes:
        width: channels after the first convolution.
    """

    width: int = 64


class PatchDiscriminator(nn.Module):
    """A map of scores: 1 = real, 0 = reconstructed.

    Instance norm and leaky ReLU (Jiang & Zhang, section 4.3 i-ii).
    """

    config_class = PatchDiscriminatorConfig
    multiple = 16

    def __init__(self, config: PatchDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or PatchDiscriminatorConfig()
        w = self.config.width
        layers: list[nn.Module] = [
            nn.Conv2d(3, w, 4, 2, 1),
            nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
        ]
        for before, after in ((w, 2 * w), (2 * w, 4 * w), (4 * w, 8 * w)):
            layers += [
                nn.Conv2d(before, after, 4, 2, 1),
                nn.InstanceNorm2d(after),
                nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            ]
        layers.append(nn.Conv2d(8 * w, 1, 3, padding=1))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Score the patches of a picture.

        Args:
            image: N3HW in [-1, 1].

        Returns:
            N1(H/16)(W/16) scores; the target is 1 for real and 0 for reconstructed pictures.
        """
        return self.layers(image)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class SNPatchDiscriminatorConfig:
    """Size of an ``SNPatchDiscriminator``.

    Attributes:
        width: channels after the first convolution.
        strides: the stride of each layer; a 32x32 input allows fewer halvings than a 256x256 one.
        one_score: add a last convolution to one score per location. Without it every channel of
            the last layer is a score; Yu et al. have six layers of stride 2 and no such
            convolution.
    """

    width: int = 64
    strides: tuple[int, ...] = (2, 2, 2, 1)
    one_score: bool = True


class SNPatchDiscriminator(nn.Module):
    """Spectral-normalised Markovian discriminator.

    5x5 convolutions; the hinge loss applies to every location of the last map.
    """

    config_class = SNPatchDiscriminatorConfig
    multiple = 8

    def __init__(self, config: SNPatchDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or SNPatchDiscriminatorConfig()
        w = self.config.width
        layers: list[nn.Module] = []
        before = 4
        for i, stride in enumerate(self.config.strides):
            after = w * min(2**i, 4)
            layers += [
                spectral_norm(nn.Conv2d(before, after, 5, stride, 2)),
                nn.LeakyReLU(LEAKY_SLOPE, inplace=True),
            ]
            before = after
        if self.config.one_score:
            layers.append(spectral_norm(nn.Conv2d(before, 1, 5, 1, 2)))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Score the locations of a picture.

        Args:
            image: N3HW in [-1, 1].
            mask: N1HW, 1 = known, 0 = hole.

        Returns:
            N1hw scores (NChw without ``one_score``), high = real.
        """
        return self.layers(torch.cat([image, mask], dim=1))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class MatchedPatchDiscriminatorConfig:
    """Size of a ``MatchedPatchDiscriminator``.

    Attributes:
        width: channels after the first convolution.
        channels: channels of the input: 3 for pictures, 2 for grey and edges.
    """

    width: int = 64
    channels: int = 3


class MatchedPatchDiscriminator(nn.Module):
    """EdgeConnect's discriminator (Nazeri et al. 2019, section 3).

    Every score sees 70x70 pixels. Spectral norm is the only norm; there are no biases. The
    feature-matching loss (equation 3) compares its features.
    """

    config_class = MatchedPatchDiscriminatorConfig
    multiple = 8

    def __init__(self, config: MatchedPatchDiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config or MatchedPatchDiscriminatorConfig()
        w = self.config.width
        self.layers = nn.ModuleList()
        for before, after, stride in (
            (self.config.channels, w, 2),
            (w, 2 * w, 2),
            (2 * w, 4 * w, 2),
            (4 * w, 8 * w, 1),
            (8 * w, 1, 1),
        ):
            conv = nn.Conv2d(before, after, 4, stride, 1, bias=False)
            nn.init.normal_(conv.weight, std=0.02)
            self.layers.append(spectral_norm(conv))

    def features(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of the five layers after their activations; the last are the scores.

        Args:
            x: NCHW.
        """
        features = []
        for layer in self.layers:
            x = layer(x)
            if layer is not self.layers[-1]:
                x = F.leaky_relu(x, LEAKY_SLOPE)
            features.append(x)
        return features

    def forward(self, x: Tensor) -> Tensor:
        """Map NCHW to N1(H/8 - 2)(W/8 - 2): the logits of being real."""
        return self.features(x)[-1]
