"""What goes with a removed object: the shadow that it throws, its reflection, what it carries.

A network sees a part of the photo around an object, and the object's mask
(``models.object_effects``). A hole that grows by a wrong shadow is worse than a shadow that stays:
what is doubtful is not removed but reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import context_window
from ..pixels import covered_shares, eight_bits, reduction, resize, scaled_size
from ..types import Box, FloatArray, Hole, Mask, Pixels
from .companions import as_tensor, load_companion, picture_tensor
from .mask import dilate

if TYPE_CHECKING:
    from ...models.own_weights import OwnWeight
    from .segmenters import CompactSegmenterAdapter

#: The kinds, in the order of the network's channels: the object's effects, and what it carries.
SHADOW, REFLECTION, CARRIED = KINDS = ("shadow", "reflection", "carried")
#: Side in pixels at which the network sees a view: that of its training. How far a view reaches
#: beyond an object, in objects' longer sides, and the least side of a view in pixels.
SIDE, REACH, LEAST_VIEW = 160, 1.1, 48
#: Multiples of pixels that the network takes.
STRIDE = 16
#: Objects up to so many times smaller than the largest of a view are seen well in it; the most
#: views of a photo.
SMALLER, MOST_VIEWS = 4.0, 12
#: Longer side in pixels at which the views of a photo are joined.
JOINED = 1024


class Limits(NamedTuple):
    """From which probability on a part counts.

    Attributes:
        low: a pixel belongs to a part.
        high: its surest pixel must reach it for a part to be removed.
        doubt: its surest pixel must reach it for a part to be reported.
    """

    low: float
    high: float
    doubt: float


#: Of what is carried, a part is taken whole, but only where the network is very sure.
LIMITS = {
    SHADOW: Limits(0.6, 0.9, 0.75),
    REFLECTION: Limits(0.6, 0.9, 0.75),
    CARRIED: Limits(0.4, 0.95, 0.75),
}
#: An effect of fewer pixels than this share of the objects' is left alone, as nobody sees it; of
#: what is carried, even less would hang in the air.
LEAST = {SHADOW: 0.005, REFLECTION: 0.005, CARRIED: 0.002}
#: What is carried has at most so many times the pixels of the objects that it touches; at least
#: this share of its rim touches them, and is no farther from them than the last share of its own
#: longer side.
MOST_CARRIED, HELD, APART = 2.0, 0.05, 0.06
#: A part is widened by so many places of the network's output, and by so many pixels of the joined
#: map at least.
WIDER, LEAST_WIDER = 1.5, 1.5


class EffectsNetwork(Protocol):
    """A network that finds the effects of objects in views."""

    def effects(self, views: NDArray[np.uint8], removed: Mask) -> FloatArray:
        """Find the effects of what is removed.

        Args:
            views: NHW3 RGB, H and W multiples of ``STRIDE``.
            removed: NHW bool.

        Returns:
            N3HW float32 in [0, 1], in the order of ``KINDS``.
        """


class ObjectEffectsAdapter:
    """``ObjectEffects`` on the features of a compact segmenter.

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
        self.network, self.sha256 = load_companion("object-effects", compact, weights)

    def effects(self, views: NDArray[np.uint8], removed: Mask) -> FloatArray:
        """As in ``EffectsNetwork``."""
        import torch

        from ...models.precision import autocast

        image = picture_tensor(views, self.device)
        mask = as_tensor(removed[:, None], self.device)
        with torch.inference_mode(), autocast(self.device, views.shape[2]):
            logits = self.network(image, mask, *self.encoder.levels(image))
            return logits.float().sigmoid().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Effect:
    """One effect of the removed objects, or one thing that they carry.

    Attributes:
        kind: one of ``KINDS``.
        box: its bounding box in pixels of the photo.
        mask: bool of the box's size.
        sure: whether it is removed; if not, it is reported.
    """

    kind: str
    box: Box
    mask: Mask
    sure: bool


