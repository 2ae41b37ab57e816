"""The page of numbers: the paper's, the shipped ones, and a reason for every difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from train import presets
from train.main import MODELS, hole_generator
from train.presets import PAPER, PRESETS, SHIPPED, WHY


def test_every_inpainter_has_both_presets() -> None:
    assert set(PAPER) == set(SHIPPED) == set(WHY) == set(MODELS) - {"compact-segmenter", "scene-classifier"}


@pytest.mark.parametrize("model", PAPER)
def test_every_difference_has_a_reason_and_every_reason_a_difference(model: str) -> None:
    assert set(presets.differences(model)) == set(WHY[model])
    assert all(len(reason.split()) > 3 for reason in WHY[model].values())


def test_differences_are_named_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    paper = PAPER["edsr"]
    changed = replace(paper, steps=7, schedule=replace(paper.schedule, batch=3), network={"width": 64, "layers": 2})
    monkeypatch.setitem(SHIPPED, "edsr", changed)
    assert presets.differences("edsr") == {
        "steps": (300_000, 7), "schedule.batch": (16, 3), "network.blocks": (16, None), "network.layers": (None, 2),
    }  # fmt: skip
    monkeypatch.setitem(SHIPPED, "edsr", paper)
    assert presets.differences("edsr") == {}


def test_numbers_that_the_papers_print() -> None:
    kulkarni = PAPER["partial-conv"]
    weights = kulkarni.network["weights"]
    assert (weights.tv, weights.valid, weights.hole, weights.perceptual, weights.style) == (0.1, 1, 6, 0.05, 120)
    assert weights.look_at_output
    assert (kulkarni.schedule.batch, kulkarni.schedule.size, kulkarni.steps, kulkarni.schedule.perceptual) == (3, 256, 34_500, "l1")
    jiang = PAPER["skip-ce"]
    assert (jiang.network["adversarial"], jiang.epochs, jiang.schedule.size, jiang.schedule.learning_rate) == (0.001, 40, 128, 2e-4)
    assert (PAPER["compression"].schedule.size, PAPER["compression"].schedule.learning_rate) == (256, 2e-4)
    assert (PAPER["edsr"].network, PAPER["edsr"].schedule.learning_rate) == ({"width": 64, "blocks": 16}, 1e-4)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("model", PAPER)
def test_preset_has_a_length_and_holes_that_are_known(model: str, preset: str, data: Path) -> None:
    found = PRESETS[preset][model]
    assert (found.steps > 0) != (found.epochs > 0)
    assert sum(weight for weight, _ in found.holes) == pytest.approx(1)
    hole = hole_generator(found, None, data)(64, np.random.default_rng(0))
    assert 0 < hole.mean() < 1
