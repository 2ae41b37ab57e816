"""Training of EDSR (Lim et al. 2017), the super-resolution that Wu & Cui compare with."""

from __future__ import annotations

from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from ...models.edsr import EDSR, EDSRConfig
from .base import InpaintingTask, Losses


class EDSRTask(InpaintingTask):
    """L1 of the whole picture enlarged from an eighth of its size.

    It is the decompression (a) of Wu & Cui, section 3.2.

    Args:
        width: channels of the network.
        blocks: residual blocks of the network.
        **common: see ``InpaintingTask``.
    """

    network_class: ClassVar[type[nn.Module]] = EDSR
    telling = ("l1",)
    preprocessing: ClassVar[str] = "a photo at an eighth of its size, RGB / 127.5 - 1"

    def __init__(self, *, width: int, blocks: int, **common: Any) -> None:
        super().__init__(EDSR(EDSRConfig(width, blocks)), **common)

    @classmethod
    def size_step(cls) -> int:
        """See ``InpaintingTask``: the picture at an eighth of its size has whole pixels."""
        return 8

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The picture enlarged from an eighth of its size; see ``InpaintingTask``."""
        return network(F.avg_pool2d(picture, 8) * 2 - 1) / 2 + 0.5

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """L1 over the whole picture."""
        picture, _ = batch
        output = self.modules["network"](F.avg_pool2d(picture, 8) * 2 - 1).float()
        return {"network": {"l1": (output - (picture * 2 - 1)).abs().mean()}}
