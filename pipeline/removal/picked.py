"""What a person decided about a photo's objects, brought together with the objects that are found.

Another run may number and bound them a little differently: weights change, and so do photos.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..types import Box, FoundObject, Pick

#: The object of a pick's number is meant if their boxes overlap so much (intersection over union).
SURE_FIT = 0.5
#: Another object of the class is meant only from this overlap on: less would be a neighbour.
LEAST_FIT = 0.3
GO, STAY = "picked to go", "picked to stay"
#: How the warnings begin of photos that picks fit in part, or not at all.
UNFIT, UNUSED = "picked objects were not found: ", "its objects were picked in a picture of "


def decide_picked(
    picks: Sequence[Pick], found: Sequence[FoundObject]
) -> tuple[dict[int, FoundObject], tuple[Pick, ...]]:
    """Let a person's decisions decide.

    Args:
        picks: the decisions; each is about another object.
        found: the photo's objects.

    Returns:
        (the decided objects by their numbers in ``found``; the decisions that fit no object).
    """
    matched = _by_number(picks, found)
    _add_nearest(matched, picks, found)
    decided = {}
    for place, one in matched.items():
        removed = picks[place].removed
        why = GO if removed else STAY
        decided[one.number] = replace(one, removed=removed, why=why, doubtful=False)
    return decided, tuple(pick for place, pick in enumerate(picks) if place not in matched)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    shared = one.intersection(other).area
    return shared / max(1, one.area + other.area - shared)


def _by_number(picks: Sequence[Pick], found: Sequence[FoundObject]) -> dict[int, FoundObject]:
    """The objects of the picks' own numbers, by the pick's place."""
    by_number = {(one.number, one.category): one for one in found}
    matched = {}
    for place, pick in enumerate(picks):
        one = by_number.get((pick.number, pick.category))
        if one is not None and overlap(pick.box, one.box) >= SURE_FIT:
            matched[place] = one
    return matched


def _add_nearest(
    matched: dict[int, FoundObject], picks: Sequence[Pick], found: Sequence[FoundObject]
) -> None:
    """Add objects of other numbers to the picks that have none, the best overlap first."""
    taken = {one.number for one in matched.values()}
    pairs = [
        (overlap(pick.box, one.box), place, one)
        for place, pick in enumerate(picks)
        for one in found
        if place not in matched and one.number not in taken and one.category == pick.category
    ]
    for fit, place, one in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2].number)):
        if fit >= LEAST_FIT and place not in matched and one.number not in taken:
            matched[place] = one
            taken.add(one.number)
