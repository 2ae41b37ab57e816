"""Measure which further passes, and which rule of the edge, pay for any segmenter.

    python -m benchmarks.quality.passes --data DATA --segmenter deeplabv3_resnet101 [--count 120]
    python -m benchmarks.quality.passes --data DATA --teacher CONSTANTS.npz

The photos train networks and have labels (``segmentation/human``, ``ccp_person``, ``voc_train``
with people), so settings may be chosen on them. For each way the benchmark prints the share of the
people's pixels that the mask misses, and what it takes beside them, as a share of theirs: over all
photos, and over the third in which the people are smallest. *edge* is the hysteresis of
``pipeline.detect.mask.whole_objects``; without it a pixel is removed if its own probability reaches
the threshold. ``--teacher`` measures DeepLabV3-MobileNetV2 of another's training, for a machine
that cannot have torchvision's weights.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from remove_objects.models.categories import CATEGORIES
from remove_objects.models.folding import fold_batch_norm
from remove_objects.models.segmenter import CompactSegmenter
from remove_objects.pipeline.detect import mask, multi_scale
from remove_objects.pipeline.detect.segmenters import (
    CompactSegmenterAdapter,
    Objectness,
    Segmenter,
    choose_segmenter,
)
from remove_objects.pipeline.segmenter_names import parse_segmenter
from remove_objects.pipeline.types import Pixels
from remove_objects.train.data.labelled import VOID, read_pair
from remove_objects.train.teacher import init_from_teacher

SETS = ("segmentation/human", "segmentation/ccp_person", "segmentation/voc_train")
PERSON, CLASSES, THRESHOLD = CATEGORIES.index("person"), ("person",), 0.5


def photos(data: Path, count: int) -> Iterator[tuple[Pixels, NDArray[np.uint8]]]:
    """Yield (photo HWC, class ids HW) of photos with people, evenly over the sets."""
    for name in SETS:
        files = sorted((data / name / "images").glob("*.jpg"))
        found = 0
        for place in np.random.default_rng(0).permutation(len(files)):
            label_path = data / name / "labels" / f"{files[place].stem}.png"
            rgb, label = read_pair(files[place], label_path)
            if (label == PERSON).mean() >= 0.002:
                yield rgb, label
                found += 1
            if found >= count // len(SETS):
                break


class Ways:
    """The ways to segment a photo.

    Args:
        segmenter: sees the whole photo.
        compact: makes crops beside it.
    """

    def __init__(self, segmenter: Segmenter, compact: CompactSegmenterAdapter) -> None:
        self.segmenter, self.compact = segmenter, compact
        self.all: dict[str, Callable[[Pixels], Objectness]] = {
            "one pass": lambda rgb: self._whole(self._looks(rgb, quick=False)),
            "two passes": lambda rgb: self._whole(self._looks(rgb, quick=True)),
            "one pass, crops by compact": lambda rgb: self._near(rgb, self.compact, quick=False),
            "one pass, own crops": lambda rgb: self._near(rgb, self.segmenter, quick=False),
            "two passes, own crops": lambda rgb: self._near(rgb, self.segmenter, quick=True),
        }

    def _looks(self, rgb: Pixels, *, quick: bool) -> multi_scale.Looks:
        self.segmenter.quick = quick
        return multi_scale.look(self.segmenter, rgb)

    def _whole(self, looks: multi_scale.Looks) -> Objectness:
        found = looks.probabilities
        return Objectness(mask.removed_probability(found, CLASSES), found[0])

    def _near(self, rgb: Pixels, closer: Segmenter, *, quick: bool) -> Objectness:
        looks = self._looks(rgb, quick=quick)
        closer.quick = True
        return multi_scale.refine_objects(closer, rgb, looks, CLASSES, THRESHOLD)


def judged(seen: Objectness, label: NDArray[np.uint8], *, edge: bool) -> tuple[float, float]:
    """Return (missed, taken beside) as shares of the people's pixels."""
    removed = mask.whole_objects(*seen, THRESHOLD) if edge else seen.removed
    height, width = label.shape[:2]
    found = mask.class_mask(removed, height, width, THRESHOLD)
    people = label == PERSON
    beside = found & ~people & (label != VOID)
    return float((people & ~found).sum() / people.sum()), float(beside.sum() / people.sum())


def teacher(constants: Path) -> CompactSegmenterAdapter:
    """Return DeepLabV3-MobileNetV2 with a teacher's constants."""
    adapter = CompactSegmenterAdapter(torch.device("cpu"))
    network = CompactSegmenter()
    init_from_teacher(network, constants)
    adapter.network = fold_batch_norm(network.eval()).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    adapter.name = "teacher"
    return adapter


def main() -> int:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--segmenter", default="compact", help="as of remove-objects (default: compact)")
    p.add_argument("--teacher", type=Path, help="constants (.npz) of DeepLabV3-MobileNetV2 instead")
    p.add_argument("--count", type=int, default=120, help="photos (default 120)")
    args = p.parse_args()
    device = torch.device("cpu")
    segmenter = (
        teacher(args.teacher)
        if args.teacher
        else choose_segmenter(parse_segmenter(args.segmenter), device, offline=False).segmenter
    )
    ways = Ways(segmenter, CompactSegmenterAdapter(device)).all
    figures: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    shares, seconds = [], dict.fromkeys(ways, 0.0)
    for rgb, label in photos(args.data, args.count):
        shares.append(float((label == PERSON).mean()))
        for name, see in ways.items():
            begun = time.perf_counter()
            seen = see(rgb)
            seconds[name] += time.perf_counter() - begun
            for edge in (False, True):
                figures.setdefault((name, edge), []).append(judged(seen, label, edge=edge))
    small = np.argsort(shares)[: len(shares) // 3]
    print(f"{segmenter.name}, {len(shares)} photos; in % of the people's pixels: missed, beside")
    print(f"{'':28}{'edge':>6}{'all':>16}{'smallest third':>18}{'seconds':>9}")
    for (name, edge), values in figures.items():
        of_all, of_small = np.array(values), np.array(values)[small]
        columns = [
            f"{100 * v[:, 0].mean():.1f}, {100 * v[:, 1].mean():.1f}" for v in (of_all, of_small)
        ]
        spent = seconds[name] / max(1, len(shares))
        print(f"{name:28}{'yes' if edge else 'no':>6}{columns[0]:>16}{columns[1]:>18}{spent:9.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
