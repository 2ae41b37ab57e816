"""The types of ``report.json``, version 1, for type checkers and for the validation of rows.

``schema.json`` says the same to other programs, with descriptions and ranges;
``tests/pipeline/report/test_schema.py`` compares the two.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired, TypedDict, TypeGuard

import msgspec
from msgspec import Meta

from ..types import Route, Status

#: Finite numbers, wide enough for every metric: NaN and infinity are not JSON.
Number = Annotated[float, Meta(ge=-1e18, le=1e18)]
Pixels = Annotated[int, Meta(ge=-(10**18), le=10**18)]
StatusName = Annotated[str, Meta(pattern=f"^({'|'.join(Status)})\\Z")]
EarlierStatusName = Annotated[
    str, Meta(pattern=f"^({Status.OK}|{Status.REVIEW}|{Status.UNCHANGED})\\Z")
]
RouteName = Annotated[str, Meta(pattern=f"^({'|'.join(Route)})\\Z")]


class ProbeEntry(TypedDict):
    """An error against known pixels."""

    l1: Number | None
    psnr: Number | None
    ssim: Number | None
    lpips: Number | None


class FidelityEntry(TypedDict):
    """What changed outside the holes."""

    changed_outside: Pixels
    psnr_outside: Number | None


class ComparedEntry(TypedDict):
    """The same hole filled by a classical method."""

    seam: Number | None
    probe: ProbeEntry | None


class LeftoverEntry(TypedDict):
    """A place where something of what was removed seems to be left.

    ``kept``: the verdict does not count it, because it is an object of its own, far from the holes,
    whose class was not requested.
    """

    box: Annotated[list[Pixels], Meta(min_length=4, max_length=4)]
    why: str
    share: Number
    kept: bool


#: One row of a photo's ``objects``, see ``types.FoundObject``.
ObjectEntry = TypedDict(
    "ObjectEntry",
    {
        "number": Annotated[int, Meta(ge=1)],
        "class": str,
        "box": Annotated[list[Pixels], Meta(min_length=4, max_length=4)],
        "share": Number,
        "confidence": Number,
        "removed": bool,
        "why": str,
    },
)


class HoleEntry(TypedDict):
    """One row of a photo's ``holes``.

    ``signs`` are the quality features, by the report's own names (``entry.FEATURE_KEYS``). Reports
    of other versions may have fewer or others. ``borrowed`` is there if other photos of the place
    show some of the hole: the share that comes from each, by its name.
    """

    box: Annotated[list[Pixels], Meta(min_length=4, max_length=4)]
    share: Number
    route: RouteName
    why: str
    seam: Number | None
    score: Number | None
    signs: dict[str, Number | None] | None
    probe: ProbeEntry | None
    borrowed: NotRequired[dict[str, Number]]
    compare: NotRequired[dict[str, ComparedEntry]]


#: What a person decided at the mask board: accepted the run's result as it is, saved another fill,
#: restored the original, or put back an earlier file that no run wrote.
DecisionName = Literal["accepted", "mended", "restored", "put back"]


class Entry(TypedDict):
    """One row of ``photos``.

    ``input`` is relative to the given folder, ``output`` and ``mask`` to the output folder.
    ``earlier_status`` is there if ``status`` is ``skipped``: the status that the run gave which
    finished the photo; absent before version 0.2.0, as ``figures``, ``objects``, ``layers``,
    ``left_outside`` and ``leftovers`` are. ``figures`` are those behind ``reason``, with their
    limits. ``layers`` has shares of the photo by why they were removed (``types.Layer.label``),
    without those that are empty.
    ``reviewed`` is there, and true, if a person decided about the result at the mask board;
    ``decision`` says how, absent before version 0.2.0 too.
    """

    input: str
    output: str | None
    mask: str | None
    status: StatusName
    earlier_status: NotRequired[EarlierStatusName]
    reason: str
    figures: NotRequired[str]
    classes: dict[str, Number]
    objects: NotRequired[list[ObjectEntry]]
    hole_share: Number
    layers: NotRequired[dict[str, Number]]
    fidelity: FidelityEntry | None
    residue: Number | None
    left_outside: NotRequired[Number | None]
    leftovers: NotRequired[list[LeftoverEntry]]
    score: Number | None
    truth: ProbeEntry | None
    seconds: Number
    stages: dict[str, Number]
    error: str | None
    warnings: list[str]
    holes: list[HoleEntry]
    reviewed: NotRequired[bool]
    decision: NotRequired[DecisionName]


class RunEntry(TypedDict):
    """What was run, with what. ``inputs`` holds the given paths; absent before version 0.2.0.

    ``settings_from`` has the options that settings files set, by the files' addresses.
    """

    version: str
    command: str
    inputs: NotRequired[list[str]]
    settings: dict[str, Any]
    settings_from: NotRequired[dict[str, dict[str, Any]]]
    weights: dict[str, str]
    device: str
    seconds: Number
    warnings: list[str]


class Report(TypedDict):
    """The whole file."""

    schema_version: int
    run: RunEntry
    photos: list[Entry]


def is_entry(value: Any) -> TypeGuard[Entry]:
    """Whether a value that was read from a file is an entry as this program writes it.

    Unknown keys are allowed. A journal may hold millions of rows, so the check runs in C.
    """
    try:
        msgspec.convert(value, Entry)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter for a key with a surrogate
        return False
    return value.get("reviewed", True) is True
