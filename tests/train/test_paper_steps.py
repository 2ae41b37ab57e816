"""What reaches a training step of ``--preset paper``, against the papers, written down anew.

``train.presets`` can only be compared with a paper where it names a number. These tests do not
read it: they build each run as a user does, and compare its steps with the paper's equations, and
its settings with the paper's sentences. A number that hides in a task or in the engine fails here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remove_objects.models.compression import CompressionConfig, CompressionNetwork
from remove_objects.models.discriminators import (
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    SNPatchDiscriminator,
    SNPatchDiscriminatorConfig,
)
from remove_objects.models.edsr import EDSR, EDSRConfig
from remove_objects.models.gated_conv import GatedConvConfig, GatedConvNetwork
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.models.skip_context_encoder import SkipContextEncoder, SkipContextEncoderConfig
from remove_objects.train import engine, presets, run
from remove_objects.train.features import RandomFeatures
from remove_objects.train.presets import MODELS
from remove_objects.train.recipe import Recipe
from remove_objects.train.request import Request
from remove_objects.train.tasks.base import InpaintingTask

INPAINTERS = tuple(name for name, model in MODELS.items() if model.paper)
Losses = tuple[Tensor, Tensor | None]
#: (network, discriminator, feature network, picture, mask) -> the loss of each of the two.
Equations = Callable[[nn.Module, Any, nn.Module, Tensor, Tensor], Losses]


@pytest.fixture(autouse=True)
def _without_lpips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its construction draws random numbers where its weights are cached."""
    name = "remove_objects.pipeline.quality.lpips.lpips_network"
    monkeypatch.setattr(name, lambda *_, **__: (None, ""))


def request(model: str, data: Path, folder: Path, **more: Any) -> Request:
    given = {
        "preset": "paper",
        "batch": 2,
        "steps": 1,
        "every": 1,
        "evaluate_every": 1,
        "held_out": 1,
        "features": "random",
        "device": "cpu",
        "seed": 3,
        **more,
    }
    return Request(model, data=data, run=folder, **given)


# The papers' equations. Pictures are N3HW in [0, 1], masks N1HW with 1 = known.


def kulkarni(network: nn.Module, _: Any, features: nn.Module, x: Tensor, m: Tensor) -> Losses:
    """Equations 3 to 9 with Liu et al.'s lambdas and means."""
    out = network(x, m)
    comp = x * m + out * (1 - m)
    near = F.max_pool2d(1 - m, 3, 1, 1)
    across = (comp[..., 1:] - comp[..., :-1]).abs() * near[..., 1:] * near[..., :-1]
    down = (comp[..., 1:, :] - comp[..., :-1, :]).abs() * near[..., 1:, :] * near[..., :-1, :]
    total = 0.1 * (across.mean() + down.mean())
    total = total + 1 * (m * (out - x)).abs().mean() + 6 * ((1 - m) * (out - x)).abs().mean()
    wanted = features(x)
    for picture in (out, comp):
        for psi, truth in zip(features(picture), wanted, strict=True):
            n, c, h, w = psi.shape
            gram, gram_truth = (
                torch.einsum("nchw,ndhw->ncd", p, p) / (c * h * w) for p in (psi, truth)
            )
            total = total + 0.05 * (psi - truth).abs().mean()
            total = total + 120 * (gram - gram_truth).abs().sum() / (n * c * c)
    return total, None


def jiang(network: nn.Module, judge: Any, _: nn.Module, x: Tensor, m: Tensor) -> Losses:
    """Section 3.2: 0.001 adv + 0.999 rec, and half real + half fake, of what the network returns.

    Models 0 and 1 return the 64x64 hole, Models 2 and 3 the whole picture.
    """
    truth = x * 2 - 1
    out = network(truth, m)
    if out.shape[-1] == 64:
        hole = (m < 0.5).expand_as(truth)
        truth = truth[hole].view(out.shape)
    real, fake = judge(torch.cat([truth, out.detach()])).chunk(2)
    discriminator = 0.5 * (real - 1).abs().mean() + 0.5 * fake.abs().mean()
    adversarial = (judge(out) - 1).abs().mean()
    return 0.001 * adversarial + 0.999 * ((out - truth) ** 2).mean(), discriminator


