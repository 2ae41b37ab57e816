"""Segmentation: a photo in, class probabilities at the network's own size out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.categories import CATEGORIES
from pipeline.config import SPECK_SHARE
from pipeline.errors import WeightsError
from pipeline.pixels import eight_bits
from pipeline.types import FloatArray, Pixels

if TYPE_CHECKING:
    import torch

#: Longer side in pixels at which the compact segmenter looks: what its teacher was made for; and at which it looks a second time at a whole
#: photo, mirrored. The mean of both looks finds more of everything than either (``benchmarks/small_objects.py``).
COMPACT_SIZE, NEARER_SIZE = 513, 769
#: A second, closer look at small objects: at whatever may be one (probability), at most so many, in squares of this multiple of the
#: object's longer side and at least this share of the photo's; an object whose square is larger than the last share has been seen well.
CLOSER_FROM, CLOSER_MOST, CLOSER_CONTEXT, CLOSER_LEAST, CLOSER_LARGEST = 0.1, 8, 3.0, 0.375, 0.5
#: Longer side in pixels of the map that the looks are put together on, how much more a closer look counts, and the share of its square
#: over which it fades at the border, where it sees objects cut off.
CLOSER_MAP, CLOSER_WEIGHT, CLOSER_FADE = 2048, 3.0, 0.15
#: Least probability, as a share of the threshold, at which a pixel belongs to an object of the class that it is connected with; and at
#: which it does where it is more likely some object than none.
CONNECTED, WAVERING = 0.6, 0.3


class Segmenter(Protocol):
    """Anything that gives 21 class probabilities a pixel."""

    name: str
    #: Whether a pass is cheap enough for a second and closer looks.
    quick: bool

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        """HWC uint8 or uint16 RGB -> 21hw float32 in [0, 1], at the segmenter's own size (same aspect as the photo).

        One that is ``quick`` looks at ``longest`` pixels along the longer side, if that is given.
        """


@dataclass(frozen=True)
class Chosen:
    """The segmenter that a run uses, with the warning that goes into the report when it is a stand-in."""

    segmenter: Segmenter
    weights: dict[str, str]
    warning: str | None = None


def choose_segmenter(name: str, device: torch.device, *, offline: bool) -> Chosen:
    """Load the segmenter of that name.

    Args:
        name: ``fcn_resnet101``, ``compact`` or ``auto`` (FCN where its weights are cached or reachable, decided within seconds).
        device: where it runs.
        offline: never touch the network.

    Raises:
        WeightsError: ``fcn_resnet101`` was named and its weights are not to be had; no silent stand-in.
    """
    from models.checkpoint import CheckpointError
    from models.weights import FCN_RESNET101, cache_folder, fetch, why_missing

    if name == "compact":
        return _compact(device, None)
    remedy = f"put {FCN_RESNET101.url} into {cache_folder()}, or use --segmenter compact"
    why = why_missing(FCN_RESNET101, offline=offline)
    if why:
        if name == "fcn_resnet101":
            raise WeightsError(f"FCN-ResNet101's weights are {why}; {remedy}")
        return _compact(device, f"segmented with the compact segmenter: FCN-ResNet101's weights are {why}")
    try:
        path, digest = fetch(FCN_RESNET101)
        return Chosen(FCNSegmenter(str(path), device), {"fcn_resnet101": digest})
    except CheckpointError as error:
        if name == "fcn_resnet101":
            raise WeightsError(f"{error}; {remedy}") from error
        return _compact(device, f"segmented with the compact segmenter: {error}")


def _compact(device: torch.device, warning: str | None) -> Chosen:
    adapter = CompactSegmenterAdapter(device)
    return Chosen(adapter, {"compact-segmenter": adapter.sha256}, warning)


class CompactSegmenterAdapter:
    """The shipped network, and the way of a photo to it and back."""

    name = "compact"
    quick = True

    def __init__(self, device: torch.device) -> None:
        import torch

        from models.checkpoint import CheckpointError
        from models.folding import fold_batch_norm
        from models.segmenter import CompactSegmenter
        from models.weights import load_shipped

        self.device = device
        try:
            network, self.sha256 = load_shipped("compact-segmenter", CompactSegmenter)
        except CheckpointError as error:
            raise WeightsError(str(error)) from error
        self.network = fold_batch_norm(network).to(device, memory_format=torch.channels_last)

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        import torch

        from models.precision import autocast
        from models.segmenter import photo_logits

        with torch.inference_mode(), autocast(self.device):
            logits = photo_logits(self.network, shrink(rgb, longest or COMPACT_SIZE), self.device)
            return logits.float().softmax(0).cpu().numpy()  # type: ignore[no-any-return]


class FCNSegmenter:
    """torchvision's fcn_resnet101 with COCO_WITH_VOC_LABELS_V1: its transforms, its categories."""

    name = "fcn_resnet101"
    quick = False

    def __init__(self, path: str, device: torch.device) -> None:
        import torch
        from torchvision.models.segmentation import FCN_ResNet101_Weights, fcn_resnet101

        from models.folding import fold_batch_norm

        weights = FCN_ResNet101_Weights.COCO_WITH_VOC_LABELS_V1
        if tuple(weights.meta["categories"])[1:] != CATEGORIES[1:]:
            raise WeightsError(
                f"torchvision's FCN categories changed: {weights.meta['categories']}; report this with torchvision's version"
            )
        self.transform = weights.transforms()
        self.device = device
        network = fcn_resnet101(weights=None, weights_backbone=None, num_classes=len(CATEGORIES), aux_loss=True)
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        network.aux_classifier = None
        self.network = fold_batch_norm(network.eval()).to(device, memory_format=torch.channels_last)

    def probabilities(self, rgb: Pixels, longest: int | None = None) -> FloatArray:
        import torch

        from models.precision import autocast

        small = shrink(rgb, 1040)
        x = self.transform(torch.from_numpy(np.ascontiguousarray(small)).permute(2, 0, 1))[None]
        with torch.inference_mode(), autocast(self.device):
            logits = self.network(x.to(self.device).contiguous(memory_format=torch.channels_last))["out"]
            return logits[0].float().softmax(0).cpu().numpy()  # type: ignore[no-any-return]


