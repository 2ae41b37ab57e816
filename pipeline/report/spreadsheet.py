"""``report.csv``: the report as a table for spreadsheets, one row for every hole."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..system.atomic import atomic_write

PHOTO = (
    "input",
    "output",
    "mask",
    "status",
    "reason",
    "classes",
    "hole_share",
    "residue",
    "score",
    "changed_outside",
    "psnr_outside",
)
AFTER = ("truth_l1", "truth_psnr", "truth_ssim", "truth_lpips", "seconds", "warnings")
SIGNS = ("depth", "structure", "variety", "segmented", "certainty", "unsure")
HOLE = ("hole", "x", "y", "w", "h", "share", "route", "why", "seam", "hole_score", *SIGNS)
PROBE = ("l1", "psnr", "ssim", "lpips")
#: With these a spreadsheet takes a cell for a formula; the wide forms count where East Asian input does.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_csv(path: Path, photos: list[dict[str, Any]]) -> None:
    r"""Write the entries of ``report.json`` as a table, atomically: UTF-8, a comma between cells, photos in the order of their names.

    One row for every hole, the photo's columns repeated; photos without holes stand in ``report.json`` alone. ``None`` is an empty cell. A
    text that begins with ``= + - @``, a tab or the end of a line gets an apostrophe before it, so that no spreadsheet runs a file's name as
    a formula: take one apostrophe away to have the name again. Bytes of a name that are no UTF-8 stand as ``\udcff``.

    Raises:
        UnwritableError: the disk's errors.
    """
    methods = sorted({m for p in photos for h in p["holes"] for m in h.get("compare", {})})
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(
        [
            *PHOTO,
            *AFTER,
            *HOLE,
            *(f"probe_{k}" for k in PROBE),
            *(c for m in methods for c in _compare_columns(m)),
        ]
    )
    for photo in sorted(photos, key=lambda p: p["input"]):
        table.writerows([_cell(v) for v in row] for row in _rows(photo, methods))
    with atomic_write(path) as file:
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _compare_columns(method: str) -> list[str]:
    return [f"{method}_seam", *(f"{method}_probe_{k}" for k in PROBE)]


def _rows(photo: dict[str, Any], methods: list[str]) -> Iterator[list[Any]]:
    fidelity, truth = photo["fidelity"] or {}, photo.get("truth") or {}
    flat = {
        **photo,
        "classes": " ".join(photo["classes"]),
        "score": photo.get("score"),
        "warnings": "; ".join(photo["warnings"]),
        **{k: fidelity.get(k) for k in ("changed_outside", "psnr_outside")},
        **{f"truth_{k}": truth.get(k) for k in PROBE},
    }
    first = [flat[c] for c in (*PHOTO, *AFTER)]
    for number, hole in enumerate(photo["holes"], 1):
        signs = hole.get("signs") or {}
        row = [
            number,
            *hole["box"],
            hole["share"],
            hole["route"],
            hole["why"],
            hole["seam"],
            hole.get("score"),
            *(signs.get(k) for k in SIGNS),
        ]
        row += _probe(hole["probe"])
        for method in methods:
            other = hole.get("compare", {}).get(method, {})
            row += [other.get("seam"), *_probe(other.get("probe"))]
        yield first + row


def _probe(probe: dict[str, Any] | None) -> list[Any]:
    return [(probe or {}).get(k) for k in PROBE]


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value
