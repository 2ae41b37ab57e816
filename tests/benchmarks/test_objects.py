"""The benchmark by objects, on synthetic labels, with stand-ins for holes and network."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks.quality import objects
from benchmarks.quality.objects import Case, Row, judge
from remove_objects.pipeline.detect import segmenters
from remove_objects.pipeline.types import Photo
from tests.support.box_segmenter import BoxSegmenter

PERSON, DOG = 15, 12


def case(values: np.ndarray, allowed: np.ndarray | None) -> Case:
    """A grey photo with these objects."""
    photo = Photo(np.full((*values.shape, 3), 128, np.uint8))
    return Case("set", "photo", photo, ("person",), values.astype(np.int32), allowed)


def test_every_object_is_judged_by_its_own_pixels() -> None:
    values = np.zeros((100, 100), int)
    values[10:20, 10:20], values[10:20, 20:30] = PERSON * 1000 + 1, PERSON * 1000 + 2
    hole = np.zeros((100, 100), bool)
    hole[10:20, 10:25] = True
    rows = judge(case(values, values > 0), hole)
    assert [(r.object, r.category, r.share, r.covered) for r in rows] == [
        (15001, "person", 0.01, 1.0),
        (15002, "person", 0.01, 0.5),
    ]


def test_an_area_is_false_more_than_twelve_pixels_from_what_may_go() -> None:
    values, void = np.zeros((100, 100), int), np.zeros((100, 100), bool)
    void[:, :10] = True
    hole = np.zeros((100, 100), bool)
    hole[:10, 20:24] = True  # columns 22 and 23 are 13 and 14 from the last void one
    (row,) = judge(case(values, void), hole)
    assert (row.object, row.covered) == (0, None)
    assert row.false == pytest.approx(20 / 10000)


def test_a_cut_out_is_compared_with_the_whole_hole() -> None:
    values, hole = np.zeros((100, 100), int), np.zeros((100, 100), bool)
    values[20:40, 20:40], hole[20:40, 25:50] = 1, True
    (row,) = judge(case(values, None), hole)
    assert (row.covered, row.hole, row.false) == (0.75, 1.25, None)


def row(share: float, covered: float, photo: str = "a", false: float = 0.0) -> Row:
    """A person of a photo."""
    return Row("set", photo, 15001, "person", share, covered, None, false)


def test_the_table_counts_objects_by_size_and_photos_by_false_area() -> None:
    small = [row(0.002, covered) for covered in (1.0, 0.95, 0.9, 0.05, 0.0)]
    tiny = row(0.0009, 0.0)
    photos = [row(0.06, 0.99, "b", 0.02), Row("set", "c", 0, "", 0.0, None, None, 0.0)]
    lines = objects.report([*small, tiny, *photos]).splitlines()
    assert lines[1].split()[-6:] == ["5", "20%", "20%", "20%", "40%", "20%"]
    assert lines[2].split()[-6:] == ["0", "-", "-", "-", "-", "-"]
    assert lines[3].split()[-6:] == ["1", "100%", "0%", "0%", "0%", "0%"]
    assert "33% of 3 photos; mean 0.67%" in lines[4]


@pytest.fixture
def labelled_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo with a person and a dog, of whom the stand-in sees the person's upper half."""
    monkeypatch.setattr(
        segmenters, "choose_segmenter", lambda *_, **__: segmenters.Chosen(BoxSegmenter(), {})
    )
    picture, values = np.full((120, 160, 3), 128, np.uint8), np.zeros((120, 160), np.uint16)
    values[20:60, 20:40], values[80:110, 100:140] = PERSON * 1000 + 1, DOG * 1000 + 1
    picture[20:40, 20:40] = (0, 0, 255)  # OpenCV writes BGR
    for folder, pixels in (("photos", picture), ("instances", values)):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), pixels)
    return tmp_path


def test_the_command_judges_any_set_with_instances(
    labelled_set: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, previews = labelled_set / "rows.csv", labelled_set / "previews"
    folders = [
        *("--photos", str(labelled_set / "photos")),
        *("--instances", str(labelled_set / "instances")),
    ]
    wanted = ["--csv", str(table), "--previews", str(previews), "--dilate", "0"]
    assert objects.main([*folders, *wanted]) == 0
    (band,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("1-5 %")]
    assert band.split()[2:] == ["1", "0%", "0%", "100%", "0%", "0%"]
    (read,) = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    assert (read["object"], read["category"], read["hole"]) == ("15001", "person", "")
    assert float(read["covered"]) == pytest.approx(0.5, abs=0.06)
    shown = cv2.imread(str(previews / "photos-a.png"))
    assert shown is not None
    assert tuple(shown[55, 30]) == (64, 64, 191)  # missed: red over the grey


def test_a_crowd_is_void(labelled_set: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "CROWDS", {("a", PERSON * 1000 + 1)})
    folders = labelled_set / "photos", labelled_set / "instances"
    (read,) = objects.labelled_photos(*folders, None, ("person",))
    assert not read.objects.any()
    assert read.allowed is not None
    assert read.allowed.sum() == 40 * 20


def test_both_folders_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        objects.main(["--photos", "x"])
    assert "--photos and --instances belong together" in capsys.readouterr().err