def wu(network: nn.Module, judge: Any, _: nn.Module, x: Tensor, m: Tensor) -> Losses:
    """Section 3: L1, GAN and variance loss of the down-sampled output; hinge of SN-PatchGAN."""
    truth, known = F.avg_pool2d(x, 8) * 2 - 1, (F.avg_pool2d(m, 8) > 0.999).float()
    out = network(x * 2 - 1, m)
    real, fake = judge(torch.cat([truth, out.detach()]), torch.cat([known, known])).chunk(2)
    hinge = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    variance = out.diff(dim=-1).abs().mean() + out.diff(dim=-2).abs().mean()
    l1 = (out - truth).abs().mean()
    return l1 + 0.1 * variance - 0.01 * judge(out, known).mean(), hinge


def lim(network: nn.Module, _: Any, __: nn.Module, x: Tensor, m: Tensor) -> Losses:
    """L1 of the picture enlarged from an eighth of its size."""
    return (network(F.avg_pool2d(x, 8) * 2 - 1) - (x * 2 - 1)).abs().mean(), None


def yu(network: nn.Module, judge: Any, _: nn.Module, x: Tensor, m: Tensor) -> Losses:
    """Section 3.4: L1 of the output and SN-PatchGAN of the composite, 1:1."""
    truth = x * 2 - 1
    out = network(truth, m)
    comp = truth * m + out * (1 - m)
    real, fake = judge(torch.cat([truth, comp.detach()]), torch.cat([m, m])).chunk(2)
    hinge = F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    return (out - truth).abs().mean() - judge(comp, m).mean(), hinge


YUS = SNPatchDiscriminatorConfig(64, (2, 2, 2, 2, 2, 2), one_score=False)
#: By name: (model, options, its network, its discriminator, Adam's rate and betas, equations).
PAPERS: dict[str, tuple[Any, ...]] = {
    "kulkarni": (
        "partial-conv",
        {"width": 2},
        lambda: PartialConvUNet(PartialConvUNetConfig(2)),
        None,
        (2e-4, (0.9, 0.999)),
        kulkarni,
    ),
    **{
        f"jiang_{variant}": (
            "skip-ce",
            {"variant": variant, "width": 4},
            lambda v=variant: SkipContextEncoder(SkipContextEncoderConfig(v, 4)),
            # 64 channels of 64, so 4 of 4.
            lambda: PatchDiscriminator(PatchDiscriminatorConfig(4)),
            (2e-4, (0.5, 0.999)),
            jiang,
        )
        for variant in range(4)
    },
    "wu": (
        "compression",
        {"width": 2},
        lambda: CompressionNetwork(CompressionConfig(2)),
        lambda: SNPatchDiscriminator(YUS),
        (2e-4, (0.9, 0.999)),
        wu,
    ),
    "lim": (
        "edsr",
        {"width": 2},
        lambda: EDSR(EDSRConfig(2, 16)),
        None,
        (1e-4, (0.9, 0.999)),
        lim,
    ),
    "yu": (
        "gated-conv",
        {"width": 48, "size": 64},
        lambda: GatedConvNetwork(GatedConvConfig(48)),
        lambda: SNPatchDiscriminator(YUS),
        (1e-4, (0.5, 0.999)),
        yu,
    ),
}


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("paper", PAPERS)
def test_steps_are_the_papers(paper: str, steps: int, data: Path, tmp_path: Path) -> None:
    model, options, make_network, make_judge, (rate, betas), equations = PAPERS[paper]
    asked = request(model, data, tmp_path, steps=steps, **options)
    batches = list(_first(steps, run.make_task(asked)[0]))
    run.train(asked)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)

    torch.manual_seed(3)
    features = RandomFeatures()  # its layers draw from the global state, as in the run
    # The order of the pixels in memory changes the rounding, which batch norm enlarges.
    layout = torch.contiguous_format if model in ("compression", "edsr") else torch.channels_last
    network = make_network().to(memory_format=layout)
    judge = make_judge().to(memory_format=layout) if make_judge else None
    modules = {"network": network, **({"discriminator": judge} if judge else {})}
    optimizers = {k: torch.optim.Adam(m.parameters(), rate, betas) for k, m in modules.items()}
    for batch in batches:
        picture, mask = (t.contiguous(memory_format=layout) for t in batch)
        of_network, of_judge = equations(network, judge, features, picture, mask)
        gradients = torch.autograd.grad(of_network, list(network.parameters()))
        for parameter, gradient in zip(network.parameters(), gradients, strict=True):
            parameter.grad = gradient
        if judge is not None:
            assert of_judge is not None
            for parameter in judge.parameters():
                parameter.grad = None
            of_judge.backward()
        for optimizer in optimizers.values():
            optimizer.step()

    assert {k for k in state["parts"] if not k.endswith("_optimizer")} == set(modules)
    for name in modules:
        theirs, ours = state["parts"][f"{name}_optimizer"], optimizers[name].state_dict()
        # Adam's first moment is the gradient itself; its steps hide the gradient's scale. A second
        # step spreads the rounding of the first.
        found, expected = (
            torch.cat([s["state"][i]["exp_avg"].flatten() for i in ours["state"]])
            for s in (theirs, ours)
        )
        share = {1: 1e-5, 2: 1e-2}[steps]
        assert float((found - expected).norm()) <= share * float(expected.norm()), name
        if steps == 1:
            moved = state["parts"][name]
            far = [
                (moved[key] - p.detach()).abs().flatten()
                for key, p in modules[name].named_parameters()
            ]
            assert float(torch.cat(far).median()) < 1e-3 * rate, name
        same = {k: v for k, v in ours["param_groups"][0].items() if k != "params"}
        assert {k: theirs["param_groups"][0][k] for k in same} == same
    # No average: what is kept for export is the network itself.
    for key, value in state["parts"]["network"].items():
        assert torch.equal(state["ema"][f"module.{key}"], value)


