"""What ``report.html`` shows, made ready for its template: photos, links, totals and histograms.

``pipeline.report.ranking`` decides the order of the photos.
"""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from ..config import REVIEW_HOLE_SHARE, REVIEW_LEFT_OUTSIDE, REVIEW_RESIDUE, REVIEW_SCORE
from ..system.stopwatch import sum_stages
from ..types import LAYER_COLOURS, Layer, Status
from .entry_metrics import reported_reason, reported_status
from .next_steps import board_command
from .previews import kept_mask
from .ranking import DECIDED, GROUPS, group, waits

if TYPE_CHECKING:
    from .schema import ComparedEntry, Entry, HoleEntry

#: The compared methods as people write them.
METHODS = {"navier-stokes": "Navier–Stokes", "telea": "Telea"}
#: What a person decided at the mask board, in words; None for a decision before version 0.2.0.
DECISIONS: dict[str | None, str] = {
    "accepted": "accepted as it is",
    "mended": "mended by hand",
    "restored": "the original was restored",
    "put back": "an earlier file was put back",
    None: "reviewed",
}
#: What a person is told first of a photo, by its group.
SAYINGS = {
    "failed": "Not done",
    "review": "Check this one",
    "ok": "Looks fine",
    "unchanged": "Nothing found",
    "skipped": "Done earlier",
}
#: The same of several photos.
TALLY = {
    "failed": "not done",
    "review": Status.REVIEW.words,
    "ok": "look fine",
    "unchanged": "nothing found",
    "skipped": "done earlier",
    DECIDED: "decided by you",
}
#: The ways of filling, as people call them.
ROUTES = {"edge": "at the edge", "face": "face", "free-form": "inside"}
#: How sure a result is, in words, from a share on.
SURENESS = ((0.75, "sure"), (0.5, "fairly sure"), (0.25, "not sure"), (0.0, "a guess"))
#: A photo to check is at most so sure, whatever its score.
SURE_OF_REVIEW = 0.4
#: Bars of a histogram.
BINS = 24


@dataclass(frozen=True)
class Places:
    """Where the files of a run lie, beside its page.

    Attributes:
        folder: the output folder, absolute and without links; None if it is not on this machine.
        sources: the file of each original by the photo's name: an absolute path, or an address
            without passwords.
        networks: the options that name the user's own networks, see ``own_networks``.
    """

    folder: Path | None = None
    sources: Mapping[str, str] | None = None
    networks: tuple[str, ...] = ()

    def original(self, name: str) -> str | None:
        """The address of an original, relative to the page; None if no such address leads to it."""
        source = (self.sources or {}).get(name)
        if source is None or self.folder is None or not os.path.isabs(source):
            return None
        try:
            way = os.path.relpath(source, self.folder)
        except ValueError:  # another drive of Windows
            return None
        return _quoted(way.replace(os.sep, "/"))

    def elsewhere(self, name: str) -> str | None:
        """Where an original lies that the page cannot link to."""
        source = (self.sources or {}).get(name)
        return source if source is not None and self.original(name) is None else None

    def mending(self) -> str | None:
        """The command that opens the mask board on the run; None if no board can open it."""
        if self.folder is None:
            return None
        return board_command(self.folder, self.networks, anywhere=True)


