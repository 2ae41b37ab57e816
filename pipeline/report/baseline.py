"""A run against an earlier one: which figures got worse by more than their tolerance, photo by photo and in the mean.

Both sides are reports as they stand in ``report.json``. A figure that one side does not know (null) is not compared; where the baseline
knew it and the run does not, that is noted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..types import Status
from .figures import Entry, Figures, boxes, figures, grounds, overlap, routes, verdict
from .files import SCHEMA_VERSION, read_report
from .tolerance import MEAN, Tolerance, Worse

Report = Mapping[str, Any]

#: Settings that no figure depends on.
INDIFFERENT = {"workers", "overwrite", "save_masks", "engine", "actors", "gpus_per_actor"}


@dataclass(frozen=True, slots=True)
class Change:
    """One figure that moved by more than its tolerance (None: it may not move). ``photo`` is the input's name, or "mean of N"."""

    photo: str
    figure: str
    before: float | str | None
    now: float | str | None
    tolerance: float | None = None


@dataclass
class Comparison:
    """A run beside its baseline. ``worse`` decides the exit code; ``notes`` say what was not compared, and why."""

    photos: int = 0
    worse: list[Change] = field(default_factory=list)
    better: list[Change] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def judge(
        self,
        photo: str,
        figure: str,
        before: float | None,
        now: float | None,
        way: Worse,
        tolerance: float,
    ) -> None:
        """Put a figure where it belongs, if both sides know it and it moved by more than ``tolerance``."""
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
                Change(photo, figure, before, now, tolerance)
            )


def load_baseline(path: Path) -> dict[str, Any]:
    """An earlier ``report.json``, checked as far as ``compare`` will look into it.

    Raises:
        UsageError: unreadable, no report, of another schema version, or without a single photo.
    """
    remedy = "give the report.json of an earlier run"
    if path.exists() and not path.is_file():  # a pipe would wait for ever, a device never end
        raise UsageError(f"{path}: the baseline cannot be read (not a regular file); {remedy}")
    try:
        found = read_report(path)
    except OSError as error:
        raise UsageError(
            f"{path}: the baseline cannot be read ({error.strerror or error}); {remedy}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: the baseline is no JSON ({error}); {remedy}") from error
    if not isinstance(found, dict) or "schema_version" not in found:
        raise UsageError(f"{path}: the baseline is no report, it has no schema_version; {remedy}")
    if found["schema_version"] != SCHEMA_VERSION:
        raise UsageError(
            f"{path}: the baseline is of schema version {found['schema_version']!r}, expected {SCHEMA_VERSION}; make it anew"
        )
    if not isinstance(found.get("photos"), list) or not found["photos"]:
        raise UsageError(
            f"{path}: the baseline has no photos, so nothing could get worse; {remedy}"
        )
    run = found.get("run", {})
    for part, value in (
        ("run", run),
        *((k, run.get(k, {})) for k in ("settings", "weights") if isinstance(run, dict)),
    ):
        if not isinstance(value, dict):
            raise UsageError(
                f"{path}: the baseline is no report, its '{part}' is damaged; {remedy}"
            )
    seconds = run.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e9:
        raise UsageError(
            f"{path}: the baseline is no report, its 'seconds' are {str(seconds)[:40]!r}; {remedy}"
        )
    for i, entry in enumerate(found["photos"]):
        try:
            verdict(entry), grounds(entry), routes(entry)
            if not isinstance(entry["input"], str):
                raise TypeError(f"{entry['input']!r} is no name")
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise UsageError(
                f"{path}: the baseline is no report, its photo {i + 1} is damaged ({error}); {remedy}"
            ) from error
    return found


def compare(report: Report, baseline: Report, tolerances: Mapping[str, Tolerance]) -> Comparison:
    """The photos of a run against those of the same name in its baseline.

    Args:
        report: of the run just made, as it was written.
        baseline: what ``load_baseline`` gave.
        tolerances: by figure, see ``pipeline.report.tolerance``.

    Returns:
        What got worse and better, in the order of the photos' names, the means last.
    """
    result = Comparison()
    now, before = (
        {str(entry["input"]): entry for entry in side["photos"]} for side in (report, baseline)
    )
    pairs: list[tuple[Figures, Figures]] = []
    for name in sorted(before):
        if name not in now:
            result.worse.append(Change(name, "presence", "in the baseline", "missing"))
            continue
        result.photos += 1
        pairs += _compare_photo(name, before[name], now[name], tolerances, result)
    for figure, tolerance in tolerances.items():
        _compare_mean(figure, tolerance, pairs, result)
        lost = sum(a[figure] is not None and b[figure] is None for a, b in pairs)
        if lost:
            result.notes.append(
                f"{figure}: known in the baseline and not now, in {_photos(lost)}; not compared"
            )
    if new := sorted(set(now) - set(before)):
        result.notes.append(
            f"{_photos(len(new))} not in the baseline: {', '.join(new[:3])}{', …' if len(new) > 3 else ''}"
        )
    result.notes += _run_notes(report.get("run") or {}, baseline.get("run") or {})
    return result