def _first(steps: int, task: Any) -> Iterator[tuple[Tensor, Tensor]]:
    for (picture, mask), _ in zip(task.batches(0), range(steps), strict=False):
        yield picture, mask


def description(task: InpaintingTask, recipe: Recipe, precision: str) -> dict[str, Any]:
    """The settings of a run, as its parts have them."""
    adam: dict[str, Any] = {}
    for name, optimizer in task.optimizers.items():
        (group,) = optimizer.param_groups
        rates = []
        for share in (0.0, 0.02, 0.5, 1.0):
            task.set_progress(share)
            rates.append(round(group["lr"], 12))
        adam[name] = (
            type(optimizer).__name__,
            tuple(rates),
            group["betas"],
            group["eps"],
            group["weight_decay"],
        )
    return {
        "adam": adam,
        "clip": task.clip,
        "discriminators": {
            name: asdict(judge.config)  # type: ignore[call-overload]
            for name, judge in task.discriminators.items()
        },
        "average": recipe.average,
        "precision": precision,
    }


def adam(rate: float, betas: tuple[float, float]) -> tuple[Any, ...]:
    """Constant from the first step to the last, and PyTorch's own for what no paper names."""
    return ("Adam", (rate,) * 4, betas, 1e-8, 0)


PLAIN: dict[str, Any] = {
    "clip": {},
    "discriminators": {},
    "average": 0.0,
    "precision": "32-true",
}
#: The papers' settings; sections as in ``train.presets``.
EXPECTED: dict[str, dict[str, Any]] = {
    "partial-conv": {**PLAIN, "adam": {"network": adam(2e-4, (0.9, 0.999))}},
    "skip-ce": {
        **PLAIN,
        "adam": dict.fromkeys(("network", "discriminator"), adam(2e-4, (0.5, 0.999))),
        "discriminators": {"discriminator": {"width": 64}},
    },
    "compression": {
        **PLAIN,
        "adam": dict.fromkeys(("network", "discriminator"), adam(2e-4, (0.9, 0.999))),
        "discriminators": {"discriminator": asdict(YUS)},
    },
    "edsr": {**PLAIN, "adam": {"network": adam(1e-4, (0.9, 0.999))}},
    "gated-conv": {
        **PLAIN,
        "adam": dict.fromkeys(("network", "discriminator"), adam(1e-4, (0.5, 0.999))),
        "discriminators": {"discriminator": asdict(YUS)},
    },
    "edge-connect": {
        **PLAIN,
        "adam": {
            **dict.fromkeys(("edges", "painter"), adam(1e-4, (0.0, 0.9))),
            **dict.fromkeys(("edge_judge", "judge"), adam(1e-5, (0.0, 0.9))),
        },
        "discriminators": {
            "edge_judge": {"width": 64, "channels": 2},
            "judge": {"width": 64, "channels": 3},
        },
    },
}


