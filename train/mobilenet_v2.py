"""MobileNetV2 on ImageNet's classes, from TensorFlow's own weights.

A classifier that scores pictures and must never train an inpainter.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ..models.checkpoint import CheckpointError

#: Side in pixels of the network's input.
SIZE = 224
#: MobileNetV2's stages (Sandler et al. 2018, Table 2): expansion, channels, blocks, stride of
#: the first block.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@dataclass(frozen=True)
class Layer:
    """A convolution of the file.

    Attributes:
        name: TensorFlow's name.
        shape: as TensorFlow stores it: (out, h, w, in), depthwise (1, h, w, channels).
        stride: in pixels.
    """

    name: str
    shape: tuple[int, int, int, int]
    stride: int = 1

    @property
    def depthwise(self) -> bool:
        """Whether it is a depthwise convolution."""
        return self.shape[0] == 1

    @property
    def weight(self) -> str:
        """The weight's name in the file: the last of the names that are joined by ``;``."""
        return f"MobilenetV2|{self.name}|weights_quant|FakeQuantWithMinMaxVars"

    @property
    def bias(self) -> str:
        """The bias's name in the file, as ``weight``."""
        return f"MobilenetV2|{self.name}|" + (
            "biases" if self.name.startswith("Logits") else "BatchNorm_Fold|bias"
        )


def _layers() -> Iterator[Layer]:
    """Every convolution of the network, in order."""
    yield Layer("Conv", (32, 3, 3, 3), 2)
    before, i = 32, 0
    for expansion, channels, blocks, stride in STAGES:
        for first in range(blocks):
            key = "expanded_conv" + (f"_{i}" if i else "")
            if expansion > 1:
                yield Layer(f"{key}|expand", (before * expansion, 1, 1, before))
            yield Layer(f"{key}|depthwise", (1, 3, 3, before * expansion), 1 if first else stride)
            yield Layer(f"{key}|project", (channels, 1, 1, before * expansion))
            before, i = channels, i + 1
    yield Layer("Conv_1", (1280, 1, 1, before))
    yield Layer("Logits|Conv2d_1c_1x1", (1001, 1, 1, 1280))


#: Every convolution of MobileNetV2, in order.
LAYERS = tuple(_layers())
#: The names of its blocks.
BLOCKS = tuple(
    layer.name.removesuffix("|project") for layer in LAYERS if layer.name.endswith("|project")
)


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's SAME padding.

    The output has ceil(size / stride) pixels; if the padding is odd, its larger half lies at
    bottom and right.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a map NCHW."""
        pads: list[int] = []
        for size, kernel, stride in zip(
            x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1], strict=True
        ):
            total = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            pads += [total // 2, total - total // 2]
        return super().forward(F.pad(x, pads) if any(pads) else x)


class ClassifierMobileNetV2(nn.Module):
    """MobileNetV2 1.0 on ImageNet, batch norm folded into the convolutions (Sandler et al. 2018).

    The paper's metric uses a VGG16_BN on Places' 365 classes; this network replaces it where no
    such weights are available.

    Args:
        constants: TensorFlow's own dequantised constants, ``.npz``; nothing in it is unpickled.

    Raises:
        FileNotFoundError: no such file.
        CheckpointError: another file; the message names the first layer that is missing or has
            another shape.
    """

    def __init__(self, constants: Path) -> None:
        super().__init__()
        arrays = _read(constants)
        self.convs = nn.ModuleDict()
        for layer in LAYERS:
            weight, bias = arrays.get(layer.weight), arrays.get(layer.bias)
            outputs = layer.shape[3] if layer.depthwise else layer.shape[0]
            if (
                weight is None
                or bias is None
                or weight.shape != layer.shape
                or bias.shape != (outputs,)
            ):
                has = (
                    "nothing"
                    if weight is None or bias is None
                    else f"{weight.shape} and {bias.shape}"
                )
                raise CheckpointError(
                    f"{constants}: {has} for {layer.weight} and its bias; "
                    f"expected {layer.shape} and {(outputs,)}"
                )
            groups = outputs if layer.depthwise else 1
            conv = SameConv2d(
                outputs if groups > 1 else layer.shape[3],
                outputs,
                layer.shape[1:3],
                layer.stride,
                groups=groups,
            )
            order = (3, 0, 1, 2) if layer.depthwise else (0, 3, 1, 2)
            conv.load_state_dict(
                {
                    "weight": torch.from_numpy(weight.transpose(order)),
                    "bias": torch.from_numpy(bias),
                }
            )
            self.convs[layer.name] = conv
        # Halves the time of a batch on a CPU.
        self.to(memory_format=torch.channels_last).requires_grad_(False).eval()  # type: ignore[call-overload]

    def forward(self, image: Tensor) -> Tensor:
        """Classify pictures.

        Args:
            image: N3HW RGB in [0, 1], any size; resized to 224x224 without regard to its shape.

        Returns:
            Nx1001 logits: ImageNet's 1000 classes from index 1 on; index 0 is TensorFlow's
            background.
        """
        x = self._relu6("Conv", scaled(image, SIZE) * 2 - 1)
        for key in BLOCKS:
            y = self._relu6(f"{key}|expand", x) if f"{key}|expand" in self.convs else x
            y = self.convs[f"{key}|project"](self._relu6(f"{key}|depthwise", y))
            x = x + y if x.shape == y.shape else y
        x = self._relu6("Conv_1", x).mean((2, 3), keepdim=True)
        return self.convs["Logits|Conv2d_1c_1x1"](x).flatten(1)

    def _relu6(self, name: str, x: Tensor) -> Tensor:
        return F.relu6(self.convs[name](x))


def scaled(image: Tensor, size: int) -> Tensor:
    """Pictures N3HW resized to ``size`` x ``size``: bilinear, antialiased."""
    return F.interpolate(image, (size, size), mode="bilinear", antialias=True, align_corners=False)


def _read(path: Path) -> dict[str, NDArray[np.float32]]:
    """The file's arrays, each by the last of its joined names."""
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; expected MobileNetV2's dequantised constants (.npz)"
        )
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as z:
            return {name.rpartition(";")[2]: z[name] for name in z.files}
    except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}: not a readable .npz of MobileNetV2's constants ({error})"
        ) from error
