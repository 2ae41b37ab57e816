"""A photo's entry in a report as what can be set against another report's: numbers, verdict, boxes, routes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..types import Status

Entry = Mapping[str, Any]
#: By name, as ``pipeline.report.tolerance`` has them; None = not known.
Figures = dict[str, float | None]
#: (x, y, w, h) in pixels.
Rectangle = tuple[float, float, float, float]

#: What stands for the PSNR outside the holes where nothing changed there: as much as ``metrics.inside_errors`` gives at most, in dB.
PERFECT_PSNR = 99.0
#: How ``run`` begins the reason of a photo that it found done; the earlier verdict follows.
EARLIER = "finished in an earlier run as "


def verdict(entry: Entry) -> Status | None:
    """The photo's own status; that of the earlier run where this one found it done; None where that is not told."""
    status = Status(entry["status"])
    if status is not Status.SKIPPED:
        return status
    word = str(entry.get("reason") or "").removeprefix(EARLIER).split(":")[0]
    return Status(word) if word in set(Status) - {Status.SKIPPED} else None


def by_score(entry: Entry) -> tuple[bool, float]:
    """To sort by: the highest score first, those without one last."""
    score = number(entry.get("score"))
    return score is None, -(score or 0.0)


def figures(entry: Entry) -> Figures:
    """Every figure of ``pipeline.report.tolerance`` but ``boxes``, which takes two entries. A hole's figure is that of the worst hole.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: the entry is not of a report's shape.
    """
    holes = entry.get("holes") or []
    probes = [hole.get("probe") or {} for hole in holes]
    fidelity, truth = entry.get("fidelity") or {}, entry.get("truth") or {}
    changed = number(fidelity.get("changed_outside"))
    return {
        "holes": float(len(boxes(entry))),
        "hole_share": number(entry.get("hole_share")),
        "residue": number(entry.get("residue")),
        "seam": _worst(max, [hole.get("seam") for hole in holes]),
        "score": number(entry.get("score")),
        "probe.l1": _worst(max, [probe.get("l1") for probe in probes]),
        "probe.psnr": _worst(min, [probe.get("psnr") for probe in probes]),
        "probe.ssim": _worst(min, [probe.get("ssim") for probe in probes]),
        "probe.lpips": _worst(max, [probe.get("lpips") for probe in probes]),
        **{f"truth.{name}": number(truth.get(name)) for name in ("l1", "psnr", "ssim", "lpips")},
        "fidelity.changed_outside": changed,
        "fidelity.psnr_outside": PERFECT_PSNR
        if changed == 0
        else number(fidelity.get("psnr_outside")),
    }


def grounds(entry: Entry) -> set[str]:
    """The figures and signs that verdict and score may rest on and that this run knew. With other grounds they answer another question."""
    found = figures(entry)
    signs = {
        f"signs.{name}"
        for hole in entry.get("holes") or []
        for name, value in (hole.get("signs") or {}).items()
        if value is not None
    }
    return signs | {
        name for name in ("residue", "seam", "probe.psnr", "probe.lpips") if found[name] is not None
    }


def routes(entry: Entry) -> list[tuple[Rectangle, str]]:
    """(box, route) of every hole."""
    return [(_rectangle(hole["box"]), str(hole["route"])) for hole in entry.get("holes") or []]


def boxes(entry: Entry) -> list[Rectangle]:
    """The box of every hole."""
    return [_rectangle(hole["box"]) for hole in entry.get("holes") or []]


def overlap(first: Sequence[Rectangle], second: Sequence[Rectangle]) -> float:
    """Intersection over union of what two sets of boxes cover, in [0, 1]; 1 where neither covers anything."""
    if list(first) == list(second):
        return 1.0
    xs, ys = (
        sorted({v for b in (*first, *second) for v in (b[axis], b[axis] + b[axis + 2])})
        for axis in (0, 1)
    )
    both = either = 0.0
    for left, right in pairwise(xs):
        columns = [
            [(y, y + h) for x, y, w, h in boxes if x <= left < x + w] for boxes in (first, second)
        ]
        for top, bottom in pairwise(ys):
            inside = [any(y0 <= top < y1 for y0, y1 in column) for column in columns]
            both += all(inside) * (right - left) * (bottom - top)
            either += any(inside) * (right - left) * (bottom - top)
    return both / either if either else 1.0


def number(value: Any) -> float | None:
    """A finite number; None for null, and for the NaN and infinity that Python's JSON reader lets through."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON's integers have no end
        return None


def _worst(choose: Callable[[list[float]], float], values: Sequence[Any]) -> float | None:
    known = [value for value in map(number, values) if value is not None]
    return choose(known) if known else None


def _rectangle(box: Sequence[Any]) -> Rectangle:
    x, y, w, h = (float(value) for value in box)
    return x, y, w, h
