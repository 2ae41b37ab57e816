"""The report in the terminal: a line for each photo, the table of a run, and its baseline table."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..system.stopwatch import sum_stages
from ..system.text import columns, printable
from ..types import Status
from .baseline import Change, Comparison
from .entry_metrics import reported_reason, reported_status
from .ranking import DECIDED, group, look_first

if TYPE_CHECKING:
    from .schema import Entry, RunEntry

#: Most rows of the baseline table for metrics that got better, which need no action.
BETTER_ROWS = 8


#: The order in which the terminal counts photos.
_ORDER = (Status.OK, Status.REVIEW, Status.UNCHANGED, Status.SKIPPED, Status.FAILED)


def counted(counts: Mapping[str, int]) -> str:
    """Photos by status in words: ``8 ok, 2 to check``."""
    return ", ".join(
        f"{counts[status.value]} {status.words}" for status in _ORDER if counts.get(status.value)
    )


def photo_line(entry: Entry) -> str:
    """One photo: verdict, seconds, score, name, routes, reason.

    Cells of a fixed width come first, so that the lines form columns.
    """
    score = "" if entry.get("score") is None else f"{entry['score']:.2f}"
    routes = ",".join(sorted({hole["route"] for hole in entry["holes"]})) or "-"
    name, reason = printable(entry["input"]), printable(entry["reason"])
    verdict = Status(entry["status"]).words
    return f"{verdict:9} {entry['seconds']:7.2f} s {score:>6}  {name} {routes}  {reason}"


def run_summary(
    run: RunEntry, photos: Sequence[Entry], *, weights: bool = True, width: int | None = None
) -> str:
    """The table of a run.

    Args:
        run: the report's ``run``.
        photos: the report's ``photos``.
        weights: name the weights too.
        width: columns of the terminal, at which reasons are broken; None to break none.

    Returns:
        Lines without a line break at the end: photos and seconds by verdict, the slowest stage, the
        weights, and the photos to check first. The command prints every failure by
        itself.
    """
    lines = [f"{'verdict':9}  photos  seconds a photo"]
    for status in Status:
        seconds = [float(p["seconds"]) for p in photos if p["status"] == status.value]
        if seconds:
            # The seconds of a skipped photo are those of the run that finished it.
            spent = "" if status is Status.SKIPPED else f"{sum(seconds) / len(seconds):15.2f}"
            lines.append(f"{status.words:9}  {len(seconds):6}  {spent}".rstrip())
    lines.append(_time(run, [p for p in photos if p["status"] != Status.SKIPPED.value]))
    skipped = [p for p in photos if p["status"] == Status.SKIPPED.value]
    if skipped:
        decided = sum(group(p) == DECIDED for p in skipped)
        kept = f"; {decided} of them as you decided at the mask board" if decided else ""
        lines.append(f"skipped: done in an earlier run, results untouched{kept}")
    if weights:
        used = ", ".join(
            f"{name} {digest[:8]}" for name, digest in sorted((run.get("weights") or {}).items())
        )
        lines.append(f"weights: {used or 'none were needed'}")
    first = look_first([p for p in photos if p["status"] != Status.FAILED.value])
    if first:
        lines.append("check these first:")
        names = [printable(p["input"]) for p in first]
        longest = max(map(columns, names))
        for photo, name in zip(first, names, strict=True):
            head = f"  {_verdict(photo):8}  {name}{' ' * (longest - columns(name))}  "
            lines += _broken(head, printable(reported_reason(photo)), width)
    return "\n".join(lines)


def _broken(head: str, text: str, width: int | None) -> list[str]:
    """The lines of a text behind a head, or below a long one; one line without a width."""
    if width is None or columns(head) + len(text) <= width:
        return [head + text]
    indent = " " * (columns(head) if columns(head) <= width // 2 else 10)
    lines = textwrap.wrap(text, max(width - len(indent), 20), break_on_hyphens=False)
    first = [head.rstrip()] if len(indent) < columns(head) else [head + lines.pop(0)]
    return first + [indent + line for line in lines]


def _time(run: RunEntry, processed: Sequence[Entry]) -> str:
    """Seconds of the run and of a photo, and the stage that takes most of them."""
    text = f"time: {float(run['seconds']):.1f} s"
    if not processed:
        return f"{text}, no photo had to be filled"
    mean = sum(p["seconds"] for p in processed) / len(processed)
    slowest = max(processed, key=lambda p: p["seconds"])
    name = printable(slowest["input"])
    at_once = round(mean * len(processed) / max(float(run["seconds"]), 0.001))
    several = f" with {at_once} at once" if at_once > 1 else ""
    text += f", {mean:.2f} s a photo{several}, at most {slowest['seconds']:.2f} ({name})"
    stages = sum_stages(photo.get("stages") or {} for photo in processed)
    total = sum(stages.values())
    if total > 0:
        stage = max(stages, key=lambda s: stages[s])
        text += f"; slowest stage: {stage}, {stages[stage] / total:.0%}"
    return text


def _verdict(photo: Entry) -> str:
    return (reported_status(photo) or Status.SKIPPED).words


def baseline_table(comparison: Comparison, name: str) -> str:
    """What got worse, in full; what got better, in short; and what could not be compared.

    Args:
        comparison: of the run and its baseline.
        name: the baseline's, as the user gave it.
    """
    lines = [
        f"baseline {name}, {comparison.photos} photos compared: "
        f"{len(comparison.worse)} worse, {len(comparison.better)} better"
    ]
    for title, changes, count in (
        ("worse", comparison.worse, len(comparison.worse)),
        ("better", comparison.better, BETTER_ROWS),
    ):
        lines += [f"  {line}" for line in _rows(title, changes[:count])]
        if len(changes) > count:
            lines.append(f"  and {len(changes) - count} more got {title}")
    lines += [f"  note: {note}" for note in comparison.notes]
    return "\n".join(printable(line) for line in lines)


def _rows(title: str, changes: Sequence[Change]) -> list[str]:
    """Columns as wide as their widest cell; no rows without changes."""
    if not changes:
        return []
    rows = [
        (title, "metric", "baseline", "now", "change", "tolerance"),
        *(_cells(change) for change in changes),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i < 2 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cells(change: Change) -> tuple[str, ...]:
    before, now = change.before, change.now
    numeric = isinstance(before, float) and isinstance(now, float)
    difference = f"{now - before:+.5g}" if numeric else ""  # type: ignore[operator]
    tolerance = "" if change.tolerance is None else f"{change.tolerance:g}"
    name = printable(change.photo)
    return name, change.metric, _cell(before), _cell(now), difference, tolerance


def _cell(value: float | str | None) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