def find_effects(
    network: EffectsNetwork, rgb: Pixels, objects: Mask, holes: Sequence[Hole]
) -> list[Effect]:
    """Find what goes with the removed objects.

    Args:
        network: runs once for each view.
        rgb: the photo, HWC uint8 or uint16.
        objects: HW bool, what is removed; the masks may be a little too wide or too tight.
        holes: the parts of ``objects``, largest first; at least one.

    Returns:
        None of them covers a pixel of ``objects``. What is carried is no shadow of its own.
    """
    views = views_of(holes, rgb.shape)
    probability = effect_probability(network, rgb, objects, views)
    size = probability.shape[1:]
    own = covered_shares(objects, size) > 0.5
    _, owners = cv2.connectedComponents(own.astype(np.uint8), connectivity=8)
    held = probability[KINDS.index(CARRIED)] >= LIMITS[CARRIED].low
    found = []
    for kind, map_ in zip(KINDS, probability, strict=True):
        is_carried = kind == CARRIED
        map_ = np.where(own if is_carried else own | held, np.float32(0), map_)
        limits = LIMITS[kind]
        for box, here, peak in _parts(map_, LEAST[kind] * own.sum(), limits):
            if is_carried and not _is_held(box, here, owners):
                continue
            radius = _radius(_scaled(box, size, rgb.shape), views, rgb.shape[0] / size[0])
            effect = _at_size(box, here, size, objects, radius, kind, sure=peak >= limits.high)
            if effect is not None:
                found.append(effect)
    return found


