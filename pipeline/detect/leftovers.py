"""What is still there of a removed object: beside its hole, in it, or elsewhere in the photo.

The compact segmenter looks once more at a crop around each hole, where it sees the object larger
than in the whole photo: at the photo as it was, and at the result. Whichever segmenter or person
drew the mask, what is found depends only on the photo, the holes, the result and the classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..config import SPECK_SHARE
from ..pixels import depth_inside, resize
from ..types import Box, FloatArray, Hole, Mask, Pixels
from .edge import beside
from .mask import removed_probability
from .segmenters import COMPACT_SIZE, Segmenter

#: Side of a view: this multiple of the hole's longer side, at least this share of the photo's
#: longer side and this many pixels. So many holes have a view, the largest ones.
CONTEXT, LEAST_VIEW, LEAST_PIXELS, MOST_VIEWS = 1.6, 0.15, 96, 4
#: Classes that the segmenter mixes up where it sees a part of an object: the leg of a horse may be
#: a cow's. A pixel of such a class counts as the object's if that class has at least this share of
#: the hole that the object's own has.
SIMILAR = (
    frozenset({"bird", "cat", "cow", "dog", "horse", "sheep"}),
    frozenset({"bus", "car", "train"}),
    frozenset({"bicycle", "motorbike"}),
    frozenset({"chair", "diningtable", "sofa"}),
)
AS_MUCH = 0.3
#: Under a given mask, a class is the removed one if it covers this share of the hole, and this
#: share of what the class that covers most does. A likelier guess where it is not sure of any would
#: mark the person behind a bag that was removed.
UNDER, BESIDE_FIRST = 0.35, 0.5
#: Probability on the whole photo from which a pixel is of a thing of another class, which stays.
STAYS = 0.5
#: A class covers more than this multiple of the hole's area beside it: it is not the object but
#: what stands around it, as a bus does around its driver.
AROUND = 1.5
#: Probabilities from which connected pixels of a view may be a place where something is left: at
#: the first one faint parts count too, at the second one they are told from what they touch.
LEVELS = (0.25, 0.5)
#: Probability from which a pixel of a hole looks like the object again in the result, and the share
#: of the hole that must.
SEEN_AGAIN, IN_HOLE = 0.5, 0.1
#: A place is thicker than twice the first number of pixels of the view: the segmenter's own border
#: is off by about one cell, which is 4 of them. It lies beside a hole if at most as many of them as
#: the second number are between the two.
THIN, NEAR = 1, 8.0
#: Least number of pixels of the photo of a place, and least share of its hole.
LEAST_PLACE, LEAST_SHARE = 100, 0.005
#: A view that shows this share of the photo or more is one of the whole photo.
NEARLY_ALL = 0.6
#: What each of ``Traits`` adds to the logarithm of the odds that a place is a part of the object,
#: and what all places have in common; 0 is the limit. ``benchmarks/quality/leftovers.py fit``
#: computes both.
SLOPES = {
    "mean": 6.775,
    "whole": 2.005,
    "share": 0.350,
    "removed": -3.625,
}
BASE = -2.787


class View(NamedTuple):
    """A part of a picture, as the segmenter sees it.

    Attributes:
        crop: the part.
        seen: 21hw float32 in [0, 1], at the segmenter's own size.
    """

    crop: Box
    seen: FloatArray


class Evidence(Protocol):
    """What was measured at a place."""

    def sureness(self) -> float:
        """Logarithm of the odds that it is a part of the object, or another one; sure from 0 on."""


class Traits(NamedTuple):
    """What tells a part of the object from something that only looks like one.

    Attributes:
        mean: mean probability of the object in a view of it.
        whole: the same in the view of the whole picture.
        share: logarithm of its pixels over those and its hole's.
        removed: mean probability of the object under the holes of the view, in the photo. It says
            how well the segmenter sees this object.
    """

    mean: float
    whole: float
    share: float
    removed: float

    def sureness(self) -> float:
        """Logarithm of the odds that it is a part of the object, or another one; sure from 0 on."""
        return log_odds(self, SLOPES, BASE)


@dataclass(frozen=True, eq=False)
class Left:
    """A place where something is left.

    Attributes:
        box: its bounding box in pixels of the photo.
        mask: bool of the box's size.
        why: what is there, in words.
        share: its pixels over those and its hole's.
        beside: whether it lies beside a hole; if not, it is an object of its own, or in a hole.
        fillable: whether it lies outside the holes, so that they can be widened by it.
        traits: what was measured there; None if neither the segmenter nor its region says that it
            is of the object.
    """

    box: Box
    mask: Mask
    why: str
    share: float
    beside: bool = True
    fillable: bool = True
    traits: Evidence | None = None

    @property
    def sureness(self) -> float:
        """As in ``Evidence``; 0 without it."""
        return 0.0 if self.traits is None else self.traits.sureness()


def log_odds(traits: NamedTuple, slopes: Mapping[str, float], base: float) -> float:
    """``base`` and the weighted traits, added up."""
    return base + sum(slope * float(getattr(traits, name)) for name, slope in slopes.items())


def crops_around(holes: Sequence[Hole], height: int, width: int) -> list[Box]:
    """The crops to look at: one around each of the largest holes, largest first."""
    crops = (crop_around(hole.box, height, width) for hole in holes[:MOST_VIEWS])
    return list(dict.fromkeys(crops))


def crop_around(box: Box, height: int, width: int) -> Box:
    """The crop in which a box of a photo is looked at; the whole photo if it shows nearly all."""
    whole, longest = Box.full((height, width)), max(height, width)
    side = max(CONTEXT * max(box.w, box.h), LEAST_VIEW * longest, LEAST_PIXELS)
    x, y = box.x + box.w / 2, box.y + box.h / 2
    crop = Box.from_corners(
        *(round(v) for v in (x - side / 2, y - side / 2, x + side / 2, y + side / 2))
    ).intersection(whole)
    return whole if crop.area >= NEARLY_ALL * whole.area else crop


def view(segmenter: Segmenter, rgb: Pixels, crop: Box) -> View:
    """Look at a crop of a picture, HWC uint8 or uint16."""
    return View(crop, segmenter.probabilities(rgb[crop.slices].copy(), COMPACT_SIZE))


@dataclass(frozen=True, eq=False)
class Gone:
    """What was removed from a photo.

    Attributes:
        classes: the removed classes.
        hole_mask: HW bool, all holes.
        stays: HW bool, from ``that_stays``.
        threshold: the user's least probability of a removed pixel.
    """

    classes: tuple[str, ...]
    hole_mask: Mask
    stays: Mask
    threshold: float


def classes_under(views: Sequence[View], hole_mask: Mask) -> tuple[str, ...]:
    """The classes of what a mask covers, as the segmenter sees the photo; empty if it sees none.

    Args:
        views: of the photo.
        hole_mask: HW bool, all holes.
    """
    covered = np.zeros(len(CATEGORIES))
    for each in views:
        inside = hole_in(each, hole_mask)
        best = np.where(each.seen.max(0) >= 0.5, each.seen.argmax(0), 0)
        under, beside = (np.bincount(best[p], minlength=len(CATEGORIES)) for p in (inside, ~inside))
        pixels = max(1, int(inside.sum()))
        covered = np.maximum(covered, np.where(beside > AROUND * pixels, 0, under / pixels))
    covered[0] = 0
    least = max(UNDER, BESIDE_FIRST * float(covered.max()))
    return tuple(name for name, share in zip(CATEGORIES, covered, strict=True) if share >= least)


def that_stays(whole: View, classes: Sequence[str]) -> Mask:
    """Things of other classes on the photo: they stay. HW bool at the photo's size.

    A crop may take the legs of a person for a dog's; the whole photo shows whose they are.

    Args:
        whole: a view of the whole photo as it was.
        classes: what was removed.
    """
    own = {*classes, *similar(classes)}
    others = [name for name in CATEGORIES[1:] if name not in own]
    size = whole.crop.h, whole.crop.w
    if not others:
        return np.zeros(size, bool)
    return resize(removed_probability(whole.seen, others), size, cv2.INTER_LINEAR) >= STAYS


def goes_on(photo: View, whole: View, gone: Gone) -> list[Left]:
    """Where the object goes on beside its hole, or another one stands near it.

    Args:
        photo: a view of the photo.
        whole: a view of the whole photo.
        gone: what was removed.
    """
    return list(_places(photo, photo, whole, gone))


def seen_again(result: View, photo: View, whole: View, gone: Gone) -> list[Left]:
    """Where the removed classes are seen in the result: beside a hole, far from it, or in it.

    Args:
        result: a view of the result.
        photo: the same view of the photo.
        whole: a view of the whole result.
        gone: what was removed.
    """
    found = list(_places(result, photo, whole, gone))
    inside = hole_in(result, gone.hole_mask)
    probability = removed_probability(result.seen, gone.classes)
    again = _opened((probability >= max(SEEN_AGAIN, gone.threshold)) & inside, 2 * THIN)
    if again.sum() >= IN_HOLE * inside.sum() and again.any():
        why = f"the fill looks like {_article(gone.classes)}"
        place = as_place(result, again, gone.hole_mask, why)
        if place is not None:
            found.append(replace(place, beside=False, fillable=False))
    return found


def elsewhere(result: View, photo: View, gone: Gone) -> list[Left]:
    """Objects of the removed classes that a view of the whole result shows apart from the holes.

    Args:
        result: a view of the whole result.
        photo: a view of the whole photo.
        gone: what was removed.
    """
    least = SPECK_SHARE * gone.hole_mask.size
    found = _places(result, photo, result, gone)
    return [left for left in found if not left.beside and left.mask.sum() >= least]


def colours_left(
    rgb: Pixels, hole_mask: Mask, hole: Hole, void: Mask | None, gone: Mask | None = None
) -> tuple[float, Left | None]:
    """How much of the pixels beside a hole has the object's colours, and where most of it is.

    Args:
        rgb: the photo as it was, HWC uint8 or uint16.
        hole_mask: HW bool, all holes.
        hole: the hole.
        void: HW bool, pixels that are no picture; None if there are none.
        gone: as in ``edge.beside``.

    Returns:
        (share as ``edge.beside`` gives it, the largest connected part of it).
    """
    share, around, alike = beside(rgb, hole_mask, hole.box, void, gone)
    if not alike.any():
        return share, None
    _, labels, stats, _ = cv2.connectedComponentsWithStats(alike.astype(np.uint8), connectivity=8)
    largest = labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    box = Box.bounding(largest)
    pixels = int(largest.sum())
    return share, Left(
        box.shifted(around.y, around.x),
        largest[box.slices],
        "the object's colours go on beside the hole",
        pixels / (pixels + int(hole.mask.sum())),
    )


def distinct(found: Sequence[Left], shape: tuple[int, int]) -> list[Left]:
    """The places without those of which a surer one shows half or more, the largest first."""
    taken = np.zeros(shape, bool)
    kept = []
    for left in sorted(found, key=lambda one: -one.sureness):
        here = taken[left.box.slices]
        if (here & left.mask).sum() < 0.5 * left.mask.sum():
            kept.append(left)
        here |= left.mask
    return sorted(kept, key=lambda one: -one.share)


def taken_for(photo: View, gone: Gone, inside: Mask) -> list[str]:
    """The removed classes, and those that the object under the holes of a view is taken for."""
    if not inside.any():
        return list(gone.classes)
    own = float(removed_probability(photo.seen, gone.classes)[inside].mean())
    others = (
        name
        for name in sorted(similar(gone.classes))
        if float(photo.seen[CATEGORIES.index(name)][inside].mean()) >= AS_MUCH * own
    )
    return [*gone.classes, *others]


def unless(each: View, stays: Mask, probability: FloatArray) -> FloatArray:
    """A probability of a view, and 0 where another thing stays."""
    there = resize(stays[each.crop.slices].astype(np.uint8), probability.shape, cv2.INTER_NEAREST)
    return np.where(there > 0, np.float32(0), probability)


def similar(classes: Sequence[str]) -> set[str]:
    """The classes that the segmenter mixes up with some, without these."""
    return {n for group in SIMILAR if group & set(classes) for n in group} - set(classes)


def _places(each: View, photo: View, whole: View, gone: Gone) -> Iterator[Left]:
    """Places outside the holes where a view shows the object, or another one.

    Args:
        each: a view of the photo or of the result.
        photo: the same view of the photo.
        whole: a view of the whole picture that ``each`` is of.
        gone: what was removed.
    """
    inside = hole_in(each, gone.hole_mask)
    names = taken_for(photo, gone, inside)
    stays = gone.stays if each is photo else gone.stays & ~gone.hole_mask
    probability = unless(each, stays, removed_probability(each.seen, names))
    of_whole = _part(whole, each.crop, removed_probability(whole.seen, names), inside.shape)
    distance = depth_inside(~inside) if inside.any() else np.full(inside.shape, np.inf)
    under = removed_probability(photo.seen, names)[inside]
    removed = float(under.mean()) if len(under) else 0.0
    for here in _connected(probability, ~inside, gone.threshold):
        beside = float(distance[here].min()) <= NEAR
        place = as_place(each, here, gone.hole_mask, words(gone.classes, beside=beside))
        if place is None:
            continue
        traits = Traits(
            mean=float(probability[here].mean()),
            whole=float(of_whole[here].mean()),
            share=float(np.log(place.share)),
            removed=removed,
        )
        if traits.sureness() >= 0:
            yield replace(place, beside=beside, traits=traits)


def _connected(probability: FloatArray, outside: Mask, threshold: float) -> Iterator[Mask]:
    """Connected parts outside the holes that reach one of ``LEVELS``; higher for a strict user."""
    for level in LEVELS:
        least = min(level + max(0.0, threshold - 0.5), 0.95)
        pixels = _opened((probability >= least) & outside, THIN)
        count, labels = cv2.connectedComponents(pixels.astype(np.uint8), connectivity=8)
        for number in range(1, count):
            yield labels == number


def _part(whole: View, crop: Box, probability: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """A probability of the whole picture's view over a crop, at the size of the crop's view."""
    if crop == whole.crop:
        return resize(probability, (shape[0], shape[1]), cv2.INTER_LINEAR)
    inner = crop.relative_to(whole.crop)
    across, down = probability.shape[1] / whole.crop.w, probability.shape[0] / whole.crop.h
    x0, y0 = int(inner.x * across), int(inner.y * down)
    x1, y1 = max(x0 + 1, round(inner.right * across)), max(y0 + 1, round(inner.bottom * down))
    part = np.ascontiguousarray(probability[y0:y1, x0:x1])
    return resize(part, (shape[0], shape[1]), cv2.INTER_LINEAR)


def words(classes: Sequence[str], *, beside: bool) -> str:
    """What is left, for the report."""
    name = " or ".join(classes)
    if beside:
        return f"something of the {name} seems to be left"
    return f"another {name} seems to be there"


def as_place(each: View, here: Mask, hole_mask: Mask, why: str) -> Left | None:
    """A place of a view in pixels of the photo; None if it is too small there."""
    crop, holes = each.crop, hole_mask[each.crop.slices]
    around = _scaled(Box.bounding(here).grown(1, here.shape), here.shape, crop)
    there = _enlarged(here, around, crop) >= 0.5
    beside = holes[around.slices]
    in_hole = np.count_nonzero(there & beside) > 0.5 * np.count_nonzero(there)
    there &= beside if in_hole else ~beside
    pixels = np.count_nonzero(there)
    removed = np.count_nonzero(holes) or np.count_nonzero(hole_mask)
    if pixels < LEAST_PLACE or pixels < LEAST_SHARE * removed:
        return None
    box = Box.bounding(there)
    share = pixels / (pixels + removed)
    place = box.shifted(around.y + crop.y, around.x + crop.x)
    return Left(place, there[box.slices], why, share)


def _scaled(box: Box, shape: tuple[int, ...], crop: Box) -> Box:
    """The pixels of a crop that a box of its view, of that shape, covers."""
    across, down = crop.w / shape[1], crop.h / shape[0]
    return Box.from_corners(
        int(box.x * across), int(box.y * down), ceil(box.right * across), ceil(box.bottom * down)
    ).intersection(Box.full((crop.h, crop.w)))


def _enlarged(here: Mask, box: Box, crop: Box) -> FloatArray:
    """A mask at a view's size, interpolated over a box of its crop's pixels."""
    across, down = here.shape[1] / crop.w, here.shape[0] / crop.h
    to_view = np.array(
        [
            [across, 0, (box.x + 0.5) * across - 0.5],
            [0, down, (box.y + 0.5) * down - 0.5],
        ],
        np.float32,
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        here.astype(np.float32),
        to_view,
        (box.w, box.h),
        flags=flags,
        borderMode=cv2.BORDER_REPLICATE,
    )


def hole_in(each: View, hole_mask: Mask) -> Mask:
    """The holes at the size of a view."""
    crop = hole_mask[each.crop.slices].astype(np.float32)
    return resize(crop, each.seen.shape[1:], cv2.INTER_AREA) > 0.25


def _opened(pixels: Mask, radius: int) -> Mask:
    """The parts of a mask that are thicker than twice a number of pixels."""
    size = 2 * radius + 1
    disc: NDArray[np.uint8] = np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8
    )
    return cv2.morphologyEx(pixels.astype(np.uint8), cv2.MORPH_OPEN, disc).astype(bool)


def _article(classes: Sequence[str]) -> str:
    names = " or ".join(classes)
    return f"{'an' if names[0] in 'aeiou' else 'a'} {names}"
