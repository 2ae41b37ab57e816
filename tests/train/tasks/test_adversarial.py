"""Networks and discriminators that train together: own losses, own gradients, exact resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from remove_objects.train import engine
from remove_objects.train.cli import main
from tests.support.training import (
    SIZE,
    batch,
    command,
    compression,
    connect,
    gated,
    gradients,
    numbers,
    partial_conv,
    skip_context,
    total,
    with_edges,
)


@pytest.mark.parametrize("make", [skip_context, compression, partial_conv])
def test_network_and_discriminator_learn_from_their_own_losses_alone(
    make: Callable[[], Any],
) -> None:
    task = make()
    terms = task.losses(batch(task.schedule.size, task.crops.holes))
    total(terms["network"]).backward()
    of_network = gradients(task.network)
    # DistributedDataParallel waits for every gradient: none may be missing.
    assert all(g is not None for g in of_network)
    assert all(g is None for g in gradients(task.discriminator))
    total(terms["discriminator"]).backward()
    assert all(g is not None for g in gradients(task.discriminator))
    assert all(torch.equal(a, b) for a, b in zip(of_network, gradients(task.network), strict=True))


@pytest.mark.parametrize("make", [skip_context, compression, partial_conv])
def test_adversarial_loss_reaches_the_network(make: Callable[[], Any]) -> None:
    task = make()
    (adversarial,) = [
        v
        for k, v in task.losses(batch(task.schedule.size))["network"].items()
        if k == "adversarial"
    ]
    adversarial.backward()
    assert any(g is not None and g.abs().sum() > 0 for g in gradients(task.network))


def test_discriminator_is_trained_only_if_its_loss_has_a_weight() -> None:
    for make in (skip_context, compression, partial_conv):
        judged, alone = make(), make(adversarial=0)  # type: ignore[operator]
        assert set(judged.modules) == set(judged.optimizers) == {"network", "discriminator"}
        assert judged.modules["discriminator"] is judged.discriminator
        assert set(alone.modules) == set(alone.optimizers) == {"network"}
        terms = alone.losses(batch(alone.schedule.size))
        assert set(terms) == {"network"}
        assert "adversarial" not in terms["network"]


@pytest.mark.parametrize("make", [gated, lambda: gated(attention=True), connect])
def test_every_network_learns_from_its_own_losses_alone(make: Callable[[], Any]) -> None:
    task = make()
    terms = task.losses(with_edges(task))
    assert set(terms) == set(task.modules) == set(task.optimizers)
    assert all(math.isfinite(v) for parts in terms.values() for v in numbers(parts).values())
    # The engine adds up the losses of one name.
    assert len({k for parts in terms.values() for k in parts}) == sum(map(len, terms.values()))
    reached: dict[str, list[Tensor | None]] = {}
    for name, parts in terms.items():
        total(parts).backward()
        after = {k: gradients(m) for k, m in task.modules.items()}
        # DistributedDataParallel waits for every gradient: none may be missing.
        assert all(g is not None for g in after[name])
        for other, before in reached.items():
            assert all(torch.equal(a, b) for a, b in zip(before, after[other], strict=True))
        assert all(g is None for k in set(task.modules) - set(reached) - {name} for g in after[k])
        reached[name] = after[name]


@pytest.mark.parametrize("make", [gated, connect])
def test_one_step_changes_every_network(make: Callable[[], Any]) -> None:
    task = make()
    task.set_progress(0.3)
    before = {k: [p.detach().clone() for p in m.parameters()] for k, m in task.modules.items()}
    for parts in task.losses(with_edges(task)).values():
        total(parts).backward()
    for name, optimizer in task.optimizers.items():
        optimizer.step()
        assert any(
            not torch.equal(a, b)
            for a, b in zip(before[name], task.modules[name].parameters(), strict=True)
        )


def log_of(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows
    ]


@pytest.mark.parametrize("model", ["gated-conv", "edge-connect"])
def test_an_interrupted_run_resumes_exactly(
    model: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four steps: the interruption lies between the two stages of EdgeConnect.
    small = ["--size", str(SIZE), "--steps", "4", "--every", "1", "--evaluate-every", "4"]
    assert main(command(model, data, tmp_path / "whole", *small)) == 0
    real, seen = engine._Session._step, []

    def stop_after_two(self: Any, stream: Any) -> Any:
        if len(seen) == 2:
            raise engine.NonFiniteLossError("the plug was pulled")
        seen.append(None)
        return real(self, stream)

    with monkeypatch.context() as patch:
        patch.setattr(engine._Session, "_step", stop_after_two)
        assert main(command(model, data, tmp_path / "broken", *small)) == 1
    assert main(command(model, data, tmp_path / "broken", *small)) == 0
    assert log_of(tmp_path / "broken") == log_of(tmp_path / "whole")
    states = [
        torch.load(tmp_path / name / "checkpoint.pt", weights_only=True)
        for name in ("whole", "broken")
    ]
    assert set(states[0]["parts"]) >= (
        {"edges", "painter", "edge_judge", "judge"}
        if model == "edge-connect"
        else {"network", "discriminator"}
    )
    for part, values in states[0]["parts"].items():
        if not part.endswith("_optimizer"):
            assert all(torch.equal(v, states[1]["parts"][part][k]) for k, v in values.items())
    assert all(torch.equal(v, states[1]["ema"][k]) for k, v in states[0]["ema"].items())
