"""TODO docstring."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from ...models.edsr import EDSR, EDSRConfig
from .base import InpaintingTask, Losses


class EDSRTask(InpaintingTask):
    """x8 super-resolution of the whole picture from its eighth, L1 (Lim et al. 2017): the decompression (a) of Wu & Cui, 3.2."""

    def __init__(self, *, width: int, blocks: int, **common: Any) -> None:
        super().__init__(EDSR(EDSRConfig(width, blocks)), **common)

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return network(F.avg_pool2d(picture, 8) * 2 - 1) / 2 + 0.5  # type: ignore[no-any-return]

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        picture, _ = batch
        return {
            "network": {
                "l1": (
                    self.modules["network"](F.avg_pool2d(picture, 8) * 2 - 1).float()
                    - (picture * 2 - 1)
                )
                .abs()
                .mean()
            }
        }