def photo_view(
    photo: Entry,
    pictures: dict[str, str],
    size: tuple[int, int] | None,
    middle: float = 0.5,
    places: Places | None = None,
) -> dict[str, Any]:
    """One photo for the template.

    Args:
        photo: the report's entry.
        pictures: addresses by kind, as ``pipeline.report.previews.find`` names them.
        size: (width, height) of the preview before removal; None without one.
        middle: horizontal centre of the mask in [0, 1]. The slider starts there, so that both of
            its sides show a part of the hole.
        places: where the run's files lie; None if it is not known.
    """
    places = places or Places()
    shown = group(photo)
    folder, _, base = photo["input"].rpartition("/")
    methods = dict.fromkeys(m for h in photo["holes"] for m in h.get("compare", {}))
    residue = photo["residue"]
    return {
        **photo,
        "folder": f"{folder}/" if folder else "",
        "base": base,
        "status": shown,
        "says": DECISIONS[photo.get("decision")].capitalize()
        if shown == DECIDED
        else SAYINGS[shown],
        "reason": reported_reason(photo),
        "figures": photo.get("figures", ""),
        "sure": how_sure(photo),
        "mend": places.mending() if needs_mending(photo) else None,
        "original": places.original(photo["input"]),
        "elsewhere": places.elsewhere(photo["input"]),
        "result": address(photo["output"]),
        "saved_mask": address(photo["mask"]),
        "kept_mask": kept_mask(photo["input"]),
        "score": photo.get("score"),
        "truth": photo.get("truth"),
        "left_outside": photo.get("left_outside"),
        "leftovers": photo.get("leftovers", []),
        "layers": _layers(photo),
        "holes": [
            {"score": None, "compare": {}, **h, "borrowed": _most_first(h.get("borrowed", {}))}
            for h in photo["holes"]
        ],
        "seam": highest_seam(photo["holes"]),
        "lpips": highest_lpips(photo["holes"]),
        "past": {
            "share": photo["hole_share"] > REVIEW_HOLE_SHARE,
            "residue": (residue or 0) > REVIEW_RESIDUE,
            "left_outside": (photo.get("left_outside") or 0) > REVIEW_LEFT_OUTSIDE,
            "leftovers": not all(left["kept"] for left in photo.get("leftovers", [])),
            "score": (photo.get("score") or 0) > REVIEW_SCORE,
        },
        "scored": any(h.get("score") is not None for h in photo["holes"]),
        "probed": any(h["probe"] for h in photo["holes"]),
        "routes": sorted({h["route"] for h in photo["holes"]}),
        "pictures": pictures if size else {},
        "size": size,
        "middle": round(100 * middle),
        "compared": [_compared(photo, m) for m in methods if m in pictures],
        "methods": METHODS,
        "route_names": ROUTES,
    }


def needs_mending(photo: Entry) -> bool:
    """Whether a person should mend the photo at the mask board, and can."""
    has_failed = reported_status(photo) == Status.FAILED and not photo.get("reviewed")
    return waits(photo) or (has_failed and photo["hole_share"] > 0)


def how_sure(photo: Entry) -> tuple[float, str] | None:
    """How sure the program is of a result: a share in [0, 1], and words for it.

    A share of a half is the expected error from which on a photo is to check. What else makes it
    so counts too, so that bar and verdict agree.

    Returns:
        None if nothing was filled, if the expected error is unknown, or if a person has looked.
    """
    score, status = photo.get("score"), reported_status(photo)
    if score is None or status not in (Status.OK, Status.REVIEW) or photo.get("reviewed"):
        return None
    share = max(0.0, 1 - score / (2 * REVIEW_SCORE))
    if status == Status.REVIEW:
        share = min(share, SURE_OF_REVIEW)
    return share, next(words for least, words in SURENESS if share >= least)


def _layers(photo: Entry) -> list[tuple[str, float, str]]:
    """Name, share and colour of each layer, if more than objects was removed."""
    layers = photo.get("layers", {})
    if not set(layers) - {Layer.OBJECT.label}:
        return []
    colours = {layer.label: "#" + bytes(LAYER_COLOURS[layer]).hex() for layer in Layer}
    return [(name, layers[name], colour) for name, colour in colours.items() if name in layers]


def _most_first(borrowed: Mapping[str, float]) -> list[tuple[str, float]]:
    """Names of other photos and their shares of a hole, the largest first."""
    return sorted(borrowed.items(), key=lambda one: (-one[1], one[0]))


def highest_seam(holes: Iterable[HoleEntry | ComparedEntry]) -> float | None:
    """The highest seam of a photo's holes; None if none is known."""
    return max((h["seam"] for h in holes if h["seam"] is not None), default=None)


def highest_lpips(holes: Iterable[HoleEntry | ComparedEntry]) -> float | None:
    """The highest LPIPS of the probes of a photo's holes; None if none is known."""
    known = [_probe_lpips(hole) for hole in holes]
    return max((lpips for lpips in known if lpips is not None), default=None)


def _probe_lpips(hole: HoleEntry | ComparedEntry) -> float | None:
    probe: Mapping[str, Any] = hole["probe"] or {}
    return probe.get("lpips")


