"""The benchmark of training, on networks of a few channels: every network makes its step as the presets have it today."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import pytest

from benchmarks import training


def test_every_network_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {
        model: replace(
            preset,
            schedule=replace(preset.schedule, batch=2, size=128),
            network={**preset.network, "width": 2},
        )
        for model, preset in training.SHIPPED.items()
        if model in training.KINDS
    }
    monkeypatch.setattr(training, "SHIPPED", small)
    for name, value in {
        "BATCH": 2,
        "SIZE": 33,
        "AS_NEAR": training.distill.AS_NEAR,
    }.items():  # the last is the benchmark's to set
        monkeypatch.setattr(training.distill, name, value)
    monkeypatch.setattr(sys, "argv", ["training.py", "--seconds", "0"])
    training.main()
    printed = capsys.readouterr().out
    for model in (*training.KINDS, "compact-segmenter"):
        found = re.search(rf"^{model} +2 +([0-9.]+) +([0-9.]+)", printed, re.MULTILINE)
        assert found, printed
        assert float(found[1]) > 0
        assert float(found[2]) > 0
    ratio = re.search(r"one training step: ([0-9.]+)", printed)
    assert ratio
    assert float(ratio[1]) > 0
