"""The metrics of a photo's entry that can be compared with another report's entry.

Entries of baselines may lack keys that this version writes, so they are read as plain mappings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from ..types import Status

#: A photo's entry, whole or reduced to what a baseline keeps; ``schema.Entry`` has every key.
AnyEntry = Mapping[str, Any]
#: Metrics by name, as ``pipeline.report.tolerance`` lists them; None = unknown.
Metrics = dict[str, float | None]
#: (x, y, w, h) in pixels.
Rectangle = tuple[float, float, float, float]

#: Stands for the PSNR outside the holes if nothing changed there, in dB: the most that
#: ``metrics.inside_errors`` returns.
PERFECT_PSNR = 99.0
#: ``batch.ledger`` begins the reason of a skipped photo with this; the earlier status follows.
EARLIER = "finished in an earlier run as "


def reported_status(entry: AnyEntry) -> Status | None:
    """The status of a photo in the run that finished it.

    Returns:
        For a skipped photo its earlier status, or None if the entry does not say it.

    Raises:
        KeyError, ValueError: the entry is not of a report's shape.
    """
    status = Status(entry["status"])
    if status is not Status.SKIPPED:
        return status
    earlier = entry.get("earlier_status")
    if earlier is None:  # before version 0.2.0 only the reason says it
        earlier = str(entry.get("reason") or "").removeprefix(EARLIER).split(":")[0]
    return Status(earlier) if earlier in set(Status) - {Status.SKIPPED} else None


def reported_reason(entry: AnyEntry) -> str:
    """The reason of a photo's verdict, without the words of a rerun."""
    return str(entry["reason"]).removeprefix(f"{EARLIER}{reported_status(entry)}: ")


def told_of(entry: AnyEntry) -> str:
    """What there is to tell of a photo: its error, or the reason of its verdict.

    It is told after the photo's name, with which errors of files begin, so they lose it here.
    """
    return str(entry["error"] or entry["reason"]).removeprefix(f"{entry['input']}: ")


def worst_metrics(entry: AnyEntry) -> Metrics:
    """Every metric of ``pipeline.report.tolerance`` except ``boxes``, which takes two entries.

    A metric of holes is that of the worst hole.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: the entry is not of a
            report's shape.
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


def verdict_basis(entry: AnyEntry) -> set[str]:
    """Names of the known metrics and quality features on which a verdict and a score may rest.

    Scores of two runs are comparable only if both knew the same ones: the verdict weighs some of
    them, and earlier versions weighed others.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: as ``worst_metrics``.
    """
    metrics = worst_metrics(entry)
    features = {
        f"signs.{name}"
        for hole in entry.get("holes") or []
        for name, value in (hole.get("signs") or {}).items()
        if value is not None
    }
    return features | {
        name
        for name in ("residue", "seam", "probe.psnr", "probe.lpips")
        if metrics[name] is not None
    }


def routes(entry: AnyEntry) -> list[tuple[Rectangle, str]]:
    """(box, route) of every hole."""
    return [(_rectangle(hole["box"]), str(hole["route"])) for hole in entry.get("holes") or []]


def boxes(entry: AnyEntry) -> list[Rectangle]:
    """The box of every hole."""
    return [_rectangle(hole["box"]) for hole in entry.get("holes") or []]


def overlap(first: Sequence[Rectangle], second: Sequence[Rectangle]) -> float:
    """Intersection over union of the areas that two sets of boxes cover.

    Returns:
        In [0, 1]; 1 if neither covers anything.
    """
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
    """A finite number.

    Returns:
        None for null, and for the NaN and infinity that Python's JSON reader accepts.

    Raises:
        TypeError: the value is not a number.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # JSON's integers have no limit
        return None


def _worst(choose: Callable[[list[float]], float], values: Sequence[Any]) -> float | None:
    known = [value for value in map(number, values) if value is not None]
    return choose(known) if known else None


def _rectangle(box: Sequence[Any]) -> Rectangle:
    x, y, w, h = (float(value) for value in box)
    return x, y, w, h
