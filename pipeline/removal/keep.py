"""Who goes and who stays of the objects of a photo.

In doubt a person stays: to remove one's child is worse than to leave a stranger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..config import parse_keep
from ..types import FloatArray, FoundObject, Pixels
from .main_people import facing, log_odds, traits_of
from .objects import Objects
from .picked import decide_picked
from .request import Removal

if TYPE_CHECKING:
    from ..networks import Networks

#: Logarithm of the odds from which a person stays, and from which surely. With the first one most
#: training photos that were left out of the fit are right (``benchmarks/quality/keep.py fit``).
DOUBT, SURE = 0.0, 0.75
#: An object is a part of somebody who stays if its confidence is below the threshold of the mask,
#: its pixels are at most the first share of that one's, and it is at most the second share of that
#: one's longer side away.
FRAGMENT, BESIDE = 0.05, 0.15


def main_odds(
    rgb: Pixels, objects: Objects, seen: FloatArray, networks: Networks
) -> dict[int, float]:
    """The logarithm of the odds that a person is a main one, by number.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        objects: all of them.
        seen: 21hw float32 in [0, 1], the class probabilities of the whole photo.
        networks: has the face detector.
    """
    traits = traits_of(rgb, objects, seen, networks.faces.detect(rgb))
    return {number: log_odds(each) for number, each in traits.items()}


def decided(
    rgb: Pixels,
    objects: Objects,
    odds: Callable[[], Mapping[int, float]],
    removal: Removal,
    networks: Networks,
) -> Objects:
    """Decide who goes and who stays.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        objects: all of them.
        odds: ``main_odds`` of them, if the rule needs it.
        removal: names the rule and the sizes, and has what a person decided, which comes first.
        networks: has the face detector, if the rule needs it.
    """
    if removal.all_stay:
        found = [replace(one, removed=False, why=removal.all_stay) for one in objects.found]
        note = f"everything that was found stays ({removal.all_stay})"
        return replace(objects, found=tuple(found), note=note)
    picked, unfit = decide_picked(removal.picks or (), objects.found)
    sized = [picked.get(one.number) or _by_size(one, removal) for one in objects.found]
    stay: dict[int, FoundObject] = {}
    note = ""
    if any(one.removed and one.number not in picked for one in sized):
        stay = _chosen(rgb, objects, odds, removal, networks)
        if removal.keep == "main" and not stay:
            nobody = "" if any(not one.removed for one in sized) else ": nobody is kept"
            note = f"no main subject was found{nobody}"
        stay |= _parts_of(stay, objects.found, removal.threshold)
    stay = {number: one for number, one in stay.items() if number not in picked}
    found = [stay.get(one.number, one) if one.removed else one for one in sized]
    if found and not any(one.removed for one in found):
        rules = ["--picks"] * bool(picked) + [_rules(removal)] * (len(picked) < len(found))
        note = f"everything that was found stays ({', '.join(rules)})"
    return replace(objects, found=tuple(found), note=note, unfit=unfit)


def _parts_of(
    stay: Mapping[int, FoundObject], found: Sequence[FoundObject], threshold: float
) -> dict[int, FoundObject]:
    """What is rather a part of somebody who stays than an object of its own, by number.

    A mask may show a hand or a reflection in a helmet apart from its person: small, unsure, near.
    """
    parts = {}
    for one in found:
        if one.number in stay or one.confidence >= threshold:
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
    share = one.share * removal.shown
    if share < removal.min_size:
        why = f"takes less than {removal.min_size:.3g} of the photo (--min-size)"
        return replace(one, removed=False, why=why)
    if share > removal.max_size:
        why = f"takes more than {removal.max_size:.3g} of the photo (--max-size)"
        return replace(one, removed=False, why=why)
    return replace(one, removed=True, why="requested")


def _chosen(
    rgb: Pixels,
    objects: Objects,
    odds: Callable[[], Mapping[int, float]],
    removal: Removal,
    networks: Networks,
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
        stay = {
            number: ("main subject", False) if value >= SURE else ("may be a main subject", True)
            for number, value in odds().items()
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
