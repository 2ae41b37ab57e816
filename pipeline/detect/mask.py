"""From class probabilities to holes: hysteresis, threshold, dilation, connected components."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..config import SPECK_SHARE
from ..geometry import LEAST_NEAR, near_box
from ..pixels import depth_inside, resize
from ..types import Box, FloatArray, Hole, Mask

#: Hysteresis, as shares of the threshold: a pixel connected with an object of the class joins it at
#: the first probability, or at the second if it probably belongs to an object of any class. Chosen
#: on 191 of COCO's training photos, where lower shares take more of what is beside the object.
CONNECTED, WAVERING = 0.3, 0.2


def removed_probability(probabilities: FloatArray, classes: Sequence[str]) -> FloatArray:
    """The probability that a pixel belongs to any of ``classes``: 21hw -> hw.

    Classes of own models are none of these.
    """
    return probabilities[[CATEGORIES.index(c) for c in classes if c in CATEGORIES]].sum(0)


def class_shares(
    probabilities: FloatArray, classes: Sequence[str], threshold: float
) -> dict[str, float]:
    """The share of the photo that each of ``classes`` covers, without those that cover nothing.

    A pixel counts if the probability of ``classes`` together reaches ``threshold``; it counts for
    the most probable of them.
    """
    classes = [c for c in classes if c in CATEGORIES]
    if not classes:
        return {}
    ids = [CATEGORIES.index(c) for c in classes]
    covered = probabilities[ids].sum(0) >= threshold
    best = probabilities[ids].argmax(0)
    shares = {c: float((covered & (best == i)).mean()) for i, c in enumerate(classes)}
    return {c: s for c, s in shares.items() if s > 0}


def whole_objects(removed: FloatArray, background: FloatArray, threshold: float) -> FloatArray:
    """Raise the removed classes' probability where an object continues but its class wavers.

    Otherwise half of a dog would stay. A pixel connected with one of the classes belongs to that
    object if their probability is at least ``CONNECTED`` of the threshold (Canny's hysteresis), or
    ``WAVERING`` of it where the probability of any object reaches the threshold. Its probability
    becomes that of any object, and at least the threshold.

    Args:
        removed: hw in [0, 1], the probability of the removed classes.
        background: the probability of the background class, at any size.
        threshold: probability from which a pixel is removed.

    Returns:
        hw float32 in [0, 1].
    """
    any_object = 1 - resize(background, removed.shape, cv2.INTER_LINEAR)
    certain = removed >= threshold
    candidates = (removed >= CONNECTED * threshold) | (
        (removed >= WAVERING * threshold) & (any_object >= threshold)
    )
    _, labels = cv2.connectedComponents(candidates.astype(np.uint8), connectivity=8)
    belongs = np.zeros(int(labels.max()) + 1, bool)
    belongs[labels[certain]] = True
    belongs[0] = False
    raised = np.maximum(np.maximum(removed, any_object), threshold)
    return np.where(belongs[labels], raised, removed).astype(np.float32)


def class_mask(probability: FloatArray, height: int, width: int, threshold: float) -> Mask:
    """The pixels that belong to the removed classes.

    Args:
        probability: hw float32 in [0, 1], the summed probability of the removed classes, at the
            segmenter's own size.
        height: the photo's.
        width: the photo's.
        threshold: least probability at which a pixel is removed.

    Returns:
        HW bool at the photo's size, without components smaller than ``SPECK_SHARE`` of the photo.
    """
    full = resize(probability, (height, width), cv2.INTER_LINEAR)
    return drop_specks(full >= threshold)


def drop_specks(mask: Mask, share: float = SPECK_SHARE) -> Mask:
    """``mask`` without connected components (8 neighbours) below a share of the picture."""
    if not mask.any():
        return mask.copy()
    least = max(4.0, share * mask.size)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    keep = stats[:, cv2.CC_STAT_AREA] >= least
    keep[0] = False
    return keep[labels]


def dilate(mask: Mask, radius: int) -> Mask:
    """Every pixel within ``radius`` (Euclidean, in pixels) of the mask.

    The cost does not depend on the radius.
    """
    if radius <= 0 or not mask.any():
        return mask.copy()
    region = Box.bounding(mask).grown(radius, mask.shape).slices
    crop = np.ascontiguousarray(mask[region])
    result = mask.copy()
    # Squared distances are whole numbers, but the distances are floats: OpenCV 4.10 computes
    # 7.0000005 for 7. So the limit lies between two whole squares.
    limit = (radius**2 + 0.5) ** 0.5
    result[region] = depth_inside(~crop, cv2.DIST_MASK_PRECISE) < limit
    return result


def find_holes(mask: Mask) -> list[Hole]:
    """The holes of a dilated mask, largest first; they partition it.

    Holes are connected components (8 neighbours). Components so close that their windows would
    contain each other (``geometry.near_box``) form one hole. A mask may have thousands, of dust or
    of a codec's noise.
    """
    labels, components = _components(mask)
    group, boxes = _grouped(components, *mask.shape)
    group_of_label = np.append(-1, group)
    holes = []
    for number, box in enumerate(boxes):
        inside = (group_of_label[labels[box.slices]] == number) & mask[box.slices]
        holes.append(Hole(box, inside, float(inside.sum()) / mask.size))
    return sorted(holes, key=lambda h: (-h.share, h.box.y, h.box.x))


def _components(mask: Mask) -> tuple[NDArray[np.int32], list[Box]]:
    """Components of a mask, joined where fewer than ``LEAST_NEAR`` pixels lie between them.

    That leaves few boxes to compare even of a mask that is full of specks.

    Returns:
        (HW, labels from 1 on, of pixels around the mask too; the box of each label's pixels)
    """
    before, behind = (LEAST_NEAR - 1) // 2, LEAST_NEAR // 2
    margin = behind  # so that no rim is cut off at the photo's border, and boxes stay exact
    padded = np.pad(mask.view(np.uint8), margin)
    square = np.ones((LEAST_NEAR, LEAST_NEAR), np.uint8)
    wide = cv2.dilate(padded, square, anchor=(behind, behind))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(wide, connectivity=8)
    boxes = [
        Box(x + before - margin, y + before - margin, w - before - behind, h - before - behind)
        for x, y, w, h in stats[1:, :4].tolist()
    ]
    return labels[margin:-margin, margin:-margin], boxes


def _grouped(boxes: Sequence[Box], height: int, width: int) -> tuple[NDArray[np.intp], list[Box]]:
    """Join boxes until no group lies in the ``near_box`` of another.

    Returns:
        (n: the group of each box; the box of each group)
    """
    own = np.array([_corners(box) for box in boxes]).reshape(-1, 4)
    near = np.array([_corners(near_box(box, height, width)) for box in boxes]).reshape(-1, 4)
    group, is_group = np.arange(len(boxes)), np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        while is_group[i]:
            joins = is_group & (_meet(near[i], own) | _meet(own[i], near))
            joins[i] = False
            if not joins.any():
                break
            is_group &= ~joins
            group[joins[group]] = i
            members = own[[i, *np.flatnonzero(joins)]]
            own[i] = *members[:, :2].min(0), *members[:, 2:].max(0)
            near[i] = _corners(near_box(Box.from_corners(*own[i].tolist()), height, width))
    number = np.cumsum(is_group) - 1
    return number[group], [Box.from_corners(*corners) for corners in own[is_group].tolist()]


def _corners(box: Box) -> tuple[int, int, int, int]:
    return box.x, box.y, box.right, box.bottom


def _meet(one: NDArray[np.int64], others: NDArray[np.int64]) -> Mask:
    """Which of n boxes share a pixel with one; both as corners x0, y0, x1, y1."""
    return np.asarray(((one[:2] < others[:, 2:]) & (others[:, :2] < one[2:])).all(1))
