"""The results of a table: rows per picture, means, paired intervals, claims, and their files."""

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

#: A test picture's name under "picture", and its metrics; NaN = unavailable.
Row = dict[str, Any]


@dataclass(frozen=True)
class Interval:
    """A mean difference with its 95 % interval over test pictures (bootstrap).

    Attributes:
        mean: the mean difference.
        low: lower end.
        high: upper end.
        n: number of pictures.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:+.3g} [{self.low:+.3g}, {self.high:+.3g}]"


@dataclass(frozen=True)
class Claim:
    """A paper's claim and this run's verdict on it.

    Attributes:
        claim: the paper's statement.
        verdict: ``held``, ``not held`` or ``not decided``.
        evidence: the numbers behind the verdict.
    """

    claim: str
    verdict: str
    evidence: str


def means(rows: Sequence[Row]) -> dict[str, float]:
    """The mean of every metric over the rows that have it, rounded to six significant digits."""
    names = [k for k, v in rows[0].items() if isinstance(v, int | float)]
    mean = {}
    for name in names:
        values = np.array([float(r[name]) for r in rows])
        values = values[np.isfinite(values)]
        mean[name] = float(f"{values.mean():.6g}") if len(values) else math.nan
    return mean


def over_seeds(runs: Sequence[Sequence[Row]]) -> list[Row]:
    """The rows of several seeds as one row per picture, with the means of the metrics."""
    return [{**same[0], **means(same)} for same in zip(*runs, strict=True)]


def column(rows: Sequence[Row], metric: str) -> NDArray[np.float64]:
    """One metric over the rows."""
    return np.array([float(r[metric]) for r in rows])


def interval(values: NDArray[np.float64], *, draws: int = 4000, seed: int = 0) -> Interval:
    """The mean of the finite values and its 95 % interval by bootstrap.

    Args:
        values: one per picture.
        draws: bootstrap samples.
        seed: of the samples.
    """
    values = values[np.isfinite(values)]
    if not len(values):
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = values[rng.integers(0, len(values), (draws, len(values)))].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(values.mean()), float(low), float(high), len(values))


def difference(a: Sequence[Row], b: Sequence[Row], metric: str) -> Interval:
    """``metric`` of ``a`` minus that of ``b``, picture by picture.

    Raises:
        ValueError: the rows are of different pictures.
    """
    if [r["picture"] for r in a] != [r["picture"] for r in b]:
        raise ValueError("expected rows of the same pictures in the same order")
    return interval(column(a, metric) - column(b, metric))


def between(
    a: NDArray[np.float64], b: NDArray[np.float64], *, draws: int = 4000, seed: int = 0
) -> Interval:
    """Mean of ``a`` minus mean of ``b``, two groups of different pictures.

    Each group is resampled by itself.

    Args:
        a: one value per picture.
        b: one value per picture.
        draws: bootstrap samples.
        seed: of the samples.
    """
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if not len(a) or not len(b):
        return Interval(math.nan, math.nan, math.nan, 0)
    rng = np.random.default_rng(seed)
    drawn = a[rng.integers(0, len(a), (draws, len(a)))].mean(1) - b[
        rng.integers(0, len(b), (draws, len(b)))
    ].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Interval(float(a.mean() - b.mean()), float(low), float(high), len(a) + len(b))


def widened(difference: Interval, *noises: float) -> Interval:
    """The interval, widened by the training noise of its two sides (in the same unit)."""
    by = math.sqrt(sum(n * n for n in noises))
    return Interval(difference.mean, difference.low - by, difference.high + by, difference.n)


def below(claim: str, differences: Interval | Collection[Interval], evidence: str) -> Claim:
    """Test the claim that each of the differences is below zero.

    It held if every interval lies below zero, and did not hold if one lies above.
    """
    each = [differences] if isinstance(differences, Interval) else list(differences)
    verdict = (
        "held"
        if all(f.high < 0 for f in each)
        else "not held"
        if any(f.low > 0 for f in each)
        else "not decided"
    )
    return Claim(claim, verdict, evidence)


def above(claim: str, differences: Interval | Collection[Interval], evidence: str) -> Claim:
    """Test the claim that each of the differences is above zero; see ``below``."""
    each = [differences] if isinstance(differences, Interval) else differences
    return below(claim, [Interval(-f.mean, -f.high, -f.low, f.n) for f in each], evidence)


def within(claim: str, difference: Interval, margin: float, evidence: str) -> Claim:
    """Test the claim that two arms are equal.

    It held if the whole interval lies within ``margin`` of zero, and did not hold if it lies
    outside.
    """
    inside = -margin <= difference.low and difference.high <= margin
    outside = difference.low > margin or difference.high < -margin
    return Claim(claim, "held" if inside else "not held" if outside else "not decided", evidence)


def write(
    folder: Path,
    *,
    table: str,
    command: str,
    config: Mapping[str, Any],
    arms: Mapping[str, Any],
    rows: Mapping[str, Sequence[Row]],
    claims: Sequence[Claim],
) -> dict[str, Any]:
    """Write ``results.json`` (all but single pictures) and ``pictures.csv`` (a row per picture).

    Args:
        folder: created if missing.
        table: its name on the command line.
        command: the command line.
        config: budget, data, metrics.
        arms: by name: metrics, seeds, hashes, curves.
        rows: by arm, one row per picture.
        claims: the paper's, with verdicts.

    Returns:
        The content of ``results.json``.
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
        for arm, pictures in rows.items():
            writer.writerows({"arm": arm, **{k: _short(v) for k, v in r.items()}} for r in pictures)
    return result


def plain(value: Any) -> Any:
    """A value that JSON can hold.

    NaN becomes null, a path text, a tuple a list, a dataclass an object.
    """
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
    arms: Mapping[str, Mapping[str, float]], metrics: Sequence[str], claims: Sequence[Claim]
) -> str:
    """A text table of arms by metrics, with the claims below it."""
    wide = max(12, *(len(a) + 2 for a in arms))
    lines = ["".ljust(wide) + "".join(f.rjust(max(10, len(f) + 2)) for f in metrics)]
    for arm, values in arms.items():
        lines.append(
            arm.ljust(wide)
            + "".join(_cell(values.get(f)).rjust(max(10, len(f) + 2)) for f in metrics)
        )
    return "\n".join(
        [*lines, "", *(f"{c.verdict.upper()}: {c.claim}\n    {c.evidence}" for c in claims)]
    )


def _cell(value: float | None) -> str:
    """A number of the text table."""
    return "-" if value is None or not math.isfinite(value) else f"{value:.4g}"


def _short(value: Any) -> Any:
    """A float with six significant digits; other values as they are."""
    return float(f"{value:.6g}") if isinstance(value, float) else value
