"""The detector's training: its losses, its held-out metrics, the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import load_weights
from remove_objects.models.object_detector import ObjectDetector
from remove_objects.train.cli import main
from remove_objects.train.detection_metrics import hits_of, overlaps
from remove_objects.train.detection_teacher import FILES, DetectionTeacher
from remove_objects.train.tasks.object_detector import focal


def rows(*values: tuple[float, ...]) -> np.ndarray:
    return np.array(values, np.float32).reshape(-1, 6)


def test_the_focal_loss_by_hand() -> None:
    logits = torch.tensor([0.0, 0.0, 0.0])
    loss = focal(logits, torch.tensor([1.0, 0.0, 0.5]))
    expected = 0.25 * np.log(2) * np.array([1, 1, 0.5**4])
    np.testing.assert_allclose(loss.numpy(), expected, rtol=1e-6)


def test_every_object_is_found_once() -> None:
    truth = rows((0, 0, 10, 10, 1, 15), (50, 0, 60, 10, 0.2, 15))
    found = rows(
        (0, 0, 10, 9, 0.9, 15),
        (0, 0, 9, 10, 0.8, 15),
        (50, 0, 60, 10, 0.7, 15),
        (90, 90, 99, 99, 0.6, 15),
    )
    hits, total = hits_of(found, truth, 0.4)
    assert [h for _, h in hits] == [True, False, None, False]
    assert total == 1


def test_overlaps_by_hand() -> None:
    one = np.array([0, 0, 10, 10], np.float32)
    others = rows((0, 0, 10, 10, 1, 1), (5, 0, 15, 10, 1, 1), (20, 20, 30, 30, 1, 1))
    assert overlaps(one, others).tolist() == pytest.approx([1, 1 / 3, 0])


def test_two_steps_resume_and_export(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    stored = {
        str(p.relative_to(labelled_people)): [[60.0, 30.0, 140.0, 190.0, 0.9, 15]]
        for folder in ("segmentation/ccp_person/images", "scenes/train")
        for p in (labelled_people / folder).glob("*.[jp][pn]g")
    }
    (run / "store").mkdir(parents=True)
    (run / "store/boxes.json").write_text(json.dumps(stored))
    command = ["object-detector", "--data", str(labelled_people), "--run", str(run)]
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
    assert path.stat().st_size < 1_500_000
    entry = json.loads((weights / "index.json").read_text())["object-detector"]
    assert load_weights(path, ObjectDetector).config.encoder == entry["config"]["encoder"]
    card = path.with_suffix(".md").read_text()
    assert f"train-inpainter object-detector --data {labelled_people.name} --run run " in card
    assert "NanoDet-m" in card


def test_photos_without_boxes_need_the_teacher(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["object-detector", "--data", str(labelled_people), "--run", str(tmp_path)]
    assert main([*command, "--device", "cpu", "--workers", "0", "--steps", "1"]) == 2
    assert "there is no teacher; give --teacher" in capsys.readouterr().err
    assert main([*command, "--device", "cpu", "--teacher", str(tmp_path / "none")]) == 2
    assert f"{FILES[0]}: the teacher's file is missing" in capsys.readouterr().err


def test_the_teachers_package_is_named_if_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILES:
        (tmp_path / name).touch()
    monkeypatch.setitem(__import__("sys").modules, "ncnn", None)
    with pytest.raises(ValueError, match="pip install ncnn"):
        DetectionTeacher(tmp_path)
