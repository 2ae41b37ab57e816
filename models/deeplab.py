"""MobileNetV2 at stride 16 and the decoder of DeepLabV3+, in plain torch.

Modules have the names that torchvision and segmentation-models-pytorch (smp) use, so that their
weights fit; a test compares the outputs. The two libraries are not imported here: importing them
takes longer than cleaning a photo.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Expansion, channels, repeats, stride of the first block: Sandler et al. 2018, Table 2. The table's
# last stride of 2 is 1 here, see MobileNetV2.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)
_FINE = 3  # the last block at stride 4
FINE_CHANNELS, DEEP_CHANNELS = 24, 320
#: The last blocks at stride 2, 4, 8 and 16 (undilated, then dilated), and the channels of their
#: maps: what ``MobileNetV2.levels`` returns.
_LEVELS = (1, 3, 6, 13, 16)
LEVEL_CHANNELS = (16, 24, 32, 96, 160)


class MobileNetV2(nn.Module):
    """MobileNetV2 as a feature extractor at stride 16 (Sandler et al. 2018).

    The classifier and the last 1x1 convolution (320 -> 1280), which only serves the classifier, are
    left out. Stride 16 as in TensorFlow's DeepLab: the block that would have halved the size a
    fifth time keeps an undilated convolution, the blocks after it have dilation 2.
    """

    def __init__(self) -> None:
        super().__init__()
        blocks: list[nn.Module] = [_conv(3, 32, 3, stride=2)]
        channels = 32
        for stage, (expansion, out, repeats, stride) in enumerate(_STAGES):
            for i in range(repeats):
                dilation = 2 if stage == 6 or (stage == 5 and i) else 1
                blocks.append(
                    InvertedResidual(
                        channels,
                        out,
                        stride=stride if i == 0 else 1,
                        expansion=expansion,
                        dilation=dilation,
                    )
                )
                channels = out
        self.features = nn.Sequential(*blocks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Map N3HW to N(24)hw at stride 4 and N(320)hw at stride 16."""
        fine = self.features[: _FINE + 1](image)
        return fine, self.features[_FINE + 1 :](fine)

    def levels(self, image: Tensor) -> list[Tensor]:
        """The maps of every size, for a network that needs the small details too.

        Args:
            image: N3HW, H and W multiples of 16.

        Returns:
            N(channels)hw at stride 2, 4, 8, 16 and 16, with the channels ``LEVEL_CHANNELS``.
        """
        maps = []
        x = image
        for i, block in enumerate(self.features[: _LEVELS[-1] + 1]):
            x = block(x)
            if i in _LEVELS:
                maps.append(x)
        return maps

    def beyond(self, deepest: Tensor) -> Tensor:
        """Map the last of ``levels``, N(160)hw, to ``forward``'s output at stride 16, N(320)hw."""
        deep: Tensor = self.features[_LEVELS[-1] + 1 :](deepest)
        return deep


class InvertedResidual(nn.Module):
    """Expand, filter each channel alone, project linearly (Sandler et al. 2018, section 3.3)."""

    def __init__(
        self, channels: int, out: int, *, stride: int, expansion: int, dilation: int
    ) -> None:
        super().__init__()
        hidden = channels * expansion
        widen = [_conv(channels, hidden, 1)] if expansion != 1 else []
        filtered = _conv(hidden, hidden, 3, stride=stride, dilation=dilation, groups=hidden)
        self.conv = nn.Sequential(
            *widen, filtered, nn.Conv2d(hidden, out, 1, bias=False), nn.BatchNorm2d(out)
        )
        self.adds = stride == 1 and channels == out

    def forward(self, x: Tensor) -> Tensor:
        """Map N(channels)HW to N(out)(H/stride)(W/stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.adds else y


class DeepLabV3PlusDecoder(nn.Module):
    """The decoder of Chen et al. 2018, figure 2, with separable convolutions.

    Args:
        width: channels of the output.
        rates: dilation rates of the atrous pyramid.
    """

    def __init__(self, width: int, rates: tuple[int, int, int]) -> None:
        super().__init__()
        self.aspp = nn.Sequential(
            AtrousPyramid(DEEP_CHANNELS, width, rates),
            _separable(width, width),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.block1 = nn.Sequential(
            nn.Conv2d(FINE_CHANNELS, 48, 1, bias=False), nn.BatchNorm2d(48), nn.ReLU()
        )
        self.block2 = nn.Sequential(_separable(48 + width, width), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, fine: Tensor, deep: Tensor) -> Tensor:
        """Merge the two outputs of ``MobileNetV2``.

        smp upsamples by a whole factor; here the deep features are resized to the exact size of
        ``fine``.

        Args:
            fine: N(24)hw, features at stride 4.
            deep: N(320)HW, features at stride 16.

        Returns:
            N(width)hw, at the size of ``fine``.
        """
        fine = self.block1(fine)
        deep = F.interpolate(
            self.aspp(deep), size=fine.shape[-2:], mode="bilinear", align_corners=True
        )
        return self.block2(torch.cat([deep, fine], dim=1))  # type: ignore[no-any-return]


class AtrousPyramid(nn.Module):
    """Atrous spatial pyramid pooling (Chen et al. 2017, section 3.3).

    Five parallel branches: a 1x1 convolution, three dilated convolutions and the picture's mean.
    """

    def __init__(self, channels: int, out: int, rates: tuple[int, int, int]) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                nn.Sequential(
                    nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
                ),
                *(
                    nn.Sequential(_separable(channels, out, rate), nn.BatchNorm2d(out), nn.ReLU())
                    for rate in rates
                ),
                nn.Sequential(
                    nn.AdaptiveAvgPool2d(1),
                    nn.Conv2d(channels, out, 1, bias=False),
                    nn.BatchNorm2d(out),
                    nn.ReLU(),
                ),
            ]
        )
        self.project = nn.Sequential(
            nn.Conv2d(5 * out, out, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map N(channels)HW to N(out)HW."""
        *local, whole = (conv(x) for conv in self.convs)
        whole = whole.expand(-1, -1, *x.shape[-2:])
        return self.project(torch.cat([*local, whole], dim=1))  # type: ignore[no-any-return]


class _LearnsInFp32(nn.Conv2d):
    """A convolution that leaves autocast while it is trained on a CPU.

    On CPUs, the bf16 gradient of a dilated depthwise filter is occasionally infinite (oneDNN; seen
    with torch 2.15 after batches of other sizes).
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" and torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):
                return super().forward(x.float())
        return super().forward(x)


def _conv(
    channels: int, out: int, kernel: int, *, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    padding = kernel // 2 * dilation
    kind = _LearnsInFp32 if dilation > 1 else nn.Conv2d
    return nn.Sequential(
        kind(channels, out, kernel, stride, padding, dilation, groups, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU6(inplace=True),
    )


def _separable(channels: int, out: int, dilation: int = 1) -> nn.Sequential:
    kind = _LearnsInFp32 if dilation > 1 else nn.Conv2d
    return nn.Sequential(
        kind(
            channels, channels, 3, padding=dilation, dilation=dilation, groups=channels, bias=False
        ),
        nn.Conv2d(channels, out, 1, bias=False),
    )
