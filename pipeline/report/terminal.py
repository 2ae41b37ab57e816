"""What stands in the terminal: a line for each photo while it runs, and a table of the whole run at its end."""
# DOC: """A comparison with a baseline as text for the terminal and for CI's log."""
#

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..system.stopwatch import sum_stages
from ..system.text import printable
from ..types import Status
from .baseline import Change, Comparison
from .figures import EARLIER, by_score, verdict

Entry = Mapping[str, Any]

#: How many photos are named to look at first.
LOOK_FIRST = 5


def photo_line(entry: Entry) -> str:
    """One photo: verdict, seconds, score, name, routes, reason; what is of one width stands first, so that columns are columns."""
    score = "" if entry.get("score") is None else f"{entry['score']:.2f}"
    routes = ",".join(sorted({hole["route"] for hole in entry["holes"]})) or "-"
    return f"{entry['status']:9} {entry['seconds']:7.2f} s {score:>6}  {printable(entry['input'])} {routes}  {printable(entry['reason'])}"


def summary(run: Mapping[str, Any], photos: Sequence[Entry]) -> str:
    """The table of a run.

    Args:
        run: the report's ``run``.
        photos: the report's ``photos``.

    Returns:
        Lines without a line break at the end: photos and seconds by verdict, where the time went, the weights, and which photos to look
        at first.
    """
    lines = [f"{'verdict':9}  photos  seconds a photo"]
    for status in Status:
        seconds = [float(p["seconds"]) for p in photos if p["status"] == status.value]
        if seconds:
            # The seconds of a photo that was found done are those of the run that did it.
            spent = "" if status is Status.SKIPPED else f"{sum(seconds) / len(seconds):15.2f}"
            lines.append(f"{status.value:9}  {len(seconds):6}  {spent}".rstrip())
    lines.append(_time(run, [p for p in photos if p["status"] != Status.SKIPPED.value]))
    weights = ", ".join(
        f"{name} {digest[:8]}" for name, digest in sorted((run.get("weights") or {}).items())
    )
    lines.append(f"weights: {weights or 'none was needed'}")
    first = look_first(photos)
    if first:
        lines.append("look first at:")
        width = max(len(printable(p["input"])) for p in first)
        lines += [
            f"  {_told(p):6}  {printable(p['input']).ljust(width)}  {printable(_reason(p))}"
            for p in first
        ]
    return "\n".join(lines)


def look_first(photos: Sequence[Entry]) -> list[Entry]:
    """At most ``LOOK_FIRST`` photos, worst first: those that failed, then those for review by score, the unscored by the holes' share."""
    rank: dict[Status | None, int] = {Status.FAILED: 0, Status.REVIEW: 1}
    found = [p for p in photos if verdict(p) in rank]

    def key(photo: Entry) -> tuple[int, tuple[bool, float], float, str]:
        return rank[verdict(photo)], by_score(photo), -photo["hole_share"], photo["input"]

    return sorted(found, key=key)[:LOOK_FIRST]


def _time(run: Mapping[str, Any], done: Sequence[Entry]) -> str:
    """The whole run's seconds, a photo's, and the stage that takes most of them."""
    text = f"time: {float(run['seconds']):.1f} s"
    if not done:
        return f"{text}, nothing was to be done"
    slowest = max(done, key=lambda p: p["seconds"])
    text += f", {sum(p['seconds'] for p in done) / len(done):.2f} s a photo, at most {slowest['seconds']:.2f} ({printable(slowest['input'])})"
    stages = sum_stages(photo.get("stages") or {} for photo in done)
    total = sum(stages.values())
    if total > 0:
        stage = max(stages, key=lambda s: stages[s])
        text += f"; slowest stage: {stage}, {stages[stage] / total:.0%}"
    return text


def _told(photo: Entry) -> str:
    return str(verdict(photo) or photo["status"])


def _reason(photo: Entry) -> str:
    """Why: the error of a failed photo, the verdict's reason of others; the earlier run's where this one found it done."""
    reason = str(photo.get("error") or photo["reason"])
    return reason.removeprefix(f"{EARLIER}{_told(photo)}: ")


#: What got better is told in so many rows: nobody has to act on it.
BETTER_ROWS = 8


def baseline_table(comparison: Comparison, name: str) -> str:
    """What got worse, all of it; what got better, shortly; and what could not be compared.

    Args:
        comparison: of the run and its baseline.
        name: the baseline's, as the user gave it.
    """
    lines = [
        f"baseline {name}, {comparison.photos} photos compared: {len(comparison.worse)} worse, {len(comparison.better)} better"
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
    """Columns as wide as their widest cell; nothing where there is nothing to tell."""
    if not changes:
        return []
    rows = [
        (title, "figure", "baseline", "now", "change", "tolerance"),
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
    before, now, moved, tolerance = (
        change.before,
        change.now,
        "",
        "" if change.tolerance is None else f"{change.tolerance:g}",
    )
    if isinstance(before, float) and isinstance(now, float):
        moved = f"{now - before:+.5g}"
    return printable(change.photo), change.figure, _cell(before), _cell(now), moved, tolerance


def _cell(value: float | str | None) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
