"""``picks.json``: what a person decided about the objects of photos, and how they were found.

``preview.html`` writes the file; its script (``templates/preview.js``) and this reader agree on the
shape. The reader trusts nothing in it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import msgspec
from msgspec import Meta

from ...models.categories import CLASSES
from ..config import Settings, resolve_classes
from ..errors import UsageError
from ..storage.stamp import fingerprint
from ..system.text import printable
from ..types import Box, Pick

VERSION = 1
#: How far the shape of a photo may be from that of the picks, as a factor: a scaled photo is
#: rounded to whole pixels, a cropped one is another picture.
SAME_SHAPE = 1.02

_Side = Annotated[int, Meta(ge=1, le=10**6)]
_Place = Annotated[int, Meta(ge=-(10**6), le=10**6)]
_ObjectEntry = TypedDict(
    "_ObjectEntry",
    {
        "number": Annotated[int, Meta(ge=1, le=65535)],
        "class": str,
        "box": tuple[_Place, _Place, _Side, _Side],
        "removed": bool,
    },
)


class PickSettings(TypedDict):
    """What decides which objects a run finds."""

    classes: Annotated[list[str], Meta(min_length=1)]
    segmenter: Annotated[str, Meta(max_length=4096)]
    threshold: Annotated[float, Meta(gt=0, lt=1)]
    weights: dict[str, str]


class _PhotoEntry(TypedDict):
    name: str
    size: tuple[_Side, _Side]
    objects: list[_ObjectEntry]


class _File(TypedDict):
    picks_version: int
    settings: PickSettings
    photos: list[_PhotoEntry]


@dataclass(frozen=True, slots=True)
class PhotoPicks:
    """The decisions about one photo.

    Attributes:
        width: the photo's, in pixels, when they were made.
        height: likewise.
        objects: the decisions; no two have one number.
    """

    width: int
    height: int
    objects: tuple[Pick, ...]

    @property
    def name(self) -> str:
        """A short name of the decisions: others have another one."""
        picks = [[p.number, p.category, p.box.as_list(), p.removed] for p in self.objects]
        return fingerprint([self.width, self.height, picks])[:16]

    def on(self, size: tuple[int, int]) -> tuple[Pick, ...] | None:
        """The decisions in pixels of a photo of (height, width).

        Returns:
            None if the photo has another shape, so that the places mean nothing.
        """
        across, down = size[1] / self.width, size[0] / self.height
        if not 1 / SAME_SHAPE < across / down < SAME_SHAPE:
            return None
        return tuple(
            Pick(p.number, p.category, _scaled(p.box, across, down), p.removed)
            for p in self.objects
        )


@dataclass(frozen=True)
class Picks:
    """A file of picks.

    Attributes:
        shown: the file's name in messages.
        settings: how the objects were found.
        photos: the decisions by the photo's name in the report.
        classes: of ``settings``, by the names that the program uses.
    """

    shown: str
    settings: PickSettings
    photos: Mapping[str, PhotoPicks]
    classes: tuple[str, ...]

    def refuse_other_classes(self, classes: Sequence[str]) -> None:
        """Refuse a run that looks for other objects.

        Raises:
            UsageError: its classes differ.
        """
        picked = self.classes
        if set(picked) != set(classes):
            options = " ".join(f"--class {name}" for name in picked)
            raise UsageError(
                f"{self.shown}: was made for other classes ({', '.join(picked)}; now "
                f"{', '.join(classes)}); give {options}, or make new picks with --preview"
            )

    def differences(self, settings: Settings) -> str:
        """What differs from the settings of a run, as a sentence; empty if nothing does."""
        now: dict[str, object] = {
            "segmenter": settings.segmenter,
            "threshold": settings.threshold,
        }
        earlier = {key: self.settings[key] for key in now}  # type: ignore[literal-required]
        different = [key for key in now if earlier[key] != now[key]]
        if not different:
            return ""
        then = ", ".join(f"--{key} {earlier[key]}" for key in different)
        today = ", ".join(f"--{key} {now[key]}" for key in different)
        return (
            f"{self.shown}: was made with other settings ({then}; now {today}), so objects may be "
            "found differently; what fits no object makes its photo one to check"
        )

    def other_weights(self, weights: Mapping[str, str]) -> str:
        """Tell of networks that changed since the picks were made; empty if none did."""
        earlier = self.settings["weights"]
        names = sorted(n for n in weights if n in earlier and weights[n] != earlier[n])
        if not names:
            return ""
        return f"{self.shown}: was made with other weights of {', '.join(names)}"


def pick_settings(
    classes: Sequence[str], segmenter: str, threshold: float, weights: Mapping[str, str]
) -> PickSettings:
    """The settings as the file has them."""
    return {
        "classes": list(classes),
        "segmenter": segmenter,
        "threshold": threshold,
        "weights": dict(sorted(weights.items())),
    }


def read_picks(content: bytes, shown: str, known: Sequence[str] = CLASSES) -> Picks:
    """Read a file of picks.

    Args:
        content: of the file.
        shown: the file's name in messages.
        known: the classes that the run's segmenter finds.

    Raises:
        UsageError: it is none, is damaged, or is of another version.
    """
    again = "save it again on the page preview.html of a run with --preview"
    try:
        value: Any = json.loads(content, object_pairs_hook=_keys_once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{shown}: is not JSON ({printable(str(error))}); {again}") from error
    except ValueError as error:
        why = str(error) if isinstance(error, _TwiceError) else "a number has too many digits"
        raise UsageError(f"{shown}: is damaged ({printable(why)}); {again}") from error
    if not isinstance(value, dict) or "picks_version" not in value:
        raise UsageError(f"{shown}: holds no picks (it has no picks_version); {again}")
    if value["picks_version"] != VERSION:
        version = printable(json.dumps(value["picks_version"]))[:20]
        raise UsageError(
            f"{shown}: has picks_version {version}, and this program reads {VERSION}; {again}"
        )
    try:
        file = msgspec.convert(value, _File)
        classes = resolve_classes(file["settings"]["classes"], known)
        photos = _photos(file, classes)
    except (msgspec.ValidationError, ValueError, UsageError) as error:
        why = printable(_place_in(value, error))
        raise UsageError(f"{shown}: is damaged ({why}); {again}") from error
    if not photos:
        raise UsageError(f"{shown}: names no photo; {again}, or leave --picks out")
    return Picks(shown, file["settings"], photos, classes)


class _TwiceError(ValueError):
    """A name comes twice where it must come once: nobody can tell which one is meant."""


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of the file.

    Raises:
        _TwiceError: it has a key twice, of which Python would take the last.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise _TwiceError(f"an entry has {twice[:40]} twice")
    return found


def _place_in(value: dict[str, Any], error: Exception) -> str:
    """What is wrong with a file, with the name of the photo whose entry it is."""
    said = str(error)
    place = re.search(r"\$\.photos\[(\d+)\]", said)
    entry = value["photos"][int(place[1])] if place else None
    name = entry.get("name") if isinstance(entry, dict) else None
    return f"{said}, of the photo {name}" if isinstance(name, str) else said


def _photos(file: _File, classes: Sequence[str]) -> dict[str, PhotoPicks]:
    """The decisions by the photo's name.

    Raises:
        ValueError: a photo, or an object of it, comes twice, or an object is of no class of those
            that were looked for.
    """
    photos: dict[str, PhotoPicks] = {}
    for entry in file["photos"]:
        name = entry["name"]
        if name in photos:
            raise _TwiceError(f"it names the photo {name} twice")
        if len({one["number"] for one in entry["objects"]}) < len(entry["objects"]):
            raise _TwiceError(f"it names an object of {name} twice")
        if others := {one["class"] for one in entry["objects"]}.difference(classes):
            other = min(others)[:40]
            raise ValueError(f"{name} has a {other}, which is none of its classes")
        picks = (
            Pick(one["number"], one["class"], Box(*one["box"]), one["removed"])
            for one in entry["objects"]
        )
        width, height = entry["size"]
        photos[name] = PhotoPicks(width, height, tuple(picks))
    return photos


def _scaled(box: Box, across: float, down: float) -> Box:
    return Box.from_corners(
        round(box.x * across),
        round(box.y * down),
        round(box.right * across),
        round(box.bottom * down),
    )
