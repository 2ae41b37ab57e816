"""What can be known of a result without knowing what was behind the object: seam, residue, probe."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.geometry import border_contact, grow, hole_within
from pipeline.pixels import as_float
from pipeline.types import Box, FloatArray, Hole, Mask, Pixels, Route

if TYPE_CHECKING:
    import torch

#: Known pixels that must surround a probe, and how finely places are tried, as shares of the photo's shorter side.
PROBE_MARGIN, PROBE_STEP = 0.01, 0.02
#: Width in pixels of the ring outside the hole against which the rim is compared.
SEAM_RING = 8


def seam(result: Pixels, hole: Hole, unknown: Mask) -> float | None:
    """The step across the hole's rim against the steps around it: 1 = as smooth as its surroundings, 3 = three times as rough.

    Mean absolute difference of neighbours of which one is in the hole and one is known, over the mean of neighbouring known pixels within
    ``SEAM_RING`` of the hole (at least 1/255, so that a blank wall does not divide by nothing).

    Returns:
        The ratio, or None where the hole has no known rim.
    """
    part = grow(hole.box, SEAM_RING + 1, *unknown.shape)
    inner = hole_within(hole, part)
    known = ~unknown[part.slices]
    ring = cv2.dilate(inner.astype(np.uint8), np.ones((2 * SEAM_RING + 1,) * 2, np.uint8)).astype(bool) & known
    picture = as_float(result[part.slices])
    rim, around = [], []
    for a, b in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None), slice(None)), (slice(None, -1), slice(None))),
    ):
        step = np.abs(picture[a] - picture[b]).mean(2)
        rim.append(step[(inner[a] & known[b]) | (known[a] & inner[b])])
        around.append(step[ring[a] & ring[b]])
    across, level = np.concatenate(rim), np.concatenate(around)
    if not len(across) or not len(level):
        return None
    return float(across.mean() / max(float(level.mean()), 1 / 255))


def residue(probability: FloatArray, mask: Mask, threshold: float) -> float:
    """The share of the hole that the segmenter, looking at the result, still calls the removed class.

    Args:
        probability: hw of the removed classes on the result, at the segmenter's own size.
        mask: HW bool, all holes.
        threshold: as in ``mask.class_mask``.
    """
    small = cv2.resize(mask.astype(np.uint8), (probability.shape[1], probability.shape[0]), interpolation=cv2.INTER_AREA).astype(bool)
    if not small.any():
        small = cv2.resize(mask.astype(np.float32), (probability.shape[1], probability.shape[0]), interpolation=cv2.INTER_AREA) > 0
    return float((probability[small] >= threshold).mean()) if small.any() else 0.0


def probe_hole(hole: Hole, unknown: Mask, route: Route) -> Hole | None:
    """The same hole at a place of the photo where every pixel (and a margin) is known: the nearest such place.

    An edge hole stays at its border: it moves along it, or to the opposite one mirrored. None where there is no place.
    """
    height, width = unknown.shape
    margin = max(4, round(PROBE_MARGIN * min(height, width)))
    step = max(1, round(PROBE_STEP * min(height, width)))
    b = hole.box
    # A summed table of unknown pixels makes every place one look-up.
    table = cv2.integral(unknown.astype(np.uint8), sdepth=cv2.CV_32S)
    if route is Route.EDGE:
        found = _edge_places(hole, height, width, step)
    else:
        xs, ys = range(0, width - b.w + 1, step), range(0, height - b.h + 1, step)
        found = [(x, y, False, False) for y in ys for x in xs]
    found.sort(key=lambda p: ((p[2] or p[3]), (p[0] - b.x) ** 2 + (p[1] - b.y) ** 2))
    for x, y, mirror_x, mirror_y in found:
        x0, y0, x1, y1 = max(0, x - margin), max(0, y - margin), min(width, x + b.w + margin), min(height, y + b.h + margin)
        if table[y1, x1] - table[y0, x1] - table[y1, x0] + table[y0, x0] == 0:
            mask = hole.mask[:, ::-1] if mirror_x else hole.mask
            return Hole(Box(x, y, b.w, b.h), np.ascontiguousarray(mask[::-1] if mirror_y else mask), hole.share)
    return None


def _edge_places(hole: Hole, height: int, width: int, step: int) -> list[tuple[int, int, bool, bool]]:
    """(x, y, mirrored across, mirrored down) of every place along the hole's own border and the opposite one."""
    b = hole.box
    _, side = border_contact(hole, height, width)
    if side in ("left", "right"):
        far = width - b.w if side == "left" else 0
        return [place for y in range(0, height - b.h + 1, step) for place in ((b.x, y, False, False), (far, y, True, False))]
    far = height - b.h if side == "top" else 0
    return [place for x in range(0, width - b.w + 1, step) for place in ((x, b.y, False, False), (x, far, False, True))]