def _parts(map_: FloatArray, least: float, limits: Limits) -> Iterator[tuple[Box, Mask, float]]:
    """(box, bool of its size, highest probability) of every part that is worth telling.

    Args:
        map_: hw, a kind's probability, 0 on the objects.
        least: pixels of a part, which has 4 at least.
        limits: the kind's.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (map_ >= limits.low).astype(np.uint8), connectivity=8
    )
    for number in range(1, len(stats)):
        if stats[number, cv2.CC_STAT_AREA] < max(4.0, least):
            continue
        box = Box(*(int(v) for v in stats[number, :4]))
        here = labels[box.slices] == number
        peak = float(map_[box.slices][here].max())
        if peak >= limits.doubt:
            yield box, here, peak


def _is_held(box: Box, here: Mask, owners: NDArray[np.int32]) -> bool:
    """Whether enough of a part's rim touches the objects, and it is not much larger than these.

    Args:
        box: the part's.
        here: bool of the box's size.
        owners: hw, the number of each pixel's object, 0 = none.
    """
    gap = 1 + round(APART * max(box.w, box.h))
    around = box.grown(gap + 1, owners.shape)
    part = np.zeros((around.h, around.w), np.uint8)
    part[box.relative_to(around).slices] = here
    rim = (cv2.dilate(part, np.ones((3, 3), np.uint8)) > 0) & (part == 0)
    beside = owners[around.slices]
    if (dilate(beside > 0, gap) & rim).sum() < HELD * rim.sum():
        return False
    touched = np.unique(beside[dilate(part > 0, gap + 1) & (beside > 0)])
    return bool(here.sum() <= MOST_CARRIED * np.isin(owners, touched).sum())


def effect_probability(
    network: EffectsNetwork, rgb: Pixels, objects: Mask, views: Sequence[Box]
) -> FloatArray:
    """The probability of each kind, 3hw float32 at the size at which views are joined.

    Args:
        network: see ``find_effects``.
        rgb: see ``find_effects``.
        objects: see ``find_effects``.
        views: of the photo, see ``views_of``.
    """
    size = scaled_size(rgb.shape, reduction(rgb.shape, JOINED))
    total = np.zeros((len(KINDS), *size), np.float32)
    weight = np.full(size, 1e-6, np.float32)
    for view in views:
        seen = _seen(network, rgb, objects, view)
        place = _scaled(view, rgb.shape, size)
        trust = _trust(view, rgb.shape, (place.h, place.w))
        for k in range(len(KINDS)):
            total[k][place.slices] += trust * resize(seen[k], trust.shape, cv2.INTER_LINEAR)
        weight[place.slices] += trust
    return total / weight


def views_of(holes: Sequence[Hole], shape: tuple[int, ...]) -> list[Box]:
    """The views of a photo in which its objects are seen, around the largest first.

    Args:
        holes: around each object, or a few together, largest first.
        shape: the photo's (height, width, ...).
    """
    height, width = shape[:2]
    views: list[tuple[Box, float]] = []
    for hole in holes:
        longest = max(hole.box.w, hole.box.h)
        around = hole.box.grown(round(longest / 2), (height, width))
        if any(
            view.intersection(around) == around and longest * SMALLER >= largest
            for view, largest in views
        ):
            continue
        if len(views) == MOST_VIEWS:
            break
        view = context_window(hole.box, height, width, context=REACH, least=LEAST_VIEW)
        views.append((view, longest))
    return [view for view, _ in views]


def _seen(network: EffectsNetwork, rgb: Pixels, objects: Mask, view: Box) -> FloatArray:
    """3hw, what the network says of a view."""
    scale = SIDE / max(view.w, view.h)
    size = tuple(max(STRIDE, round(side * scale / STRIDE) * STRIDE) for side in (view.h, view.w))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = resize(eight_bits(rgb[view.slices]), size, how)
    removed = covered_shares(objects[view.slices], size) >= 0.5
    found: FloatArray = network.effects(picture[None], removed[None])[0]
    return found


def _trust(view: Box, shape: tuple[int, ...], size: tuple[int, int]) -> FloatArray:
    """How much each pixel of a view counts: little at its borders, unless the photo ends there."""
    height, width = shape[:2]
    ends = (view.y == 0, view.bottom == height), (view.x == 0, view.right == width)
    near = []
    for n, (first, last) in zip(size, ends, strict=True):
        place = (np.arange(n, dtype=np.float32) + 0.5) / n
        near.append(np.minimum(place + 1.0 * first, 1 - place + 1.0 * last))
    return np.minimum(near[0][:, None], near[1][None]).clip(0.02, 0.25).astype(np.float32)


def _scaled(box: Box, shape: tuple[int, ...], size: tuple[int, ...]) -> Box:
    """A box of the photo on a map of another size, at least one pixel of it."""
    across, down = size[1] / shape[1], size[0] / shape[0]
    x, y = int(box.x * across), int(box.y * down)
    right, bottom = round(box.right * across), round(box.bottom * down)
    return Box.from_corners(x, y, max(x + 1, right), max(y + 1, bottom))


def _radius(box: Box, views: Sequence[Box], pixel: float) -> int:
    """By how many pixels of the photo a part is widened: it is as rough as the view that shows it.

    Args:
        box: the part's, in the photo.
        views: of the photo.
        pixel: side of a pixel of the joined map, in pixels of the photo.
    """
    middle = Box(box.x + box.w // 2, box.y + box.h // 2, 1, 1)
    sides = [max(view.w, view.h) for view in views if view.intersects(middle)]
    place = 2 * min(sides, default=0) / SIDE  # the output is at stride 2
    return max(1, round(max(WIDER * place, LEAST_WIDER * pixel)))


def _at_size(
    box: Box,
    here: Mask,
    size: tuple[int, ...],
    objects: Mask,
    radius: int,
    kind: str,
    *,
    sure: bool,
) -> Effect | None:
    """An effect in pixels of the photo, a little wider; None if the objects cover it there.

    Args:
        box: its bounding box on the joined map.
        here: bool of the box's size.
        size: the map's.
        objects: see ``find_effects``.
        radius: in pixels of the photo, by which it is wider.
        kind: see ``Effect``.
        sure: see ``Effect``.
    """
    inner = _scaled(box, size, objects.shape)
    place = inner.grown(radius, objects.shape)
    canvas = np.zeros((place.h, place.w), bool)
    enlarged = resize(here.astype(np.float32), (inner.h, inner.w), cv2.INTER_LINEAR) >= 0.5
    canvas[inner.relative_to(place).slices] = enlarged
    mask = dilate(canvas, radius) & ~objects[place.slices]
    if not mask.any():
        return None
    own = Box.bounding(mask)
    return Effect(kind, own.shifted(place.y, place.x), mask[own.slices], sure)
