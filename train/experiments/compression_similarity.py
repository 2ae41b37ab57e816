"""``compression-similarity``: Wu & Cui, Table 2 and figure 6, at edge holes.

The new network, two ways to enlarge its output, and three other networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...pipeline.pixels import resize
from ...pipeline.types import FloatArray, Mask
from .. import features
from ..data import holes
from ..data.datasets import KINDS
from ..evaluation.probes import classical
from ..evaluation.similarity import Similarity
from ..presets import paper, shipped
from ..recipe import Schedule
from ..tasks.base import InpaintingTask
from ..tasks.compression import CompressionTask
from ..tasks.edge_connect import EdgeConnectTask
from ..tasks.edsr import EDSRTask
from ..tasks.gated_conv import GatedConvTask
from ..tasks.partial_conv import PartialConvTask
from . import plots, results, texture_selection
from .request import TableRequest, lpips, pictures, squares
from .results import Claim, Row
from .runs import Arm, Trained, learning_curves, train_arms, training_noise
from .toy_data import RandomClassifier

#: The picture sets; each has networks of its own.
SETS = ("scenes", "faces")
#: Similar texture selection, super-resolution, and the other networks.
STS, SRN, OTHERS = "sts", "srn", ("gated-conv", "partial-conv", "edge-connect")
#: The metrics of the printed table.
METRICS = ("l1", "l2", "lpips", "similarity", "similarity5", "hole_l1")
#: Side in pixels of the block that one pixel of the coarse output represents.
BLOCK = 8


@dataclass(frozen=True)
class Test:
    """The test pictures of a set and their judges.

    Attributes:
        pictures: N3HW in [0, 1].
        masks: N1HW, 1 = known.
        names: of the pictures' files.
        scorer: LPIPS, or None.
        similarity: equation 4's indicator, or None.
        truth: the classifier's logits of the pictures, or None.
    """

    pictures: Tensor
    masks: Tensor
    names: list[str]
    scorer: nn.Module | None
    similarity: Similarity | None
    truth: Tensor | None


def run(request: TableRequest) -> str:
    """Train the five networks alike on scenes and on faces, and measure every filler.

    All arms have one schedule, the same pictures and edge holes, and see the same number of
    samples. The weights of their losses are the shipped presets', which are made for short
    runs; the networks are as in their papers but for their widths (``request.width`` of 64,
    ``request.gated_width`` of 48).

    Returns:
        The text tables.
    """
    scorer, metric = lpips(("squeeze",))
    similarity, classifier = _classifier(request)
    feature_network = features.feature_network(request.features)
    files = {name: pictures(request, name) for name in sets_of(request)}
    tests = {name: _test(p.test, request, scorer, similarity) for name, p in files.items()}
    trained = train_arms(
        [
            arm
            for name, test in tests.items()
            for arm in _arms(name, files[name].train, request, feature_network, test)
        ],
        request.folder,
        request.budget,
    )
    rows: dict[str, list[Row]] = {}
    for name, test in tests.items():
        of_set = {arm: runs for arm, runs in trained.items() if arm.startswith(f"{name}-")}
        rows |= {
            f"{name} | {filler}": value for filler, value in _all_rows(name, of_set, test).items()
        }
        _grid(request.folder / f"{name}.jpg", name, of_set, test)
        inpainters = {arm: runs for arm, runs in of_set.items() if not arm.endswith("edsr")}
        for column in ("l1", "lpips"):
            plots.curves(
                request.folder / f"{name}-{column}.png",
                learning_curves(inpainters, column),
                "pictures seen",
                f"{column.upper()} of the composite",
            )
    arms: dict[str, Any] = {
        name: {"figures": results.means(arm_rows)} for name, arm_rows in rows.items()
    }
    config = {
        "budget": request.budget,
        "width": request.width,
        "size": request.size,
        "perceptual_crop": request.perceptual_crop,
        "features": Path(request.features).name,
        "lpips": metric,
        "classifier": classifier,
        "pictures": {name: p.source for name, p in files.items()},
        "networks": {name: _network(runs) for name, runs in trained.items()},
    }
    noise = {
        name: {f: training_noise(runs, f) for f in ("similarity", "similarity5", "l1", "lpips")}
        for name, runs in trained.items()
    }
    claims = [c for name in files for c in _claims(name, rows, noise)]
    results.write(
        request.folder,
        table="compression-similarity",
        command=request.command,
        config=config,
        arms=arms,
        rows=rows,
        claims=claims,
    )
    tables = []
    for name in files:
        metrics = {
            a.split(" | ")[1]: s["figures"] for a, s in arms.items() if a.startswith(name + " | ")
        }
        of_claims = [c for c in claims if c.claim.startswith(name.capitalize())]
        tables.append(f"{name}\n" + results.render(metrics, METRICS, of_claims))
    return "\n\n".join(tables)


def sets_of(request: TableRequest) -> list[str]:
    """The sets that the request has pictures for; the user's folders count as scenes."""
    if request.datasets:
        kinds = {KINDS[name] for name, _ in request.datasets}
        return [name for name in SETS if name in kinds]
    return list(SETS[:1] if request.images else SETS)


