"""What goes along with the removed objects of one photo: their shadows and reflections."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..detect.effects import Effect, find_effects
from ..detect.leftovers import Left
from ..detect.mask import find_holes
from ..types import Layer, Mask, Pixels
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

    def with_objects(
        self, objects: Selection, completeness: Completeness, outside: Mask | None
    ) -> Whole:
        """Add to some objects what goes along with them.

        Args:
            objects: the selected objects, at least one.
            completeness: knows the things that stay, on which a shadow may fall.
            outside: HW bool, pixels that are no picture; None if there are none.
        """
        effects = self._effects(objects)
        if not effects:
            return alone(objects)
        whole = alone(objects)
        layers, doubtful = whole.layers, whole.doubtful
        free = ~(objects.hole_mask | completeness.things())
        if outside is not None:
            free &= ~outside
        for effect in effects:
            there = effect.mask & free[effect.box.slices]
            if effect.sure:
                layers[effect.box.slices][there] = LAYERS[effect.kind]
            elif there.any():
                pixels = int(there.sum())
                share = pixels / (pixels + int(objects.hole_mask.sum()))
                why = f"a {effect.kind} may have stayed"
                doubtful.append(Left(effect.box, there, why, share))
        hole_mask = layers != Layer.NONE
        if hole_mask.sum() == objects.hole_mask.sum():
            return Whole(objects, objects, layers, doubtful)
        selection = replace(objects, hole_mask=hole_mask, holes=find_holes(hole_mask))
        return Whole(objects, selection, layers, doubtful)

    def _effects(self, objects: Selection) -> list[Effect]:
        if self._found is None:
            network = self._networks.effects if set(LAYERS) & set(self._removal.along) else None
            found = find_effects(network, self._rgb, objects.hole_mask) if network else []
            self._found = [effect for effect in found if effect.kind in self._removal.along]
        return self._found
