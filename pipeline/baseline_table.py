"""A comparison with a baseline as text for the terminal and for CI's log."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.baseline import Change, Comparison
from pipeline.printable import printable

#: What got better is told in so many rows: nobody has to act on it.
BETTER_ROWS = 8


def baseline_table(comparison: Comparison, name: str) -> str:
    """What got worse, all of it; what got better, shortly; and what could not be compared.

    Args:
        comparison: of the run and its baseline.
        name: the baseline's, as the user gave it.
    """
    lines = [f"baseline {name}, {comparison.photos} photos compared: {len(comparison.worse)} worse, {len(comparison.better)} better"]
    for title, changes, count in (("worse", comparison.worse, len(comparison.worse)), ("better", comparison.better, BETTER_ROWS)):
        lines += [f"  {line}" for line in _rows(title, changes[:count])]
        if len(changes) > count:
            lines.append(f"  and {len(changes) - count} more got {title}")
    lines += [f"  note: {note}" for note in comparison.notes]
    return "\n".join(printable(line) for line in lines)


def _rows(title: str, changes: Sequence[Change]) -> list[str]:
    """Columns as wide as their widest cell; nothing where there is nothing to tell."""
    if not changes:
        return []
    rows = [(title, "figure", "baseline", "now", "change", "tolerance"), *(_cells(change) for change in changes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths, strict=True)))
        for row in rows
    ]


def _cells(change: Change) -> tuple[str, ...]:
    before, now, moved, tolerance = change.before, change.now, "", "" if change.tolerance is None else f"{change.tolerance:g}"
    if isinstance(before, float) and isinstance(now, float):
        moved = f"{now - before:+.5g}"
    return printable(change.photo), change.figure, _cell(before), _cell(now), moved, tolerance


def _cell(value: float | str | None) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
