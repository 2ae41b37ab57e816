"""EdgeConnect: its four losses, its two stages, its edges."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from remove_objects.models.edge_connect import luminance
from remove_objects.train import losses
from remove_objects.train.cli import parse
from remove_objects.train.data.edges import known_edges
from remove_objects.train.data.holes import edge
from remove_objects.train.recipe import EdgeConnectWeights
from remove_objects.train.run import make_task
from remove_objects.train.tasks.edge_connect import EdgeConnectTask
from tests.support.training import (
    SIZE,
    Features,
    batch,
    command,
    connect,
    numbers,
    with_edges,
)


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
    terms = {k: numbers(v) for k, v in task.losses((picture, mask, seen, true)).items()}
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
        assert terms[name] == pytest.approx(
            {k: float(v) for k, v in parts.items()}, rel=1e-3, abs=1e-6
        )
    task.features = None
    assert set(task.losses((picture, mask, seen, true))["painter"]) == {"l1", "adversarial"}


def guides(task: EdgeConnectTask, given: tuple[Tensor, ...]) -> Tensor:
    """The edges that the painter receives."""
    shown: list[Tensor] = []
    hook = task.network.painter.register_forward_pre_hook(lambda _m, x: shown.append(x[1]))
    task.losses(given)
    hook.remove()
    return shown[0]


def test_painter_gets_true_edges_first_and_predicted_ones_later() -> None:
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
    task.set_progress(0.1)  # only the share decides
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
        filled = task.fill(task.network, picture, mask)
        assert torch.equal(
            task.fill(task.network, torch.where(mask > 0, picture, 0.7), mask), filled
        )
        expected = task.network(picture * 2 - 1, known_edges(picture, mask), mask)
    torch.testing.assert_close(filled, expected / 2 + 0.5)


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