def _test(
    files: Sequence[Path],
    request: TableRequest,
    scorer: nn.Module | None,
    similarity: Similarity | None,
) -> Test:
    """The test of a set's files."""
    x, m = squares(files, holes.edge, request.size)
    return Test(
        x,
        m,
        [f.name for f in files],
        scorer,
        similarity,
        similarity.logits(x) if similarity else None,
    )


def _classifier(request: TableRequest) -> tuple[Similarity | None, str]:
    """Equation 4's indicator and its classifier's name; (None, why not) without one."""
    if request.classifier is None:
        return None, "none: name one with --classifier"
    if str(request.classifier) == "random":
        return Similarity(RandomClassifier()), "random"
    from ..classifiers import load_classifier

    return Similarity(load_classifier(request.classifier)), request.classifier.name


def _arms(
    name: str, train: Sequence[Path], request: TableRequest, feature_network: nn.Module, test: Test
) -> list[Arm]:
    """The five networks on one set, with one schedule."""
    # The papers' crops are whole pictures; here all arms have the same few, so parts of them too.
    schedule = replace(
        paper("compression").schedule,
        batch=request.budget.batch,
        size=request.size,
        zoom=(0.4, 1.0),
        flip=True,
        perceptual_crop=request.perceptual_crop,
    )
    w = request.width
    kinds: dict[str, tuple[type[InpaintingTask], dict[str, Any]]] = {
        "compression": (CompressionTask, {**shipped("compression").with_width(w), "base": 0}),
        "edsr": (EDSRTask, {"width": w, "blocks": 16}),
        "gated-conv": (GatedConvTask, shipped("gated-conv").with_width(request.gated_width)),
        "partial-conv": (
            PartialConvTask,
            {**shipped("partial-conv").with_width(w), "base": 0, "adversarial": 0.0},
        ),
        "edge-connect": (EdgeConnectTask, shipped("edge-connect").with_width(w)),
    }
    return [
        Arm(
            f"{name}-{kind}",
            "",
            partial(_task, task, network, schedule, train, feature_network, request),
            partial(judged, test),
            {
                "network": network,
                "schedule": schedule,
                "pictures": len(train),
                "test": request.count,
                "features": Path(request.features).name,
            },
        )
        for kind, (task, network) in kinds.items()
    ]


def _task(
    kind: type[InpaintingTask],
    network: dict[str, Any],
    schedule: Schedule,
    train: Sequence[Path],
    feature_network: nn.Module,
    request: TableRequest,
    seed: int,
) -> InpaintingTask:
    """A fresh task of one arm."""
    # Partial-conv's fresh layers are scaled on training pictures.
    begin = squares(train[:8], holes.edge, request.size)
    return kind(
        **network,
        schedule=replace(schedule, seed=seed),
        pictures=train,
        holes=holes.edge,
        held_out=begin,
        features=feature_network,
        workers=request.budget.workers,
    )


def judged(test: Test, task: InpaintingTask, network: nn.Module) -> list[Row]:
    """The metrics during the training.

    They are of STS for the compression network, of the known part, enlarged, for EDSR, and of
    the composite for the others.
    """
    with torch.inference_mode():
        if isinstance(task, CompressionTask):
            return measured(test, selected(coarse(network, test), test.pictures, test.masks))
        whole = filled(task, network, test)
    if isinstance(task, EDSRTask):
        return measured(test, whole * test.masks + test.pictures * (1 - test.masks))
    return measured(test, _composite(whole, test))


def filled(task: InpaintingTask, network: nn.Module, test: Test) -> Tensor:
    """A task's own outputs, N3HW in [0, 1]; the networks do not get the pixels under the holes."""
    device = next(network.parameters()).device
    outputs = []
    for x, m in zip(torch.split(test.pictures, 8), torch.split(test.masks, 8), strict=True):
        output = task.fill(network, (x * m).to(device), m.to(device))
        outputs.append(output.float().clamp(0, 1).cpu())
    return torch.cat(outputs)


