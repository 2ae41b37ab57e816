"""What a measurement keeps beside its means: a row for each picture and filler, and sheets."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from ...pipeline.pixels import resize, scaled_size
from ...pipeline.types import Mask, Pixels

#: Longer side in pixels to which a larger picture of a sheet is reduced.
SIDE = 1024
#: Height in pixels of the line above a sheet's pictures, and what names the place of the hole.
CAPTION, HOLE = 24, 128


@dataclass(frozen=True)
class Row:
    """The metrics of one filler on one picture.

    Attributes:
        test: the test's name.
        picture: the picture's name.
        filler: the filler's name.
        hole_share: share of the picture that was filled.
        metrics: by name; NaN where one is unavailable.
    """

    test: str
    picture: str
    filler: str
    hole_share: float
    metrics: Mapping[str, float]


def means(rows: Sequence[Row]) -> dict[str, dict[str, float]]:
    """For each filler the mean of every metric over its rows, and the ``count`` of rows."""
    measured: dict[str, list[Mapping[str, float]]] = {}
    for row in rows:
        measured.setdefault(row.filler, []).append(row.metrics)
    return {
        filler: {
            name: round(float(mean), 4)
            for name, mean in zip(
                all_of[0], np.mean([[*m.values()] for m in all_of], 0), strict=True
            )
        }
        | {"count": len(all_of)}
        for filler, all_of in measured.items()
    }


def write_rows(rows: Sequence[Row], path: Path) -> None:
    """Write rows as CSV, with an empty cell where a metric is unavailable.

    Raises:
        OSError: the file cannot be written.
    """
    names = list(dict.fromkeys(name for row in rows for name in row.metrics))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["test", "picture", "filler", "hole_share", *names])
        for row in rows:
            values = [row.metrics.get(name, float("nan")) for name in names]
            shown = ["" if value != value else f"{value:.6g}" for value in values]
            writer.writerow([row.test, row.picture, row.filler, f"{row.hole_share:.6g}", *shown])


def with_hole(rgb: Pixels, hole: Mask) -> Pixels:
    """A picture HWC uint8 with its hole in grey."""
    return np.where(hole[..., None], HOLE, rgb).astype(np.uint8)


def keep_sheet(
    folder: Path | None, name: str, pictures: Sequence[Pixels], captions: Sequence[str] = ()
) -> None:
    """Write pictures side by side as a PNG; nothing without a folder.

    Args:
        folder: created if missing.
        name: of the file, without its ending.
        pictures: HWC uint8 RGB of one size; large ones are reduced.
        captions: what stands above each picture; none for no line.

    Raises:
        OSError: the file cannot be written.
    """
    if folder is None:
        return
    size = scaled_size(pictures[0].shape, min(1.0, SIDE / max(pictures[0].shape[:2])))
    parts = [resize(picture, size, cv2.INTER_AREA) for picture in pictures]
    if captions:
        parts = [_captioned(*each) for each in zip(parts, captions, strict=True)]
    sheet = np.concatenate(parts, axis=1)
    _, content = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(content.tobytes())


def _captioned(picture: Pixels, caption: str) -> Pixels:
    line = np.full((CAPTION, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(line, caption, (4, 17), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return np.concatenate([line, picture.astype(np.uint8)], axis=0)
