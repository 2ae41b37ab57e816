"""Whom a photo is of: what tells those from bystanders, fitted on marked photos.

A photographer puts the people whom a photo is of near the middle and before the rest, whole, sharp
against what is around them, often facing the camera, alone or in a group of like size, beside an
animal, indoors rather than in a crowd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ...models.categories import CATEGORIES
from ..detect import leftovers
from ..pixels import as_float, dilate_square, reduction, resize, scaled_size
from ..types import Box, Face, FloatArray, FoundObject, Mask, Pixels
from .objects import Objects

PERSON = "person"
ANIMALS = ("bird", "cat", "cow", "dog", "horse", "sheep")
FURNITURE = ("chair", "diningtable", "sofa")
#: What each of ``Traits`` adds to the logarithm of the odds that a person is a main one, and what
#: all have in common; ``benchmarks/quality/keep.py fit`` computes both.
SLOPES = {
    "area": 0.506,
    "relative": 0.859,
    "aside": -0.943,
    "group_aside": -1.318,
    "group_faces": 0.805,
    "sharpness": 1.094,
    "cut": -1.277,
    "beheaded": -0.836,
    "others": -0.496,
    "confidence": 2.840,
    "animal": 0.701,
    "people": -0.400,
    "furniture": 0.261,
}
BASE = 4.143
#: Longer side in pixels of the map on which people and what is around them are compared.
SIZE = 1024
#: People are a group if they are at most this share of the longer side apart, and at most so many
#: times as high as each other.
APART, ALIKE = 0.015, 2.0
#: How far around a person its surroundings reach: where its sharpness is compared, in pixels of
#: ``SIZE``, and where an animal is looked for, as a share of the longer side.
AROUND, BESIDE = 15, 0.06
#: Least probability that counts, of an animal beside somebody, and of a class in the whole photo.
FAINT_BESIDE, FAINT = 0.02, 0.01
#: Least share of a face that lies in its person.
FACE_INSIDE = 0.3
#: By how much a face is turned at most that looks at the camera. Of the faces in training photos
#: that YuNet sees, four in five are turned by 0.29 or less; from 0.75 on they are profiles.
TURNED = 0.4


class Traits(NamedTuple):
    """What tells a main person from a bystander.

    Attributes:
        area: logarithm of the person's share of the photo.
        relative: logarithm of its pixels over those of the largest person, at most 0.
        aside: distance of its middle from the photo's, as a share of half the width, in [0, 1].
        group_aside: the same of its group's; alone it is a group of one.
        group_faces: 1 if somebody of its group faces the camera, else 0.
        sharpness: logarithm of its sharpness over that of what is around it.
        cut: 1 if the photo's left, right or upper border cuts it, else 0.
        beheaded: 1 if the upper border does, else 0.
        others: logarithm of the number of people.
        confidence: mean probability that it is a person, in [0, 1].
        animal: logarithm of the mean probability of an animal on it and around it.
        people: logarithm of the mean probability of a person in the whole photo.
        furniture: the same of a chair, a table or a sofa.
    """

    area: float
    relative: float
    aside: float
    group_aside: float
    group_faces: float
    sharpness: float
    cut: float
    beheaded: float
    others: float
    confidence: float
    animal: float
    people: float
    furniture: float


def log_odds(traits: Traits) -> float:
    """Logarithm of the odds that a person is a main one."""
    return leftovers.log_odds(traits, SLOPES, BASE)


def traits_of(
    rgb: Pixels, objects: Objects, seen: FloatArray, faces: Sequence[Face]
) -> dict[int, Traits]:
    """The traits of each person by number.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        objects: all of them.
        seen: 21hw float32 in [0, 1], the class probabilities of the whole photo.
        faces: of the photo.
    """
    people = [one for one in objects.found if one.category == PERSON]
    if not people:
        return {}
    height, width = rgb.shape[:2]
    size = scaled_size(rgb.shape, reduction(rgb.shape, SIZE))
    labels = cv2.resize(objects.labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    sharp = _sharpness(rgb, labels, people)
    animals = _beside(labels, people, _summed(seen, ANIMALS))
    looking = facing(objects, faces)
    groups = _groups(labels, people)
    largest = max(one.share for one in people)
    in_photo = {
        "people": _logarithm(float(_summed(seen, (PERSON,)).mean()), FAINT),
        "furniture": _logarithm(float(_summed(seen, FURNITURE).mean()), FAINT),
    }
    found = {}
    for one in people:
        group = groups[one.number]
        first = min(each.box.x for each in group)
        last = max(each.box.right for each in group)
        beside, above = _cut(one.box, height, width)
        found[one.number] = Traits(
            area=float(np.log(one.share)),
            relative=float(np.log(one.share / largest)),
            aside=_aside(one.box.x, one.box.right, width),
            group_aside=_aside(first, last, width),
            group_faces=float(any(each.number in looking for each in group)),
            sharpness=sharp[one.number],
            cut=float(beside or above),
            beheaded=float(above),
            others=float(np.log(len(people))),
            confidence=one.confidence,
            animal=_logarithm(animals[one.number], FAINT_BESIDE),
            **in_photo,
        )
    return found


def facing(objects: Objects, faces: Sequence[Face]) -> set[int]:
    """The numbers of the people of whom a face is found that is turned by ``TURNED`` at most."""
    found = set()
    for face in (each for each in faces if each.turn <= TURNED):
        here = objects.labels[face.box.slices]
        count = np.bincount(here.ravel(), minlength=len(objects.found) + 1)
        count[0] = 0
        best = int(count.argmax())
        enough = count[best] >= FACE_INSIDE * face.box.area
        if enough and objects.found[best - 1].category == PERSON:
            found.add(best)
    return found


def _sharpness(
    rgb: Pixels, labels: NDArray[np.uint16], people: Sequence[FoundObject]
) -> dict[int, float]:
    """By number, the logarithm of how much finer edges a person has than what is around it."""
    grey = resize(as_float(rgb), labels.shape).mean(2).astype(np.float32)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    free = labels == 0
    everywhere = _strength(edges[free])
    found = {}
    for one in people:
        own, place = _near(labels, one, AROUND)
        ring = edges[place][dilate_square(own, AROUND) & free[place]]
        around = _strength(ring) if ring.size > 20 else everywhere
        found[one.number] = float(np.log(_strength(edges[place][own]) / around))
    return found


def _strength(edges: FloatArray) -> float:
    """Of the finest edges, above 0."""
    return float(np.percentile(edges, 90)) + 1e-3 if edges.size else 1e-3


def _beside(
    labels: NDArray[np.uint16], people: Sequence[FoundObject], probability: FloatArray
) -> dict[int, float]:
    """By number, the mean of a probability on a person and around it."""
    radius = round(BESIDE * max(labels.shape))
    large = resize(probability, labels.shape, cv2.INTER_LINEAR)
    found = {}
    for one in people:
        own, place = _near(labels, one, radius)
        inside = large[place][dilate_square(own, radius)]
        found[one.number] = float(inside.mean()) if inside.size else 0.0
    return found


def _groups(
    labels: NDArray[np.uint16], people: Sequence[FoundObject]
) -> dict[int, list[FoundObject]]:
    """By number, everybody who is joined to a person by people of like height side by side."""
    radius = max(2, round(APART * max(labels.shape)))
    by_number = {one.number: one for one in people}
    group = {one.number: {one.number} for one in people}
    for one in people:
        own, place = _near(labels, one, radius)
        touched = np.unique(labels[place][dilate_square(own, radius)])
        for number in (int(n) for n in touched if int(n) in by_number):
            tall = by_number[number].box.h / max(1, one.box.h)
            if group[number] is not group[one.number] and 1 / ALIKE < tall < ALIKE:
                joined = group[number] | group[one.number]
                group.update(dict.fromkeys(joined, joined))
    return {n: [by_number[m] for m in sorted(members)] for n, members in group.items()}


def _near(
    labels: NDArray[np.uint16], one: FoundObject, radius: int
) -> tuple[Mask, tuple[slice, slice]]:
    """A person's pixels within its box grown by a radius, and that place."""
    own: Mask = labels == one.number
    if not own.any():  # too small for the map
        return own[:1, :1], (slice(0, 1), slice(0, 1))
    place = Box.bounding(own).grown(radius, labels.shape).slices
    return own[place], place


def _summed(seen: FloatArray, names: Sequence[str]) -> FloatArray:
    """hw, the probability of some classes together."""
    found: FloatArray = seen[[CATEGORIES.index(name) for name in names]].sum(0)
    return found


def _logarithm(value: float, faint: float) -> float:
    return float(np.log(value + faint))


def _aside(first: int, last: int, width: int) -> float:
    return abs((first + last) / width - 1)


def _cut(box: Box, height: int, width: int) -> tuple[bool, bool]:
    """Whether the left or right border cuts a box, and whether the upper one does."""
    edge = max(1, round(0.004 * max(height, width)))
    return box.x <= edge or box.right >= width - edge, box.y <= edge
