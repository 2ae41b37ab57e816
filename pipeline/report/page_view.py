"""What ``report.html`` shows, in the order in which it shows it: the report's entries made ready for a page, worst first."""
# DOC: """Counts of figures for small charts: which bars, how high, and where the threshold stands."""
#

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from ..config import REVIEW_HOLE_SHARE, REVIEW_RESIDUE, REVIEW_SCORE
from ..system.stopwatch import sum_stages
from .figures import by_score

#: The order of the page.
STATUSES = ("failed", "review", "ok", "unchanged", "skipped")

#: The compared methods as people write them.
METHODS = {"navier-stokes": "Navier–Stokes", "telea": "Telea"}


def worst_first(photos: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """By status (what a person has reviewed after the rest), then the highest score, what the segmenter still sees, the name."""

    def key(photo: dict[str, Any]) -> tuple[int, bool, tuple[bool, float], float, str]:
        return (
            STATUSES.index(photo["status"]),
            bool(photo.get("reviewed")),
            by_score(photo),
            -(photo["residue"] or 0.0),
            photo["input"],
        )

    return sorted(photos, key=key)


def worst_of(photo: dict[str, Any], figure: str) -> float | None:
    """The highest ``seam``, or figure of the probe, over a photo's holes; None where none is known."""
    found = [
        h["seam"] if figure == "seam" else (h["probe"] or {}).get(figure) for h in photo["holes"]
    ]
    return max((v for v in found if v is not None), default=None)


def photo_view(
    photo: dict[str, Any],
    pictures: dict[str, str],
    size: tuple[int, int] | None,
    middle: float = 0.5,
) -> dict[str, Any]:
    """One photo for the template.

    Args:
        photo: the report's entry.
        pictures: addresses by kind, as ``pipeline.report.previews.find`` names them.
        size: (width, height) of the picture before, or None where there is none.
        middle: where across the picture the mask lies, in [0, 1]: the slider stands there, so that both halves show something.
    """
    folder, _, base = photo["input"].rpartition("/")
    methods = dict.fromkeys(m for h in photo["holes"] for m in h.get("compare", {}))
    seam, lpips, residue = worst_of(photo, "seam"), worst_of(photo, "lpips"), photo["residue"]
    return {
        **photo,
        "folder": f"{folder}/" if folder else "",
        "base": base,
        "score": photo.get("score"),
        "truth": photo.get("truth"),
        "reviewed": bool(photo.get("reviewed")),
        "holes": [{"score": None, "compare": {}} | h for h in photo["holes"]],
        "seam": seam,
        "lpips": lpips,
        "past": {
            "share": photo["hole_share"] > REVIEW_HOLE_SHARE,
            "residue": (residue or 0) > REVIEW_RESIDUE,
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
        "links": [
            (text, link)
            for text, key in (("Result", "output"), ("Mask", "mask"))
            if (link := address(photo[key])) is not None
        ],
    }


def _compared(photo: dict[str, Any], method: str) -> dict[str, Any]:
    """A classical method's worst figures, as they stand for ours."""
    holes = [h["compare"][method] for h in photo["holes"] if method in h.get("compare", {})]
    other = {"holes": holes}
    return {
        "kind": method,
        "label": METHODS.get(method, method),
        "seam": worst_of(other, "seam"),
        "lpips": worst_of(other, "lpips"),
    }


def address(name: str | None) -> str | None:
    """The relative address of a file below the output folder; None for what would lead out of it.

    Every byte of the name that is not plain is percent-encoded, so that ``#``, ``?``, ``javascript:`` and broken bytes are only names.
    """
    if not name or name.startswith(("/", "\\")) or ".." in PurePosixPath(name).parts:
        return None
    return quote(name.encode("utf-8", "surrogatepass") if os.name == "nt" else os.fsencode(name))


def charts(photos: Sequence[dict[str, Any]]) -> list[Histogram]:
    """How the figures of the run are spread; those that nobody measured are left out."""
    holes = [h for p in photos for h in p["holes"]]
    found = [
        histogram("Score", "each photo; LPIPS", [p.get("score") for p in photos], REVIEW_SCORE),
        histogram("Seam", "each hole; 1 is invisible", [h["seam"] for h in holes]),
        histogram("Probe", "each hole; LPIPS", [(h["probe"] or {}).get("lpips") for h in holes]),
        histogram(
            "Still seen", "each photo; of the holes", [p["residue"] for p in photos], REVIEW_RESIDUE
        ),
    ]
    return [h for h in found if h is not None]


def stage_seconds(photos: Sequence[dict[str, Any]]) -> list[tuple[str, float]]:
    """Seconds by stage over the photos that this run did not skip, in the pipeline's order; stages that took no time are left out."""
    total = sum_stages(photo["stages"] for photo in photos if photo["status"] != "skipped")
    return [(stage, seconds) for stage, seconds in total.items() if seconds >= 0.005]


def totals(photos: Sequence[dict[str, Any]]) -> list[tuple[str, int]]:
    """Photos by status, in the page's order, those that occur."""
    count = Counter(p["status"] for p in photos)
    return [(s, count[s]) for s in STATUSES if count[s]]


BINS = 24


@dataclass(frozen=True)
class Histogram:
    """``counts`` over equal steps from 0 to ``top``; what lies above stands in the last bar, and ``beyond`` says that there is some.

    ``threshold`` is in the figure's own unit, or None. ``over`` counts what lies above it.
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
        return sum(self.counts)

    @property
    def step(self) -> float:
        return self.top / len(self.counts)

    @property
    def peak(self) -> int:
        return max(self.counts)


def histogram(
    title: str, note: str, values: Sequence[float | None], threshold: float | None = None
) -> Histogram | None:
    """Of the values that are known; None where there are none. A few far outliers do not press the rest into one bar."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return None
    most = known[math.ceil(0.97 * len(known)) - 1]
    top = _round_up(max(most, 1.4 * (threshold or 0), 1e-6))
    counts = [0] * BINS
    for value in known:
        counts[min(max(int(value / top * BINS), 0), BINS - 1)] += 1
    over = 0 if threshold is None else sum(v > threshold for v in known)
    median = (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2
    return Histogram(title, note, tuple(counts), top, known[-1] > top, threshold, over, median)


def _round_up(value: float) -> float:
    """To the next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(
        step * power
        for step in (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
        if step * power >= value * (1 - 1e-9)
    )
