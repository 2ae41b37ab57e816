"""The training benchmark, on networks of a few channels: each makes a step of its preset."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from benchmarks.speed import training


def test_every_network_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in training.INPAINTERS:
        preset = training.shipped(model)
        small = replace(
            preset,
            schedule=replace(preset.schedule, batch=2, size=128),
            network={**preset.network, "width": 2},
        )
        monkeypatch.setitem(training.MODELS, model, replace(training.MODELS[model], shipped=small))
    # The benchmark sets FULL_SIZE_EVERY; setting it here too restores it afterwards.
    every = training.segmenter.FULL_SIZE_EVERY
    for name, value in {"BATCH": 2, "SIZE": 33, "FULL_SIZE_EVERY": every}.items():
        monkeypatch.setattr(training.segmenter, name, value)
    monkeypatch.setattr(sys, "argv", ["training.py", "--seconds", "0"])
    training.main()
    printed = capsys.readouterr().out
    for model in (*training.INPAINTERS, "compact-segmenter"):
        row = re.search(rf"^{model} +2 +([0-9.]+) +([0-9.]+)", printed, re.MULTILINE)
        assert row, printed
        assert float(row[1]) > 0
        assert float(row[2]) > 0
    ratio = re.search(r"one training step: ([0-9.]+)", printed)
    assert ratio
    assert float(ratio[1]) > 0
