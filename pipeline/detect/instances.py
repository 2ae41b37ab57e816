"""The single objects of a class mask: people who touch or overlap are told apart.

A network sees a view of each connected part of the mask and lets every pixel vote for the box of
its object (``models.object_instances``). Pixels whose boxes agree are one object. A mask is wider
than its objects: the network says which pixels belong to one, and they alone have a vote.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..pixels import covered_shares, eight_bits, nearest_values, reduction, resize, scaled_size
from ..types import Box, FloatArray, Mask, Pixels
from .companions import as_tensor, load_companion, picture_tensor

if TYPE_CHECKING:
    from ...models.own_weights import OwnWeight
    from .segmenters import CompactSegmenterAdapter

#: Side in pixels at which the network sees a view: that of its training. Pixels between two places
#: of its output. The colour of what lies outside the photo.
SIDE, PLACES, GREY = 192, 2, 127
#: Side of a view: this multiple of the longer side of the part, or of the object, that it shows;
#: and the least, in pixels of the joined map.
CONTEXT, LEAST_VIEW = 1.3, 32
#: An object of several is looked at from near if its view is at most this share of their view; its
#: votes count so many places within the view's borders; and so many views are seen at a time.
NEARER, RIM, BATCH = 0.8, 1, 8
#: Votes of a part that are compared with each other at most, about.
MOST_VOTES = 6000
#: Longer side in pixels at which objects are told apart; a part of fewer pixels there is one.
JOINED, LEAST_PIXELS = 1024, 40
#: Least overlap (IoU) of a pixel's box and an object's for the pixel to be the object's for sure,
#: and of two objects' boxes for them to be one.
AGREES, SAME = 0.5, 0.6
#: A pixel of the mask is of an object from this probability on.
BELONGS = 0.5
#: An object has at least this share of the pixels of its part of the mask, and this share of the
#: pixels of its own box.
LEAST_PART, LEAST_BOX = 0.02, 0.08
#: Objects of one part of a mask at most.
MOST = 40


class Votes(NamedTuple):
    """What a network says of the pixels of views, at stride ``PLACES``.

    Attributes:
        boxes: N4hw, left, top, right, bottom in pixels of the view.
        quality: Nhw in [0, 1], how well the box overlaps the object's.
        belongs: Nhw in [0, 1], the probability of the pixel being of an object.
    """

    boxes: FloatArray
    quality: FloatArray
    belongs: FloatArray


class InstanceNetwork(Protocol):
    """A network that lets the pixels of a view vote for their objects' boxes."""

    def votes(self, views: NDArray[np.uint8], masks: Mask) -> Votes:
        """Vote.

        Args:
            views: NHW3 RGB, H and W multiples of 16.
            masks: NHW bool, all objects of a class.
        """


class ObjectInstancesAdapter:
    """``ObjectInstances`` on the features of a compact segmenter.

    Args:
        compact: whose encoder gives the features; its weights stay as they are.
        weights: the user's own, which replace bundled ones.

    Attributes:
        device: where it runs.
        sha256: of its weight.

    Raises:
        WeightsError: the weight is damaged, or was trained with another compact segmenter.
    """

    def __init__(self, compact: CompactSegmenterAdapter, weights: Iterable[OwnWeight] = ()) -> None:
        self.device = compact.device
        self.encoder = compact.network.encoder
        self.network, self.sha256 = load_companion("object-instances", compact, weights)

    def votes(self, views: NDArray[np.uint8], masks: Mask) -> Votes:
        """As in ``InstanceNetwork``."""
        import torch

        from ...models.precision import autocast

        image = picture_tensor(views, self.device)
        mask = as_tensor(masks[:, None], self.device)
        with torch.inference_mode(), autocast(self.device, views.shape[2]):
            boxes, *logits = self.network(image, mask, *self.encoder.levels(image))
        shares = (values[:, 0].float().sigmoid().cpu().numpy() for values in logits)
        return Votes(boxes.float().cpu().numpy(), *shares)


class _Part(NamedTuple):
    """A connected part of the mask on the joined map.

    Attributes:
        box: its bounding box.
        here: bool of the box's size.
        seeds: k4, the boxes of its objects in pixels of the joined map.
        best: of the box's size, the number of each pixel's seed.
        own: of the box's size, bool, which pixels belong to an object.
    """

    box: Box
    here: Mask
    seeds: FloatArray
    best: NDArray[np.intp]
    own: Mask


