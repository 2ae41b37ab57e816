"""LPIPS (Zhang et al. 2018), a perceptual distance, and a feature from its network."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..pixels import reduction, resize, scaled_size
from ..types import FloatArray, Mask

if TYPE_CHECKING:
    import torch


class Perceptual:
    """LPIPS with SqueezeNet, if its backbone is cached or reachable; otherwise every value is None.

    Attributes:
        device: where the network runs.
        missing: why LPIPS is unavailable, or empty.
    """

    #: Longer side in pixels at which two pictures are compared, at most, and shorter side at least.
    size, least = 256, 32

    def __init__(self, device: torch.device, *, offline: bool) -> None:
        self.device = device
        self._lock = threading.Lock()
        network, self.missing = lpips_network(offline=offline)
        self._network = None if network is None else network.to(device)

    def distance(self, picture: FloatArray, truth: FloatArray) -> float | None:
        """LPIPS of two hw3 pictures in [0, 1]; 0 = equal, None = unavailable."""
        if self._network is None:
            return None
        import torch

        scale = reduction(truth.shape, self.size)
        size = scaled_size(truth.shape, scale, self.least)
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pair = [self._tensor(resize(p, size, how)) for p in (picture, truth)]
        with torch.inference_mode(), self._lock:
            return float(self._network(pair[0], pair[1], normalize=True))

    def context_diversity(self, picture: FloatArray, known_mask: Mask) -> float | None:
        """How varied the known part of a picture is, by the network's deepest features.

        Args:
            picture: hw3 in [0, 1].
            known_mask: hw bool.

        Returns:
            The standard deviation of the deepest features over the known cells, summed over
            channels; None if LPIPS is unavailable or nothing is known.
        """
        if self._network is None:
            return None
        import torch

        x = self._tensor(picture)
        with torch.inference_mode(), self._lock:
            deepest = (
                self._network.net.forward(self._network.scaling_layer(2 * x - 1))[-1][0]
                .float()
                .cpu()
                .numpy()
            )
        deepest /= np.maximum(np.sqrt((deepest**2).sum(0)), 1e-6)
        cells = resize(known_mask.astype(np.float32), deepest.shape[1:]) > 0.5
        return float(deepest[:, cells].std(1).sum()) if cells.any() else None

    def _tensor(self, picture: FloatArray) -> torch.Tensor:
        """hw3 -> 13hw float32 on the device."""
        import torch

        pixels = torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32))
        return pixels.permute(2, 0, 1)[None].to(self.device)


def lpips_network(backbone: str = "squeeze", *, offline: bool) -> tuple[Any, str]:
    """Load LPIPS, with its parameters frozen.

    Args:
        backbone: ``squeeze`` (SqueezeNet) or ``alex`` (AlexNet), from torch's cache or downloaded.
        offline: never download.

    Returns:
        (the lpips package's network, ""), or (None, why it is unavailable).
    """
    from ...models.checkpoint import CheckpointError
    from ...models.hub import ALEXNET, SQUEEZENET, fetch, why_missing

    name, remote = {"squeeze": ("SqueezeNet", SQUEEZENET), "alex": ("AlexNet", ALEXNET)}[backbone]
    why = why_missing(remote, offline=offline)
    if why:
        return None, f"no LPIPS: {name}'s weights are {why}"
    try:
        from ...models.perceptual import load_lpips

        return load_lpips(backbone, fetch(remote, progress=False).path), ""
    except (CheckpointError, ImportError, OSError, RuntimeError) as error:
        return None, f"no LPIPS: {error}"
