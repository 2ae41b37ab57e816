"""``evaluate-inpainter segmentation``: the compact segmenter on the labelled test photos.

IoU by class and time per photo of the two-scale segmentation; and, class by class, the masks
that ``remove-objects --class`` makes of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ...pipeline.config import GivenWeights, Settings
from ...pipeline.detect.multi_scale import two_scale
from ...pipeline.removal.request import Removal
from ...pipeline.remover import ObjectRemover
from ...pipeline.types import FloatArray, Mask, Photo, Pixels
from ..data.labelled import read_pair
from ..segmentation_metrics import confusion, intersection_over_union

#: The test sets below the data folder.
SETS = ("segmentation/coco_val", "segmentation/voc_val")
#: Least share of a photo that a class covers to be counted in the mask metrics.
LEAST_SHARE = 0.01


def evaluate_segmentation(data: Path, *, count: int, weights: GivenWeights = ()) -> dict[str, Any]:
    """IoU of the compact segmenter in the pipeline, and metrics of its masks.

    Args:
        data: data folder.
        count: most photos per set.
        weights: the user's own, which replace bundled ones.

    Raises:
        FileNotFoundError: there are no photos.
        WeightsError: a weight does not fit.
    """
    remover = mask_maker(weights)
    table: dict[str, Any] = {}
    for name in SETS:
        counts = np.zeros((21, 21), np.int64)
        seconds = []
        masks: list[tuple[float, ...]] = []
        for rgb, label in labelled(data, name, count):
            begun = time.perf_counter()
            probabilities = two_scale(remover.networks.segmenter, rgb)
            seconds.append(time.perf_counter() - begun)
            counts += confusion(most_probable(probabilities, rgb), label)
            masks += [
                mask_metrics(remover, rgb, label, c)
                for c in np.unique(label)
                if 0 < c < 21 and (label == c).mean() >= LEAST_SHARE
            ]
        ious = {k: round(v, 4) for k, v in intersection_over_union(counts).items()}
        table[name] = ious | {
            "count": len(seconds),
            "seconds_median": round(float(np.median(seconds)), 4),
        }
        recall, extra, iou = np.array(masks).T
        table[name]["masks"] = {
            "recall": round(float(recall.mean()), 4),
            "extra": round(float(extra.mean()), 4),
            "iou": round(float(iou.mean()), 4),
            "half_seen": round(float(((recall > 0.05) & (recall < 0.8)).mean()), 4),
            "count": len(masks),
        }
    return table


def labelled(
    data: Path, name: str, count: int | None = None
) -> Iterator[tuple[Pixels, NDArray[np.uint8]]]:
    """The labelled photos of a set.

    Args:
        data: data folder.
        name: of the set.
        count: most photos; None = all.

    Yields:
        (photo, class ids with 255 = void).

    Raises:
        FileNotFoundError: there are none.
    """
    files = sorted((data / name / "images").glob("*"))[:count]
    if not files:
        raise FileNotFoundError(f"{data / name / 'images'}: no photos found")
    for file in files:
        yield read_pair(file, data / name / "labels" / f"{file.stem}.png")


def mask_maker(weights: GivenWeights = ()) -> ObjectRemover:
    """The pipeline with the compact segmenter, for masks without dilation.

    Args:
        weights: the user's own, which replace bundled ones.
    """
    return ObjectRemover(
        Settings(
            segmenter="compact", device="cpu", offline=True, dilate=0, along=(), weights=weights
        )
    )


def most_probable(probabilities: FloatArray, rgb: Pixels) -> NDArray[np.uint8]:
    """The class ids of a segmenter's probabilities, at the photo's size."""
    full = cv2.resize(
        probabilities.transpose(1, 2, 0), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )
    return full.argmax(2).astype(np.uint8)


def removal_mask(remover: ObjectRemover, rgb: Pixels, category: int) -> Mask:
    """The mask that ``remove-objects --class`` removes from a photo."""
    removal = Removal.from_settings(remover.settings, [CATEGORIES[category]])
    return remover.select(Photo(rgb), removal).hole_mask


def mask_metrics(
    remover: ObjectRemover, rgb: Pixels, label: NDArray[np.uint8], category: int
) -> tuple[float, float, float]:
    """Compare the removal mask of a photo with its label; pixels of 255 do not count.

    Returns:
        (share of the class's pixels in the mask, pixels of the mask outside the class over the
        class's, IoU).
    """
    mask = removal_mask(remover, rgb, category)
    truth, known = label == category, label != 255
    both = float((mask & truth).sum())
    return (
        both / truth.sum(),
        float((mask & ~truth & known).sum()) / truth.sum(),
        both / ((mask | truth) & known).sum(),
    )


def render(table: dict[str, Any]) -> str:
    """The metrics as text."""
    lines = []
    for name, row in table.items():
        classes = ", ".join(
            f"{k} {v:.3f}"
            for k, v in row.items()
            if k not in ("count", "seconds_median", "mean", "masks")
        )
        lines.append(
            f"{name}: mean IoU {row['mean']:.3f} "
            f"({row['count']} photos, {row['seconds_median']:.3f} s per photo): {classes}"
        )
        m = row["masks"]
        lines.append(
            f"{name}: masks of {m['count']} classes in photos: "
            f"recall {m['recall']:.3f}, IoU {m['iou']:.3f}, "
            f"outside {m['extra']:.3f} of the class, half covered (5-80 %) {m['half_seen']:.1%}"
        )
    return "\n".join(lines)