class Division(NamedTuple):
    """The objects of a mask.

    Attributes:
        labels: HW, 0 outside the mask, else the number of each pixel's object: 1 is the largest. A
            pixel of no object has the number of the nearest one.
        own: HW bool, the pixels that belong to their object; each has some.
    """

    labels: NDArray[np.uint16]
    own: Mask


def divide(network: InstanceNetwork, rgb: Pixels, mask: Mask) -> Division:
    """Tell the objects of a class apart.

    Args:
        network: runs once for each connected part of the mask, and once for each of several objects
            in it.
        rgb: the photo, HWC uint8 or uint16.
        mask: HW bool, the pixels of a class.
    """
    size = scaled_size(rgb.shape, reduction(rgb.shape, JOINED))
    small = covered_shares(mask, size) >= 0.5
    labels, foreign = np.zeros(size, np.int32), np.zeros(size, np.uint8)
    objects: list[FloatArray] = []
    for part in _parts(network, rgb, small):
        numbers = [_known(objects, seed) for seed in part.seeds]
        labels[part.box.slices][part.own] = np.array(numbers)[part.best[part.own]]
        foreign[part.box.slices][part.here & ~part.own] = 1
    found = _at_size(_by_size(labels), mask)
    own = found > 0
    own &= cv2.resize(foreign, mask.shape[::-1], interpolation=cv2.INTER_NEAREST) == 0
    lost = np.bincount(found[own], minlength=int(found.max()) + 1) == 0
    lost[0] = False
    return Division(found, own | lost[found])


def _known(objects: list[FloatArray], seed: FloatArray) -> int:
    """The number of the object that a box means; a new one is added.

    One object in several parts, as behind a table, has one box.
    """
    if objects:
        shares = overlaps(np.array(objects), seed)
        best = int(shares.argmax())
        if shares[best] >= SAME:
            return best + 1
    objects.append(seed)
    return len(objects)


