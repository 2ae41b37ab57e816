"""Arms of a table: resumed with the same result, never mixed with arms of other numbers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock
from torch import nn

from remove_objects.train.data import holes
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.experiments.runs import (
    Arm,
    Budget,
    OtherRecipeError,
    Trained,
    UnfinishedError,
    train_arm,
    train_arms,
    training_noise,
)
from remove_objects.train.presets import paper
from remove_objects.train.tasks.base import InpaintingTask, squares_with_holes
from remove_objects.train.tasks.skip_context import SkipContextTask

BUDGET = Budget(steps=4, batch=2, points=2)


def arm(data: Path, **recipe: Any) -> Arm:
    files = find_images([data / "faces" / "train"])
    test = squares_with_holes([read_rgb(f) for f in files], holes.centred, 128)

    def task(seed: int) -> InpaintingTask:
        network = {**paper("skip-ce").with_width(4), "variant": 3}
        schedule = replace(paper("skip-ce").schedule, batch=2, seed=seed)
        return SkipContextTask(
            **network, schedule=schedule, pictures=files, holes=holes.rectangle, held_out=test
        )

    def judge(task: InpaintingTask, network: nn.Module) -> list[dict[str, Any]]:
        x, m = test
        composite = task.composite(network, x, m)
        return [
            {"picture": str(i), "l1": float((a - b).abs().mean())}
            for i, (a, b) in enumerate(zip(composite, x, strict=True))
        ]

    return Arm("model", "", task, judge, {"width": 4, **recipe})


def test_an_arm_has_its_budget_a_curve_from_the_start_and_a_hash(
    data: Path, tmp_path: Path
) -> None:
    outcome = train_arm(arm(data), 0, tmp_path, BUDGET)
    assert [p["samples"] for p in outcome.curve] == [0, 4, 8]
    assert outcome.samples == 8
    assert outcome.parameters == sum(p.numel() for p in outcome.network.parameters())
    assert len(outcome.sha256) == 64
    assert len(outcome.rows) == 3
    # The last point of the curve is of the network that is measured at the end.
    assert outcome.curve[-1]["l1"] == pytest.approx(
        sum(r["l1"] for r in outcome.rows) / 3, abs=1e-5
    )


def test_a_stopped_arm_resumes_to_the_same_weights_and_metrics(data: Path, tmp_path: Path) -> None:
    whole = train_arm(arm(data), 0, tmp_path / "whole", BUDGET)
    calls = 0

    def stopping(task: InpaintingTask, network: nn.Module) -> list[dict[str, Any]]:
        nonlocal calls
        calls += 1
        if calls == 3:  # at the start, at step 2, at step 4: killed before the last checkpoint
            raise KeyboardInterrupt
        return arm(data).judge(task, network)

    with pytest.raises(KeyboardInterrupt):
        train_arm(replace(arm(data), judge=stopping), 0, tmp_path / "stopped", BUDGET)
    torch.manual_seed(99)
    again = train_arm(arm(data), 0, tmp_path / "stopped", BUDGET)
    assert (again.sha256, again.curve, again.rows) == (whole.sha256, whole.curve, whole.rows)


def test_a_finished_arm_is_loaded_unchanged(data: Path, tmp_path: Path) -> None:
    first = train_arm(arm(data), 0, tmp_path, BUDGET)
    written = (tmp_path / "model-seed0" / "checkpoint.pt").stat().st_mtime_ns
    second = train_arm(arm(data), 0, tmp_path, BUDGET)
    assert (second.sha256, second.curve, second.rows) == (first.sha256, first.curve, first.rows)
    assert (tmp_path / "model-seed0" / "checkpoint.pt").stat().st_mtime_ns == written


def test_the_time_limit_ends_the_call_with_a_message(data: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UnfinishedError, match="model, seed 0: 0 of 4 steps; the same command resumes"
    ):
        train_arms([arm(data)], tmp_path, replace(BUDGET, minutes=0))


def test_another_recipe_in_the_folder_is_refused_by_name(data: Path, tmp_path: Path) -> None:
    train_arm(arm(data), 0, tmp_path, BUDGET)
    with pytest.raises(OtherRecipeError, match="width: 4 there, 8 now"):
        train_arm(arm(data, width=8), 0, tmp_path, BUDGET)
    with pytest.raises(OtherRecipeError, match="steps: 4 there, 6 now"):
        train_arm(arm(data), 0, tmp_path, replace(BUDGET, steps=6))


def test_seeds_differ_and_have_folders_of_their_own(data: Path, tmp_path: Path) -> None:
    outcome = train_arms([arm(data)], tmp_path, replace(BUDGET, seeds=(0, 1)))["model"]
    assert [t.seed for t in outcome] == [0, 1]
    assert outcome[0].sha256 != outcome[1].sha256
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model-seed0", "model-seed1"]


def test_processes_may_share_a_table_arm_by_arm(data: Path, tmp_path: Path) -> None:
    arms = [replace(arm(data), name=name) for name in ("scenes-a", "faces-a", "faces-b")]
    with pytest.raises(
        UnfinishedError, match="faces-a, faces-b: trained; the same command without --only"
    ):
        train_arms(arms, tmp_path, replace(BUDGET, only=("faces-*",)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces-a-seed0", "faces-b-seed0"]
    written = (tmp_path / "faces-a-seed0" / "checkpoint.pt").stat().st_mtime_ns
    outcome = train_arms(arms, tmp_path, BUDGET)
    assert [len(outcome[a.name]) for a in arms] == [1, 1, 1]
    assert (tmp_path / "faces-a-seed0" / "checkpoint.pt").stat().st_mtime_ns == written
    with pytest.raises(
        ValueError, match="no arm is named streets; there are scenes-a, faces-a, faces-b"
    ):
        train_arms(arms, tmp_path, replace(BUDGET, only=("streets",)))


def test_an_arm_that_another_process_trains_is_left_to_it_and_the_others_are_trained(
    data: Path, tmp_path: Path
) -> None:
    arms = [replace(arm(data), name=name) for name in ("a", "b")]
    (tmp_path / "a-seed0").mkdir()
    with (
        FileLock(tmp_path / "a-seed0" / ".lock"),
        pytest.raises(UnfinishedError, match="a, seed 0: another process is training it"),
    ):
        train_arms(arms, tmp_path, BUDGET)
    assert not (tmp_path / "a-seed0" / "checkpoint.pt").exists()
    assert (tmp_path / "b-seed0" / "checkpoint.pt").exists()
    assert len(train_arms(arms, tmp_path, BUDGET)["a"]) == 1


def trained(curve: list[float], rows: list[float]) -> Trained:
    points, records = [{"l1": c} for c in curve], [{"picture": "", "l1": r} for r in rows]
    return Trained("a", 0, nn.Identity(), None, records, points, 1, 1.0, 1, "")  # type: ignore[arg-type]


def test_one_training_is_as_uncertain_as_its_last_steps() -> None:
    assert training_noise([trained([9.0, 1.0, 1.3, 1.0], [1.0])], "l1") == pytest.approx(0.3)


def test_several_trainings_are_as_uncertain_as_their_means() -> None:
    runs = [trained([1.0, 5.0], [0.9, 1.1]), trained([1.0, 5.0], [1.0, 1.2])]  # means 1.0 and 1.1
    assert training_noise(runs, "l1") == pytest.approx(2 * 0.0707107 / 2**0.5 / 1.05, rel=1e-4)
