"""A run folder that version 0.1.0 wrote is resumed as if this version had written it.

``stored_run`` holds EDSR's checkpoint after two of four steps, and its log. The old version made
them with the options below, ``train-inpainter edsr``, and a preset of width 1 and one block.
"""

from __future__ import annotations

import gzip
import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from remove_objects.train.cli import main
from remove_objects.train.experiments.runs import OtherRecipeError, _same_recipe
from remove_objects.train.presets import MODELS, shipped

STORED = Path(__file__).parent / "stored_run"
OPTIONS = shlex.split(
    "--steps 4 --batch 1 --size 16 --held-out 2 --every 1 --evaluate-every 2 --device cpu "
    "--precision 32-true --workers 0 --seed 3 --features none"
)


def test_a_run_of_the_version_before_is_resumed(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = replace(shipped("edsr"), network={"width": 1, "blocks": 1})
    monkeypatch.setitem(MODELS, "edsr", replace(MODELS["edsr"], shipped=small))
    resumed, whole = tmp_path / "resumed", tmp_path / "whole"
    resumed.mkdir()
    shutil.copy(STORED / "log.jsonl", resumed)
    checkpoint = gzip.decompress((STORED / "checkpoint.pt.gz").read_bytes())
    (resumed / "checkpoint.pt").write_bytes(checkpoint)
    for run in (resumed, whole):
        assert main(["edsr", "--data", str(data), "--run", str(run), *OPTIONS]) == 0

    logs = [
        [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        for run in (resumed, whole)
    ]
    assert [row["step"] for row in logs[0]] == [1, 2, 2, 3, 4, 4]
    for old, new in zip(*logs, strict=True):
        for name in old.keys() - {"seconds", "images_per_second"}:
            assert old[name] == pytest.approx(new[name], rel=1e-3, abs=1e-4), name
    states = [torch.load(run / "checkpoint.pt", weights_only=True) for run in (resumed, whole)]
    assert states[0].keys() == states[1].keys()
    assert torch.equal(states[0]["random"], states[1]["random"])
    for name, value in states[1]["ema"].items():
        # Another processor wrote the first two steps: Adam turns rounding into small steps.
        torch.testing.assert_close(states[0]["ema"][name], value, rtol=1e-3, atol=1e-4)


def test_a_checkpoint_names_no_module_of_the_package() -> None:
    checkpoint = gzip.decompress((STORED / "checkpoint.pt.gz").read_bytes())
    assert b"train.tasks" not in checkpoint
    assert b"remove_objects" not in checkpoint


def test_a_recipe_of_the_version_before_is_compared_by_new_names(tmp_path: Path) -> None:
    stored = {"network": {"judge_rate": 0.1, "weights": {"look_at_output": True, "tv": 0.1}}}
    (tmp_path / "recipe.json").write_text(json.dumps(stored))
    weights = {"features_of_output": True, "tv": 0.1}
    _same_recipe(tmp_path, {"network": {"discriminator_lr_scale": 0.1, "weights": weights}})
    with pytest.raises(OtherRecipeError, match="network"):
        _same_recipe(tmp_path, {"network": {"discriminator_lr_scale": 0.2, "weights": weights}})
