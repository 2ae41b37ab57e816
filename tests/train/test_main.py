"""``train-inpainter`` from end to end: a tiny data folder, two steps, resume, export."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from models.checkpoint import load_weights
from models.compression import CompressionNetwork
from models.partial_conv_unet import PartialConvUNet
from models.skip_context_encoder import SkipContextEncoder
from train.main import main

NETWORKS = {"partial-conv": PartialConvUNet, "skip-ce": SkipContextEncoder, "compression": CompressionNetwork}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders that the presets look for, with three to five pictures of noise each."""
    folder = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("scenes/train", "faces/train", "segmentation/voc_train/images"):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            coarse = rng.integers(0, 256, (5, 6, 3), np.uint8)
            cv2.imwrite(str(folder / name / f"{i}.png"), cv2.resize(coarse, (140, 132), interpolation=cv2.INTER_CUBIC))
    label, mask = np.zeros((60, 60), np.uint8), np.zeros((64, 64), np.uint8)
    label[10:50, 20:40] = 15
    mask[20:40, 16:48] = 255
    for name, picture in (("segmentation/voc_train/labels", label), ("masks/irregular", mask)):
        (folder / name).mkdir(parents=True)
        cv2.imwrite(str(folder / name / "0.png"), picture)
    return folder


def command(model: str, data: Path, run: Path, *more: str) -> list[str]:
    small = ["--features", "none", "--width", "4", "--batch", "2", "--held-out", "2"]
    return [model, "--data", str(data), "--run", str(run), *small, *more]


@pytest.mark.parametrize("model", NETWORKS)
def test_two_steps_resume_and_export(model: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, shipped = tmp_path / "run", tmp_path / "weights"
    assert main(command(model, data, run, "--steps", "2")) == 0
    assert main(command(model, data, run, "--steps", "3")) == 0
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows] == [2, 3]
    assert all(math.isfinite(v) for r in rows for v in r.values())
    assert {"val_hole_l1", "val_psnr"} <= set(rows[-1])

    capsys.readouterr()
    assert main(command(model, data, run, "--export", str(shipped))) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.parent == shipped
    network = load_weights(path, NETWORKS[model])
    assert network.config.width == 4
    entry = json.loads((shipped / "index.json").read_text())[model]
    assert entry["file"] == path.name
    load_weights(path, NETWORKS[model], expected_sha256=entry["sha256"])
    assert "3 steps of batch 2" in path.with_suffix(".md").read_text()
    averaged = torch.load(run / "checkpoint.pt", weights_only=True)["ema"]
    name, parameter = next(iter(network.named_parameters()))
    torch.testing.assert_close(parameter.detach(), averaged[f"module.{name}"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("variant", [0, 1])
def test_other_models_of_the_face_network(variant: int, data: Path, tmp_path: Path) -> None:
    assert main(command("skip-ce", data, tmp_path, "--steps", "1", "--variant", str(variant))) == 0
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["parts"]["network"]
    assert any(k.startswith("fc.") for k in state) == (variant == 0)


def test_missing_data_is_the_users_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command("compression", tmp_path / "nowhere", tmp_path / "run", "--steps", "1")) == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_too_few_pictures_for_the_held_out_set_say_so(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command("compression", data, tmp_path / "run", "--steps", "1"), "--held-out", "64"]) == 2
    assert "--held-out" in capsys.readouterr().err


def test_export_before_training_says_so(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command("compression", data, tmp_path / "run", "--export", str(tmp_path / "weights"))) == 2
    assert "train first" in capsys.readouterr().err
    assert not (tmp_path / "weights").exists()
