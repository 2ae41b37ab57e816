"""Measure how safe the prefilter is, and how much work it saves.

    python -m benchmarks.quality.prefilter --data DATA [--count N] [--json FILE]

For every photo and class, the benchmark takes the compact segmenter's ``peak_probability`` of the
class and the class's share of the photo by its labels. The training photos
(``segmentation/voc_train``) give the threshold: the largest at which 99.5 % of the pairs with a
share of at least 1 % pass, half the misses that the goal allows, and 90 % of those with 0.04 to
1 %, the least that the program removes. Photos that trained no network (``voc_val``, ``coco_val``)
test it: recall of both kinds, and the share of pairs without the class for which the large
segmenter is skipped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.config import SPECK_SHARE
from remove_objects.pipeline.detect.prefilter import LEAST_PEAK, peak_probability
from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter
from remove_objects.train.data.pictures import read_rgb

SURE, CLEAR = 0.995, 0.01
SURE_OF_SMALL, SMALL = 0.9, SPECK_SHARE
THRESHOLDS = (
    0.0002,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.02,
    0.03,
    0.05,
    0.07,
    0.1,
    0.15,
    0.2,
    0.3,
)


def pairs(
    folder: Path, count: int, segmenter: CompactSegmenterAdapter
) -> dict[str, np.ndarray[Any, Any]]:
    """Return the peak probability (``trace``) and the ``share`` of every photo and class.

    Args:
        folder: a data set with ``images`` and ``labels``.
        count: photos at most.
        segmenter: the compact segmenter.

    Returns:
        Two arrays, photos x 20.
    """
    images = sorted((folder / "images").glob("*.jpg"))
    images = images[:: max(1, len(images) // count)][:count]
    traces, shares = [], []
    for path in images:
        labels = cv2.imread(str(folder / "labels" / f"{path.stem}.png"), cv2.IMREAD_UNCHANGED)
        probabilities = segmenter.probabilities(read_rgb(path))
        traces.append([peak_probability(probabilities[c]) for c in range(1, len(CATEGORIES))])
        shares.append([float(np.mean(labels == c)) for c in range(1, len(CATEGORIES))])
    return {"trace": np.array(traces), "share": np.array(shares)}


def judged(
    measured: dict[str, np.ndarray[Any, Any]], threshold: float, classes: slice
) -> dict[str, float]:
    """Return recall of clear pairs, share of empty pairs that are skipped, and counts."""
    trace, share = measured["trace"][:, classes], measured["share"][:, classes]
    clear, empty = share >= CLEAR, share == 0
    small = (share >= SMALL) & (share < CLEAR)
    return {
        "small": int(small.sum()),
        "missed_small": int((trace[small] < threshold).sum()),
        "recall": float((trace[clear] >= threshold).mean()),
        "clear": int(clear.sum()),
        "missed": int((trace[clear] < threshold).sum()),
        "skipped": float((trace[empty] < threshold).mean()),
        "empty": int(empty.sum()),
    }


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--count", type=int, default=2000, help="photos of a set at most (default 2000)")
    p.add_argument("--json", type=Path)
    args = p.parse_args()
    segmenter = CompactSegmenterAdapter(torch.device("cpu"))
    sets = {
        name: pairs(args.data / "segmentation" / name, args.count, segmenter)
        for name in ("voc_train", "voc_val", "coco_val")
    }
    trace, share = sets["voc_train"]["trace"], sets["voc_train"]["share"]
    highest = min(
        float(np.quantile(trace[chosen], 1 - sure, method="lower"))
        for chosen, sure in (
            (share >= CLEAR, SURE),
            ((share >= SMALL) & (share < CLEAR), SURE_OF_SMALL),
        )
    )
    person = slice(CATEGORIES.index("person") - 1, CATEGORIES.index("person"))
    table: dict[str, Any] = {"highest_safe": highest, "in_use": LEAST_PEAK, "by_threshold": {}}
    print(
        f"largest threshold that {SURE:.1%} of the training pairs from {CLEAR:.0%} on and "
        f"{SURE_OF_SMALL:.0%} of smaller ones pass: {highest:.5f}; "
        f"in use: {LEAST_PEAK}"
    )
    print(
        f"{'threshold':>10}{'set':>12}{'recall':>9}{'missed':>12}{'of small':>12}{'skipped':>9}"
        f"{'person: recall':>16}{'skipped':>9}"
    )
    for threshold in sorted({*THRESHOLDS, LEAST_PEAK}):
        for name, measured in sets.items():
            every = judged(measured, threshold, slice(None))
            people = judged(measured, threshold, person)
            table["by_threshold"].setdefault(str(threshold), {})[name] = {
                "all": every,
                "person": people,
            }
            print(
                f"{threshold:10}{name:>12}{every['recall']:9.4f}"
                f"{every['missed']:6}/{every['clear']:<5}"
                f"{every['missed_small']:6}/{every['small']:<5}{every['skipped']:9.3f}"
                f"{people['recall']:16.4f}{people['skipped']:9.3f}"
            )
    if args.json:
        args.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
