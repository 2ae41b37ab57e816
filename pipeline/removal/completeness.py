"""Is the whole object gone? Looks around the holes of one photo, and widens them once if not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ...models.categories import CLASSES
from ..config import auto_dilate
from ..detect import leftovers, mask, regions
from ..detect.leftovers import Gone, Left, View
from ..detect.mask import removed_probability
from ..detect.own import own_removed
from ..pixels import either
from ..quality import features, metrics
from ..types import Box, FloatArray, Hole, Mask, Pixels
from .request import Removal
from .selection import Selection

if TYPE_CHECKING:
    from ..networks import Networks

#: A place widens the hole if it is at most this share of both together. Beside a mask of the user's
#: own it must be smaller: what is left may be somebody whom the user wants to keep.
WIDENED_FOUND, WIDENED_GIVEN = 0.5, 0.1
#: A place is far from the holes from this multiple of the root of its pixels on: a part of the same
#: object lies nearer.
FAR = 0.25


class Seen(NamedTuple):
    """What a look at the result shows.

    Attributes:
        residue: see ``quality.metrics``; None if no class is known to be removed.
        left: the places where something is left.
    """

    residue: float | None
    left: list[Left]


class Completeness:
    """What is left of the objects of one photo.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        removal: what is removed.
        networks: has the segmenter that looks.
        unread: HW bool, pixels that say nothing of an object; None if there are none.
        seen: 21hw, what the networks' segmenter saw of the photo already; None if it did not look.
        kept: HW bool, objects of the removed classes that stay; None if all of them go.
        noticed: a selection, and what ``on_photo`` said of it before; None if it did not look.
    """

    def __init__(
        self,
        rgb: Pixels,
        removal: Removal,
        networks: Networks,
        unread: Mask | None = None,
        seen: FloatArray | None = None,
        kept: Mask | None = None,
        noticed: tuple[Selection, list[Left]] | None = None,
    ) -> None:
        self._rgb, self._removal, self._networks, self._unread = rgb, removal, networks, unread
        self._kept = kept
        self._views: dict[Box, View] = {}
        if seen is not None and networks.onlooker is networks.segmenter:
            whole = Box.full(rgb.shape)
            self._views[whole] = View(whole, seen)
        self._staying: dict[tuple[str, ...], Mask] = {}
        self._noticed = noticed
        self._under: tuple[Selection, tuple[str, ...]] | None = None

    def views(self, holes: Sequence[Hole]) -> list[View]:
        """Views of the photo around its largest holes; no crop is looked at twice."""
        crops = leftovers.crops_around(holes, *self._rgb.shape[:2])
        return [self._view(crop) for crop in crops]

    def classes(self, selection: Selection) -> tuple[str, ...]:
        """The removed classes of Pascal VOC: of the request, or what is seen under the mask.

        Of own classes the compact segmenter knows nothing: ``on_result`` asks their models.
        """
        if self._removal.classes:
            return tuple(name for name in self._removal.classes if name in CLASSES)
        # Each hole asks, and the answer takes a pass over every view.
        if self._under is None or self._under[0] is not selection:
            views = self.views(selection.holes)
            self._under = selection, leftovers.classes_under(views, selection.hole_mask)
        return self._under[1]

    def certainty(self, hole: Hole, selection: Selection) -> tuple[float | None, float | None]:
        """(certainty, ambiguity) of a hole, see ``quality.features``; None if it has no view."""
        # What goes along with an object is not of its class.
        objects = hole.mask & selection.hole_mask[hole.box.slices]
        if not objects.any():
            return None, None
        part = Box.bounding(objects)
        box, classes = part.shifted(hole.box.y, hole.box.x), self.classes(selection)
        for each in self.views(selection.holes):
            if classes and each.crop.intersection(box) == box:
                inner = Hole(box.relative_to(each.crop), objects[part.slices], hole.share)
                probability = removed_probability(each.seen, classes)
                return features.certainty(probability, inner, each.crop.h, each.crop.w)
        return None, None

    def on_photo(self, selection: Selection) -> list[Left]:
        """What the photo as it was shows beside its holes."""
        if self._noticed is None or self._noticed[0] is not selection:
            self._noticed = selection, self._on_photo(selection)
        return self._noticed[1]

    @property
    def noticed(self) -> tuple[Selection, list[Left]] | None:
        """The last selection that ``on_photo`` was asked about, and what it said."""
        return self._noticed

    def regions(self, selection: Selection) -> list[Left]:
        """Regions of like colour beside the holes that seem to belong to what is gone."""
        gone = self._gone(selection)
        if not gone.classes:
            return []
        return [
            left
            for each in self.views(selection.holes)
            for left in regions.regions_left(self._rgb, each, gone)
        ]

    def _on_photo(self, selection: Selection) -> list[Left]:
        gone = self._gone(selection)
        if not gone.classes:
            return []
        whole = self.whole()
        found = [
            left
            for each in self.views(selection.holes)
            for left in leftovers.goes_on(each, whole, gone)
        ]
        return self._distinct([*found, *self.regions(selection)])

    def on_result(self, selection: Selection, result: Pixels) -> Seen:
        """What is left, by the photo and by the result."""
        gone = self._gone(selection)
        own = self._own_residue(selection, result)
        if not gone.classes:
            return Seen(own, [])
        segmenter = self._networks.onlooker
        whole = View(Box.full(result.shape), segmenter.probabilities(result))
        found = leftovers.elsewhere(whole, self.whole(), gone)
        for photo in self.views(selection.holes):
            is_whole = photo.crop == whole.crop
            near = whole if is_whole else leftovers.view(segmenter, result, photo.crop)
            found += leftovers.seen_again(near, photo, whole, gone)
        residue = metrics.residue(
            removed_probability(whole.seen, gone.classes), gone.hole_mask, gone.threshold
        )
        return Seen(max(residue, own or 0.0), self._distinct([*self.on_photo(selection), *found]))

    def _own_residue(self, selection: Selection, result: Pixels) -> float | None:
        """As ``Seen.residue``, of the removed classes that own models have; None without any."""
        models = self._networks.own(self._removal.classes)
        removed = own_removed(models, result, self._removal.classes)
        if removed is None:
            return None
        return metrics.residue(removed, selection.hole_mask, self._removal.threshold)

    def _gone(self, selection: Selection) -> Gone:
        classes = self.classes(selection)
        stays = self._stays(classes) if classes else np.zeros_like(selection.hole_mask)
        return Gone(classes, selection.hole_mask, stays, self._removal.threshold)

    def colours(self, selection: Selection, gone: Mask) -> tuple[float, Left | None]:
        """The share of the pixels beside the worst hole with its object's colours, and where.

        Args:
            selection: the objects.
            gone: HW bool, everything that is removed; what lies beside an object counts if it
                stays.
        """
        void = either(self._unread, self._kept)
        each = [
            leftovers.colours_left(self._rgb, selection.hole_mask, hole, void, gone)
            for hole in selection.holes
        ]
        return max(each, key=lambda one: one[0])

    def things(self, but: Sequence[str] = ()) -> Mask:
        """HW bool: things of any class that the photo shows, but for some, and who is kept.

        The caller may change it.
        """
        things = leftovers.that_stays(self.whole(), but)
        return things if self._kept is None else things | self._kept

    def widened(
        self, selection: Selection, found: Sequence[Left], outside: Mask | None
    ) -> Selection:
        """The selection with holes widened by what is left; the same one if nothing widens them.

        A mask of the user's own that is to be taken to the letter, or widened by so many pixels, is
        never widened further.
        """
        given = self._removal.mask is not None
        if given and self._removal.dilate is not None:
            return selection
        most = WIDENED_GIVEN if given else WIDENED_FOUND
        more = np.zeros_like(selection.hole_mask)
        for left in found:
            if left.fillable and left.share <= most and (left.beside or not given):
                more[left.box.slices] |= left.mask
        if not more.any() or more.sum() > most / (1 - most) * selection.hole_mask.sum():
            return selection
        height, width = more.shape
        radius = self._removal.dilate
        if radius is None:
            radius = auto_dilate(height, width) // (2 if given else 1)
        more = mask.dilate(more, radius) & ~self._stays(self.classes(selection))
        holes = selection.hole_mask | more
        if outside is not None:
            holes &= ~outside
        return replace(selection, hole_mask=holes, holes=mask.find_holes(holes))

    def is_kept(self, left: Left, selection: Selection) -> bool:
        """Whether a place is an object of its own that nobody asked to remove.

        Who removes one of many by a mask keeps the others on purpose. If the request names the
        class, whoever drew the mask, all of it was to go.
        """
        if self._removal.classes or left.beside or not left.fillable:
            return False
        gap = int(FAR * np.sqrt(left.mask.sum()))
        around = left.box.grown(gap, selection.hole_mask.shape)
        return not selection.hole_mask[around.slices].any()

    def _stays(self, classes: tuple[str, ...]) -> Mask:
        """HW bool: things of other classes, and kept objects, which stay."""
        if classes not in self._staying:
            self._staying[classes] = self.things(classes)
        return self._staying[classes]

    def whole(self) -> View:
        """The view of the whole photo as it was."""
        return self._view(Box.full(self._rgb.shape))

    def around(self, box: Box) -> View:
        """The view of the photo around a box."""
        return self._view(leftovers.crop_around(box, *self._rgb.shape[:2]))

    def _view(self, crop: Box) -> View:
        if crop not in self._views:
            self._views[crop] = leftovers.view(self._networks.onlooker, self._rgb, crop)
        return self._views[crop]

    def _distinct(self, found: Sequence[Left]) -> list[Left]:
        """One of each place, within the picture."""
        height, width = self._rgb.shape[:2]
        if self._unread is not None:
            found = [f for f in found if not self._unread[f.box.slices][f.mask].all()]
        return leftovers.distinct(found, (height, width))
