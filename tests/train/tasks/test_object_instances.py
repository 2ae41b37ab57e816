"""The instance network's training: its losses, its held-out metrics, the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import load_weights
from remove_objects.models.object_instances import ObjectInstances, ObjectInstancesConfig
from remove_objects.train.cli import main
from remove_objects.train.data.instances.views import MOST
from remove_objects.train.tasks.object_instances import (
    BELONGS,
    ObjectInstancesTask,
    matches,
    overlaps,
)


def make(data: Path, folder: Path) -> ObjectInstancesTask:
    network = ObjectInstances(ObjectInstancesConfig((4, 6, 8, 8)))
    return ObjectInstancesTask(
        network, data, folder, None, batch=2, size=64, learning_rate=1e-3, seed=0, held_out=2
    )


def batch() -> tuple[torch.Tensor, ...]:
    numbers = torch.zeros(1, 1, 32, 32, dtype=torch.uint8)
    numbers[..., 4:20, 4:12] = 1
    numbers[..., 4:20, 12:30] = 2
    numbers[..., 25:, :] = 255
    boxes = torch.zeros(1, MOST, 4)
    boxes[0, 0] = torch.tensor([8.0, 8.0, 24.0, 40.0])
    boxes[0, 1] = torch.tensor([24.0, 8.0, 60.0, 40.0])
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    belongs = (numbers > 0).to(torch.uint8)
    belongs[..., 25:, :] = 255
    return picture, torch.full((1, 1, 64, 64), 255, dtype=torch.uint8), numbers, boxes, belongs


def test_overlaps_by_hand() -> None:
    found = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 10]])
    true = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    overlap, generalised = overlaps(found, true)
    assert overlap.tolist() == pytest.approx([1, 1 / 3, 0])
    assert generalised.tolist() == pytest.approx([1, 1 / 3, -1 / 3])


def test_right_votes_cost_nothing(
    labelled_people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make(labelled_people, tmp_path)
    part = batch()
    index = part[2][0, 0].long()
    right = part[3][0][(index - 1).clamp(0, MOST - 1)].permute(2, 0, 1)[None]
    sure = torch.full((1, 1, 32, 32), 9.0)
    own = sure * (2 * (part[4] == 1) - 1)
    monkeypatch.setattr(task, "_votes", lambda *_: (right, sure, own))
    terms = task.losses(part)["network"]
    assert terms["overlap"].item() == pytest.approx(0, abs=1e-4)
    assert terms["sides"].item() == pytest.approx(0, abs=1e-4)
    assert terms["quality"].item() < 1e-3
    assert terms["belongs"].item() < 1e-3
    monkeypatch.setattr(task, "_votes", lambda *_: (right + 8, sure, -own))
    terms = task.losses(part)["network"]
    assert terms["belongs"].item() == pytest.approx(9 * BELONGS, rel=0.01)
    assert terms["sides"].item() == pytest.approx(8 / 64)
    assert terms["overlap"].item() > 0.3


def test_only_the_network_learns(labelled_people: Path, tmp_path: Path) -> None:
    task = make(labelled_people, tmp_path)
    torch.stack(list(task.losses(batch())["network"].values())).sum().backward()
    assert [n for n, p in task.network.named_parameters() if p.grad is None] == []
    assert all(p.grad is None for p in task.encoder.parameters())


def test_a_batch_without_any_object_is_no_error(labelled_people: Path, tmp_path: Path) -> None:
    part = batch()
    part[2].zero_()
    part[4].fill_(255)
    terms = make(labelled_people, tmp_path).losses(part)["network"]
    assert all(float(v.detach()) == 0 for v in terms.values())


def test_matches_by_hand() -> None:
    true = np.zeros((10, 20), np.uint8)
    true[:, :8], true[:, 8:16], true[:, 16:] = 1, 2, 255
    assert matches(true, true.astype(np.int32)) == (2, 2)
    joined = (true > 0).astype(np.int32)  # one for both
    assert matches(true, joined) == (0, 2)
    shifted = np.where(np.arange(20) < 10, 1, 2) * np.ones((10, 1), int)
    assert matches(true, shifted) == (2, 2)  # 8 of 10, and 6 of 8


def test_two_steps_resume_and_export(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    (run / "store").mkdir(parents=True)
    names = sorted((labelled_people / "segmentation").glob("*/images/*.[jp][pn]g"))
    stored = {str(p.relative_to(labelled_people)): [] for p in names}
    (run / "store" / "boxes.json").write_text(json.dumps(stored))
    command = ["object-instances", "--data", str(labelled_people), "--run", str(run)]
    command += ["--size", "64", "--batch", "2", "--held-out", "3", "--workers", "0"]
    command += ["--device", "cpu", "--precision", "32-true"]
    assert main([*command, "--steps", "1"]) == 0
    assert main([*command, "--steps", "2", "--every", "1"]) == 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 2]
    assert {"val_mean", "val_made", "val_made_overlap"} <= set(rows[-1])
    assert (run / "samples" / "0000002.png").exists()
    capsys.readouterr()
    assert main([*command, "--steps", "2", "--export", str(weights)]) == 0
    path = Path(capsys.readouterr().out.strip())
    load_weights(path, ObjectInstances)
    assert path.stat().st_size < 4_000_000
    card = path.with_suffix(".md").read_text()
    assert f"train-inpainter object-instances --data {labelled_people.name} --run run " in card


def test_a_folder_without_photos_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["object-instances", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    assert main([*command, "--device", "cpu", "--workers", "0"]) == 2
    assert "segmentation/ccp_person" in capsys.readouterr().err
