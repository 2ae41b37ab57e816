"""The face detector's training: its samples, its losses, the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.models.checkpoint import load_weights
from remove_objects.models.face_detector import FaceDetector
from remove_objects.train.cli import main
from remove_objects.train.data.faces import CERTAIN, FaceSamples, wanted
from remove_objects.train.face_teacher import FILE, FaceTeacher


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 6)


def test_a_face_is_wanted_where_it_is_and_an_unsure_one_counts_neither_way() -> None:
    faces = rows((40, 40, 72, 88, 0.9, 0.3), (100, 100, 120, 120, CERTAIN / 2, 0))
    heat, weight, sides, counts, turn = wanted(faces, 17)
    (y,), (x,) = np.nonzero(heat[0] == 1)
    assert (y, x) == (8, 7)
    assert sides[:, y, x].tolist() == [16, 24, 16, 24]
    assert counts[0, y, x]
    assert turn[0, y, x] == pytest.approx(0.3)
    assert weight[0, 14, 14] == 0
    assert weight[0, 8, 7] == 1


def test_the_box_of_a_sample_is_around_the_face(tmp_path: Path) -> None:
    """A green ellipse is the face: turned, mirrored, enlarged, it stays in its box."""
    photo = np.zeros((200, 260, 3), np.uint8)
    cv2.ellipse(photo, (130, 90), (30, 45), 0, 0, 360, (0, 255, 0), -1)
    path = tmp_path / "face.png"
    cv2.imwrite(str(path), photo)
    samples = FaceSamples({path: rows((100, 45, 160, 135, 1, 0.2))}, [], size=129)
    whole = coloured = 0
    for n in range(12):
        picture, heat, _, sides, _, _ = (part.numpy() for part in samples[n])
        inside = np.zeros(picture.shape[1:], bool)
        for y, x in zip(*np.nonzero(heat[0] == 1), strict=True):
            left, top, right, bottom = sides[:, y, x]
            rows_of = slice(max(0, round(8 * y - top) - 3), round(8 * y + bottom) + 4)
            inside[rows_of, max(0, round(8 * x - left) - 3) : round(8 * x + right) + 4] = True
            whole += 1
        channels = picture.astype(int)
        bright = channels[1] - channels[[0, 2]].max(0) > 60
        if whole_colour := bright.any():
            assert bright[inside].mean() > 0.35
            assert bright[~inside].mean() < 0.05
        coloured += whole_colour
    assert whole > 10
    assert coloured > 6  # the others are grey
    np.testing.assert_array_equal(samples[3][0].numpy(), samples[3][0].numpy())


def test_two_steps_resume_and_export(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    stored = {
        str(p.relative_to(labelled_people)): [[60.0, 30.0, 140.0, 130.0, 0.9, 0.1]]
        for folder in ("segmentation/ccp_person/images", "scenes/train")
        for p in (labelled_people / folder).glob("*.[jp][pn]g")
    }
    (run / "store").mkdir(parents=True)
    (run / "store/faces.json").write_text(json.dumps(stored))
    command = ["face-detector", "--data", str(labelled_people), "--run", str(run)]
    command += ["--size", "65", "--batch", "2", "--held-out", "2", "--workers", "0"]
    command += ["--device", "cpu", "--precision", "32-true"]
    assert main([*command, "--steps", "1"]) == 0
    assert main([*command, "--steps", "2", "--every", "1"]) == 0
    log = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [1, 2, 2]
    assert {"val_ap", "val_mean", "val_recall_90%"} < set(log[-1])
    assert (run / "samples" / "0000002.png").exists()

    capsys.readouterr()
    assert main([*command, "--steps", "2", "--export", str(weights)]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.stat().st_size < 300_000
    assert load_weights(path, FaceDetector).config.width == 64
    card = path.with_suffix(".md").read_text()
    assert f"train-inpainter face-detector --data {labelled_people.name} --run run " in card
    assert "YuNet" in card


def test_photos_without_faces_need_the_teacher(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["face-detector", "--data", str(labelled_people), "--run", str(tmp_path)]
    assert main([*command, "--device", "cpu", "--workers", "0", "--steps", "1"]) == 2
    assert "there is no teacher; give --teacher" in capsys.readouterr().err
    assert main([*command, "--device", "cpu", "--teacher", str(tmp_path / "none")]) == 2
    assert f"{FILE}: the teacher's file is missing" in capsys.readouterr().err
    with pytest.raises(FileNotFoundError, match=FILE):
        FaceTeacher(tmp_path)
