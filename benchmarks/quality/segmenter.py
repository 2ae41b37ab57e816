"""Measure the compact segmenter's network, by scale and by weight.

    python -m benchmarks.quality.segmenter --data DATA [--size 513 641] [--weights FILE RUN …]

The network alone is evaluated on ``coco_val`` and ``voc_val``, in one pass at each scale and in two
passes like a run: IoU, and average precision over the pixels of a class, which does not depend on a
threshold. *animals* is the mean of cat, dog, horse, sheep and cow.
``benchmarks/quality/objects.py`` judges the holes that the whole pipeline makes of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from remove_objects.models.categories import CATEGORIES
from remove_objects.models.checkpoint import load_weights
from remove_objects.models.folding import fold_batch_norm
from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.pipeline.detect import segmenters
from remove_objects.pipeline.detect.multi_scale import two_scale
from remove_objects.pipeline.types import FloatArray, Pixels
from remove_objects.train.best import read_best
from remove_objects.train.data.labelled import VOID
from remove_objects.train.evaluation.segmentation import (
    SETS,
    labelled,
    mask_maker,
    most_probable,
)
from remove_objects.train.segmentation_metrics import confusion, intersection_over_union

ANIMALS = ("cat", "dog", "horse", "sheep", "cow")


def network_metrics(
    predict: Callable[[Pixels], FloatArray], data: Path, name: str
) -> dict[str, float]:
    """Return IoU and average precision (``AP …``) of the network.

    Each is given as the mean over the present classes, for people and for animals.
    """
    counts, ranks = np.zeros((21, 21), np.int64), Ranks()
    for rgb, label in labelled(data, name):
        probabilities = predict(rgb)
        counts += confusion(most_probable(probabilities, rgb), label)
        ranks.add(probabilities, label)
    metrics: dict[str, float] = {}
    for kind, by_class in (
        ("IoU", intersection_over_union(counts)),
        ("AP", ranks.average_precision()),
    ):
        animals = [by_class[a] for a in ANIMALS if a in by_class]
        metrics |= {
            f"{kind} mean": by_class["mean"],
            f"{kind} person": by_class["person"],
            f"{kind} animals": float(np.mean(animals)),
        }
    return metrics


class Ranks:
    """Histograms of the log odds of each class, for its pixels and for others.

    Their bins are fine enough for three digits of average precision.
    """

    BINS, LARGEST = 512, 12.0

    def __init__(self) -> None:
        self.counts = np.zeros((2, 21, self.BINS), np.int64)

    def add(self, probabilities: FloatArray, label: NDArray[np.uint8]) -> None:
        """Count a photo.

        Args:
            probabilities: 21hw.
            label: HW class ids, at any size.
        """
        small = cv2.resize(label, probabilities.shape[:0:-1], interpolation=cv2.INTER_NEAREST)
        p = np.clip(probabilities, 1e-6, 1 - 1e-6)
        bins = np.clip(
            (np.log(p / (1 - p)) / self.LARGEST + 1) * self.BINS / 2, 0, self.BINS - 1
        ).astype(np.int64)
        for c in range(21):
            for of_it, where in enumerate(((small != c) & (small != VOID), small == c)):
                self.counts[of_it, c] += np.bincount(bins[c][where], minlength=self.BINS)

    def average_precision(self) -> dict[str, float]:
        """Return the average precision of the present classes by name, and their ``mean``."""
        others, its = self.counts[:, :, ::-1].cumsum(2)
        by_class = {}
        for c in np.flatnonzero(its[:, -1]):
            precision = its[c] / np.maximum(its[c] + others[c], 1)
            recall = its[c] / its[c, -1]
            by_class[CATEGORIES[c]] = float((precision * np.diff(recall, prepend=0)).sum())
        return {**by_class, "mean": float(np.mean(list(by_class.values())))}


def use(segmenter: segmenters.CompactSegmenterAdapter, path: Path) -> None:
    """Use another weight: a safetensors file, or the best average of a training run's folder."""
    if path.is_dir():
        network = read_best(path, CompactSegmenter).network
    else:
        network = load_weights(path, CompactSegmenter)
    segmenter.network = fold_batch_norm(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--data", type=Path, required=True)
    p.add_argument(
        "--size",
        type=int,
        nargs="+",
        default=[segmenters.COMPACT_SIZE],
        help="longer sides in pixels for the evaluation in one pass",
    )
    p.add_argument(
        "--weights", type=Path, nargs="+", default=[None], help="instead of the bundled weight"
    )
    args = p.parse_args()
    remover = mask_maker()
    segmenter = remover.networks.segmenter
    assert isinstance(segmenter, segmenters.CompactSegmenterAdapter)
    passes: dict[str, Callable[[Pixels], FloatArray]] = {
        f"one pass at {n}": partial(segmenter.probabilities, longest=n) for n in args.size
    }
    passes["two passes"] = partial(two_scale, segmenter)
    for path in args.weights:
        if path is not None:
            use(segmenter, path)
        print(path or "bundled", flush=True)
        for how, predict in passes.items():
            for name in SETS:
                metrics = network_metrics(predict, args.data, name)
                print(
                    f"  {how}, {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in metrics.items()),
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
