"""The page of numbers: the paper's, the shipped ones, and a reason for every difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from remove_objects.train import presets
from remove_objects.train.data.holes import named_mixture
from remove_objects.train.presets import MODELS, paper, shipped
from remove_objects.train.tasks.base import NetworkTask

#: The networks with two presets.
INPAINTERS = tuple(name for name, model in MODELS.items() if model.paper)


def test_every_inpainter_has_both_presets() -> None:
    assert set(INPAINTERS) == set(MODELS) - {
        "compact-segmenter",
        "segmenter",
        "object-refiner",
        "object-detector",
        "face-detector",
        "object-effects",
        "object-instances",
        "scene-classifier",
    }
    for model in MODELS.values():
        assert bool(model.paper) == bool(model.shipped) == bool(model.why)


@pytest.mark.parametrize("model", MODELS)
def test_every_network_has_a_task_that_knows_its_preprocessing(model: str) -> None:
    task = MODELS[model].task()
    assert issubclass(task, NetworkTask)
    assert "RGB" in task.preprocessing or "eighth" in task.preprocessing


@pytest.mark.parametrize("model", INPAINTERS)
def test_every_difference_has_a_reason_and_every_reason_a_difference(model: str) -> None:
    assert set(presets.differences(model)) == set(MODELS[model].why)
    assert all(len(reason.split()) > 3 for reason in MODELS[model].why.values())


def test_differences_are_named_with_both_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    of_paper = paper("edsr")
    changed = replace(
        of_paper,
        steps=7,
        schedule=replace(of_paper.schedule, batch=3),
        network={k: v for k, v in of_paper.network.items() if k != "blocks"} | {"layers": 2},
    )
    monkeypatch.setitem(MODELS, "edsr", replace(MODELS["edsr"], shipped=changed))
    assert presets.differences("edsr") == {
        "steps": (300_000, 7),
        "schedule.batch": (16, 3),
        "network.blocks": (16, None),
        "network.layers": (None, 2),
    }
    monkeypatch.setitem(MODELS, "edsr", replace(MODELS["edsr"], shipped=of_paper))
    assert presets.differences("edsr") == {}


def test_paper_presets_have_the_papers_numbers() -> None:
    kulkarni = paper("partial-conv")
    weights = kulkarni.network["weights"]
    assert (weights.tv, weights.valid, weights.hole, weights.perceptual, weights.style) == (
        0.1,
        1,
        6,
        0.05,
        120,
    )
    assert weights.features_of_output
    assert (
        kulkarni.schedule.batch,
        kulkarni.schedule.size,
        kulkarni.steps,
        kulkarni.schedule.perceptual,
    ) == (3, 256, 34_500, "l1")
    jiang = paper("skip-ce")
    assert (
        jiang.network["adversarial"],
        jiang.epochs,
        jiang.schedule.size,
        jiang.schedule.learning_rate,
    ) == (0.001, 40, 128, 2e-4)
    assert (paper("compression").schedule.size, paper("compression").schedule.learning_rate) == (
        256,
        2e-4,
    )
    yu = paper("gated-conv")
    assert (yu.network["width"], yu.network["adversarial"], yu.schedule.size) == (48, 1, 256)
    assert (yu.schedule.batch, yu.schedule.learning_rate, yu.schedule.betas) == (
        16,
        1e-4,
        (0.5, 0.999),
    )
    nazeri = paper("edge-connect")
    edge = nazeri.network["weights"]
    assert (edge.edge_adversarial, edge.matching) == (1, 10)
    assert (edge.l1, edge.adversarial, edge.perceptual, edge.style) == (1, 0.1, 0.1, 250)
    assert (
        nazeri.network["width"],
        nazeri.network["discriminator_lr_scale"],
        nazeri.schedule.batch,
        nazeri.schedule.size,
    ) == (64, 0.1, 8, 256)
    assert (nazeri.schedule.learning_rate, nazeri.schedule.betas) == (1e-4, (0, 0.9))
    edsr = paper("edsr")
    assert (edsr.network["width"], edsr.network["blocks"], edsr.schedule.learning_rate) == (
        64,
        16,
        1e-4,
    )


@pytest.mark.parametrize("model", ["gated-conv", "edge-connect"])
def test_baselines_are_trained_as_the_network_that_they_are_compared_with(model: str) -> None:
    ours, theirs = shipped("compression"), shipped(model)
    assert (theirs.folders, theirs.holes, theirs.steps) == (ours.folders, ours.holes, ours.steps)
    assert all(
        getattr(theirs.schedule, k) == getattr(ours.schedule, k)
        for k in ("batch", "size", "zoom", "seed")
    )


@pytest.mark.parametrize("preset", ["paper", "shipped"])
@pytest.mark.parametrize("model", INPAINTERS)
def test_preset_has_a_length_and_holes_that_are_known(model: str, preset: str, data: Path) -> None:
    numbers = MODELS[model].preset(preset)
    assert numbers is not None
    assert (numbers.steps > 0) != (numbers.epochs > 0)
    assert sum(weight for weight, _ in numbers.holes) == pytest.approx(1)
    hole = named_mixture(numbers.holes, data)(64, np.random.default_rng(0))
    assert 0 < hole.mean() < 1