def coarse(network: nn.Module, test: Test) -> Tensor:
    """The compression network's outputs, N3(H/8)(W/8) in [0, 1]."""
    device = next(network.parameters()).device
    pairs = zip(torch.split(test.pictures, 8), torch.split(test.masks, 8), strict=True)
    outputs = [network((x * m * 2 - 1).to(device), m.to(device)).float().cpu() for x, m in pairs]
    return (torch.cat(outputs) / 2 + 0.5).clamp(0, 1)


def selected(outputs: Tensor, truth: Tensor, masks: Tensor) -> Tensor:
    """Similar texture selection as printed; the composites N3HW.

    Equations 1 and 2 choose among wholly known blocks, then equation 3 follows.
    """
    return _by_picture(_select, outputs, truth, masks)


def _select(guide: FloatArray, picture: FloatArray, known: Mask) -> FloatArray:
    """Equations 1 to 3 on one picture; ``guide`` is the coarse output, h/8 w/8 3."""
    candidates = texture_selection.known_blocks(known, BLOCK)
    chosen = texture_selection.select(
        guide, texture_selection.block_means(picture, BLOCK), candidates, ~candidates
    )
    copied = texture_selection.copy_blocks(picture, chosen, BLOCK)
    stretched = texture_selection.stretch(picture, known)
    return copied if stretched is None else texture_selection.finetune(copied, stretched)


def _coherent(guide: FloatArray, picture: FloatArray, known: Mask) -> FloatArray:
    """The program's texture (``texture_selection.texture_fill``), guided by the same output."""
    large = resize(guide, known.shape, cv2.INTER_LINEAR)
    texture = texture_selection.texture_fill(picture, known, large, fine=False)
    return large if texture is None else texture.clip(0, 1)


def _by_picture(
    how: Callable[[FloatArray, FloatArray, Mask], FloatArray],
    outputs: Tensor,
    truth: Tensor,
    masks: Tensor,
) -> Tensor:
    """``how`` of each picture, which has zeros under the hole; the composites N3HW."""
    composites = []
    for a, x, m in zip(outputs, truth, masks, strict=True):
        known = m[0].numpy() > 0.5
        picture = np.ascontiguousarray((x * m).permute(1, 2, 0).numpy())
        result = how(np.ascontiguousarray(a.permute(1, 2, 0).numpy()), picture, known)
        composite = np.where(known[..., None], picture, result).astype(np.float32)
        composites.append(torch.from_numpy(composite).permute(2, 0, 1))
    return torch.stack(composites)


def _composite(output: Tensor, test: Test) -> Tensor:
    """The test pictures with ``output`` in their holes."""
    return test.pictures * test.masks + output * (1 - test.masks)


def measured(test: Test, composites: Tensor) -> list[Row]:
    """One row per picture.

    ``l1`` and ``l2``: mean absolute and mean squared difference of the whole picture in [0, 1];
    ``similarity`` and ``similarity5``: equation 4's indicator, 0 or 1; ``hole_l1``: over the
    hole alone.
    """
    x, hole = test.pictures, 1 - test.masks
    distance = torch.full((len(x),), torch.nan)
    if test.scorer is not None:
        pairs = zip(torch.split(composites, 16), torch.split(x, 16), strict=True)
        distance = torch.cat([test.scorer(a.contiguous(), b.contiguous()) for a, b in pairs])
    like = torch.full((2, len(x)), torch.nan)
    if test.similarity is not None and test.truth is not None:
        logits = test.similarity.logits(composites)
        like = torch.stack(list(test.similarity.of_logits(logits, test.truth))).float()
    columns = {
        "l1": (composites - x).abs().mean((1, 2, 3)),
        "l2": (composites - x).pow(2).mean((1, 2, 3)),
        "lpips": distance,
        "similarity": like[0],
        "similarity5": like[1],
        "hole_l1": ((composites - x).abs() * hole).sum((1, 2, 3)) / (3 * hole.sum((1, 2, 3))),
    }
    return [
        {"picture": name, **{k: float(v[i]) for k, v in columns.items()}}
        for i, name in enumerate(test.names)
    ]