def _compare_photo(
    name: str, before: Entry, now: Entry, tolerances: Mapping[str, Tolerance], result: Comparison
) -> Iterable[tuple[Figures, Figures]]:
    """One photo's changes into ``result``. Returns its figures on both sides, or nothing where one side failed and has none."""
    old, new = verdict(before), verdict(now)
    status = Change(name, "status", old, new)
    if Status.FAILED in (old, new):
        if old is not new and old is not None:
            (result.worse if new is Status.FAILED else result.better).append(status)
        return []
    was, found = figures(before), figures(now)
    alike = grounds(before) == grounds(now)
    if old is not new and new is Status.UNCHANGED:
        result.worse.append(status)  # what was found is found no longer
    elif {old, new} == {Status.OK, Status.REVIEW}:
        if alike and _at_threshold(was["score"], found["score"], tolerances["score"]):
            result.notes.append(
                f"{name}: {old} in the baseline and {new} now, at the threshold: its score moved less than its tolerance"
            )
        elif alike:
            (result.worse if new is Status.REVIEW else result.better).append(status)
        else:
            result.notes.append(
                f"{name}: {old} in the baseline and {new} now, from other figures; not compared"
            )
    if not alike:
        was["score"] = found["score"] = None
    # A lossless file may not change by a single pixel; of a lossy one the codec's error counts.
    was[
        "fidelity.psnr_outside"
        if not was["fidelity.changed_outside"]
        else "fidelity.changed_outside"
    ] = None
    was["boxes"], found["boxes"] = 0.0, round(1 - overlap(boxes(before), boxes(now)), 5)
    for box, route in routes(before):
        there, moved = max(((overlap([box], [b]), r) for b, r in routes(now)), default=(0.0, route))
        if there > 0 and moved != route:
            result.worse.append(Change(name, "routes", route, moved))
    for figure, tolerance in tolerances.items():
        result.judge(name, figure, was[figure], found[figure], tolerance.worse, tolerance.photo)
    return [(was, found)]


def _at_threshold(before: float | None, now: float | None, tolerance: Tolerance) -> bool:
    """Whether a verdict may have changed only because its photo stands at the threshold: another processor's rounding can do that."""
    return before is not None and now is not None and 0 < abs(now - before) <= tolerance.photo


def _compare_mean(
    figure: str, tolerance: Tolerance, pairs: Iterable[tuple[Figures, Figures]], result: Comparison
) -> None:
    """A figure's mean over the photos in which both sides know it: a small loss everywhere is a loss."""
    both = [
        (a, b)
        for a, b in ((was[figure], found[figure]) for was, found in pairs)
        if a is not None and b is not None
    ]
    if tolerance.mean is not None and len(both) > 1:
        before, now = (math.fsum(side) / len(both) for side in zip(*both, strict=True))
        result.judge(
            f"mean of {len(both)}", MEAN + figure, before, now, tolerance.worse, tolerance.mean
        )


def _run_notes(now: Report, before: Report) -> list[str]:
    """Other settings and weights than the baseline's are no fault, but the reader of the table must know them first."""
    notes = []
    for part, what in (("settings", "setting"), ("weights", "weight")):
        old, new = before.get(part) or {}, now.get(part) or {}
        notes += [
            f"{what} {k}: {_short(old[k])} in the baseline, {_short(new.get(k))} now"
            for k in old
            if old[k] != new.get(k) and k not in INDIFFERENT
        ]
    if "seconds" in before and "seconds" in now:
        notes.append(
            f"{now['seconds']:.1f} s, the baseline took {before['seconds']:.1f} s; time never fails"
        )
    return notes


def _short(value: Any) -> str:
    """A value of the run in a few letters: of a sha256 its first 8."""
    text = str(value)
    return text[:8] if len(text) == 64 else text


def _photos(count: int) -> str:
    return f"{count} photo{'' if count == 1 else 's'}"
