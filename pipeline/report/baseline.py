"""Compare a run with an earlier one: which metrics got worse by more than their tolerance.

Photo by photo, and in the mean. Both sides are reports as read from ``report.json``. A metric that
is null on one side is not compared; if only the baseline has it, a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..types import Status
from .entry_metrics import (
    AnyEntry,
    Metrics,
    boxes,
    overlap,
    reported_status,
    routes,
    verdict_basis,
    worst_metrics,
)
from .files import SCHEMA_VERSION, read_report
from .tolerance import MEAN, Tolerance, Worse

#: A report, whole or reduced to what a baseline keeps; ``schema.Report`` has every key.
AnyReport = Mapping[str, Any]

#: Settings that no metric depends on.
INDIFFERENT = {"workers", "overwrite", "save_masks", "engine", "actors", "gpus_per_actor"}


@dataclass(frozen=True, slots=True)
class Change:
    """One metric that changed by more than its tolerance.

    Attributes:
        photo: name of the input, or "mean of N".
        metric: name of the metric.
        before: its value in the baseline.
        now: its value in this run.
        tolerance: the change that is allowed; None if no change is.
    """

    photo: str
    metric: str
    before: float | str | None
    now: float | str | None
    tolerance: float | None = None


@dataclass
class Comparison:
    """A run beside its baseline.

    Attributes:
        photos: number of photos that were compared.
        worse: changes for the worse; they decide the exit code.
        better: changes for the better.
        notes: what was not compared, and why.
    """

    photos: int = 0
    worse: list[Change] = field(default_factory=list)
    better: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def judge(
        self,
        photo: str,
        metric: str,
        before: float | None,
        now: float | None,
        way: Worse,
        tolerance: float,
    ) -> None:
        """Sort a metric into ``worse`` or ``better`` if it changed by more than ``tolerance``.

        Args:
            photo: name of the input, or "mean of N".
            metric: name of the metric.
            before: its value in the baseline; None = unknown.
            now: its value in this run; None = unknown.
            way: the direction that is worse.
            tolerance: the change that is allowed.
        """
        if before is None or now is None:
            return
        loss = {
            Worse.HIGHER: now - before,
            Worse.LOWER: before - now,
            Worse.EITHER: abs(now - before),
        }[way]
        # Reports have five digits; a change of exactly the tolerance passes.
        if abs(loss) > tolerance + 1e-9:
            (self.worse if loss > 0 else self.better).append(
                Change(photo, metric, before, now, tolerance)
            )


_REMEDY = "give the report.json of an earlier run"


def load_baseline(path: Path) -> dict[str, Any]:
    """Read an earlier ``report.json``, and check everything that ``compare`` reads.

    Raises:
        UsageError: unreadable, no report, of another schema version, or without a single photo.
    """
    report = _read_json(path)
    if not isinstance(report, dict) or "schema_version" not in report:
        raise UsageError(
            f"{path}: the baseline is not a report: it has no schema_version; {_REMEDY}"
        )
    if report["schema_version"] != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: the baseline is of schema version {report['schema_version']!r}, "
            f"expected {SCHEMA_VERSION}; make it anew"
        )
    if not isinstance(report.get("photos"), list) or not report["photos"]:
        raise UsageError(
            f"{path}: the baseline has no photos, so nothing could get worse; {_REMEDY}"
        )
    if damage := _damage_of_run(report.get("run", {})) or _damage_of_photos(report["photos"]):
        raise UsageError(f"{path}: the baseline is not a report: its {damage}; {_REMEDY}")
    return report


def _read_json(path: Path) -> Any:
    """Read the file; only a regular one, as a pipe would block and a device might never end."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path}: the baseline cannot be read (not a regular file); {_REMEDY}")
    try:
        return read_report(path)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"{path}: the baseline cannot be read ({reason}); {_REMEDY}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the baseline is not JSON ({error}); {_REMEDY}") from error


def _damage_of_run(run: Any) -> str:
    """Describe what is wrong with a report's ``run``; empty if nothing is."""
    if not isinstance(run, dict):
        return "'run' is damaged"
    for key in ("settings", "weights"):
        if not isinstance(run.get(key, {}), dict):
            return f"'{key}' is damaged"
    seconds = run.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e9:
        return f"'seconds' are {str(seconds)[:40]!r}"
    return ""


def _damage_of_photos(entries: list[Any]) -> str:
    """Describe what is wrong with the first damaged entry; empty if all are sound."""
    for i, entry in enumerate(entries):
        try:
            reported_status(entry), verdict_basis(entry), routes(entry)
            if not isinstance(entry["input"], str):
                raise TypeError(f"{entry['input']!r} is not a name")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            return f"photo {i + 1} is damaged ({error})"
    return ""