def _composites(
    name: str, trained: dict[str, list[Trained]], seed: int, test: Test
) -> dict[str, Tensor]:
    """The composites of every filler."""
    runs = {arm.removeprefix(f"{name}-"): seeds[seed] for arm, seeds in trained.items()}
    small = coarse(runs["compression"].network, test)
    sr = runs["edsr"].network
    large = (
        torch.cat(
            [
                sr((p * 2 - 1).to(next(sr.parameters()).device)).float().cpu()
                for p in torch.split(small, 8)
            ]
        )
        / 2
        + 0.5
    )
    composites = {
        STS: selected(small, test.pictures, test.masks),
        SRN: _composite(large.clamp(0, 1), test),
        **{o: _composite(filled(runs[o].task, runs[o].network, test), test) for o in OTHERS},
        "coherent-texture": _by_picture(_coherent, small, test.pictures, test.masks),
        "enlarged": _composite(
            F.interpolate(small, scale_factor=BLOCK, mode="bilinear", align_corners=False), test
        ),
    }
    if seed == 0:
        composites |= {
            "navier-stokes": _navier_stokes(test),
            "grey": _composite(torch.full_like(test.pictures, 0.5), test),
        }
    return composites


def _navier_stokes(test: Test) -> Tensor:
    """Navier-Stokes' composites."""
    fill = classical("navier-stokes")
    fills = []
    for x, m in zip(test.pictures, test.masks, strict=True):
        blank = (x * m).mul(255).round().byte().permute(1, 2, 0).numpy()
        result = fill(blank, m[0].numpy() < 0.5)
        fills.append(torch.from_numpy(result).permute(2, 0, 1) / 255)
    return _composite(torch.stack(fills), test)


def _all_rows(name: str, trained: dict[str, list[Trained]], test: Test) -> dict[str, list[Row]]:
    """Rows by filler, with the seeds averaged."""
    by_filler: dict[str, list[list[Row]]] = {}
    with torch.inference_mode():
        for seed in range(len(next(iter(trained.values())))):
            for filler, composite in _composites(name, trained, seed, test).items():
                by_filler.setdefault(filler, []).append(measured(test, composite))
    return {filler: results.over_seeds(runs) for filler, runs in by_filler.items()}


def _network(runs: Sequence[Trained]) -> dict[str, Any]:
    """Costs and curve of an arm, for the record."""
    return {
        "parameters": runs[0].parameters,
        "samples": runs[0].samples,
        "seconds": [round(t.seconds, 1) for t in runs],
        "sha256": [t.sha256 for t in runs],
        "curve": runs[0].curve,
    }


def _claims(
    name: str, rows: dict[str, list[Row]], noise: dict[str, dict[str, float]]
) -> list[Claim]:
    """The paper's claims on one set."""

    def against(other: str, metric: str) -> results.Interval:
        pair = rows[f"{name} | {STS}"], rows[f"{name} | {other}"]
        difference = results.difference(*pair, metric)
        if other == SRN:  # both enlarge the same outputs
            return difference
        noises = (
            noise[f"{name}-{a}"][metric] * abs(results.means(r)[metric])
            for a, r in zip(("compression", other), pair, strict=True)
        )
        return results.widened(difference, *noises)

    def against_all(metric: str) -> tuple[list[results.Interval], str]:
        differences = {o: against(o, metric) for o in OTHERS}
        text = "; ".join(f"{other} {difference}" for other, difference in differences.items())
        return list(differences.values()), text

    if name == "faces":
        losing, text = against_all("lpips")
        return [
            results.above(
                "Faces: the new network loses to the others (figure 6).",
                losing,
                f"LPIPS, STS minus other: {text}.",
            )
        ]
    texts = {
        SRN: "Scenes: similar texture selection has more Similarity than super-resolution "
        "(Table 2: 0.640 and 0.629).",
        **{
            o: f"Scenes: the new network has more Similarity than {o} at edge holes (Table 2)."
            for o in OTHERS
        },
    }
    claims = [
        results.above(
            claim,
            against(other, "similarity"),
            f"Similarity, STS minus {other.upper() if other == SRN else other}: "
            f"{against(other, 'similarity')}; Similarity5 {against(other, 'similarity5')}; "
            f"LPIPS {against(other, 'lpips')}.",
        )
        for other, claim in texts.items()
    ]
    pixel, text = against_all("l1")
    return [
        *claims,
        results.above(
            "Scenes: the new network's L1 is higher than the others' (Table 2).",
            pixel,
            f"L1, STS minus other: {text}.",
        ),
    ]


def _grid(path: Path, name: str, trained: dict[str, list[Trained]], test: Test) -> None:
    """Six test pictures with every filler."""
    few = replace(test, pictures=test.pictures[:6], masks=test.masks[:6])
    with torch.inference_mode():
        composites = _composites(name, trained, 0, few)
    plots.grid(
        path,
        {
            "input": few.pictures * few.masks + 0.5 * (1 - few.masks),
            **composites,
            "truth": few.pictures,
        },
    )
