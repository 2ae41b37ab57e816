"""The tasks of the two baselines: what each loss weighs, which network it reaches, the stages, exact resume."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from remove_objects.models.edge_connect import luminance
from remove_objects.train import engine, losses
from remove_objects.train.cli import main, parse
from remove_objects.train.data.edges import known_edges
from remove_objects.train.data.holes import edge
from remove_objects.train.recipe import EdgeConnectWeights
from remove_objects.train.run import make_task
from remove_objects.train.tasks.edge_connect import EdgeConnectTask
from remove_objects.train.tasks.gated_conv import GatedConvTask
from tests.train.tasks.test_inpainting_tasks import (
    Features,
    batch,
    common,
    gradients,
    numbers,
    total,
)
from tests.train.test_cli import command

SIZE = 64


def gated(**more: Any) -> GatedConvTask:
    return GatedConvTask(
        **{"width": 4, "attention": False, "adversarial": 0.5, **more}, **common(SIZE, holes=edge)
    )


def connect(**more: Any) -> EdgeConnectTask:
    given = {"width": 2, "discriminator_lr_scale": 0.1, "weights": EdgeConnectWeights(), **more}
    return EdgeConnectTask(
        **given, **common(SIZE, holes=edge, features=Features(), perceptual="l1", perceptual_crop=0)
    )


def with_edges(task: Any) -> tuple[Tensor, ...]:
    """A batch as the task's own: with edge maps for EdgeConnect's, the true ones all over."""
    picture, mask = batch(SIZE, edge)
    if isinstance(task, GatedConvTask):
        return picture, mask
    true = (torch.rand(2, 1, SIZE, SIZE) < 0.2).float()
    return picture, mask, true * mask, true


@pytest.mark.parametrize("make", [gated, lambda: gated(attention=True), connect])
def test_every_network_learns_from_its_own_losses_alone(make: Callable[[], Any]) -> None:
    task = make()
    found = task.losses(with_edges(task))
    assert set(found) == set(task.modules) == set(task.optimizers)
    assert all(math.isfinite(v) for parts in found.values() for v in numbers(parts).values())
    # The engine adds the losses of one name up.
    assert len({k for parts in found.values() for k in parts}) == sum(map(len, found.values()))
    reached: dict[str, list[Tensor | None]] = {}
    for name, parts in found.items():
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


def test_gated_conv_weighs_l1_of_the_whole_and_the_hinge() -> None:
    task = gated()
    (
        task.network.eval(),
        task.discriminator.eval(),
    )  # no step of the power iteration between the two looks
    picture, mask = with_edges(task)
    truth = picture * 2 - 1
    with torch.no_grad():
        output = task.network(truth, mask)
        real, fake = (
            task.discriminator(p, mask) for p in (truth, truth * mask + output * (1 - mask))
        )
        filled = task.fill(task.network, picture, mask)
    found = task.losses((picture, mask))
    expected = {
        "l1": float((output - truth).abs().mean()),
        "adversarial": -0.5 * float(fake.mean()),
    }
    assert numbers(found["network"]) == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert numbers(found["discriminator"]) == pytest.approx(
        {"hinge": float(F.relu(1 - real).mean() + F.relu(1 + fake).mean())}, rel=1e-4
    )
    torch.testing.assert_close(filled, output / 2 + 0.5)


def test_discriminators_grow_with_their_networks() -> None:
    assert gated(width=48).discriminator.config.width == 64
    assert {
        (j.config.width, j.config.channels) for j in connect(width=3).discriminators.values()
    } == {
        (3, 2),
        (3, 3),
    }


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_edge_connect_weighs_its_losses(share: float) -> None:
    w = EdgeConnectWeights(
        edge_adversarial=0.3, matching=7, l1=2, adversarial=0.4, perceptual=0.6, style=50
    )
    task = connect(weights=w)
    task.set_progress(share)
    for module in task.modules.values():
        module.eval()
    picture, mask, seen, true = with_edges(task)
    image, grey = picture * 2 - 1, luminance(picture)
    with torch.no_grad():
        drawn = task.network.edges(image, seen, mask)
        guide = true if share < 0.5 else seen * mask + drawn * (1 - mask)
        painted = task.network.painter(image, guide, mask) / 2 + 0.5
        of_true, of_drawn = (
            task.discriminators["edge_judge"].features(torch.cat([grey, e], 1))
            for e in (true, drawn)
        )
        real, fake = (task.discriminators["judge"](p) for p in (picture, painted))
    found = {k: numbers(v) for k, v in task.losses((picture, mask, seen, true)).items()}
    matching = sum((a - b).abs().mean() for a, b in zip(of_true, of_drawn, strict=True))
    looks = Features()(painted), Features()(picture)
    expected = {
        "edges": {
            "edge_adversarial": 0.3 * -of_drawn[-1].sigmoid().log().mean(),
            "matching": 7 * matching,
        },
        "painter": {
            "l1": 2 * (painted - picture).abs().mean() / (1 - mask).mean(),
            "adversarial": 0.4 * -fake.sigmoid().log().mean(),
            "perceptual": 0.6 * losses.perceptual(*looks),
            "style": 50 * losses.style(*looks),
        },
        "edge_judge": {
            "edges_judged": -(
                of_true[-1].sigmoid().log().mean() + (-of_drawn[-1]).sigmoid().log().mean()
            )
            / 2
        },
        "judge": {"judged": -(real.sigmoid().log().mean() + (-fake).sigmoid().log().mean()) / 2},
    }
    for name, parts in expected.items():
        assert found[name] == pytest.approx(
            {k: float(v) for k, v in parts.items()}, rel=1e-3, abs=1e-6
        )
    task.features = None
    assert set(task.losses((picture, mask, seen, true))["painter"]) == {"l1", "adversarial"}


def guides(task: EdgeConnectTask, given: tuple[Tensor, ...]) -> Tensor:
    """The edges that the painter is shown."""
    shown: list[Tensor] = []
    hook = task.network.painter.register_forward_pre_hook(lambda _m, x: shown.append(x[1]))
    task.losses(given)
    hook.remove()
    return shown[0]


def test_painter_is_shown_true_edges_first_and_drawn_ones_later() -> None:
    task = connect()
    given = with_edges(task)
    picture, mask, seen, true = given
    task.network.eval()
    drawn = task.network.edges(picture * 2 - 1, seen, mask).detach()
    for share, expected in (
        (0.0, true),
        (0.499, true),
        (0.5, seen * mask + drawn * (1 - mask)),
        (1.0, seen * mask + drawn * (1 - mask)),
    ):
        task.set_progress(share)
        shown = guides(task, given)
        assert not shown.requires_grad
        assert torch.equal(shown, expected)
    task.set_progress(0.1)  # nothing but the share decides
    assert torch.equal(guides(task, given), true)


def test_discriminators_learn_at_their_share_of_the_rate() -> None:
    task = connect(discriminator_lr_scale=0.25)
    for share in (0.0, 0.4, 0.4, 1.0):
        task.set_progress(share)
        rates = {k: o.param_groups[0]["lr"] for k, o in task.optimizers.items()}
        assert rates["edges"] == rates["painter"] > 0
        assert rates["judge"] == rates["edge_judge"] == pytest.approx(rates["edges"] / 4)


def test_edge_connect_fills_along_known_edges_alone() -> None:
    task = connect()
    task.network.eval()
    picture, mask = batch(SIZE, edge)
    with torch.no_grad():
        found = task.fill(task.network, picture, mask)
        assert torch.equal(
            task.fill(task.network, torch.where(mask > 0, picture, 0.7), mask), found
        )
        expected = task.network(picture * 2 - 1, known_edges(picture, mask), mask)
    torch.testing.assert_close(found, expected / 2 + 0.5)


def test_batches_come_with_edges_the_same_from_any_step(data: Path) -> None:
    request = parse(command("edge-connect", data, data / "run", "--size", str(SIZE)))
    task = make_task(request)[0]
    row = task.batches(0)
    first, second = next(row), next(row)
    picture, mask, seen, true = first
    assert [t.shape for t in first] == [(2, 3, SIZE, SIZE), *[(2, 1, SIZE, SIZE)] * 3]
    assert all(t.dtype == torch.float32 and t.min() >= 0 and t.max() == 1 for t in first[1:])
    assert torch.equal(seen, known_edges(picture, mask))
    assert torch.equal(true, known_edges(picture, torch.ones_like(mask)))
    assert all(torch.equal(a, b) for a, b in zip(next(task.batches(1)), second, strict=True))
    assert torch.equal(next(task.batches(0, accumulate=2, rank=1, world=2))[0], second[0])


def log_of(run: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [
        {k: v for k, v in row.items() if k not in ("seconds", "images_per_second")} for row in rows
    ]


@pytest.mark.parametrize("model", ["gated-conv", "edge-connect"])
def test_a_broken_run_goes_on_exactly(
    model: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four steps: the break lies between the two stages of EdgeConnect.
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
