"""TODO docstring."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from ..types import FloatArray, Mask

if TYPE_CHECKING:
    import torch


class Perceptual:
    """LPIPS (Zhang et al. 2018) with SqueezeNet, where its backbone is cached or reachable; else every figure is None.

    ``missing`` says why, once.
    """

    #: Longer side in pixels at which two pictures are compared.
    size = 256

    def __init__(self, device: torch.device, *, offline: bool) -> None:
        self.device = device
        self._lock = threading.Lock()
        network, self.missing = lpips_network(offline=offline)
        self._network = None if network is None else network.to(device)

    def distance(self, found: FloatArray, truth: FloatArray) -> float | None:
        """LPIPS of two hw3 pictures in [0, 1] (0 = equal), brought to at most ``size`` and at least 32 pixels."""
        if self._network is None:
            return None
        import torch

        h, w = truth.shape[:2]
        scale = min(1.0, self.size / max(h, w))
        size = max(32, round(w * scale)), max(32, round(h * scale))
        pair = [
            cv2.resize(p, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
            for p in (found, truth)
        ]
        tensors = [
            torch.from_numpy(np.ascontiguousarray(p, dtype=np.float32))
            .permute(2, 0, 1)[None]
            .to(self.device)
            for p in pair
        ]
        with torch.inference_mode(), self._lock:
            return float(self._network(tensors[0], tensors[1], normalize=True))

    def context_diversity(self, picture: FloatArray, known_mask: Mask) -> float | None:
        """How different the known things of a picture are to the network: the spread of its deepest features, summed over channels.

        Args:
            picture: hw3 in [0, 1].
            known_mask: hw bool.

        Returns:
            None where the network is not to be had, or nothing is known.
        """
        if self._network is None:
            return None
        import torch

        x = (
            torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32))
            .permute(2, 0, 1)[None]
            .to(self.device)
        )
        with torch.inference_mode(), self._lock:
            deepest = (
                self._network.net.forward(self._network.scaling_layer(2 * x - 1))[-1][0]
                .float()
                .cpu()
                .numpy()
            )
        deepest /= np.maximum(np.sqrt((deepest**2).sum(0)), 1e-6)
        cells = (
            cv2.resize(
                known_mask.astype(np.float32), deepest.shape[:0:-1], interpolation=cv2.INTER_AREA
            )
            > 0.5
        )
        return float(deepest[:, cells].std(1).sum()) if cells.any() else None


def lpips_network(backbone: str = "squeeze", *, offline: bool) -> tuple[Any, str]:
    """LPIPS over torch's cached ``squeeze`` or ``alex`` (SqueezeNet, AlexNet), without gradients for its parameters.

    Returns:
        (the lpips package's network, ""), or (None, why it is not to be had).
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
