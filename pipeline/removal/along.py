"""What goes along with the removed objects: shadows, reflections, what is carried or ridden."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CLASSES
from ..config import FAIL_HOLE_SHARE, auto_dilate
from ..detect.effects import (
    CARRIED,
    KINDS,
    LEAST,
    REFLECTION,
    SHADOW,
    Effect,
    find_effects,
)
from ..detect.leftovers import Left
from ..detect.mask import dilate, find_holes
from ..detect.ridden import RIDER, ridden
from ..types import Box, Hole, Layer, Mask, Pixels
from .completeness import Completeness
from .request import Removal
from .selection import Selection

if TYPE_CHECKING:
    from ..networks import Networks

#: The layers of what goes along, by its kinds, and what may have stayed, in words.
LAYERS = {SHADOW: Layer.SHADOW, REFLECTION: Layer.REFLECTION, CARRIED: Layer.CARRIED}
NAMES = {SHADOW: "a shadow", REFLECTION: "a reflection", CARRIED: "something carried"}
#: Classes of things that somebody may carry; things of all others stay, if at least so much of what
#: seems carried is one of them.
PORTABLE, STAYS = ("bottle",), 0.5
#: A thing of which more than this share is removed is the removed object.
OWN = 0.75
#: Slits up to twice this share of an effect's longer side between it and its object are closed.
SLIT = 0.04
#: Beside a given mask, something of the object's own class is another object if it is at least so
#: large by the mask's pixels: the segmenter takes a bag for a part of its owner.
NEIGHBOUR = 0.3


@dataclass(frozen=True, eq=False)
class Whole:
    """Removed objects, and what goes along with them.

    Attributes:
        objects: the objects alone.
        selection: both together, which is what is filled.
        layers: HW uint8, a ``Layer`` for each pixel.
        doubtful: places where something stays that may have gone along.
    """

    objects: Selection
    selection: Selection
    layers: NDArray[np.uint8]
    doubtful: list[Left]

    def unseen(self) -> Whole:
        """The same without what the segmenter saw of the photo."""
        objects = replace(self.objects, seen=None, doubt=None)
        is_alone = self.selection is self.objects
        return replace(
            self,
            objects=objects,
            selection=objects if is_alone else replace(self.selection, seen=None, doubt=None),
        )


def alone(objects: Selection) -> Whole:
    """Objects with which nothing goes along."""
    layers = np.where(objects.hole_mask, np.uint8(Layer.OBJECT), np.uint8(Layer.NONE))
    return Whole(objects, objects, layers, [])


class Found(NamedTuple):
    """What ``Along`` has found so far.

    Attributes:
        effects: None if it did not look.
        mounts: HW bool, what is ridden, widened; None if nothing is.
        looked: whether it looked for mounts.
    """

    effects: list[Effect] | None = None
    mounts: Mask | None = None
    looked: bool = False


class Along:
    """Finds what goes along with the objects of one photo. Looks once, however often it is asked.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        removal: which kinds go along.
        networks: has the network that finds them.
        found: what another one found of the same photo.
    """

    def __init__(
        self, rgb: Pixels, removal: Removal, networks: Networks, found: Found | None = None
    ) -> None:
        self._rgb, self._removal, self._networks = rgb, removal, networks
        self._found, self._mounts, self._looked = found or Found()

    @property
    def found(self) -> Found:
        """What was found so far."""
        return Found(self._found, self._mounts, self._looked)

    def with_objects(
        self, objects: Selection, completeness: Completeness, outside: Mask | None
    ) -> Whole:
        """Add to some objects what goes along with them, if enough is left to fill both from.

        Args:
            objects: the selected objects, at least one.
            completeness: has looked at the photo around them.
            outside: HW bool, pixels that are no picture; None if there are none.
        """
        kept = objects.kept()
        mounts = self._ridden(objects, completeness)
        layers = alone(objects).layers
        if mounts is not None:
            layers[mounts & ~objects.hole_mask] = Layer.CARRIED
        found = self._look(objects, mounts)
        stays = np.zeros_like(objects.hole_mask) if outside is None else outside
        if found:
            stays = stays | _others(completeness.things(), objects.hole_mask)
        doubtful = _add(self._decided(found, objects, completeness), layers, stays, objects)
        for untouched in (outside, kept):
            if untouched is not None:
                layers[untouched] = Layer.NONE
        hole_mask = layers != Layer.NONE
        if np.array_equal(hole_mask, objects.hole_mask):
            return Whole(objects, objects, layers, doubtful)
        if hole_mask.mean() > FAIL_HOLE_SHARE >= objects.share:
            # With the object alone the photo can be filled.
            return alone(objects)
        selection = replace(objects, hole_mask=hole_mask, holes=find_holes(hole_mask))
        return Whole(objects, selection, layers, doubtful)

    def _ridden(self, objects: Selection, completeness: Completeness) -> Mask | None:
        """HW bool: what the removed people ride, widened; None if they ride nothing."""
        if not self._looked:
            self._looked = True
            if "carried" in self._removal.along and RIDER in completeness.classes(objects):
                self._mounts = self._look_for_mounts(objects, completeness)
        return self._mounts

    def _look_for_mounts(self, objects: Selection, completeness: Completeness) -> Mask | None:
        seen = [completeness.whole(), *completeness.views(objects.holes)]
        found = [mount for view in seen for mount in ridden(view, objects.hole_mask)]
        # A view around rider and mount shows the mount larger, and does not end inside it.
        near = dict.fromkeys(_joined(mount.box, objects) for mount in found)
        for box in near:
            found += ridden(completeness.around(box), objects.hole_mask)
        whole = [mount for mount in found if not mount.is_cut]
        if not whole:
            return None
        mounts = np.zeros_like(objects.hole_mask)
        for mount in whole:
            mounts[mount.box.slices] |= mount.mask
        # To the letter is meant a mask that somebody drew, and not what is found beside it.
        radius, is_drawn = self._removal.dilate, self._removal.mask is not None
        return dilate(mounts, auto_dilate(*mounts.shape) if radius is None or is_drawn else radius)

    def _look(self, objects: Selection, mounts: Mask | None) -> list[Effect]:
        """What goes with the objects and what they ride, of the kinds that the request names."""
        if self._found is None:
            found = []
            mask, holes = _things(objects)
            asked = set(KINDS) & set(self._removal.along)
            network = self._networks.effects if asked and (holes or mounts is not None) else None
            if network is not None:
                if mounts is not None:
                    mask = mask | mounts
                    holes = find_holes(mask)
                found = find_effects(network, self._rgb, mask, holes)
            self._found = [effect for effect in found if effect.kind in self._removal.along]
        return self._found

    def _decided(
        self, found: list[Effect], objects: Selection, completeness: Completeness
    ) -> list[Effect]:
        """Doubt of what is carried what rather stays.

        Returns:
            The sure ones first, and of these what is carried: where they go, no other one may stay.
        """
        decided = [effect for effect in found if effect.kind != CARRIED]
        carried = [effect for effect in found if effect.kind == CARRIED]
        if carried:
            own = (*completeness.classes(objects), *PORTABLE)
            stays = completeness.things(own)
            is_drawn = self._removal.mask is not None
            all_stay = completeness.things(PORTABLE) if is_drawn else stays
            large = NEIGHBOUR * objects.hole_mask.sum()
            for thing in carried:
                others = all_stay if thing.mask.sum() > large else stays
                if others[thing.box.slices][thing.mask].mean() > STAYS:
                    thing = replace(thing, sure=False)
                decided.append(thing)
        return sorted(decided, key=lambda one: (not one.sure, one.kind != CARRIED))


def _things(objects: Selection) -> tuple[Mask, list[Hole]]:
    """The holes without what own models found alone.

    The network that finds effects knows what things cast and carry, and takes a wire for one.
    """
    mask, single = objects.hole_mask, objects.objects
    if single is None or all(one.category in CLASSES for one in single.found):
        return mask, objects.holes
    known = [one.number for one in single.found if one.category in CLASSES]
    near = dilate(np.isin(single.labels, known), 2 * auto_dilate(*mask.shape))
    mask = mask & near
    return mask, find_holes(mask)


def _others(things: Mask, objects: Mask) -> Mask:
    """Things without the removed objects, of which a mask may miss a dark part in the shadow.

    Args:
        things: HW bool, of any class.
        objects: HW bool, what is removed.
    """
    _, labels = cv2.connectedComponents(things.astype(np.uint8), connectivity=8)
    count = np.bincount(labels.ravel())
    under = np.bincount(labels[objects], minlength=len(count))
    stays = under < OWN * count
    stays[0] = False
    found: Mask = stays[labels]
    return found


def _close(layers: NDArray[np.uint8], effect: Effect, stays: Mask) -> None:
    """Close the slits between an effect and its object: dark pixels there would be copied.

    Args:
        layers: HW uint8; changed in place.
        effect: is removed.
        stays: HW bool, pixels that are never removed as an effect.
    """
    width = max(1, round(SLIT * max(effect.box.w, effect.box.h)))
    box = effect.box.grown(2 * width + 1, layers.shape)
    here = layers[box.slices]
    near = np.zeros(here.shape, bool)
    near[effect.box.relative_to(box).slices] = effect.mask
    closed = ~dilate(~dilate(here != Layer.NONE, width), width)
    new = closed & dilate(near, width) & (here == Layer.NONE) & ~stays[box.slices]
    here[new] = LAYERS[effect.kind]


def _add(
    found: Sequence[Effect], layers: NDArray[np.uint8], stays: Mask, objects: Selection
) -> list[Left]:
    """Add the sure ones to the layers.

    Args:
        found: the sure ones first.
        layers: HW uint8; changed in place.
        stays: HW bool, pixels that are never removed as an effect.
        objects: what is removed.

    Returns:
        The others, as far as the layers leave them.
    """
    doubtful = []
    for effect in found:
        here = effect.box.slices
        there = effect.mask & (layers[here] == Layer.NONE)
        if effect.kind != CARRIED:
            there &= ~stays[here]
        if effect.sure:
            layers[here][there] = LAYERS[effect.kind]
        elif there.sum() > LEAST[effect.kind] * objects.hole_mask.sum():
            doubtful.append(_doubtful(effect, there, objects))
    for effect in found:
        if effect.sure:
            _close(layers, effect, stays)
    return doubtful


def _doubtful(effect: Effect, there: Mask, objects: Selection) -> Left:
    """A place that may be an effect, as far as nothing else covers it.

    Args:
        effect: the doubtful effect.
        there: bool of its box's size, some pixels of it.
        objects: what is removed.
    """
    inner = Box.bounding(there)
    pixels = int(there.sum())
    share = pixels / (pixels + int(objects.hole_mask.sum()))
    place = inner.shifted(effect.box.y, effect.box.x)
    return Left(place, there[inner.slices], f"{NAMES[effect.kind]} may have stayed", share)


def _joined(box: Box, objects: Selection) -> Box:
    """The box of a mount and of the holes that it touches."""
    for hole in objects.holes:
        if box.grown(1, objects.hole_mask.shape).intersects(hole.box):
            box = box.union(hole.box)
    return box
