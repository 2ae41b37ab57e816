"""The labels of who a photo is of, ``tests/data/main_people.csv``, are well-formed and fit it.

The head of that file gives the rules. $REMOVE_OBJECTS_DATA holds the photos and their label maps.
"""

from __future__ import annotations

import csv
import os
import re
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

LABELS = Path(__file__).parent / "data" / "main_people.csv"
DATA = Path(os.environ.get("REMOVE_OBJECTS_DATA", "/nowhere"))
COLUMNS = ["folder", "file", "person", "x", "y", "main", "sure", "half", "note"]
#: What a folder's photos number, and where they lie below the data folder.
PHOTOS = {
    "coco_val": (51, "segmentation/coco_val/images"),
    "street": (60, "scenes/street"),
    "voc_val": (31, "segmentation/voc_val/images"),
}
#: The class of people in the label maps.
PERSON = 15

Row = dict[str, str]


def rows() -> list[Row]:
    with LABELS.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        assert reader.fieldnames == COLUMNS
        return list(reader)


def photos() -> dict[tuple[str, str], list[Row]]:
    """The rows of each (folder, file)."""
    found: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows():
        found[row["folder"], row["file"]].append(row)
    return found


def values(row: Row, kind: str) -> int:
    """What a point's pixel has in the map ``kind`` of its photo."""
    path = DATA / "segmentation" / row["folder"] / kind / Path(row["file"]).with_suffix(".png").name
    with Image.open(path) as image:
        levels = np.asarray(image)
    height, width = levels.shape
    return int(levels[int(float(row["y"]) * height), int(float(row["x"]) * width)])


def test_the_rules_come_first() -> None:
    lines = LABELS.read_text(encoding="utf-8").splitlines()
    head = [number for number, line in enumerate(lines) if line.startswith("#")]
    assert head
    assert head == list(range(len(head)))


def test_every_cell_has_its_form() -> None:
    forms = {
        "folder": "|".join(PHOTOS),
        "file": r"\w+\.jpg",
        "person": r"[1-9]|1[0-2]",
        "x": r"0\.\d{3}",
        "y": r"0\.\d{3}",
        "main": "[01]",
        "sure": "yes|no",
        "half": "[ab]",
        "note": ".*",
    }
    wrong = [
        (number, column)
        for number, row in enumerate(rows(), 1)
        for column, form in forms.items()
        if not re.fullmatch(form, row[column] or "")
    ]
    assert wrong == []


def test_persons_count_from_one() -> None:
    for photo, people in photos().items():
        assert [int(row["person"]) for row in people] == list(range(1, len(people) + 1)), photo


def test_the_half_is_that_of_the_name() -> None:
    for row in rows():
        assert row["half"] == "ab"[zlib.crc32(row["file"].encode()) % 2], row["file"]


def test_each_folder_has_its_number_of_photos() -> None:
    counts = {folder: sum(name == folder for name, _ in photos()) for folder in PHOTOS}
    assert counts == {folder: number for folder, (number, _) in PHOTOS.items()}


@pytest.mark.skipif(not (DATA / "segmentation").is_dir(), reason="set REMOVE_OBJECTS_DATA")
def test_the_photos_exist_and_the_points_lie_on_people() -> None:
    for folder, file in photos():
        assert (DATA / PHOTOS[folder][1] / file).is_file(), file
    labelled = [row for row in rows() if row["folder"] != "street"]
    outside = [row for row in labelled if values(row, "labels") != PERSON]
    assert outside == []


@pytest.mark.skipif(not (DATA / "segmentation").is_dir(), reason="set REMOVE_OBJECTS_DATA")
@pytest.mark.parametrize("folder", ["coco_val", "voc_val"])
def test_every_photo_with_a_person_is_labelled(folder: str) -> None:
    maps = sorted((DATA / "segmentation" / folder / "labels").glob("*.png"))
    people = {path.stem for path in maps if (np.asarray(Image.open(path)) == PERSON).any()}
    assert {Path(file).stem for name, file in photos() if name == folder} == people


@pytest.mark.skipif(not (DATA / "scenes").is_dir(), reason="set REMOVE_OBJECTS_DATA")
def test_the_streets_are_spread_over_their_folder() -> None:
    names = sorted(path.name for path in (DATA / PHOTOS["street"][1]).glob("*.jpg"))
    number = PHOTOS["street"][0]
    expected = [names[index * len(names) // number] for index in range(number)]
    assert [file for folder, file in photos() if folder == "street"] == expected


@pytest.mark.skipif(not (DATA / "segmentation").is_dir(), reason="set REMOVE_OBJECTS_DATA")
def test_no_two_points_lie_on_one_person() -> None:
    for (folder, file), people in photos().items():
        if folder == "coco_val":
            marked = [values(row, "instances") for row in people]
            assert all(value // 1000 == PERSON for value in marked), file
            assert len(set(marked)) == len(marked), file


def test_the_photos_that_train_the_rule_are_others() -> None:
    with (LABELS.parent / "main_people_training.csv").open(encoding="utf-8", newline="") as file:
        training = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert len(training) > 700
    assert {row["main"] for row in training} == {"0", "1"}
    assert all(0 <= float(row[side]) <= 1 for row in training for side in ("x", "y"))
    names = {(row["folder"], row["file"]) for row in training}
    assert {folder for folder, _ in names} == {"coco_train", "voc_train", "street"}
    assert not {file for _, file in names} & {file for _, file in photos()}
