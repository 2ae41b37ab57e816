"""The detector's boxes and samples."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.train.data.objects import boxes
from remove_objects.train.data.objects.boxes import CERTAIN, DetectorSamples
from remove_objects.train.detection_teacher import TeachersBox

PERSON, DOG = 15, 12


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 6)


class Teacher:
    """Sees one person and asks to be counted."""

    def __init__(self) -> None:
        self.photos = 0

    def boxes(self, rgb: np.ndarray, sizes: tuple[int, ...], least: float) -> list[TeachersBox]:
        self.photos += 1
        return [TeachersBox(10, 20, 50.12345, 100, 0.9, PERSON)]


def photo(path: Path, h: int = 120, w: int = 100) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(str(path)))
    cv2.imwrite(str(path), rng.integers(0, 255, (h, w, 3), np.uint8))
    return path


def test_the_teacher_is_asked_once(tmp_path: Path) -> None:
    files = [photo(tmp_path / "scenes/street" / name) for name in ("a.jpg", "b.jpg")]
    (tmp_path / boxes.MARKED).write_text("picture,x0,y0,x1,y1\nb.jpg,1,2,3,40\n")
    store, teacher = tmp_path / "boxes.json", Teacher()
    boxes.build(store, tmp_path, files, teacher)  # type: ignore[arg-type]
    found = boxes.build(store, tmp_path, files, None)
    assert teacher.photos == 2
    np.testing.assert_allclose(found[files[0]], rows((10, 20, 50.123, 100, 0.9, PERSON)))
    assert found[files[1]][1].tolist() == [1, 2, 3, 40, 1, PERSON]
    with pytest.raises(ValueError, match=r"c\.jpg: not in .*; give --teacher"):
        boxes.build(store, tmp_path, [photo(tmp_path / "c.jpg")], None)


def test_a_label_refutes_and_adds() -> None:
    label = np.zeros((100, 200), np.uint8)
    label[10:60, 10:40], label[20:80, 100:140] = PERSON, PERSON
    right, wrong = (10, 10, 40, 60, 0.9, PERSON), (60, 10, 90, 60, 0.9, PERSON)
    found = boxes.corrected(rows(right, wrong), label, (PERSON,))
    assert found[0].tolist() == pytest.approx(right)
    assert found[1:].tolist() == [[100, 20, 140, 80, pytest.approx(CERTAIN / 2), PERSON]]
    kept = boxes.corrected(rows(right, wrong), label, (PERSON,), complete=False)
    assert len(kept) == 3  # the label may have left somebody out
    dog = (60, 10, 90, 60, 0.9, DOG)
    assert len(boxes.corrected(rows(dog), label, (PERSON,))) == 3


def test_a_part_of_a_person_is_no_second_person() -> None:
    whole, torso, beside = (0, 0, 40, 100), (5, 5, 35, 50), (30, 0, 70, 100)
    found = boxes.without_parts(
        rows((*whole, 0.7, 15), (*torso, 0.9, 15), (*beside, 0.6, 15), (*torso, 0.9, 12))
    )
    assert (found[:, 4] >= CERTAIN).tolist() == [True, False, True, True]


def test_what_the_network_should_say() -> None:
    heat, weight, sides, counts = boxes.target(
        rows((40, 40, 120, 200, 0.9, PERSON), (200, 200, 240, 240, CERTAIN / 2, DOG)), 33, 20
    )
    assert np.argwhere(heat == 1).tolist() == [[PERSON - 1, 15, 10]]  # (80, 120) / 8
    assert sides[:, 15, 10].tolist() == [40, 80, 40, 80]
    assert counts[0, 15, 10]
    assert not counts[0, 0].any()
    assert weight[DOG - 1, 27, 27] == 0
    assert weight[PERSON - 1].min() == 1


def test_labelled_people_replace_the_teachers(tmp_path: Path) -> None:
    path = photo(tmp_path / "set/images/a.jpg")
    values, label = np.zeros((120, 100), np.uint16), np.zeros((120, 100), np.uint8)
    values[10:50, 20:40] = PERSON * 1000 + 1
    label[10:50, 20:40], label[80:90, 50:90] = PERSON, 255
    for name, picture in (("instances", values), ("labels", label)):
        (tmp_path / "set" / name).mkdir()
        cv2.imwrite(str(tmp_path / "set" / name / "a.png"), picture)
    teachers = rows((0, 0, 90, 90, 0.9, PERSON), (5, 5, 30, 30, 0.8, DOG))
    samples = DetectorSamples({path: teachers}, tmp_path, size=65)
    assert samples.checked(path).tolist() == [
        [5, 5, 30, 30, pytest.approx(0.8), DOG],
        [20, 10, 40, 50, 1, PERSON],
        [50, 80, 90, 90, 0, PERSON],  # a crowd
    ]


def test_a_sample_is_a_function_of_its_number(tmp_path: Path) -> None:
    files = {photo(tmp_path / f"{i}.jpg"): rows((10, 10, 80, 110, 0.9, PERSON)) for i in range(3)}
    samples = DetectorSamples(files, tmp_path, size=129, seed=3)
    again = DetectorSamples(files, tmp_path, size=129, seed=3)
    centres = 0
    for n in range(8):
        for one, other in zip(samples[n], again[n], strict=True):
            np.testing.assert_array_equal(one, other)
        image, heat, _, sides, counts = samples[n]
        assert image.shape == (3, 129, 129)
        assert heat.shape == (20, 17, 17)
        assert (sides.numpy()[:, counts.numpy()[0]] > 0).all()
        centres += int((heat == 1).sum())
    assert centres > 0