def _compared(photo: Entry, method: str) -> dict[str, Any]:
    """The worst metrics of a classical method, as for the photo itself."""
    holes = [h["compare"][method] for h in photo["holes"] if method in h.get("compare", {})]
    return {
        "kind": method,
        "label": METHODS.get(method, method),
        "seam": highest_seam(holes),
        "lpips": highest_lpips(holes),
    }


def address(name: str | None) -> str | None:
    """The relative address of a file below the output folder.

    Every byte of the name that is not plain is percent-encoded, so that ``#``, ``?``,
    ``javascript:`` and broken bytes are only names.

    Returns:
        None for a name that would lead out of the folder.
    """
    if not name or name.startswith(("/", "\\")) or ".." in PurePosixPath(name).parts:
        return None
    return _quoted(name)


def _quoted(name: str) -> str:
    return quote(name.encode("utf-8", "surrogatepass") if os.name == "nt" else os.fsencode(name))


def stage_seconds(photos: Sequence[Entry]) -> list[tuple[str, float]]:
    """Seconds by stage over the photos that were not skipped, in the pipeline's order.

    Stages that took no time are left out.
    """
    total = sum_stages(photo["stages"] for photo in photos if photo["status"] != "skipped")
    return [(stage, seconds) for stage, seconds in total.items() if seconds >= 0.005]


def totals(photos: Sequence[Entry]) -> list[tuple[str, int]]:
    """Photos by group, in the page's order; groups without photos are left out."""
    count = Counter(map(group, photos))
    return [(name, count[name]) for name in GROUPS if count[name]]


def charts(photos: Sequence[Entry]) -> list[Histogram]:
    """The distributions of the run's metrics; a metric that was never measured is left out."""
    holes = [h for p in photos for h in p["holes"]]
    residues = [p["residue"] for p in photos]
    histograms = [
        make_histogram(
            "Expected error", "each photo; LPIPS", [p.get("score") for p in photos], REVIEW_SCORE
        ),
        make_histogram("Seam", "each hole; 1 is invisible", [h["seam"] for h in holes]),
        make_histogram("Probe", "each hole; LPIPS", [_probe_lpips(h) for h in holes]),
        make_histogram("Still seen", "each photo; of the holes", residues, REVIEW_RESIDUE),
    ]
    return [h for h in histograms if h is not None]


@dataclass(frozen=True)
class Histogram:
    """A small chart of one metric.

    Attributes:
        title: the metric's name.
        note: what one value describes, and its unit.
        counts: values in equal steps from 0 to ``top``; the last bar holds everything above, too.
        top: right end of the axis.
        beyond: whether any value lies above ``top``.
        threshold: value above which a photo is to check, in the metric's unit; or None.
        over: number of values above the threshold.
        median: median of the known values.
    """

    title: str
    note: str
    counts: tuple[int, ...]
    top: float
    beyond: bool
    threshold: float | None
    over: int
    median: float

    @property
    def total(self) -> int:
        """Number of known values."""
        return sum(self.counts)

    @property
    def step(self) -> float:
        """Width of one bar in the metric's unit."""
        return self.top / len(self.counts)

    @property
    def peak(self) -> int:
        """Height of the highest bar."""
        return max(self.counts)


def make_histogram(
    title: str, note: str, values: Sequence[float | None], threshold: float | None = None
) -> Histogram | None:
    """Histogram of the non-null values, or None if there are none.

    The range ends near the 97th percentile, so that outliers do not flatten the chart.
    """
    known = sorted(v for v in values if v is not None)
    if not known:
        return None
    high = known[math.ceil(0.97 * len(known)) - 1]
    top = _round_up(max(high, 1.4 * (threshold or 0), 1e-6))
    counts = [0] * BINS
    for value in known:
        counts[min(max(int(value / top * BINS), 0), BINS - 1)] += 1
    over = 0 if threshold is None else sum(v > threshold for v in known)
    median = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
    return Histogram(title, note, tuple(counts), top, known[-1] > top, threshold, over, median)


def _round_up(value: float) -> float:
    """Round up to 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6 or 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power
        for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
        if step * power >= value * (1 - 1e-9)
    )
