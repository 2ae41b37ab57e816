"""A new user's path: train on a folder of photos, clean with the weight, measure it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.models.checkpoint import sha256
from remove_objects.pipeline.cli import main as clean
from remove_objects.train.cli import main as train
from remove_objects.train.evaluate_cli import main as evaluate
from tests.support.scenes import scene

TINY = ["--size", "128", "--batch", "1", "--steps", "1", "--features", "none", "--held-out", "1"]


@pytest.mark.parametrize(
    ("network", "options", "test"),
    [
        ("partial-conv", ["--width", "2"], "free-form-10-20"),
        ("compression", ["--width", "2"], "edge-25-35"),
    ],
)
def test_a_weight_is_trained_used_and_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: str, options: list[str], test: str
) -> None:
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    for folder in ("photos", "masks"):
        Path(folder).mkdir()
    for number in range(3):
        Image.fromarray(scene(160, 200, seed=number)).save(f"photos/{number}.png")
    mask = np.zeros((160, 200), bool)
    mask[:, :60] = True
    Image.fromarray(mask).save("masks/0.png")
    call = [network, "--images", "photos", "--run", "runs/mine", "--device", "cpu"]
    assert train([*call, *TINY, *options]) == 0
    weight = Path("runs/mine/best.safetensors")
    weights = ["--weights", f"{network}={weight}"]
    where = ["-o", "out", "--device", "cpu", "--offline", "--no-probe", "--detail", "none"]
    assert clean(["--masks", "masks", *where, *weights, "photos/0.png"]) == 0
    report = json.loads(Path("out/report.json").read_text())
    assert report["run"]["weights"][network] == sha256(weight)
    assert report["photos"][0]["status"] in ("ok", "review")
    measured = ["probes", "--images", "photos", "--test", test, "--count", "1"]
    assert evaluate([*measured, "--csv", "own.csv", *weights]) == 0
    assert evaluate([*measured, "--csv", "bundled.csv"]) == 0
    own, bundled = (
        list(csv.DictReader(Path(f"{name}.csv").read_text().splitlines()))
        for name in ("own", "bundled")
    )
    assert own[0]["filler"] == "ours"
    assert own[0]["hole_l1"] != bundled[0]["hole_l1"]
    assert own[1]["hole_l1"] == bundled[1]["hole_l1"]  # Navier-Stokes on the same hole
