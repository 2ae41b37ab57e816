"""What a table comes to: rows a picture, means, paired intervals, claims with a verdict, and the files that keep them."""

from __future__ import annotations

import csv
import json
import math
import platform
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: A test picture's name under "picture", and its figures; NaN where one could not be taken.
Row = dict[str, Any]


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % interval over test pictures (bootstrap); ``n`` pictures."""

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


@dataclass(frozen=True)
class Claim:
    """What a paper says, what this run says of it (``held``, ``not held``, ``not decided``), and by which figures."""

    claim: str
    verdict: str
    evidence: str


def means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of every figure over the rows that have it, rounded to six significant digits."""
    names = [k for k, v in rows[0].items() if isinstance(v, int | float)]
    found = {}
    for name in names:
        values = np.array([float(r[name]) for r in rows])
        values = values[np.isfinite(values)]
        found[name] = float(f"{values.mean():.6g}") if len(values) else math.nan
    return found


def over_seeds(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of several seeds as one row a picture: means of the figures, other entries as in the first."""
    return [{**same[0], **means(same)} for same in zip(*runs, strict=True)]


def column(rows: Sequence[Row], figure: str) -> NDArray[np.float64]:
    """One figure over the rows."""
    return np.array([float(r[figure]) for r in rows])


def interval(values: NDArray[np.float64], *, draws: int = 4000, seed: int = 0) -> Interval:
    """The mean of ``values`` and its 95 % interval by bootstrap; values that are not finite are left out."""
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def difference(a: Sequence[Row], b: Sequence[Row], figure: str) -> Interval:
    """``figure`` of ``a`` minus that of ``b``, picture by picture.

    Raises:
        ValueError: the rows are of different pictures.
    """
    if [r["picture"] for r in a] != [r["picture"] for r in b]:
        raise ValueError("expected rows of the same pictures in the same order")
    return interval(column(a, figure) - column(b, figure))


def between(
    a: NDArray[np.float64], b: NDArray[np.float64], *, draws: int = 4000, seed: int = 0
) -> Interval:
    """Mean of ``a`` minus mean of ``b``: two groups of different pictures, each drawn again by itself."""
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not len(a) or not len(b):
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = a[rng.integers(0, len(a), (draws, len(a)))].mean(1) - b[
        rng.integers(0, len(b), (draws, len(b)))
    ].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(a.mean() - b.mean()), float(low), float(high), len(a) + len(b))


def widened(found: Interval, *noises: float) -> Interval:
    """The interval with what training by chance makes of its two sides (same unit) added to both ends."""
    by = math.sqrt(sum(n * n for n in noises))
    return Interval(found.mean, found.low - by, found.high + by, found.n)


def below(claim: str, found: Interval | Collection[Interval], evidence: str) -> Claim:
    """A claim that a difference, or each of several, is below zero: held where every interval lies there, not held where one lies above."""
    each = [found] if isinstance(found, Interval) else list(found)
    verdict = (
        "held"
        if all(f.high < 0 for f in each)
        else "not held"
        if any(f.low > 0 for f in each)
        else "not decided"
    )
    return Claim(claim, verdict, evidence)


def above(claim: str, found: Interval | Collection[Interval], evidence: str) -> Claim:
    """``below`` the other way round."""
    each = [found] if isinstance(found, Interval) else found
    return below(claim, [Interval(-f.mean, -f.high, -f.low, f.n) for f in each], evidence)


def within(claim: str, found: Interval, margin: float, evidence: str) -> Claim:
    """A claim that two are equal: held where the whole interval lies within ``margin``, not held where it lies outside it."""
    inside, outside = (
        -margin <= found.low and found.high <= margin,
        found.low > margin or found.high < -margin,
    )
    return Claim(claim, "held" if inside else "not held" if outside else "not decided", evidence)


def write(
    folder: Path, *, table: str, command: str, config: Mapping[str, Any], arms: Mapping[str, Any], rows: Mapping[str, Sequence[Row]],
    claims: Sequence[Claim],
) -> dict[str, Any]:  # fmt: skip
    """``results.json`` (all but single pictures) and ``pictures.csv`` (a row an arm and picture) in ``folder``.

    Args:
        folder: made if missing.
        table: its name on the command line.
        command: what was called.
        config: budget, data, metrics.
        arms: by name: figures, seeds, hashes, curves.
        rows: by arm, a row a picture.
        claims: the paper's, with verdicts.

    Returns:
        What ``results.json`` holds.
    """
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    on = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "processor": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    result = {
        "table": table,
        "command": command,
        "config": dict(config),
        "machine": on,
        "arms": dict(arms),
        "claims": [asdict(c) for c in claims],
    }
    (folder / "results.json").write_text(
        json.dumps(plain(result), indent=1) + "\n", encoding="utf-8"
    )
    names = list(dict.fromkeys(k for arm in rows.values() for r in arm for k in r))
    with open(folder / "pictures.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["arm", *names], restval="")
        writer.writeheader()
        for arm, found in rows.items():
            writer.writerows({"arm": arm, **{k: _short(v) for k, v in r.items()}} for r in found)
    return result


def plain(value: Any) -> Any:
    """What JSON can hold: no NaN (null instead), no path, no tuple; dataclasses as objects."""
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int | bool) else str(value)


def render(
    arms: Mapping[str, Mapping[str, float]], figures: Sequence[str], claims: Sequence[Claim]
) -> str:
    """Arms by figures as a table in plain text, and the claims below it."""
    wide = max(12, *(len(a) + 2 for a in arms))
    lines = ["".ljust(wide) + "".join(f.rjust(max(10, len(f) + 2)) for f in figures)]
    for arm, found in arms.items():
        lines.append(
            arm.ljust(wide)
            + "".join(_cell(found.get(f)).rjust(max(10, len(f) + 2)) for f in figures)
        )
    return "\n".join(
        [*lines, "", *(f"{c.verdict.upper()}: {c.claim}\n    {c.evidence}" for c in claims)]
    )


def _cell(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _short(value: Any) -> Any:
    return float(f"{value:.6g}") if isinstance(value, float) else value
