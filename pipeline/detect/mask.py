"""From class probabilities to holes: threshold, specks, dilation, connected components."""

from __future__ import annotations

import cv2
import numpy as np

from ..config import SPECK_SHARE
from ..geometry import intersects, near_box, union
from ..types import Box, FloatArray, Hole, Mask


def class_mask(probability: FloatArray, height: int, width: int, threshold: float) -> Mask:
    """The pixels that belong to the removed classes.

    Args:
        probability: hw float32 in [0, 1], the summed probability of the removed classes, at the segmenter's own size.
        height: the photo's.
        width: the photo's.
        threshold: least probability at which a pixel is taken.

    Returns:
        HW bool at the photo's size; parts smaller than ``SPECK_SHARE`` of the photo are dropped.
    """
    full = cv2.resize(probability, (width, height), interpolation=cv2.INTER_LINEAR)
    return drop_specks(full >= threshold)


def drop_specks(mask: Mask) -> Mask:
    """``mask`` without its connected parts (8 neighbours) of less than ``SPECK_SHARE`` of the picture."""
    if not mask.any():
        return mask.copy()
    least = max(4.0, SPECK_SHARE * mask.size)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return keep[labels]  # type: ignore[no-any-return]


def dilate(mask: Mask, radius: int) -> Mask:
    """Every pixel within ``radius`` (Euclidean, pixels) of the mask. The cost does not depend on the radius."""
    if radius <= 0 or not mask.any():
        return mask.copy()
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y0, y1 = max(0, int(rows[0]) - radius), int(rows[-1]) + radius + 1
    x0, x1 = max(0, int(columns[0]) - radius), int(columns[-1]) + radius + 1
    part = np.ascontiguousarray(mask[y0:y1, x0:x1])
    result = mask.copy()
    # Squares of distances are whole numbers; the distances are floats, of which OpenCV 4.10 gives 7.0000005 for 7.
    limit = (radius**2 + 0.5) ** 0.5
    result[y0:y1, x0:x1] = (
        cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) < limit
    )
    return result


def find_holes(mask: Mask) -> list[Hole]:
    """The holes of a dilated mask, largest first; they partition it.

    Connected components (8 neighbours); those so close that their windows would see each other (``geometry.near_box``) are one hole.
    """
    height, width = mask.shape
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    groups: list[tuple[Box, list[int]]] = [
        (
            Box(
                int(s[cv2.CC_STAT_LEFT]),
                int(s[cv2.CC_STAT_TOP]),
                int(s[cv2.CC_STAT_WIDTH]),
                int(s[cv2.CC_STAT_HEIGHT]),
            ),
            [i],
        )
        for i, s in enumerate(stats)
        if i > 0
    ]
    merged = True
    while merged:
        merged = False
        for i in range(len(groups)):
            for j in range(len(groups) - 1, i, -1):
                reach = near_box(groups[i][0], height, width), near_box(groups[j][0], height, width)
                if intersects(reach[0], groups[j][0]) or intersects(reach[1], groups[i][0]):
                    groups[i] = union(groups[i][0], groups[j][0]), groups[i][1] + groups[j][1]
                    del groups[j]
                    merged = True
    holes = []
    for box, members in groups:
        inside = np.isin(labels[box.slices], members)
        holes.append(Hole(box, inside, float(inside.sum()) / mask.size))
    return sorted(holes, key=lambda h: (-h.share, h.box.y, h.box.x))
