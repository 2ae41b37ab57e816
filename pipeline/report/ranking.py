"""The order of photos: the list of the report's page, and what the terminal names first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from ..types import Status
from .entry_metrics import AnyEntry, number, reported_status

if TYPE_CHECKING:
    from .schema import Entry

#: What a person decided about.
DECIDED = "decided"
#: The groups of photos in the order of the page: statuses, and what a person decided about.
GROUPS = ("failed", "review", "ok", "unchanged", "skipped", DECIDED)

#: Number of photos that the terminal names.
LOOK_FIRST = 5

#: Whole entries, or some of their keys.
AnEntry = TypeVar("AnEntry", bound=AnyEntry)


def group(photo: AnyEntry) -> str:
    """The group that a photo is shown in, one of ``GROUPS``.

    A photo that an earlier run finished is in the group that it had then, so that a second run over
    the same folder hides no verdict.
    """
    if photo.get("reviewed") and photo["status"] != Status.FAILED.value:
        return DECIDED
    return (reported_status(photo) or Status.SKIPPED).value


def waits(photo: AnyEntry) -> bool:
    """Whether a photo is to check, and no person has looked at it since.

    A photo that an earlier run finished counts by the verdict of that run.
    """
    return reported_status(photo) is Status.REVIEW and not photo.get("reviewed")


def worst_first(photos: Sequence[Entry]) -> list[Entry]:
    """The list of the report's page.

    By group, then the highest score, then the largest residue, then the name.
    """

    def key(photo: Entry) -> tuple[int, tuple[bool, float], float, str]:
        return (
            GROUPS.index(group(photo)),
            by_score(photo),
            -(photo["residue"] or 0.0),
            photo["input"],
        )

    return sorted(photos, key=key)


def look_first(photos: Sequence[AnEntry]) -> list[AnEntry]:
    """The photos that a person should look at first, at most ``LOOK_FIRST``.

    Failed ones, then those to check, by score; photos without a score by the share of their
    holes; none that a person has reviewed. The status of a skipped photo is that of the run that
    finished it.
    """

    def has_failed(photo: AnEntry) -> bool:
        return reported_status(photo) is Status.FAILED and not photo.get("reviewed")

    candidates = [photo for photo in photos if has_failed(photo) or waits(photo)]

    def key(photo: AnEntry) -> tuple[bool, tuple[bool, float], float, str]:
        return waits(photo), by_score(photo), -photo["hole_share"], photo["input"]

    return sorted(candidates, key=key)[:LOOK_FIRST]


def by_score(entry: AnyEntry) -> tuple[bool, float]:
    """Sort key: the highest score first, photos without a score last."""
    score = number(entry.get("score"))
    return score is None, -(score or 0.0)
