"""Which pixels of a photo are removed: segment or take the given mask, widen, split into holes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ...models.categories import CLASSES
from ..config import auto_dilate
from ..detect import mask, multi_scale
from ..detect.edge import widen_to_edge
from ..detect.own import OwnFound, find_own, widened
from ..detect.prefilter import LEAST_PEAK, peak_probability
from ..detect.refine import refined_holes
from ..types import FloatArray, Hole, Mask, Pixels
from .keep import decided, main_odds
from .objects import SAFE, Objects, find_objects, with_own_objects
from .request import Removal

if TYPE_CHECKING:
    from ..networks import Networks


@dataclass(frozen=True, eq=False)
class Selection:
    """The pixels to remove.

    Attributes:
        hole_mask: HW bool, True = remove, widened.
        holes: the parts of ``hole_mask`` that are filled together, largest first.
        classes: share of the photo by class, before dilation; empty for a given mask.
        why_empty: why there are no holes, in words; empty if there are some.
        seen: 21hw, what the segmenter's first pass saw of the whole photo; None if it did not run,
            or if that was forgotten.
        objects: the single objects, removed and kept ones; None for a given mask.
        doubt: what ``seen`` showed, as in ``Sighting``.
    """

    hole_mask: Mask
    holes: list[Hole]
    classes: dict[str, float] = field(default_factory=dict)
    why_empty: str = ""
    seen: FloatArray | None = None
    objects: Objects | None = None
    doubt: Mask | None = None

    def kept(self, around: float = SAFE) -> Mask | None:
        """As ``Objects.kept``; None for a given mask."""
        return None if self.objects is None else self.objects.kept(around)

    @property
    def share(self) -> float:
        """Share of the photo that is removed."""
        return float(self.hole_mask.mean())


@dataclass(frozen=True, eq=False)
class Sighting:
    """What the networks found of the removed classes, before anybody decides who stays.

    Attributes:
        class_mask: HW bool, the objects' pixels.
        around: HW bool, the objects widened along their edges; None without a refiner.
        classes: share of the photo by class, before dilation.
        objects: the single objects, all of which go.
        seen: as of ``Selection``. It takes most memory, so what is remembered has the next two
            instead.
        doubt: HW bool, ``removal.series.may_move`` of ``seen``; None if nobody asked.
        odds: ``keep.main_odds`` of ``seen``; None if nobody asked.
    """

    class_mask: Mask
    around: Mask | None
    classes: dict[str, float]
    objects: Objects
    seen: FloatArray | None
    doubt: Mask | None = None
    odds: dict[int, float] | None = None


#: Gives what is remembered of a sighting, or calls the function that looks. None: the prefilter
#: found no trace.
Sighted = Callable[[Callable[[], Sighting | None]], Sighting | None]


def _looked_at(look: Callable[[], Sighting | None]) -> Sighting | None:
    """Remember nothing."""
    return look()


def select(
    rgb: Pixels,
    removal: Removal,
    networks: Networks,
    outside: Mask | None = None,
    unread: Mask | None = None,
    sighted: Sighted = _looked_at,
) -> Selection:
    """Decide which pixels of a photo are removed.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        removal: which classes, or which mask.
        networks: loads the segmenter, unless a mask is given.
        outside: HW bool, pixels that are no picture and are not removed; None if there are none.
        unread: HW bool, pixels that say nothing of an object's edge, ``outside`` among them.
        sighted: what is remembered of the photo.
    """
    if removal.mask is not None:
        given = removal.mask.astype(bool)
        if removal.dilate is None:
            hole_mask = widen_to_edge(rgb, given, unread)
        else:
            hole_mask = mask.dilate(given, removal.dilate)
        holes, hole_mask = _holes(hole_mask, outside)
        return Selection(hole_mask, holes, why_empty="" if holes else "the mask is empty")
    missing = f"no {' or '.join(removal.classes)} was found"
    sighting = sighted(lambda: _sight(rgb, removal, networks, outside))
    if sighting is None:
        return Selection(
            np.zeros(rgb.shape[:2], bool),
            [],
            why_empty=f"{missing}: the prefilter found no trace, {networks.segmenter.name} was "
            "not run (--no-prefilter always runs it)",
        )

    def odds() -> dict[int, float]:
        if sighting.odds is not None:
            return sighting.odds
        seen = sighting.seen
        if seen is None:
            seen = networks.segmenter.probabilities(rgb)
        return main_odds(rgb, sighting.objects, seen, networks)

    objects = decided(rgb, sighting.objects, odds, removal, networks)
    holes, hole_mask = _holes(_around_objects(sighting, objects, removal), outside)
    return Selection(
        hole_mask,
        holes,
        sighting.classes if holes else {},
        "" if holes else objects.note if objects.found else missing,
        sighting.seen,
        objects,
        sighting.doubt,
    )


def _sight(
    rgb: Pixels, removal: Removal, networks: Networks, outside: Mask | None
) -> Sighting | None:
    """Find the objects of the removed classes; arguments as of ``select``."""
    models = networks.own(removal.classes)
    if not models:
        return _sight_objects(rgb, removal, networks, outside)
    of_voc = None
    if networks.finds(removal.classes):
        of_voc = _sight_objects(rgb, removal, networks, outside)
    own = find_own(models, rgb, removal.classes, removal.threshold).without(outside)
    return _with_own(of_voc, own, rgb, removal, networks)


def _sight_objects(
    rgb: Pixels, removal: Removal, networks: Networks, outside: Mask | None
) -> Sighting | None:
    """Find the objects of the Pascal VOC classes among the removed ones."""
    height, width = rgb.shape[:2]
    classes = tuple(name for name in removal.classes if name in CLASSES)
    prefilter = networks.prefilter if removal.prefilter else None
    if prefilter is not None:
        coarse = mask.removed_probability(prefilter.probabilities(rgb), classes)
        if peak_probability(coarse) < LEAST_PEAK:
            return None
    looks = multi_scale.look(networks.segmenter, rgb, networks.detector)
    probabilities = looks.probabilities
    probability = whole_objects(rgb, looks, classes, removal.threshold, networks)
    class_mask = mask.class_mask(probability, height, width, removal.threshold)
    if outside is not None:
        class_mask &= ~outside
    objects = find_objects(rgb, class_mask, probabilities, classes, networks)
    around = None
    if networks.refiner is not None:
        around = refined_holes(
            networks.refiner, rgb, probability, removal.threshold, removal.dilate
        )
    shares = mask.class_shares(probabilities, classes, removal.threshold)
    return Sighting(class_mask, around, shares, objects, looks.first)


def _with_own(
    of_voc: Sighting | None, own: OwnFound, rgb: Pixels, removal: Removal, networks: Networks
) -> Sighting:
    """What own models found, beside the objects of the Pascal VOC classes if there are some.

    The refiner knows the edges of objects and not of lines, so the pixels of own classes are
    widened as they are.
    """
    shape = rgb.shape[0], rgb.shape[1]
    objects = with_own_objects(None if of_voc is None else of_voc.objects, own, shape)
    found = own.mask
    if of_voc is None:
        # A quick look: what stays, and what may move, is asked of it.
        seen = networks.closer.probabilities(rgb)
        class_mask = np.zeros(shape, bool) if found is None else found
        wide = widened(class_mask, removal.dilate)
        return Sighting(class_mask, wide, own.shares(), objects, seen)
    class_mask, around = of_voc.class_mask, of_voc.around
    if found is not None:
        if around is None:
            radius = auto_dilate(*shape) if removal.dilate is None else removal.dilate
            around = mask.dilate(class_mask, radius)
        around = around | widened(found, removal.dilate)
        class_mask = class_mask | found
    shares = dict(of_voc.classes)
    for name, share in own.shares().items():
        shares[name] = max(share, shares.get(name, 0.0))
    return replace(of_voc, class_mask=class_mask, around=around, classes=shares, objects=objects)


def whole_objects(
    rgb: Pixels,
    looks: multi_scale.Looks,
    classes: Sequence[str],
    threshold: float,
    networks: Networks,
) -> FloatArray:
    """The objects of the removed classes, seen from near, with their faint parts.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        looks: at the whole photo.
        classes: the removed classes.
        threshold: probability from which a pixel is removed.
        networks: loads the segmenter of crops.

    Returns:
        hw float32 in [0, 1] at the photo's aspect, at least ``threshold`` in the objects.
    """
    seen = multi_scale.refine_objects(networks.closer, rgb, looks, classes, threshold)
    return mask.whole_objects(seen.removed, seen.background, threshold)


def _around_objects(sighting: Sighting, objects: Objects, removal: Removal) -> Mask:
    """HW bool, the objects that are removed, widened, but for those that are kept."""
    safe = objects.kept()
    removed = sighting.class_mask if safe is None else objects.mask_of(removed=True)
    radius = auto_dilate(*removed.shape) if removal.dilate is None else removal.dilate
    if sighting.around is None:
        wide = mask.dilate(removed, radius)
    elif safe is None:
        wide = sighting.around.copy()  # the caller changes it
    else:
        wide = sighting.around & mask.dilate(removed, 2 * radius)
    return wide if safe is None else wide & ~safe


def _holes(hole_mask: Mask, outside: Mask | None) -> tuple[list[Hole], Mask]:
    if outside is not None:
        hole_mask &= ~outside
    return mask.find_holes(hole_mask), hole_mask
