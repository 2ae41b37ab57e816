"""Facts about the test faces: group and age from their labels, yaw from YuNet's landmarks."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...pipeline.detect.faces import find_yunet, yaw
from ..data.pictures import read_rgb

#: First age in years of each band.
AGE_BANDS = ((0, "0-12"), (13, "13-29"), (30, "30-59"), (60, "60+"))
#: Side in pixels at which YuNet sees a face: it detects few faces that fill a smaller frame.
DETECTION_SIDE = 320


def read_labels(path: Path) -> dict[str, dict[str, Any]]:
    """Read a CSV of ``file,age,gender,race``.

    Returns:
        ``group``, ``age_band`` and ``gender`` by the file's name.

    Raises:
        ValueError: a column is missing.
    """
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        missing = {"file", "age", "gender", "race"} - set(reader.fieldnames or ())
        if missing:
            raise ValueError(
                f"{path}: expected the columns file, age, gender, race; "
                f"{', '.join(sorted(missing))} missing"
            )
        return {
            _key(row["file"]): {
                "group": row["race"],
                "age_band": _band(row["age"]),
                "gender": row["gender"],
            }
            for row in reader
        }


def _key(file: str) -> str:
    """A file's name without its folders."""
    return Path(file).name


def _band(age: str) -> str:
    """The band of an age; empty if the age is not a number."""
    return "" if not age.isdigit() else [name for first, name in AGE_BANDS if int(age) >= first][-1]


def balanced(
    files: Sequence[Path], labels: Mapping[str, Mapping[str, Any]], seed: int = 0
) -> list[Path]:
    """As many files as before, with every (group, age band) as often as every other.

    Files of small cells repeat, some of large cells are left out.
    """
    cells: dict[tuple[str, str], list[Path]] = {}
    for file in files:
        label = labels.get(file.name, {})
        cells.setdefault((str(label.get("group", "")), str(label.get("age_band", ""))), []).append(
            file
        )
    rng = np.random.default_rng(seed)
    chosen: list[Path] = []
    share, more = divmod(len(files), len(cells))
    for i, cell in enumerate(sorted(cells)):
        wanted = share + (i < more)
        members = cells[cell]
        rounds = [rng.permutation(len(members)) for _ in range(-(-wanted // len(members)))]
        indices = np.concatenate([*rounds, np.zeros(0, np.int64)])[:wanted]
        chosen += [members[int(n)] for n in indices]
    return sorted(chosen)


def turned(files: Sequence[Path]) -> list[float]:
    """How far each face is turned, by ``yaw``; NaN if YuNet is unavailable or detects no face."""
    path, _ = find_yunet(offline=False)
    if path is None:
        return [math.nan] * len(files)
    detector = cv2.FaceDetectorYN.create(str(path), "", (DETECTION_SIDE, DETECTION_SIDE), 0.5)
    yaws = []
    for file in files:
        rgb = read_rgb(file)
        # Tight crops have no margin around the face; the detector needs some.
        side = max(rgb.shape[:2])
        padded = cv2.copyMakeBorder(rgb, *(side // 4,) * 4, cv2.BORDER_REPLICATE)
        _, rows = detector.detect(
            cv2.cvtColor(cv2.resize(padded, (DETECTION_SIDE, DETECTION_SIDE)), cv2.COLOR_RGB2BGR)
        )
        yaws.append(math.nan if rows is None else yaw(rows[0][4:14].reshape(5, 2)))
    return yaws
