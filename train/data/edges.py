"""Canny's edges of pictures with holes, for EdgeConnect (Nazeri et al. 2019, section 4.1)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from ...models.edge_connect import LUMINANCE
from .pictures import Crops

#: Standard deviation of Canny's Gaussian in pixels; the paper's best.
SIGMA = 2.0


def canny_edges(
    rgb: NDArray[np.uint8] | NDArray[np.float32], known: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Edges of a picture, or of its known part alone: hole pixels are never read.

    The hole's border is not an edge. This is scikit-image's Canny, as in the authors' code: it
    excludes a hole from blur, gradient and hysteresis, which OpenCV's cannot do.

    Args:
        rgb: HWC, uint8 or float in [0, 1].
        known: HW, True = known; None = the whole picture.

    Returns:
        HW, True = edge.
    """
    from skimage.feature import canny

    scale = 255.0 if rgb.dtype == np.uint8 else 1.0
    return canny(
        rgb.astype(np.float32) @ np.array(LUMINANCE, np.float32) / scale, sigma=SIGMA, mask=known
    )


def known_edges(pictures: Tensor, masks: Tensor) -> Tensor:
    """``canny_edges`` of the known part of a batch.

    Args:
        pictures: N3HW in [0, 1].
        masks: N1HW, 1 = known.

    Returns:
        N1HW float32, on the pictures' device; 1 = edge, 0 under holes.
    """
    arrays = pictures.float().permute(0, 2, 3, 1).cpu().numpy()
    known = masks[:, 0].cpu().numpy() > 0.5
    edges = np.stack([canny_edges(a, k) for a, k in zip(arrays, known, strict=True)])
    return torch.from_numpy(edges[:, None].astype(np.float32)).to(pictures.device)


class EdgeCrops(Dataset[tuple[Tensor, ...]]):
    """``Crops`` with their edges, which are detected in the process that decodes the picture."""

    def __init__(self, crops: Crops) -> None:
        self.crops = crops

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """The crop, its mask, and the edges of its known part and of all of it.

        Returns:
            (3HW uint8 RGB, 1HW uint8 with 1 = known, 1HW uint8 edges of the known part, 1HW
            uint8 edges of the whole crop).
        """
        picture, known = self.crops[n]
        rgb, mask = picture.permute(1, 2, 0).numpy(), known[0].numpy() > 0
        edges = (
            torch.from_numpy(e[None].astype(np.uint8))
            for e in (canny_edges(rgb, mask), canny_edges(rgb))
        )
        return picture, known, *edges