def inside_errors(found: FloatArray, truth: FloatArray, mask: Mask) -> tuple[float, float, float]:
    """(L1, PSNR, SSIM) of two hw3 pictures in [0, 1], over the mask's pixels.

    L1: mean absolute difference. PSNR: 10 log10(1 / MSE), at most 99 dB. SSIM: Wang et al. 2004, Gaussian window of 1.5 pixels, its
    map over the grey picture averaged over the mask.
    """
    from skimage.metrics import structural_similarity

    difference = found[mask] - truth[mask]
    mse = float((difference**2).mean())
    psnr = min(99.0, -10 * float(np.log10(max(mse, 1e-12))))
    if min(mask.shape) < 11:
        return float(np.abs(difference).mean()), psnr, 1.0 if mse == 0 else float("nan")
    grey = [cv2.cvtColor(np.ascontiguousarray(p, dtype=np.float32), cv2.COLOR_RGB2GRAY) for p in (found, truth)]
    _, full = structural_similarity(grey[0], grey[1], data_range=1.0, gaussian_weights=True, use_sample_covariance=False, full=True)
    return float(np.abs(difference).mean()), psnr, float(full[mask].mean())


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
        pair = [cv2.resize(p, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR) for p in (found, truth)]
        tensors = [torch.from_numpy(np.ascontiguousarray(p, dtype=np.float32)).permute(2, 0, 1)[None].to(self.device) for p in pair]
        with torch.inference_mode(), self._lock:
            return float(self._network(tensors[0], tensors[1], normalize=True))

    def variety(self, picture: FloatArray, known: Mask) -> float | None:
        """How different the known things of a picture are to the network: the spread of its deepest features, summed over channels.

        Args:
            picture: hw3 in [0, 1].
            known: hw bool.

        Returns:
            None where the network is not to be had, or nothing is known.
        """
        if self._network is None:
            return None
        import torch

        x = torch.from_numpy(np.ascontiguousarray(picture, dtype=np.float32)).permute(2, 0, 1)[None].to(self.device)
        with torch.inference_mode(), self._lock:
            deepest = self._network.net.forward(self._network.scaling_layer(2 * x - 1))[-1][0].float().cpu().numpy()
        deepest /= np.maximum(np.sqrt((deepest**2).sum(0)), 1e-6)
        cells = cv2.resize(known.astype(np.float32), deepest.shape[:0:-1], interpolation=cv2.INTER_AREA) > 0.5
        return float(deepest[:, cells].std(1).sum()) if cells.any() else None


def lpips_network(backbone: str = "squeeze", *, offline: bool) -> tuple[Any, str]:
    """LPIPS over torch's cached ``squeeze`` or ``alex`` (SqueezeNet, AlexNet), without gradients for its parameters.

    Returns:
        (the lpips package's network, ""), or (None, why it is not to be had).
    """
    from models.checkpoint import CheckpointError
    from models.weights import ALEXNET, SQUEEZENET, fetch, why_missing

    name, remote = {"squeeze": ("SqueezeNet", SQUEEZENET), "alex": ("AlexNet", ALEXNET)}[backbone]
    why = why_missing(remote, offline=offline)
    if why:
        return None, f"no LPIPS: {name}'s weights are {why}"
    try:
        from models.perceptual import load_lpips

        return load_lpips(backbone, fetch(remote, progress=False).path), ""
    except (CheckpointError, ImportError, OSError, RuntimeError) as error:
        return None, f"no LPIPS: {error}"