def shrink(rgb: Pixels, longest: int) -> NDArray[np.uint8]:
    """uint8 RGB with its longer side brought to ``longest`` pixels (enlarged too); uint16 is brought down to uint8."""
    h, w = rgb.shape[:2]
    scale = longest / max(h, w)
    size = max(1, round(w * scale)), max(1, round(h * scale))
    return eight_bits(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR))


def shares(probabilities: FloatArray, classes: Sequence[str], threshold: float) -> dict[str, float]:
    """The share of the photo that each named class takes (most probable class, at least ``threshold`` for all named together)."""
    ids = [CATEGORIES.index(c) for c in classes]
    taken = probabilities[ids].sum(0) >= threshold
    best = probabilities[ids].argmax(0)
    found = {c: float((taken & (best == i)).mean()) for i, c in enumerate(classes)}
    return {c: s for c, s in found.items() if s > 0}


def removed_probability(probabilities: FloatArray, classes: Sequence[str]) -> FloatArray:
    """hw: the probability that a pixel is any of the classes."""
    return probabilities[[CATEGORIES.index(c) for c in classes]].sum(0)  # type: ignore[no-any-return]


def look_twice(segmenter: Segmenter, rgb: Pixels) -> FloatArray:
    """The mean of two looks at a photo, the second nearer and mirrored, by a segmenter that is ``quick``; else its one answer.

    From near it finds what is small, from afar what is large: no one size is best for both.

    Args:
        segmenter: asked once or twice.
        rgb: HWC.

    Returns:
        21hw probabilities at the size of the last look.
    """
    first = segmenter.probabilities(rgb)
    if not segmenter.quick:
        return first
    second = segmenter.probabilities(np.ascontiguousarray(shrink(rgb, NEARER_SIZE)[:, ::-1]), NEARER_SIZE)
    h, w = second.shape[1:]
    mean = np.stack([cv2.resize(p, (w, h), interpolation=cv2.INTER_LINEAR) for p in first])
    mean += second[:, :, ::-1]
    mean /= 2
    return mean


