"""What the page of picks shows of one photo besides its picture: its objects and their outlines.

It is a small file beside the photo's previews, so that the page of a large folder needs no memory
for photos, and workers on other machines make it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypedDict

import cv2
import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from ..types import FoundObject, Mask, Outcome

#: How far an outline may be from the object, in pixels of the picture.
PRECISION = 1.2
#: Half the side of the number's sign; a smaller object would lie under it.
BADGE = 15
#: So many parts of one object are outlined, the largest first.
PARTS = 12

_Coordinate = Annotated[int, Meta(ge=-(10**6), le=10**6)]
_Side = Annotated[int, Meta(ge=1, le=10**6)]

ChoiceObject = TypedDict(
    "ChoiceObject",
    {
        "number": Annotated[int, Meta(ge=1)],
        "class": str,
        "box": tuple[_Coordinate, _Coordinate, _Side, _Side],
        "removed": bool,
        "why": str,
        # Its corners x, y, x, y, … by part, in pixels of the picture.
        "outlines": list[list[_Coordinate]],
        # Where its number stands.
        "middle": tuple[_Coordinate, _Coordinate],
    },
)


class Choice(TypedDict):
    """One photo: its size and its picture's in pixels (width, height), and its objects.

    ``weights`` are the hashes of the networks that found them, by name.
    """

    size: tuple[_Side, _Side]
    picture: tuple[_Side, _Side]
    objects: list[ChoiceObject]
    weights: dict[str, str]


def choice_of(
    outcome: Outcome,
    photo: tuple[int, int],
    picture: tuple[int, int],
    weights: Mapping[str, str],
) -> Choice:
    """Make what the page shows of a photo.

    Args:
        outcome: of a dry run.
        photo: the photo's (height, width).
        picture: (height, width) of the picture that the page shows.
        weights: the hashes of the networks, by name.
    """
    objects: list[ChoiceObject] = []
    if outcome.labels is not None and outcome.objects:
        labels = cv2.resize(outcome.labels, picture[::-1], interpolation=cv2.INTER_NEAREST)
        objects = [_shown(one, labels, picture[1] / photo[1]) for one in outcome.objects]
    return {
        "size": photo[::-1],
        "picture": picture[::-1],
        "objects": objects,
        "weights": dict(weights),
    }


def encode(choice: Choice) -> bytes:
    """Return the content of the file."""
    return msgspec.json.encode(choice)


def read(file: Path) -> Choice | None:
    """Read the file of a photo; None if it is missing or damaged."""
    try:
        choice = msgspec.json.decode(file.read_bytes(), type=Choice)
    except (OSError, msgspec.DecodeError, ValueError):
        return None
    odd = any(len(outline) % 2 for one in choice["objects"] for outline in one["outlines"])
    return None if odd else choice


def _shown(one: FoundObject, labels: NDArray[np.uint16], scale: float) -> ChoiceObject:
    """An object with its outlines.

    Args:
        one: the object.
        labels: hw, the number of each pixel's object in the picture.
        scale: pixels of the picture over those of the photo.
    """
    height, width = labels.shape
    left, top = max(0, int(one.box.x * scale) - 1), max(0, int(one.box.y * scale) - 1)
    right = min(width, int(one.box.right * scale) + 2)
    bottom = min(height, int(one.box.bottom * scale) + 2)
    inside = labels[top:bottom, left:right] == one.number
    outlines = [outline + np.array((left, top)) for outline in _outlines(inside)]
    if not outlines:  # too small for the picture
        corners = (left, top), (right, top), (right, bottom), (left, bottom)
        outlines = [np.array(corners)]
    x, y = _place_of_number(inside)
    return {
        "number": one.number,
        "class": one.category,
        "box": (one.box.x, one.box.y, one.box.w, one.box.h),
        "removed": one.removed,
        "why": one.why,
        "outlines": [[int(v) for v in outline.ravel()] for outline in outlines],
        "middle": (x + left, max(BADGE, y + top)),
    }


def _outlines(inside: Mask) -> Sequence[NDArray[np.int32]]:
    """The simplified outer outlines of a mask's parts, each n x 2 (x, y), the largest first."""
    # Pixels are areas: at twice the size, an outline goes around them and not through them.
    twice = np.kron(inside.astype(np.uint8), np.ones((2, 2), np.uint8))
    found, _ = cv2.findContours(twice, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    parts = sorted(found, key=cv2.contourArea, reverse=True)[:PARTS]
    simple = (cv2.approxPolyDP(part, 2 * PRECISION, closed=True) for part in parts)
    halved = [np.rint(part[:, 0] / 2).astype(np.int32) for part in simple]
    return [part for part in halved if len(part) > 2]


def _place_of_number(inside: Mask) -> tuple[int, int]:
    """The (x, y) of a mask's pixel that is farthest from its rim; above a small object."""
    depth = cv2.distanceTransform(np.pad(inside, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    if depth[y, x] >= BADGE:
        return int(x), int(y)
    return inside.shape[1] // 2, -BADGE
