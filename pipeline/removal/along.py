"""What goes along with the removed objects of one photo: shadows, reflections, what is ridden."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..config import FAIL_HOLE_SHARE, auto_dilate
from ..detect.effects import LEAST, Effect, find_effects
from ..detect.leftovers import Left
from ..detect.mask import dilate, find_holes
from ..detect.ridden import RIDER, ridden
from ..types import Box, Layer, Mask, Pixels
from .completeness import Completeness
from .request import Removal
from .selection import Selection

if TYPE_CHECKING:
    from ..networks import Networks

#: The layers of the effects, by their kinds.
LAYERS = {"shadow": Layer.SHADOW, "reflection": Layer.REFLECTION}


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


def alone(objects: Selection) -> Whole:
    """Objects with which nothing goes along."""
    layers = np.where(objects.hole_mask, np.uint8(Layer.OBJECT), np.uint8(Layer.NONE))
    return Whole(objects, objects, layers, [])


class Along:
    """Finds what goes along with the objects of one photo. Looks once, however often it is asked.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        removal: which kinds go along.
        networks: has the network that finds them.
    """

    def __init__(self, rgb: Pixels, removal: Removal, networks: Networks) -> None:
        self._rgb, self._removal, self._networks = rgb, removal, networks
        self._found: list[Effect] | None = None
        self._mounts: Mask | None = None
        self._looked = False

    def with_objects(
        self, objects: Selection, completeness: Completeness, outside: Mask | None
    ) -> Whole:
        """Add to some objects what goes along with them, if enough is left to fill both from.

        Args:
            objects: the selected objects, at least one.
            completeness: has looked at the photo around them.
            outside: HW bool, pixels that are no picture; None if there are none.
        """
        carried = self._ridden(objects, completeness)
        effects = self._effects(objects, carried)
        layers, doubtful = alone(objects).layers, []
        if carried is not None:
            layers[carried & ~objects.hole_mask] = Layer.CARRIED
        things = completeness.things() if effects else np.zeros_like(objects.hole_mask)
        # The sure ones first: where they go, no other one may stay.
        for effect in sorted(effects, key=lambda one: not one.sure):
            here = effect.box.slices
            there = effect.mask & (layers[here] == Layer.NONE) & ~things[here]
            if outside is not None:
                there &= ~outside[here]
            if effect.sure:
                layers[here][there] = LAYERS[effect.kind]
            elif there.sum() > LEAST * objects.hole_mask.sum():
                doubtful.append(_doubtful(effect, there, objects))
        if outside is not None:
            layers[outside] = Layer.NONE
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
        radius = self._removal.dilate
        return dilate(mounts, auto_dilate(*mounts.shape) if radius is None else radius)

    def _effects(self, objects: Selection, carried: Mask | None) -> list[Effect]:
        """What the objects and what they carry did."""
        if self._found is None:
            network = self._networks.effects if set(LAYERS) & set(self._removal.along) else None
            found = []
            if network is not None:
                mask, holes = objects.hole_mask, objects.holes
                if carried is not None:
                    mask = mask | carried
                    holes = find_holes(mask)
                found = find_effects(network, self._rgb, mask, holes)
            self._found = [effect for effect in found if effect.kind in self._removal.along]
        return self._found


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
    return Left(place, there[inner.slices], f"a {effect.kind} may have stayed", share)


def _joined(box: Box, objects: Selection) -> Box:
    """The box of a mount and of the holes that it touches."""
    for hole in objects.holes:
        if box.grown(1, objects.hole_mask.shape).intersects(hole.box):
            box = box.union(hole.box)
    return box
