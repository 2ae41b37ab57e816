"""How well boxes agree with true ones: overlaps, hits, recall and precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

#: Least overlap (IoU) of a box with the true one.
HIT = 0.4
#: Precisions at which the recall is told.
PRECISIONS = (0.9, 0.8, 0.5)

#: n rows of left, top, right, bottom, score, and more.
Boxes = NDArray[np.float32]
#: Score of a box, and whether it is right; None if it does not count.
Hit = tuple[float, bool | None]


def detection_metrics(hits: Sequence[Hit], total: int) -> dict[str, float]:
    """How many objects of held-out photos are found.

    Args:
        hits: of all boxes, by ``hits_of``.
        total: number of true objects.

    Returns:
        ``val_recall_90%`` and the like: at that precision or a better one; ``val_ap``: the mean
        precision over all recalls; ``val_mean``: the same.
    """
    counted = sorted(((s, h) for s, h in hits if h is not None), key=lambda each: -each[0])
    right = np.cumsum([float(h) for _, h in counted])
    precision = right / np.arange(1, len(counted) + 1)
    recall = right / max(1, total)
    best = np.maximum.accumulate(precision[::-1])[::-1] if counted else precision
    ap = float(np.sum(np.diff(recall, prepend=0.0) * best)) if counted else 0.0
    metrics = {f"val_recall_{p:.0%}": float(recall[best >= p].max(initial=0.0)) for p in PRECISIONS}
    return metrics | {"val_ap": ap, "val_mean": ap}


def hits_of(found: Boxes, truth: Boxes, certain_from: float) -> tuple[list[Hit], int]:
    """Which boxes of a class are right.

    Args:
        found: n6 of the class, best first.
        truth: m6 of the class.
        certain_from: least score of a true object; what lies below counts neither way.

    Returns:
        ((score, right or not, None if it does not count) by box; number of true objects)
    """
    certain, unsure = truth[truth[:, 4] >= certain_from], truth[truth[:, 4] < certain_from]
    taken = np.zeros(len(certain), bool)
    hits: list[Hit] = []
    for box in found:
        overlap = overlaps(box, certain)
        overlap[taken] = 0
        if len(overlap) and overlap.max() >= HIT:
            taken[int(overlap.argmax())] = True
            hits.append((float(box[4]), True))
        elif len(unsure) and overlaps(box, unsure).max() >= HIT / 2:
            hits.append((float(box[4]), None))
        else:
            hits.append((float(box[4]), False))
    return hits, len(certain)


def overlaps(box: NDArray[np.float32], others: Boxes) -> NDArray[np.float32]:
    """IoU of a box with each of n others."""
    lower = np.maximum(box[:2], others[:, :2])
    upper = np.minimum(box[2:4], others[:, 2:4])
    both = np.prod(np.maximum(upper - lower, 0), axis=1)
    areas = np.prod(others[:, 2:4] - others[:, :2], axis=1)
    union = np.prod(box[2:4] - box[:2]) + areas - both
    return np.asarray(both / np.maximum(union, 1e-6), np.float32)
