"""Who goes and who stays of the objects of a photo.

The people whom a photo is of differ from those who happen to be in it by what a photographer does:
they are large, near the middle, sharp, and look at the camera. In doubt a person stays: to remove
one's child is worse than to leave a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from ..config import parse_keep
from ..pixels import as_float, reduction, resize, scaled_size
from ..types import Box, Face, FoundObject, Pixels
from .objects import Objects
from .picked import decide_picked
from .request import Removal

if TYPE_CHECKING:
    from ..networks import Networks

PERSON = "person"
#: What each of ``Traits`` adds to the logarithm of the odds that a person is a main one, and what
#: all have in common; ``benchmarks/quality/keep.py fit`` computes both.
SLOPES = {
    "size": 0.790,
    "relative": 1.003,
    "aside": -2.068,
    "face": 1.373,
    "sharpness": 0.710,
    "cut": -0.771,
    "others": -0.438,
}
BASE = 2.665
#: Logarithm of the odds from which a person stays, and from which surely.
DOUBT, SURE = -1.0, 0.5
#: An object is a part of somebody who stays if its confidence is below the first number, its pixels
#: are at most the second share of that one's, and it is at most the third share of that one's
#: longer side away.
UNSURE, FRAGMENT, BESIDE = 0.5, 0.05, 0.15
#: Longer side in pixels at which sharpness is measured.
SHARP_SIZE = 1024


@dataclass(frozen=True)
class Traits:
    """What tells a main person from a bystander.

    Attributes:
        size: logarithm of the height as a share of the photo's.
        relative: logarithm of its pixels over those of the largest person.
        aside: distance of its middle from the photo's, as a share of half the width, in [0, 1].
        face: 1 if its face looks at the camera, else 0.
        sharpness: logarithm of its sharpness over that of the sharpest person, at most 0.
        cut: 1 if the photo's left, right or upper border cuts it, else 0.
        others: logarithm of the number of people.
    """

    size: float
    relative: float
    aside: float
    face: float
    sharpness: float
    cut: float
    others: float


def decided(rgb: Pixels, objects: Objects, removal: Removal, networks: Networks) -> Objects:
    """Decide who goes and who stays.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        objects: all of them.
        removal: names the rule and the sizes, and has what a person decided, which comes first.
        networks: has the face detector, if the rule needs it.
    """
    picked, unfit = decide_picked(removal.picks or (), objects.found)
    sized = [picked.get(one.number) or _by_size(one, removal) for one in objects.found]
    stay: dict[int, FoundObject] = {}
    note = ""
    if any(one.removed and one.number not in picked for one in sized):
        stay = _chosen(rgb, objects, removal, networks)
        if removal.keep == "main" and not stay:
            note = "no main subject was found: nobody is kept"
        stay |= _parts_of(stay, objects.found)
    stay = {number: one for number, one in stay.items() if number not in picked}
    found = [stay.get(one.number, one) if one.removed else one for one in sized]
    if found and not any(one.removed for one in found):
        rules = ["--picks"] * bool(picked) + [_rules(removal)] * (len(picked) < len(found))
        note = f"everything that was found stays ({', '.join(rules)})"
    return replace(objects, found=tuple(found), note=note, unfit=unfit)


def _parts_of(
    stay: Mapping[int, FoundObject], found: Sequence[FoundObject]
) -> dict[int, FoundObject]:
    """What is rather a part of somebody who stays than an object of its own, by number.

    A mask may show a hand or a reflection in a helmet apart from its person: small, unsure, near.
    """
    parts = {}
    for one in found:
        if one.number in stay or one.confidence >= UNSURE:
            continue
        for whole in stay.values():
            near = round(BESIDE * max(whole.box.w, whole.box.h))
            gap_x = max(whole.box.x - one.box.right, one.box.x - whole.box.right)
            gap_y = max(whole.box.y - one.box.bottom, one.box.y - whole.box.bottom)
            is_small = one.share < FRAGMENT * whole.share and one.category == whole.category
            if is_small and max(gap_x, gap_y) <= near:
                why = f"seems to be a part of {whole.category} {whole.number}"
                parts[one.number] = replace(one, removed=False, why=why)
                break
    return parts


def _by_size(one: FoundObject, removal: Removal) -> FoundObject:
    """An object, kept if it is too small or too large to go."""
    if one.share < removal.min_size:
        why = f"takes less than {removal.min_size:.3g} of the photo (--min-size)"
        return replace(one, removed=False, why=why)
    if one.share > removal.max_size:
        why = f"takes more than {removal.max_size:.3g} of the photo (--max-size)"
        return replace(one, removed=False, why=why)
    return replace(one, removed=True, why="requested")


def _chosen(
    rgb: Pixels, objects: Objects, removal: Removal, networks: Networks
) -> dict[int, FoundObject]:
    """Those who stay by the rule, by number."""
    rule, count = parse_keep(removal.keep)
    if rule == "largest":
        why = "the largest" if count == 1 else f"one of the {count} largest"
        stay = {one.number: (why, False) for one in objects.found[:count]}
    elif rule == "faces":
        looking = facing(objects, networks.faces.detect(rgb))
        stay = dict.fromkeys(looking, ("looks at the camera", False))
    elif rule == "main":
        traits = traits_of(rgb, objects, networks.faces.detect(rgb))
        odds = {number: log_odds(each) for number, each in traits.items()}
        stay = {
            number: ("main subject", False) if value >= SURE else ("may be a main subject", True)
            for number, value in odds.items()
            if value >= DOUBT
        }
    else:
        stay = {}
    return {
        number: replace(objects.found[number - 1], removed=False, why=why, doubtful=doubtful)
        for number, (why, doubtful) in stay.items()
    }


def _rules(removal: Removal) -> str:
    """The options that keep somebody."""
    options = [f"--keep {removal.keep}"] * (removal.keep != "none")
    options += [f"--min-size {removal.min_size:.3g}"] * (removal.min_size > 0)
    options += [f"--max-size {removal.max_size:.3g}"] * (removal.max_size < 1)
    return ", ".join(options)


def log_odds(traits: Traits) -> float:
    """Logarithm of the odds that a person is a main one."""
    return BASE + sum(slope * getattr(traits, name) for name, slope in SLOPES.items())


def traits_of(rgb: Pixels, objects: Objects, faces: Sequence[Face]) -> dict[int, Traits]:
    """The traits of each person by number.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        objects: all of them.
        faces: of the photo.
    """
    people = [one for one in objects.found if one.category == PERSON]
    if not people:
        return {}
    height, width = rgb.shape[:2]
    looking = facing(objects, faces)
    sharp = _sharpness(rgb, objects, people)
    sharpest, largest = max(sharp.values()), max(one.share for one in people)
    return {
        one.number: Traits(
            size=float(np.log(one.box.h / height)),
            relative=float(np.log(one.share / largest)),
            aside=abs(2 * (one.box.x + one.box.w / 2) / width - 1),
            face=float(one.number in looking),
            sharpness=float(np.log(sharp[one.number] / sharpest)),
            cut=float(_is_cut(one.box, height, width)),
            others=float(np.log(len(people))),
        )
        for one in people
    }


def facing(objects: Objects, faces: Sequence[Face]) -> set[int]:
    """The numbers of the people whose faces a detector of frontal faces found."""
    found = set()
    for face in faces:
        here = objects.labels[face.box.slices]
        count = np.bincount(here.ravel(), minlength=len(objects.found) + 1)
        count[0] = 0
        best = int(count.argmax())
        if count[best] >= 0.3 * face.box.area and objects.found[best - 1].category == PERSON:
            found.add(best)
    return found


def _sharpness(rgb: Pixels, objects: Objects, people: Sequence[FoundObject]) -> dict[int, float]:
    """The strength of the finest edges in each person, by number; above 0."""
    size = scaled_size(rgb.shape, reduction(rgb.shape, SHARP_SIZE))
    grey = resize(as_float(rgb), size).mean(2).astype(np.float32)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    labels = cv2.resize(objects.labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    found = {}
    for one in people:
        inside = edges[labels == one.number]
        found[one.number] = float(np.percentile(inside, 90)) + 1e-3 if inside.size else 1e-3
    return found


def _is_cut(box: Box, height: int, width: int) -> bool:
    edge = max(1, round(0.004 * max(height, width)))
    return box.x <= edge or box.right >= width - edge or box.y <= edge
