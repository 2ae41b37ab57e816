"""``compression-similarity``: Wu & Cui, Table 2 and figure 6: the new network, two ways to enlarge it, and three others, at edge holes."""

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

from ...pipeline.types import FloatArray, Mask
from .. import features
from ..data import holes
from ..evaluation.probes import classical
from ..evaluation.similarity import Similarity
from ..presets import paper, shipped
from ..tasks.base import InpaintingTask
from ..tasks.compression import CompressionTask
from ..tasks.edge_connect import EdgeConnectTask
from ..tasks.edsr import EDSRTask
from ..tasks.gated_conv import GatedConvTask
from ..tasks.partial_conv import PartialConvTask
from . import figures, results, texture_selection
from .request import Call, lpips, pictures, squares
from .results import Claim, Row
from .runs import Arm, Trained, train_arms, training_noise
from .toy_data import RandomClassifier

SETS = ("scenes", "faces")
STS, SRN, OTHERS = "sts", "srn", ("gated-conv", "partial-conv", "edge-connect")
#: For comparison, trained by nobody: the program's own texture on the same coarse answer, the coarse answer enlarged, and no network.
BESIDE = ("coherent-texture", "enlarged", "navier-stokes", "grey")
FIGURES = ("l1", "l2", "lpips", "similarity", "similarity5", "hole_l1")
#: Side in pixels of the block that a pixel of the coarse answer stands for.
BLOCK = 8


@dataclass(frozen=True)
class Test:
    """Test pictures N3HW in [0, 1], masks N1HW with 1 = known, names, and what judges: ``truth`` are the classifier's logits of them."""

    pictures: Tensor
    masks: Tensor
    names: list[str]
    scorer: nn.Module | None
    similarity: Similarity | None
    truth: Tensor | None


def run(call: Call) -> str:
    """Train the five networks alike on scenes, and again on faces, and judge every way to fill an edge hole; returns the tables.

    All arms have one schedule, the same pictures and holes, and see the same number of samples. The weights of their losses are the
    shipped presets', which are made for short runs; networks are as in their papers but for their width (``call.width`` of 64).
    """
    scorer, metric = lpips(("squeeze",))
    similarity, classifier = _classifier(call)
    look = features.feature_network(call.features)
    found = {
        name: pictures(call, f"{name}/train", f"{name}/val")
        for name in (SETS if not call.images else SETS[:1])
    }
    tests = {name: _test(p.test, call, scorer, similarity) for name, p in found.items()}
    trained = train_arms(
        [a for n, t in tests.items() for a in _arms(n, found[n].train, call, look, t)],
        call.folder,
        call.budget,
    )
    rows: dict[str, list[Row]] = {}
    for name, test in tests.items():
        own = {arm: runs for arm, runs in trained.items() if arm.startswith(f"{name}-")}
        rows |= {
            f"{name} | {filler}": value for filler, value in _all_rows(name, own, test).items()
        }
        _grid(call.folder / f"{name}.jpg", name, own, test)
        for figure in ("l1", "lpips"):
            lines = {
                a: [(p["samples"], p[figure]) for p in runs[0].curve]
                for a, runs in own.items()
                if not a.endswith("edsr")
            }
            figures.curves(
                call.folder / f"{name}-{figure}.png",
                lines,
                "pictures seen",
                f"{figure.upper()} of the composite",
            )
    arms: dict[str, Any] = {name: {"figures": results.means(own)} for name, own in rows.items()}
    config = {
        "budget": call.budget,
        "width": call.width,
        "size": call.size,
        "look": call.look,
        "features": Path(call.features).name,
        "lpips": metric,
        "classifier": classifier,
        "pictures": {name: p.source for name, p in found.items()},
        "networks": {name: _network(runs) for name, runs in trained.items()},
    }
    noise = {
        name: {f: training_noise(runs, f) for f in ("similarity", "similarity5", "l1", "lpips")}
        for name, runs in trained.items()
    }
    claims = [c for name in found for c in _claims(name, rows, noise)]
    results.write(
        call.folder,
        table="compression-similarity",
        command=call.command,
        config=config,
        arms=arms,
        rows=rows,
        claims=claims,
    )
    tables = []
    for name in found:
        of_set = {
            a.split(" | ")[1]: s["figures"] for a, s in arms.items() if a.startswith(name + " | ")
        }
        tables.append(
            f"{name}\n"
            + results.render(
                of_set, FIGURES, [c for c in claims if c.claim.startswith(name.capitalize())]
            )
        )
    return "\n\n".join(tables)


