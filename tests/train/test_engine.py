"""The loop: a resumed run equals an uninterrupted one, a bad loss stops it, the log is JSON lines."""

from __future__ import annotations

import json
import logging
import math
import os
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from train import engine


class Line:
    """A line through points, with everything that a resume must bring back: dropout, batch norm, Adam's moments, a schedule."""

    def __init__(self, *, stop_at: int | None = None, bad_at: int | None = None, bad: float = math.nan) -> None:
        torch.manual_seed(1)
        self.network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))
        self.optimizer = torch.optim.Adam(self.network.parameters(), 0.05)
        self.parts: dict[str, Any] = {"network": self.network, "optimizer": self.optimizer}
        self.stop_at, self.bad_at, self.bad = stop_at, bad_at, bad
        self.shares: list[float] = []
        self.losses: list[float] = []
        self.weights: list[Tensor] = []
        self.evaluated: list[tuple[bool, bool, bool]] = []

    def batches(self, start: int) -> Iterator[tuple[Tensor, ...]]:
        step = start
        while True:
            if step == self.stop_at:
                raise KeyboardInterrupt
            x = torch.randn(16, 3, generator=torch.Generator().manual_seed(step))
            yield x, x.sum(1, keepdim=True), torch.tensor(step)
            step += 1

    def set_progress(self, share: float) -> None:
        self.shares.append(share)
        self.optimizer.param_groups[0]["lr"] = 0.05 * (1 - share)

    def step(self, batch: tuple[Tensor, ...]) -> dict[str, float]:
        x, y, step = batch
        loss = (self.network(x) - y).square().mean()
        if int(step) == self.bad_at:
            loss = loss * self.bad
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(float(loss.detach()))
        self.weights.append(self.network[0].weight.detach().clone())
        return {"loss": self.losses[-1], "one": 1.0}

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        self.evaluated.append((network is self.network, network.training, torch.is_inference_mode_enabled()))
        return {"val_loss": float(network(torch.ones(1, 3)))}


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def checkpoint(folder: Path) -> dict[str, Any]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)


def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = Line()
    torch.manual_seed(5)
    engine.train(whole, tmp_path / "whole", steps=7, every=2, evaluate_every=3)

    first_part, resumed = Line(stop_at=3), Line()
    torch.manual_seed(5)
    assert engine.train(first_part, tmp_path / "parts", steps=7, every=2, evaluate_every=3)["step"] == 3
    torch.manual_seed(999)
    assert engine.train(resumed, tmp_path / "parts", steps=7, every=2, evaluate_every=3)["step"] == 7

    assert resumed.losses == whole.losses[3:]
    assert resumed.shares == [i / 7 for i in range(3, 7)]
    first, second = checkpoint(tmp_path / "whole"), checkpoint(tmp_path / "parts")
    for a, b in ((first["ema"], second["ema"]), (first["parts"]["network"], second["parts"]["network"])):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[k], b[k]) for k in a)
    moments = [c["parts"]["optimizer"]["state"][0]["exp_avg_sq"] for c in (first, second)]
    assert torch.equal(*moments)


def test_average_has_a_memory_that_grows_with_the_run(tmp_path: Path) -> None:
    task = Line()
    engine.train(task, tmp_path, steps=4)
    expected = task.weights[0]
    for n, weight in enumerate(task.weights[1:], start=1):
        decay = (1 + n) / (10 + n)
        expected = decay * expected + (1 - decay) * weight
    network, step, seconds = engine.averaged_network(tmp_path, Line())
    assert isinstance(network, nn.Sequential)
    torch.testing.assert_close(network[0].weight.detach(), expected)
    assert not torch.equal(network[0].weight, task.weights[-1])
    assert int(network[1].num_batches_tracked) == 4
    assert not network.training
    assert step == 4
    assert seconds > 0


def test_log_is_one_json_object_a_line_with_the_interval_means(tmp_path: Path) -> None:
    task = Line()
    result = engine.train(task, tmp_path, steps=6, every=2, evaluate_every=4)
    means = [r for r in rows(tmp_path) if "loss" in r]
    assert [r["step"] for r in means] == [2, 4, 6]
    assert [r["loss"] for r in means] == pytest.approx([sum(task.losses[i : i + 2]) / 2 for i in (0, 2, 4)], abs=1e-5)
    figures = [r for r in rows(tmp_path) if "val_loss" in r]
    assert [r["step"] for r in figures] == [4, 6]
    assert result["step"] == 6
    assert result["val_loss"] == figures[-1]["val_loss"]
    # The averaged network is judged, in evaluation mode, without gradients.
    assert task.evaluated == [(False, False, True)] * 2


def test_means_after_a_resume_count_only_their_own_steps(tmp_path: Path) -> None:
    engine.train(Line(stop_at=3), tmp_path, steps=8, every=4)
    engine.train(Line(), tmp_path, steps=8, every=4)
    assert [(r["step"], r["one"]) for r in rows(tmp_path) if "one" in r] == [(4, 1.0), (8, 1.0)]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_loss_stops_without_a_checkpoint(tmp_path: Path, bad: float) -> None:
    task = Line(bad_at=1, bad=bad)
    with pytest.raises(engine.NonFiniteLossError, match=r"step 1: .*loss"):
        engine.train(task, tmp_path, steps=5, every=10)
    assert list(tmp_path.iterdir()) == []
    assert len(task.losses) == 2


def test_non_finite_loss_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(engine.NonFiniteLossError):
        engine.train(Line(bad_at=3), tmp_path, steps=6, every=1)
    state = checkpoint(tmp_path)
    assert state["step"] == 3
    assert all(v.isfinite().all() for part in ("network",) for v in state["parts"][part].values())
    assert [r["step"] for r in rows(tmp_path)] == [1, 2, 3]
    assert engine.train(Line(), tmp_path, steps=6)["step"] == 6


def test_progress_goes_from_zero_by_the_whole_length(tmp_path: Path) -> None:
    task = Line()
    engine.train(task, tmp_path, steps=4)
    assert task.shares == [0, 0.25, 0.5, 0.75]


def test_finished_run_does_nothing_more(tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, steps=2)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    task = Line()
    assert engine.train(task, tmp_path, steps=2)["step"] == 2
    assert task.losses == []
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before
    assert set(before) == {"checkpoint.pt", "log.jsonl"}  # no temporary file is left


def test_no_minutes_no_steps(tmp_path: Path) -> None:
    task = Line()
    assert engine.train(task, tmp_path, steps=5, minutes=0)["step"] == 0
    assert task.losses == []


def test_checkpoint_without_a_part_says_so_and_goes_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    engine.train(Line(), tmp_path, steps=2)
    task = Line()
    judge = nn.Linear(1, 1)
    task.parts["judge"] = judge
    with caplog.at_level(logging.WARNING):
        assert engine.train(task, tmp_path, steps=3)["step"] == 3
    assert any("has no judge" in r.getMessage() for r in caplog.records)
    assert "judge" in checkpoint(tmp_path)["parts"]


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_checkpoint_that_would_run_code_does_not(tmp_path: Path) -> None:
    run, target = tmp_path / "run", tmp_path / "made-by-the-pickle"
    run.mkdir()
    torch.save({"step": 1, "parts": Bomb(target)}, run / "checkpoint.pt")
    with pytest.raises(pickle.UnpicklingError):
        engine.train(Line(), run, steps=2)
    assert not target.exists()
    torch.load(run / "checkpoint.pt", weights_only=False)  # the bomb works, so the line above means something
    assert target.is_dir()
