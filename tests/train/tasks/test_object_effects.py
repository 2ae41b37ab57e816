"""The effects network's training: its losses, its held-out metrics, the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import load_weights, sha256
from remove_objects.models.object_effects import ObjectEffects, ObjectEffectsConfig
from remove_objects.models.shipped import shipped_index
from remove_objects.train.cli import main
from remove_objects.train.tasks import object_effects
from remove_objects.train.tasks.object_effects import ObjectEffectsTask, average_precision


def make(data: Path, folder: Path) -> ObjectEffectsTask:
    network = ObjectEffects(ObjectEffectsConfig((4, 6, 8, 8)))
    return ObjectEffectsTask(
        network, data, folder, batch=2, size=64, learning_rate=1e-3, seed=0, held_out=2
    )


def certain(task: ObjectEffectsTask, probability: float) -> None:
    """Make the network answer the same everywhere."""
    torch.nn.init.zeros_(task.network.head.weight)
    torch.nn.init.constant_(task.network.head.bias, float(np.log(probability / (1 - probability))))


def batch(effects: int, weight: int) -> tuple[torch.Tensor, ...]:
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    mask = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    return (
        picture,
        mask,
        torch.full((1, 3, 64, 64), effects, dtype=torch.uint8),
        torch.full((1, 3, 64, 64), weight, dtype=torch.uint8),
    )


def test_losses_by_hand(labelled_people: Path, tmp_path: Path) -> None:
    task = make(labelled_people, tmp_path)
    task.network.eval()
    certain(task, 0.8)
    part = batch(255, 255)
    part[3][..., 32:, :], part[2][..., 32:, :] = 0, 0  # the wrong half does not count
    terms = {k: float(v.detach()) for k, v in task.losses(part)["network"].items()}
    assert terms["bce"] == pytest.approx(-np.log(0.8), rel=1e-3)
    both, sums = 0.8 * 2048, 1.8 * 2048
    dice = 1 - (2 * both + object_effects.STEADY) / (sums + object_effects.STEADY)
    assert terms["dice"] == pytest.approx(object_effects.DICE * dice, rel=1e-3)


def test_only_the_network_learns(labelled_people: Path, tmp_path: Path) -> None:
    task = make(labelled_people, tmp_path)
    torch.stack(list(task.losses(batch(255, 255))["network"].values())).sum().backward()
    assert [n for n, p in task.network.named_parameters() if p.grad is None] == []
    assert all(p.grad is None for p in task.encoder.parameters())
    assert not any(name.startswith("encoder") for name in task.network.state_dict())


def test_average_precision_by_hand() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.1], np.float32)
    truth = np.array([True, False, True, True, False])
    precision = average_precision(scores, truth)
    assert precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)
    assert average_precision(scores, np.zeros(5, bool)) == 0.0


def test_two_steps_resume_and_export(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    command = ["object-effects", "--data", str(labelled_people), "--run", str(run)]
    command += ["--size", "64", "--batch", "2", "--held-out", "3", "--workers", "0"]
    command += ["--device", "cpu", "--precision", "32-true"]
    assert main([*command, "--steps", "1"]) == 0
    made = {p.name: p.stat().st_mtime_ns for p in (run / "store").iterdir()}
    assert set(made) == {"cut_outs.u8", "cut_outs.json"}
    assert main([*command, "--steps", "2", "--every", "1"]) == 0
    assert made == {p.name: p.stat().st_mtime_ns for p in (run / "store").iterdir()}
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 2]
    assert {"val_mean", "val_false"} < set(rows[-1])
    assert any(key.startswith("val_made_") for key in rows[-1])
    assert (run / "samples" / "0000002.png").exists()

    capsys.readouterr()
    assert main([*command, "--steps", "2", "--export", str(weights)]) == 0
    path = Path(capsys.readouterr().out.strip())
    network = load_weights(path, ObjectEffects)
    assert path.stat().st_size < 4_000_000
    entry = json.loads((weights / "index.json").read_text())["object-effects"]
    assert entry["sha256"] == sha256(path)
    shipped = json.loads(shipped_index())["compact-segmenter"]["sha256"]
    assert network.config.encoder == entry["config"]["encoder"] == shipped
    card = path.with_suffix(".md").read_text()
    assert f"train-inpainter object-effects --data {labelled_people.name} --run run " in card
    assert "to fill in" in card  # the terms of pictures that do not ship are not ours


def test_a_folder_without_photos_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["object-effects", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    assert main([*command, "--device", "cpu", "--workers", "0"]) == 2
    assert "segmentation/ccp_person" in capsys.readouterr().err