def compare(
    report: AnyReport, baseline: AnyReport, tolerances: Mapping[str, Tolerance]
) -> Comparison:
    """Compare the photos of a run with those of the same name in its baseline.

    Args:
        report: the run's report, as it was written.
        baseline: what ``load_baseline`` returned.
        tolerances: by metric, see ``pipeline.report.tolerance``.

    Returns:
        The changes in the order of the photos' names, the means last.
    """
    result = Comparison()
    now, before = (
        {str(entry["input"]): entry for entry in side["photos"]} for side in (report, baseline)
    )
    pairs: list[tuple[Metrics, Metrics]] = []
    for name in sorted(before):
        if name not in now:
            result.worse.append(Change(name, "presence", "in the baseline", "missing"))
            continue
        result.photos += 1
        pairs += _compare_photo(name, before[name], now[name], tolerances, result)
    for metric, tolerance in tolerances.items():
        _compare_mean(metric, tolerance, pairs, result)
        lost = sum(a[metric] is not None and b[metric] is None for a, b in pairs)
        if lost:
            result.notes.append(
                f"{metric}: known in the baseline and not now, in {_photos(lost)}; not compared"
            )
    if new := sorted(set(now) - set(before)):
        names = ", ".join(new[:3]) + (", …" if len(new) > 3 else "")
        result.notes.append(f"{_photos(len(new))} not in the baseline: {names}")
    result.notes += _run_notes(report.get("run") or {}, baseline.get("run") or {})
    return result


def _compare_photo(
    name: str,
    before: AnyEntry,
    now: AnyEntry,
    tolerances: Mapping[str, Tolerance],
    result: Comparison,
) -> Iterable[tuple[Metrics, Metrics]]:
    """Add one photo's changes to ``result``.

    Returns:
        Its metrics on both sides; nothing if it failed on one side and has none there.
    """
    old, new = reported_status(before), reported_status(now)
    status = Change(name, "status", old, new)
    if Status.FAILED in (old, new):
        if old is not new and old is not None:
            (result.worse if new is Status.FAILED else result.better).append(status)
        return []
    was, is_now = worst_metrics(before), worst_metrics(now)
    same_basis = verdict_basis(before) == verdict_basis(now)
    if not same_basis:
        was["score"] = is_now["score"] = None
    if old is not new and new is Status.UNCHANGED:
        result.worse.append(status)  # the object is no longer detected
    elif {old, new} == {Status.OK, Status.REVIEW}:
        if not same_basis:
            result.notes.append(
                f"{name}: {old} in the baseline and {new} now, from other metrics; not compared"
            )
        elif _at_threshold(was["score"], is_now["score"], tolerances["score"]):
            result.notes.append(
                f"{name}: {old} in the baseline and {new} now, at the threshold: "
                "its score moved less than its tolerance"
            )
        else:
            (result.worse if new is Status.REVIEW else result.better).append(status)
    # A lossless file may not change by a single pixel; in a lossy one the codec's error counts.
    lossless = not was["fidelity.changed_outside"]
    was["fidelity.psnr_outside" if lossless else "fidelity.changed_outside"] = None
    was["boxes"], is_now["boxes"] = 0.0, round(1 - overlap(boxes(before), boxes(now)), 5)
    result.worse += _route_changes(name, before, now)
    for metric, tolerance in tolerances.items():
        result.judge(name, metric, was[metric], is_now[metric], tolerance.worse, tolerance.photo)
    return [(was, is_now)]


def _route_changes(name: str, before: AnyEntry, now: AnyEntry) -> Iterable[Change]:
    """Yield the holes whose route differs from that of the hole that overlaps most now."""
    for box, route in routes(before):
        shared, new_route = max(
            ((overlap([box], [b]), r) for b, r in routes(now)), default=(0.0, route)
        )
        if shared > 0 and new_route != route:
            yield Change(name, "routes", route, new_route)


def _at_threshold(before: float | None, now: float | None, tolerance: Tolerance) -> bool:
    """Whether the score changed within its tolerance: another processor's rounding can do that."""
    return before is not None and now is not None and 0 < abs(now - before) <= tolerance.photo


def _compare_mean(
    metric: str, tolerance: Tolerance, pairs: Iterable[tuple[Metrics, Metrics]], result: Comparison
) -> None:
    """Compare the means over the photos whose metric both sides know.

    A loss in every photo that stays within its tolerance is a loss all the same.
    """
    both = [
        (a, b)
        for a, b in ((was[metric], is_now[metric]) for was, is_now in pairs)
        if a is not None and b is not None
    ]
    if tolerance.mean is not None and len(both) > 1:
        before, now = (math.fsum(side) / len(both) for side in zip(*both, strict=True))
        result.judge(
            f"mean of {len(both)}", MEAN + metric, before, now, tolerance.worse, tolerance.mean
        )


def _run_notes(now: AnyReport, before: AnyReport) -> list[str]:
    """Settings and weights that differ from the baseline's: not a loss, but worth knowing first."""
    notes = []
    for key, noun in (("settings", "setting"), ("weights", "weight")):
        old, new = before.get(key) or {}, now.get(key) or {}
        notes += [
            f"{noun} {k}: {_short(old[k])} in the baseline, {_short(new.get(k))} now"
            for k in old
            if old[k] != new.get(k) and k not in INDIFFERENT
        ]
    if "seconds" in before and "seconds" in now:
        notes.append(
            f"{now['seconds']:.1f} s, the baseline took {before['seconds']:.1f} s; time never fails"
        )
    return notes


def _short(value: Any) -> str:
    """A value of the run in a few letters; the first 8 of a sha256."""
    text = str(value)
    return text[:8] if len(text) == 64 else text


def _photos(count: int) -> str:
    return f"{count} photo{'' if count == 1 else 's'}"