def _test(
    files: Sequence[Path], call: Call, scorer: nn.Module | None, similarity: Similarity | None
) -> Test:
    x, m = squares(files, holes.edge, call.size)
    return Test(
        x,
        m,
        [f.name for f in files],
        scorer,
        similarity,
        similarity.logits(x) if similarity else None,
    )


def _classifier(call: Call) -> tuple[Similarity | None, str]:
    """The judge of equation 4 and its name; None and why not."""
    if call.classifier is None:
        return None, "none: name one with --classifier"
    if str(call.classifier) == "random":
        return Similarity(RandomClassifier()), "random"
    from ..classifiers import load_classifier

    return Similarity(load_classifier(call.classifier)), call.classifier.name


def _arms(name: str, train: Sequence[Path], call: Call, look: nn.Module, test: Test) -> list[Arm]:
    schedule = replace(
        paper("compression").schedule,
        batch=call.budget.batch,
        size=call.size,
        perceptual_crop=call.look,
    )
    w = call.width
    kinds: dict[str, tuple[type[InpaintingTask], dict[str, Any]]] = {
        "compression": (CompressionTask, {**shipped("compression").network, "width": w, "base": 0}),
        "edsr": (EDSRTask, {"width": w, "blocks": 16}),
        "gated-conv": (
            GatedConvTask,
            {**shipped("gated-conv").network, "width": max(4, w * 3 // 4 // 4 * 4)},
        ),
        "partial-conv": (
            PartialConvTask,
            {**shipped("partial-conv").network, "width": w, "base": 0, "adversarial": 0.0},
        ),
        "edge-connect": (EdgeConnectTask, {**shipped("edge-connect").network, "width": w}),
    }
    return [
        Arm(
            f"{name}-{kind}",
            "",
            partial(_task, task, network, schedule, train, look, call),
            partial(judged, test),
            {
                "network": network,
                "schedule": schedule,
                "pictures": len(train),
                "test": call.count,
                "features": Path(call.features).name,
            },
        )
        for kind, (task, network) in kinds.items()
    ]


def _task(
    kind: type[InpaintingTask], network: dict[str, Any], schedule: Any, train: Sequence[Path], look: nn.Module, call: Call, seed: int
) -> InpaintingTask:  # fmt: skip
    begin = squares(
        train[:8], holes.edge, call.size
    )  # partial-conv's fresh layers are scaled on pictures that may be trained on
    return kind(
        **network,
        schedule=replace(schedule, seed=seed),
        pictures=train,
        holes=holes.edge,
        held_out=begin,
        features=look,
        workers=call.budget.workers,
    )


def judged(test: Test, task: InpaintingTask, network: nn.Module) -> list[Row]:
    """Figures along the way: of STS for the compression network, of the known part, enlarged, for EDSR, of the composite for the others."""
    with torch.inference_mode():
        if isinstance(task, CompressionTask):
            return measured(test, selected(coarse(network, test), test.pictures, test.masks))
        whole = filled(task, network, test)
    if isinstance(task, EDSRTask):
        return measured(test, whole * test.masks + test.pictures * (1 - test.masks))
    return measured(test, _composite(whole, test))


def filled(task: InpaintingTask, network: nn.Module, test: Test) -> Tensor:
    """N3HW in [0, 1]: a task's own answers. What is under a hole is not handed out."""
    device = next(network.parameters()).device
    found = []
    for x, m in zip(torch.split(test.pictures, 8), torch.split(test.masks, 8), strict=True):
        found.append(task.fill(network, (x * m).to(device), m.to(device)).float().clamp(0, 1).cpu())
    return torch.cat(found)


def coarse(network: nn.Module, test: Test) -> Tensor:
    """N3(H/8)(W/8) in [0, 1]: the compression network's answers."""
    device = next(network.parameters()).device
    pairs = zip(torch.split(test.pictures, 8), torch.split(test.masks, 8), strict=True)
    found = [network((x * m * 2 - 1).to(device), m.to(device)).float().cpu() for x, m in pairs]
    return (torch.cat(found) / 2 + 0.5).clamp(0, 1)


def selected(answers: Tensor, truth: Tensor, masks: Tensor) -> Tensor:
    """Similar texture selection as printed: equations 1 and 2 among wholly known blocks, then equation 3; the composite N3HW."""
    return _by_picture(_select, answers, truth, masks)


def _select(guide: FloatArray, picture: FloatArray, known: Mask) -> FloatArray:
    candidates = texture_selection.known_blocks(known, BLOCK)
    chosen = texture_selection.select(
        guide, texture_selection.block_means(picture, BLOCK), candidates, ~candidates
    )
    found = texture_selection.copy_blocks(picture, chosen, BLOCK)
    stretched = texture_selection.stretch(picture, known)
    return found if stretched is None else texture_selection.finetune(found, stretched)


def _coherent(guide: FloatArray, picture: FloatArray, known: Mask) -> FloatArray:
    """The program's way (``train.experiments.texture_selection.texture_fill``), led by the same answer."""
    large: FloatArray = cv2.resize(guide, known.shape[::-1], interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
    found = texture_selection.texture_fill(picture, known, large, fine=False)
    return large if found is None else found.clip(0, 1)


def _by_picture(
    how: Callable[[FloatArray, FloatArray, Mask], FloatArray],
    answers: Tensor,
    truth: Tensor,
    masks: Tensor,
) -> Tensor:
    """``how`` for each picture; it sees zeros under the hole."""
    found = []
    for a, x, m in zip(answers, truth, masks, strict=True):
        known = m[0].numpy() > 0.5
        picture = np.ascontiguousarray((x * m).permute(1, 2, 0).numpy())
        result = how(np.ascontiguousarray(a.permute(1, 2, 0).numpy()), picture, known)
        found.append(
            torch.from_numpy(
                np.where(known[..., None], picture, result).astype(np.float32)
            ).permute(2, 0, 1)
        )
    return torch.stack(found)


def _composite(answer: Tensor, test: Test) -> Tensor:
    return test.pictures * test.masks + answer * (1 - test.masks)


def measured(test: Test, found: Tensor) -> list[Row]:
    """A row a picture. ``l1``, ``l2``: mean absolute and mean squared difference of the whole picture in [0, 1]; ``similarity``,
    ``similarity5``: equation 4's indicator, 0 or 1; ``hole_l1`` over the hole alone.
    """
    x, hole = test.pictures, 1 - test.masks
    distance = torch.full((len(x),), torch.nan)
    if test.scorer is not None:
        parts = zip(torch.split(found, 16), torch.split(x, 16), strict=True)
        distance = torch.cat([test.scorer(a.contiguous(), b.contiguous()) for a, b in parts])
    like = torch.full((2, len(x)), torch.nan)
    if test.similarity is not None and test.truth is not None:
        like = torch.stack(
            list(test.similarity.of_logits(test.similarity.logits(found), test.truth))
        ).float()
    columns = {
        "l1": (found - x).abs().mean((1, 2, 3)),
        "l2": (found - x).pow(2).mean((1, 2, 3)),
        "lpips": distance,
        "similarity": like[0],
        "similarity5": like[1],
        "hole_l1": ((found - x).abs() * hole).sum((1, 2, 3)) / (3 * hole.sum((1, 2, 3))),
    }
    return [
        {"picture": name, **{k: float(v[i]) for k, v in columns.items()}}
        for i, name in enumerate(test.names)
    ]


def _answers(
    name: str, trained: dict[str, list[Trained]], seed: int, test: Test
) -> dict[str, Tensor]:
    """Every way's composite."""
    runs = {arm.removeprefix(f"{name}-"): found[seed] for arm, found in trained.items()}
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
    found = {
        STS: selected(small, test.pictures, test.masks),
        SRN: _composite(large.clamp(0, 1), test),
        **{o: _composite(filled(runs[o].task, runs[o].network, test), test) for o in OTHERS},
        "coherent-texture": _by_picture(_coherent, small, test.pictures, test.masks),
        "enlarged": _composite(
            F.interpolate(small, scale_factor=BLOCK, mode="bilinear", align_corners=False), test
        ),
    }
    if seed == 0:
        found |= {
            "navier-stokes": _navier_stokes(test),
            "grey": _composite(torch.full_like(test.pictures, 0.5), test),
        }
    return found


def _navier_stokes(test: Test) -> Tensor:
    fill = classical("navier-stokes")
    found = []
    for x, m in zip(test.pictures, test.masks, strict=True):
        blank = (x * m).mul(255).round().byte().permute(1, 2, 0).numpy()
        found.append(torch.from_numpy(fill(blank, m[0].numpy() < 0.5)).permute(2, 0, 1) / 255)
    return _composite(torch.stack(found), test)


def _all_rows(name: str, trained: dict[str, list[Trained]], test: Test) -> dict[str, list[Row]]:
    """Rows by filler, seeds averaged."""
    by_filler: dict[str, list[list[Row]]] = {}
    with torch.inference_mode():
        for seed in range(len(next(iter(trained.values())))):
            for filler, composite in _answers(name, trained, seed, test).items():
                by_filler.setdefault(filler, []).append(measured(test, composite))
    return {filler: results.over_seeds(runs) for filler, runs in by_filler.items()}


def _network(runs: Sequence[Trained]) -> dict[str, Any]:
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
    def against(other: str, figure: str) -> results.Interval:
        pair = rows[f"{name} | {STS}"], rows[f"{name} | {other}"]
        found = results.difference(*pair, figure)
        if other == SRN:  # both enlarge the very same answers
            return found
        noises = (
            noise[f"{name}-{a}"][figure] * abs(results.means(r)[figure])
            for a, r in zip(("compression", other), pair, strict=True)
        )
        return results.widened(found, *noises)

    def against_all(figure: str) -> tuple[list[results.Interval], str]:
        found = {o: against(o, figure) for o in OTHERS}
        return list(found.values()), "; ".join(f"{o} {f}" for o, f in found.items())

    if name == "faces":
        losing, text = against_all("lpips")
        return [
            results.above(
                "Faces: the new network loses to the others (figure 6).",
                losing,
                f"LPIPS, STS minus other: {text}.",
            )
        ]
    said = {
        SRN: "Scenes: similar texture selection has more Similarity than super-resolution (Table 2: 0.640 and 0.629).",
        **{
            o: f"Scenes: the new network has more Similarity than {o} at edge holes (Table 2)."
            for o in OTHERS
        },
    }
    claims = [
        results.above(
            claim,
            against(other, "similarity"),
            f"Similarity, STS minus {other.upper() if other == SRN else other}: {against(other, 'similarity')}; "
            f"Similarity5 {against(other, 'similarity5')}; LPIPS {against(other, 'lpips')}.",
        )
        for other, claim in said.items()
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
    """Six test pictures, every way to fill them."""
    few = replace(test, pictures=test.pictures[:6], masks=test.masks[:6])
    with torch.inference_mode():
        found = _answers(name, trained, 0, few)
    figures.grid(
        path,
        {"input": few.pictures * few.masks + 0.5 * (1 - few.masks), **found, "truth": few.pictures},
    )