@pytest.mark.parametrize("model", INPAINTERS)
def test_settings_of_the_run_are_the_papers(
    model: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(model, data, tmp_path)
    runs: list[engine.Run] = []
    monkeypatch.setattr(engine, "train", lambda *a: runs.append(a[2]) or {})
    monkeypatch.setattr(engine, "best_precision", lambda *_: "the fastest")
    run.train(asked)
    task, recipe = run.make_task(asked)
    found = description(task, recipe, runs[0].precision)  # type: ignore[arg-type]
    assert found == EXPECTED[model]
    assert runs[0].average == 0.0
    assert runs[0].accumulate == 1


#: Whether the authors mirror their pictures.
MIRRORED = {"edsr", "edge-connect"}


@pytest.mark.parametrize("model", INPAINTERS)
def test_crops_are_the_papers(model: str, data: Path, tmp_path: Path) -> None:
    """Whole pictures, the largest square of each, mirrored only where the authors do so."""
    ramp = np.zeros((100, 120, 3), np.uint8)
    ramp[:] = np.arange(120, dtype=np.uint8)[None, :, None] * 2
    (tmp_path / "pictures").mkdir()
    for i in range(2):
        cv2.imwrite(str(tmp_path / "pictures" / f"{i}.png"), ramp)
    asked = request(model, data, tmp_path / "run", images=(tmp_path / "pictures",))
    task, _ = run.make_task(asked)
    slopes = []
    for n in range(40):
        row = task.crops[n][0][0, 50].int()  # type: ignore[attr-defined]
        slopes.append(int(row[-1] - row[0]))
    # 99 columns of 2 levels each lie between the first and the last of 100.
    assert all(abs(abs(slope) - 198) <= 2 for slope in slopes)
    assert any(slope < 0 for slope in slopes) == (model in MIRRORED)
    assert any(slope > 0 for slope in slopes)


@pytest.mark.parametrize("model", INPAINTERS)
@pytest.mark.parametrize("preset", ["paper", "shipped"])
def test_a_preset_leaves_no_number_to_the_task(model: str, preset: str) -> None:
    numbers = MODELS[model].preset(preset)
    assert numbers is not None
    own = inspect.signature(MODELS[model].task().__init__).parameters
    given_elsewhere = {"self", "common"}
    assert set(numbers.network) == set(own) - given_elsewhere | {"clip", "discriminator_lr_scale"}


def test_what_is_not_the_papers_own_is_listed_with_what_was_decided() -> None:
    for model in INPAINTERS:
        departures = MODELS[model].departures
        assert {"pictures", "best"} <= set(departures)
        assert all(len(words.split()) > 3 for words in departures.values())
    assert all(not m.departures for name, m in MODELS.items() if name not in INPAINTERS)


def test_a_discriminator_that_grows_keeps_its_proportion() -> None:
    def of(model: str, width: int) -> int:
        return int(presets.paper(model).with_width(width)["discriminator"].width)

    assert [of("skip-ce", w) for w in (1, 32, 64, 96)] == [1, 32, 64, 96]
    assert [of("gated-conv", w) for w in (12, 48)] == [16, 64]
    assert [of("compression", w) for w in (4, 64)] == [64, 64]  # Yu et al.'s own
    assert presets.paper("partial-conv").with_width(8)["discriminator"] is None