def whole_objects(removed: FloatArray, ground: FloatArray, threshold: float) -> FloatArray:
    """The probability of the removed classes, raised where an object goes on though its name wavers: half a dog is no dog removed.

    A pixel that is connected with one of the classes belongs to that object where it is of the classes with at least ``CONNECTED`` of the
    threshold (Canny's hysteresis), or with ``WAVERING`` of it and more likely some object than none. Its probability becomes that of any
    object at all, and no less than the threshold.

    Args:
        removed: hw in [0, 1], the probability of the removed classes.
        ground: the probability of no object, at any size.
        threshold: at which a pixel is taken.
    """
    h, w = removed.shape
    thing = 1 - cv2.resize(ground, (w, h), interpolation=cv2.INTER_LINEAR)
    sure = removed >= threshold
    within = (removed >= CONNECTED * threshold) | ((removed >= WAVERING * threshold) & (thing >= threshold))
    _, parts = cv2.connectedComponents(within.astype(np.uint8), connectivity=8)
    held = np.zeros(int(parts.max()) + 1, bool)
    held[parts[sure]] = True
    held[0] = False
    return np.where(held[parts], np.maximum(np.maximum(removed, thing), threshold), removed).astype(np.float32)


def look_closer(segmenter: Segmenter, rgb: Pixels, removed: FloatArray, classes: Sequence[str]) -> FloatArray:
    """The probability of the removed classes after a closer look at every small object: distant people, and their feet.

    A segmenter sees the whole photo at a few hundred pixels; what is small there it misses, or misses the ends of.

    Args:
        segmenter: is asked again about squares of the photo, if it is ``quick``.
        rgb: the photo, HWC.
        removed: hw, its answer for the whole photo.
        classes: what is removed.

    Returns:
        hw at the photo's aspect; ``removed`` itself where there is nothing to look at.
    """
    squares = _squares(removed) if segmenter.quick else []
    if not squares:
        return removed
    height, width = rgb.shape[:2]
    scale = min(1.0, CLOSER_MAP / max(height, width))
    h, w = max(1, round(height * scale)), max(1, round(width * scale))
    total = cv2.resize(removed, (w, h), interpolation=cv2.INTER_LINEAR)
    weight = np.ones((h, w), np.float32)
    for top, left, bottom, right in squares:
        y0, y1, x0, x1 = (round(v * s) for v, s in ((top, height), (bottom, height), (left, width), (right, width)))
        part: Pixels = np.ascontiguousarray(rgb[y0:y1, x0:x1])  # type: ignore[assignment]
        closer = removed_probability(segmenter.probabilities(part), classes)
        rows, columns = slice(round(top * h), round(bottom * h)), slice(round(left * w), round(right * w))
        size = rows.stop - rows.start, columns.stop - columns.start
        share = CLOSER_WEIGHT * np.minimum.outer(*(_fade(n) for n in size))
        total[rows, columns] += share * cv2.resize(closer, size[::-1], interpolation=cv2.INTER_LINEAR)
        weight[rows, columns] += share
    return total / weight  # type: ignore[return-value]


def _squares(removed: FloatArray) -> list[tuple[float, float, float, float]]:
    """(top, left, bottom, right) in shares of the photo: where to look closer, largest objects first, none twice."""
    h, w = removed.shape
    _, _, stats, _ = cv2.connectedComponentsWithStats((removed >= CLOSER_FROM).astype(np.uint8), connectivity=8)
    found: list[tuple[float, float, float, float]] = []
    for i in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        if len(found) == CLOSER_MOST or stats[i, cv2.CC_STAT_AREA] < SPECK_SHARE / 2 * h * w:
            break
        x, y, bw, bh = (int(v) for v in stats[i, :4])
        side = max(CLOSER_CONTEXT * max(bw, bh), CLOSER_LEAST * max(h, w))
        if side > CLOSER_LARGEST * max(h, w):
            continue
        cy, cx = y + bh / 2, x + bw / 2
        if any(t < y / h and (y + bh) / h < b and le < x / w and (x + bw) / w < r for t, le, b, r in found):
            continue  # seen in the square of a larger one
        top, left = max(0.0, cy - side / 2), max(0.0, cx - side / 2)
        found.append((top / h, left / w, min(h, cy + side / 2) / h, min(w, cx + side / 2) / w))
    return found


def _fade(length: int) -> FloatArray:
    """1 in the middle, falling to almost 0 at both ends."""
    line = np.arange(length, dtype=np.float32)
    return np.minimum(1, (np.minimum(line, line[::-1]) + 1) / max(1.0, CLOSER_FADE * length)).astype(np.float32)