def _parts(network: InstanceNetwork, rgb: Pixels, small: Mask) -> Iterator[_Part]:
    """The parts of a mask hw at the joined size, largest first."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats(small.astype(np.uint8), connectivity=8)
    for number in 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable"):
        box = Box(*(int(v) for v in stats[number, :4]))
        here = labels[box.slices] == number
        if stats[number, cv2.CC_STAT_AREA] < LEAST_PIXELS:
            corners = np.array([[box.x, box.y, box.right, box.bottom]], np.float32)
            yield _Part(box, here, corners, np.zeros(here.shape, np.intp), here)
        else:
            yield _seen(network, rgb, small, box, here)


class _Look(NamedTuple):
    """What the network says of the pixels of a box of the joined map.

    Attributes:
        votes: HW4, boxes on the joined map, smooth between the places of the network's output.
        exact: HW4, those of the nearest place: where two objects touch, none lies between theirs.
        quality: HW in [0, 1].
        belongs: HW in [0, 1].
        inside: HW bool, which pixels lie well inside the view.
    """

    votes: FloatArray
    exact: FloatArray
    quality: FloatArray
    belongs: FloatArray
    inside: Mask


def _seen(network: InstanceNetwork, rgb: Pixels, small: Mask, box: Box, here: Mask) -> _Part:
    """What the network says of a part of the mask, also when it looks nearer at each object."""
    middle, side = (box.x + box.w / 2, box.y + box.h / 2), CONTEXT * max(box.w, box.h)
    (look,) = _looks(network, rgb, small, box, [(middle, side)])
    votes, exact = look.votes[here], look.exact[here]
    quality, belongs = look.quality[here], look.belongs[here]
    seeds = _seeds_of(exact, quality, belongs)
    best = nearest(votes, seeds)
    near = [
        (k, ((x0 + x1) / 2, (y0 + y1) / 2), max(CONTEXT * max(x1 - x0, y1 - y0), LEAST_VIEW))
        for k, (x0, y0, x1, y1) in enumerate(seeds.tolist())
    ]
    near = [(k, at, size) for k, at, size in near if size <= NEARER * side]
    if len(seeds) > 1 and near:
        looks = _looks(network, rgb, small, box, [(at, size) for _, at, size in near])
        for (k, _, _), look in zip(near, looks, strict=True):
            seen = (best == k) & look.inside[here]
            votes[seen], exact[seen] = look.votes[here][seen], look.exact[here][seen]
            quality[seen], belongs[seen] = look.quality[here][seen], look.belongs[here][seen]
        seeds = _seeds_of(exact, quality, belongs)
        best = nearest(votes, seeds)
    numbers, own = np.zeros(here.shape, np.intp), np.zeros_like(here)
    numbers[here], own[here] = best, _belonging(belongs)
    return _Part(box, here, seeds, numbers, own)


def _looks(
    network: InstanceNetwork,
    rgb: Pixels,
    small: Mask,
    box: Box,
    views: Sequence[tuple[tuple[float, float], float]],
) -> Iterator[_Look]:
    """Look at the pixels of a box of the joined map in square views.

    Args:
        network: runs on ``BATCH`` views at a time.
        rgb: the photo, HWC.
        small: hw, the mask of all objects on the joined map.
        box: for its pixels.
        views: middle (x, y) and side of each view, on the joined map.
    """
    pixel = rgb.shape[0] / small.shape[0]
    given = small.astype(np.uint8)
    for start in range(0, len(views), BATCH):
        part = [(x - side / 2, y - side / 2, side) for (x, y), side in views[start : start + BATCH]]
        pictures = [eight_bits(_window(rgb, *(v * pixel for v in view))) for view in part]
        masks = [_window(given, *view, outside=0) for view in part]
        found = network.votes(np.stack(pictures), np.stack(masks) > 0)
        for view, *said in zip(part, *found, strict=True):
            yield _at_pixels(Votes(*said), view, box)


def _at_pixels(said: Votes, view: tuple[float, float, float], box: Box) -> _Look:
    """The votes of one view (left, top, side) at the pixels of a box."""
    left, top, side = view
    step = SIDE / side / PLACES
    xs, ys = (
        ((np.arange(n) + first + 0.5 - begin) * step - 0.5).astype(np.float32)
        for n, first, begin in ((box.w, box.x, left), (box.h, box.y, top))
    )
    place = np.meshgrid(xs, ys)
    corners = said.boxes.transpose(1, 2, 0) * np.float32(side / SIDE)
    corners = np.ascontiguousarray(corners + np.array([left, top, left, top], np.float32))
    votes, exact, quality, belongs = (
        cv2.remap(values, *place, way, borderMode=cv2.BORDER_REPLICATE)
        for values, way in (
            (corners, cv2.INTER_LINEAR),
            (corners, cv2.INTER_NEAREST),
            (said.quality, cv2.INTER_LINEAR),
            (said.belongs, cv2.INTER_LINEAR),
        )
    )
    last = SIDE / PLACES - 1 - RIM
    inside: Mask = np.logical_and.outer((ys > RIM) & (ys < last), (xs > RIM) & (xs < last))
    return _Look(votes, exact, quality, belongs, inside)


def _belonging(belongs: FloatArray) -> Mask:
    """Which pixels of a part n belong to an object: all of them where none does."""
    own: Mask = belongs >= BELONGS
    return own if own.any() else np.ones_like(own)


def _seeds_of(votes: FloatArray, quality: FloatArray, belongs: FloatArray) -> FloatArray:
    """The boxes that pixels of the joined map vote for; votes n4, see ``grouped``."""
    own = _belonging(belongs)
    votes, quality = votes[own], quality[own]
    every = max(1, len(votes) // MOST_VOTES)
    return _seeds(votes[::every], quality[::every], float(every))


def _window(
    picture: NDArray[np.generic], left: float, top: float, side: float, outside: int = GREY
) -> NDArray[np.uint8]:
    """A square of a picture at ``SIDE``, also beyond its borders."""
    scale = SIDE / side
    x, y = max(0, int(left)), max(0, int(top))
    right = min(picture.shape[1], int(np.ceil(left + side)))
    bottom = min(picture.shape[0], int(np.ceil(top + side)))
    part = picture[y:bottom, x:right]
    across = down = 1.0
    if scale < 0.7:  # warping does not average
        size = tuple(max(1, round(v * scale)) for v in part.shape[:2])
        across, down = size[1] / part.shape[1], size[0] / part.shape[0]
        part = resize(part, size, cv2.INTER_AREA)
    matrix = np.array(
        [
            [scale / across, 0, (x - left) * scale + scale / across / 2 - 0.5],
            [0, scale / down, (y - top) * scale + scale / down / 2 - 0.5],
        ],
        np.float32,
    )
    value = outside * (257 if part.dtype == np.uint16 else 1)
    found: NDArray[np.uint8] = cv2.warpAffine(
        np.ascontiguousarray(part),
        matrix,
        (SIDE, SIDE),
        flags=cv2.INTER_LINEAR,
        borderValue=(value, value, value),
    )
    return found


def _by_size(labels: NDArray[np.int32]) -> NDArray[np.uint16]:
    """The labels, numbered anew: 1 is the largest object."""
    count = np.bincount(labels.ravel())
    count[0] = 0
    order = np.argsort(-count, kind="stable")
    order = order[count[order] > 0]
    new = np.zeros(len(count), np.uint16)
    new[order] = np.arange(1, len(order) + 1)
    found: NDArray[np.uint16] = new[labels]
    return found


def _at_size(labels: NDArray[np.uint16], mask: Mask) -> NDArray[np.uint16]:
    """The labels at the mask's size; pixels of the mask without one have the nearest one's."""
    if not labels.any():
        return mask.astype(np.uint16)
    spread = nearest_values(labels, labels > 0)
    large = cv2.resize(spread, mask.shape[::-1], interpolation=cv2.INTER_NEAREST)
    found: NDArray[np.uint16] = np.where(mask, large, np.uint16(0))
    return found


def grouped(
    boxes: FloatArray, quality: FloatArray, belongs: FloatArray, inside: Mask
) -> NDArray[np.int32]:
    """Group the pixels of a mask by the boxes that they vote for.

    Args:
        boxes: 4hw, left, top, right, bottom of each pixel's vote.
        quality: hw, how well the vote's box overlaps its object's.
        belongs: hw in [0, 1], the probability of the pixel being of an object.
        inside: hw bool, the mask.

    Returns:
        hw, 0 outside the mask and where a pixel is of no object, else the number of its object,
        from 1 on.
    """
    labels = np.zeros(inside.shape, np.int32)
    own = inside & (belongs >= BELONGS)
    if own.any():
        seeds = seeds_of(boxes, quality, own)
        labels[own] = nearest(boxes[:, own].T, seeds) + 1
    return labels


def seeds_of(boxes: FloatArray, quality: FloatArray, inside: Mask) -> FloatArray:
    """The boxes of the objects in a mask, k4, at least one; see ``grouped``."""
    votes = boxes[:, inside].T
    if not len(votes):
        return np.array([[0, 0, 1, 1]], np.float32)
    return _seeds(votes, quality[inside], PLACES**2)


def _seeds(votes: FloatArray, quality: FloatArray, pixels: float) -> FloatArray:
    """See ``seeds_of``: votes n4, each of them for so many pixels."""
    seeds = _distinct(_agreed(votes, quality))
    # Whom hardly anybody votes for is a part of another object.
    while len(seeds) > 1:
        count = np.bincount(nearest(votes, seeds), minlength=len(seeds))
        least = np.maximum(LEAST_PART * len(votes), LEAST_BOX * _areas(seeds) / pixels)
        if (count >= least).all():
            break
        seeds = np.delete(seeds, int((count - least).argmin()), axis=0)
    return seeds


def _agreed(votes: FloatArray, quality: FloatArray) -> FloatArray:
    """The boxes k4 that enough of the votes n4 agree on, those with the surest votes first.

    Each is the median of those that agree with its surest vote; if there is none, that of all.
    """
    free = np.ones(len(votes), bool)
    least = LEAST_PART * len(votes)
    agreed: list[FloatArray] = []
    for n in np.argsort(-quality, kind="stable"):
        if len(agreed) == MOST or free.sum() < least:
            break
        if free[n]:
            agree = free & (overlaps(votes, votes[n]) >= AGREES)
            if agree.sum() >= least:
                agreed.append(np.median(votes[agree], axis=0))
            agree[n] = True
            free &= ~agree
    return np.array(agreed or [np.median(votes, axis=0)], np.float32)


def _distinct(boxes: FloatArray) -> FloatArray:
    """The boxes k4 without those that overlap an earlier one by ``SAME``."""
    kept = boxes[:1]
    for box in boxes[1:]:
        if overlaps(kept, box).max() < SAME:
            kept = np.vstack([kept, box])
    return kept


def nearest(votes: FloatArray, seeds: FloatArray) -> NDArray[np.intp]:
    """The number of the box of k4 that each vote of n4 overlaps most."""
    best: NDArray[np.intp] = np.stack([overlaps(votes, seed) for seed in seeds]).argmax(0)
    return best


def overlaps(boxes: FloatArray, box: FloatArray) -> FloatArray:
    """Intersection over union of boxes n4 and one box."""
    lower, upper = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    both = np.prod(np.maximum(upper - lower, 0), axis=1)
    union = _areas(boxes) + _areas(box[None]) - both
    found: FloatArray = (both / np.maximum(union, 1e-6)).astype(np.float32)
    return found


def _areas(boxes: FloatArray) -> FloatArray:
    found: FloatArray = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    return found
