"""``report.csv``: the report as a table for spreadsheets, one row for every hole.

A photo without holes has one row too.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import ALONG, COMPARISONS
from ..system.atomic import ANYWHERE, Placement, atomic_write

if TYPE_CHECKING:
    from .schema import Entry

#: Columns of the photo, in the order of the table.
PHOTO = (
    "input",
    "output",
    "mask",
    "status",
    "reason",
    "classes",
    "hole_share",
    *ALONG,
    "residue",
    "left_outside",
    "leftovers",
    "score",
    "changed_outside",
    "psnr_outside",
    "truth_l1",
    "truth_psnr",
    "truth_ssim",
    "truth_lpips",
    "seconds",
    "warnings",
    "figures",
)
#: Columns of the hole; the quality features have the report's own names.
FEATURES = ("depth", "structure", "variety", "segmented", "certainty", "unsure")
HOLE = ("hole", "x", "y", "w", "h", "share", "route", "why", "seam", "hole_score", *FEATURES)
PROBE = ("l1", "psnr", "ssim", "lpips")
#: All columns but those of compared methods, and those with which every version's table begins.
COLUMNS = (*PHOTO, *HOLE, *(f"probe_{k}" for k in PROBE))
FIRST_COLUMNS = PHOTO[:7]
#: A spreadsheet takes a cell that begins with one of these for a formula; the wide forms count
#: with East Asian input.
FORMULA = "=+\\-@＝＋－＠"
#: Where a cell may begin: at its own start, and inside it where a program splits it that takes
#: another character than the comma for the separator. Then the quotes around a cell do not protect
#: it, so a quote counts too. " - " in a name stays: split at spaces, "-" is a text.
_FORMULA_START = re.compile(
    rf"""((?:^|[\t\r\n\v\f,;:|"\u2028\u2029\x85])\s*)('*[{FORMULA}])|(\s)('*[{FORMULA}]\S)"""
)
_BLANK_START = re.compile(r"'*[\t\r\n]")


def write_csv(path: Path, photos: Sequence[Entry], placement: Placement = ANYWHERE) -> None:
    r"""Write the entries of ``report.json`` as a table, atomically.

    UTF-8, a comma between cells, photos in the order of their names. One row for every hole, with
    the photo's columns repeated; one row, with empty columns of the hole, for a photo without holes
    (``failed``, ``unchanged``). ``None`` is an empty cell. A text that begins with ``= + - @``, a
    tab or a line end gets an apostrophe before it, so that no spreadsheet runs a file's name as a
    formula; so does each ``= + - @`` behind a semicolon, a tab or another character that a program
    may take for the separator.
    ``report.json`` has the names as they are. Bytes of a name that are not UTF-8 are written as
    ``\udcff``.

    Raises:
        UnwritableError: the disk's errors.
    """
    methods = sorted({m for p in photos for h in p["holes"] for m in h.get("compare", {})})
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(
        [
            *COLUMNS,
            *(c for m in methods for c in _compare_columns(m)),
        ]
    )
    for photo in sorted(photos, key=lambda p: p["input"]):
        table.writerows([_cell(v) for v in row] for row in _rows(photo, methods))
    with atomic_write(path, placement=placement) as file:
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def is_compare_column(name: str) -> bool:
    """Whether a column is one of a compared method."""
    return any(name in _compare_columns(method) for method in COMPARISONS)


def _compare_columns(method: str) -> list[str]:
    return [f"{method}_seam", *(f"{method}_probe_{k}" for k in PROBE)]


def _rows(photo: Entry, methods: list[str]) -> Iterator[list[Any]]:
    """One row for each hole of a photo, and one for a photo without."""
    fidelity: Mapping[str, Any] = photo["fidelity"] or {}
    truth: Mapping[str, Any] = photo.get("truth") or {}
    flat: dict[str, Any] = {
        **photo,
        "classes": " ".join(photo["classes"]),
        **{k: photo.get("layers", {}).get(k) for k in ALONG},
        **{k: photo.get(k) for k in ("left_outside", "score", "figures")},
        "leftovers": len(photo.get("leftovers", [])),
        "warnings": "; ".join(photo["warnings"]),
        **{k: fidelity.get(k) for k in ("changed_outside", "psnr_outside")},
        **{f"truth_{k}": truth.get(k) for k in PROBE},
    }
    photo_cells = [flat[c] for c in PHOTO]
    if not photo["holes"]:
        compared = sum(len(_compare_columns(method)) for method in methods)
        yield photo_cells + [None] * (len(COLUMNS) - len(PHOTO) + compared)
    for number, hole in enumerate(photo["holes"], 1):
        features = hole.get("signs") or {}
        row = [
            number,
            *hole["box"],
            hole["share"],
            hole["route"],
            hole["why"],
            hole["seam"],
            hole.get("score"),
            *(features.get(k) for k in FEATURES),
        ]
        row += _probe(hole["probe"])
        for method in methods:
            other: Mapping[str, Any] = hole.get("compare", {}).get(method) or {}
            row += [other.get("seam"), *_probe(other.get("probe"))]
        yield photo_cells + row


def _probe(probe: Mapping[str, Any] | None) -> list[Any]:
    return [(probe or {}).get(k) for k in PROBE]


def _cell(value: Any) -> Any:
    """A cell that is no formula, nor are its parts, whichever separator a program takes."""
    if not isinstance(value, str):
        return value
    blank = "'" if _BLANK_START.match(value) else ""
    return blank + _FORMULA_START.sub(r"\1\3'\2\4", value)
