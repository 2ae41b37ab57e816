"""The refiner's training: its losses, its held-out curve, the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from remove_objects.models.checkpoint import load_weights, sha256
from remove_objects.models.object_refiner import ObjectRefiner, ObjectRefinerConfig
from remove_objects.models.shipped import shipped_index
from remove_objects.train.cli import main
from remove_objects.train.tasks import object_refiner
from remove_objects.train.tasks.object_refiner import ObjectRefinerTask
from tests.train.data.objects.test_samples import SeesRed


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four stored answers, of a segmenter that sees red."""

    class Adapter(SeesRed):
        sha256 = "ab" * 32

        def __init__(self, device: torch.device) -> None:
            super().__init__()

    monkeypatch.setattr(object_refiner, "CompactSegmenterAdapter", Adapter)
    monkeypatch.setattr(object_refiner, "ANSWERS", 4)


def make(data: Path, folder: Path) -> ObjectRefinerTask:
    network = ObjectRefiner(ObjectRefinerConfig((8, 6, 4, 4)))
    return ObjectRefinerTask(
        network,
        data,
        folder,
        batch=2,
        size=64,
        learning_rate=1e-3,
        seed=0,
        held_out=2,
    )


def test_losses_by_hand(labelled_people: Path, tmp_path: Path) -> None:
    task = make(labelled_people, tmp_path)
    picture = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    coarse = torch.full((1, 1, 64, 64), 204, dtype=torch.uint8)  # 0.8
    alpha = torch.full((1, 1, 64, 64), 255, dtype=torch.uint8)
    weight = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    weight[..., :32, :], alpha[..., 32:, :] = 255, 0  # the wrong half is unknown
    terms = {
        k: float(v.detach())
        for k, v in task.losses((picture, coarse, alpha, weight))["network"].items()
    }  # an untrained network returns the coarse probability
    assert terms["bce"] == pytest.approx(-np.log(0.8), rel=1e-3)
    assert terms["edge"] == pytest.approx(object_refiner.EDGE * 0.2, rel=1e-3)
    both, sums = 0.8 * 2048, 1.8 * 2048
    dice = 1 - (2 * both + 50) / (sums + 50)
    assert terms["dice"] == pytest.approx(object_refiner.DICE * dice, rel=1e-3)


def test_nothing_known_is_no_loss(labelled_people: Path, tmp_path: Path) -> None:
    task = make(labelled_people, tmp_path)
    batch = tuple(torch.full((1, n, 64, 64), 90, dtype=torch.uint8) for n in (3, 1, 1))
    nothing = torch.zeros(1, 1, 64, 64, dtype=torch.uint8)
    terms = task.losses((*batch, nothing))["network"]
    assert all(float(v.detach()) == 0 for v in terms.values())


def test_only_the_decoder_learns(labelled_people: Path, tmp_path: Path) -> None:
    task = make(labelled_people, tmp_path)
    nn.init.normal_(task.network.head.weight, std=0.1)
    batch = tuple(torch.randint(0, 256, (2, n, 64, 64), dtype=torch.uint8) for n in (3, 1, 1, 1))
    torch.stack(list(task.losses(batch)["network"].values())).sum().backward()
    assert [n for n, p in task.network.named_parameters() if p.grad is None] == []
    assert all(p.grad is None for p in task.encoder.parameters())
    assert not any(name.startswith("encoder") for name in task.network.state_dict())


def test_two_steps_resume_and_export(
    labelled_people: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, weights = tmp_path / "run", tmp_path / "weights"
    command = ["object-refiner", "--data", str(labelled_people), "--run", str(run)]
    command += ["--size", "64", "--batch", "2", "--held-out", "2", "--workers", "0"]
    command += ["--device", "cpu", "--precision", "32-true"]
    assert main([*command, "--steps", "1"]) == 0
    made = {p.name: p.stat().st_mtime_ns for p in (run / "store").iterdir()}
    assert set(made) == {
        "cut_outs.u8",
        "cut_outs.json",
        "answers-abababab.u8",
        "answers-held-out-abababab.u8",
    }
    assert main([*command, "--steps", "2", "--every", "1"]) == 0
    assert made == {p.name: p.stat().st_mtime_ns for p in (run / "store").iterdir()}
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2, 2]
    assert {"val_mean", "val_hole_0.5%", "val_missed"} < set(rows[-1])
    assert (run / "samples" / "0000002.png").exists()

    capsys.readouterr()
    assert main([*command, "--steps", "2", "--export", str(weights)]) == 0
    path = Path(capsys.readouterr().out.strip())
    network = load_weights(path, ObjectRefiner)
    assert path.stat().st_size < 1_000_000
    entry = json.loads((weights / "index.json").read_text())["object-refiner"]
    assert entry["sha256"] == sha256(path)
    shipped = json.loads(shipped_index())["compact-segmenter"]["sha256"]
    assert network.config.encoder == entry["config"]["encoder"] == shipped
    card = path.with_suffix(".md").read_text()
    assert f"train-inpainter object-refiner --data {labelled_people.name} --run run " in card
    assert "to fill in" in card  # the terms of pictures that do not ship are not ours
    assert f"compact-segmenter {shipped[:8]}" in card


def test_a_folder_without_photos_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["object-refiner", "--data", str(tmp_path), "--run", str(tmp_path / "run")]
    assert main([*command, "--device", "cpu", "--workers", "0"]) == 2
    assert "segmentation/ccp_person" in capsys.readouterr().err
