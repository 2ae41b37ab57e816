"""``skip-ce-lpips``: Models 0 to 3 of Jiang & Zhang, Tables 1 and 2, and section 6's limitation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ...models.skip_context_encoder import HOLE, SIZE
from ..data import holes
from ..presets import paper
from ..tasks.base import InpaintingTask
from ..tasks.skip_context import SkipContextTask
from . import plots, results
from .faces import balanced, read_labels, turned
from .request import Pictures, TableRequest, lpips, pictures, squares
from .results import Claim, Interval, Row
from .runs import Arm, Trained, learning_curves, train_arms, training_noise

#: The arm of Model 3 with a sampler that is balanced over group and age.
BALANCED = "model-3-balanced"
#: Share of Model 0's LPIPS by which Model 1 may differ and still count as equal.
EQUAL = 0.05
#: Rows or columns of the centred hole.
CENTRE = slice((SIZE - HOLE) // 2, (SIZE + HOLE) // 2)
#: The metrics of the printed table.
METRICS = (
    "lpips",
    "lpips_hole",
    "lpips_output",
    "hole_l1",
    "psnr",
    "known_psnr",
    "known_sharpness",
)


def run(request: TableRequest) -> str:
    """Train and measure Models 0-3, and Model 3 with a balanced sampler; returns the text table.

    The training holes are squares at random places, the tests' are centred (section 4.1). The
    preset is the paper's; width, batch and length are the request's.
    """
    files = pictures(request, "faces")
    labels = read_labels(request.labels) if request.labels else {}
    scorer, metric = lpips(("alex", "squeeze"))
    test = squares(files.test, partial(holes.rectangle, centred=True), SIZE)
    facts = [{"picture": f.name, **labels.get(f.name, {})} for f in files.test]
    for fact, yaw in zip(facts, turned(files.test), strict=True):
        fact["yaw"] = yaw
    judge = partial(judged, test, facts, scorer)
    arms = [_arm(f"model-{v}", v, files.train, request, test, judge) for v in range(4)]
    if labels:
        arms.append(_arm(BALANCED, 3, balanced(files.train, labels), request, test, judge))
    trained = train_arms(arms, request.folder, request.budget)
    rows = {name: results.over_seeds([t.rows for t in runs]) for name, runs in trained.items()}
    claims = _claims(trained, rows)
    summary = {name: _summary(runs, test) for name, runs in trained.items()}
    groups = {name: _by_group(arm_rows) for name, arm_rows in rows.items()}
    config = {**_config(request, files, metric), "groups": groups}
    results.write(
        request.folder,
        table="skip-ce-lpips",
        command=request.command,
        config=config,
        arms=summary,
        rows=rows,
        claims=claims,
    )
    for column in ("lpips_hole", "lpips_output"):
        plots.curves(
            request.folder / f"{column}.png",
            learning_curves(trained, column),
            "pictures seen",
            f"LPIPS ({metric}) x 100, {column.removeprefix('lpips_')}",
        )
    _grid(request.folder / "grid.jpg", trained, test)
    return results.render({name: s["figures"] for name, s in summary.items()}, METRICS, claims)


def judged(
    test: tuple[Tensor, Tensor],
    facts: Sequence[dict[str, Any]],
    scorer: nn.Module | None,
    task: InpaintingTask,
    network: nn.Module,
) -> list[Row]:
    """One row for each test picture.

    ``lpips`` is of the composite, ``lpips_hole`` of the 64x64 square alone, ``lpips_output`` of
    the network's output, which is the paper's: the square of Models 0 and 1, the whole picture
    of 2 and 3. All are x 100. ``known_psnr`` (dB) and ``known_sharpness`` (mean gradient over
    the ground truth's) are of the known part of Models 2 and 3's own output.
    """
    device = next(network.parameters()).device
    scorer = scorer.to(device) if scorer is not None else None
    rows: list[Row] = []
    whole = task.network.config.whole_picture  # type: ignore[union-attr]
    for x, m in zip(*(torch.split(t, 32) for t in test), strict=True):
        x, m = x.to(device), m.to(device)
        output = task.fill(network, x * m, m).float().clamp(0, 1)
        composite = x * m + output * (1 - m)
        hole, truth_hole = (p[..., CENTRE, CENTRE] for p in (composite, x))
        of_hole = _lpips(scorer, hole, truth_hole)
        error = (composite - x).pow(2).mean((1, 2, 3))
        columns = {
            "lpips": _lpips(scorer, composite, x),
            "lpips_hole": of_hole,
            "lpips_output": _lpips(scorer, output, x) if whole else of_hole,
            "hole_l1": (hole - truth_hole).abs().mean((1, 2, 3)),
            "psnr": -10 * error.clamp(min=1e-12).log10(),
            "known_psnr": -10
            * (((output - x) * m).pow(2).sum((1, 2, 3)) / (3 * m.sum((1, 2, 3))))
            .clamp(min=1e-12)
            .log10(),
            "known_sharpness": _gradient(output, m) / _gradient(x, m).clamp(min=1e-6),
        }
        if not whole:
            columns |= {
                k: torch.full((len(x),), torch.nan) for k in ("known_psnr", "known_sharpness")
            }
        for i in range(len(x)):
            rows.append({**facts[len(rows)], **{k: float(v[i]) for k, v in columns.items()}})
    return rows


def _lpips(scorer: nn.Module | None, result: Tensor, truth: Tensor) -> Tensor:
    """LPIPS x 100 of each pair of pictures; NaN without a scorer."""
    return torch.full((len(result),), torch.nan) if scorer is None else 100 * scorer(result, truth)


def _gradient(picture: Tensor, mask: Tensor) -> Tensor:
    """Mean gradient over pairs of neighbours that are both known, N."""
    total, count = (torch.zeros(len(picture), device=picture.device) for _ in range(2))
    for axis in (2, 3):
        step = (picture.diff(dim=axis)).abs().mean(1, keepdim=True)
        n = mask.shape[axis] - 1
        both = mask.narrow(axis, 0, n) * mask.narrow(axis, 1, n)
        total += (step * both).sum((1, 2, 3))
        count += both.sum((1, 2, 3))
    return total / count.clamp(min=1)


def _arm(
    name: str,
    variant: int,
    train: Sequence[Path],
    request: TableRequest,
    test: tuple[Tensor, Tensor],
    judge: Any,
) -> Arm:
    """The arm that trains one of the models on these files."""
    preset = paper("skip-ce")
    network = {**preset.with_width(request.width), "variant": variant}

    def task(seed: int) -> InpaintingTask:
        schedule = replace(preset.schedule, batch=request.budget.batch, seed=seed)
        common: dict[str, Any] = {
            "schedule": schedule,
            "pictures": train,
            "holes": holes.rectangle,
            "held_out": test,
            "workers": request.budget.workers,
        }
        return SkipContextTask(**network, **common)

    what = {
        0: "the hole, channel-wise FC",
        1: "the hole",
        2: "the whole picture",
        3: "the whole picture, skip connections",
    }[variant]
    what += ", sampler balanced over group and age" if name == BALANCED else ""
    recipe = {
        "network": network,
        "schedule": preset.schedule,
        "pictures": len(train),
        "test": request.count,
    }
    return Arm(name, what, task, judge, recipe)


def _config(request: TableRequest, files: Pictures, metric: str) -> dict[str, Any]:
    """Budget and data of the run, for the record."""
    return {
        "budget": request.budget,
        "width": request.width,
        "pictures": files.source,
        "lpips": metric,
        "holes": "64x64: random to train, centred to test",
    }


def _summary(runs: Sequence[Trained], test: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Metrics, costs and curve of an arm, for the record."""
    return {
        "figures": {
            **results.means(results.over_seeds([t.rows for t in runs])),
            "parameters": runs[0].parameters,
        },
        "by_seed": [results.means(t.rows) for t in runs],
        "milliseconds_a_picture": round(_milliseconds(runs[0], test), 2),
        "samples": runs[0].samples,
        "seconds": [round(t.seconds, 1) for t in runs],
        "sha256": [t.sha256 for t in runs],
        "curve": runs[0].curve,
    }


def _milliseconds(trained: Trained, test: tuple[Tensor, Tensor]) -> float:
    """Median time of one picture through the network."""
    device = next(trained.network.parameters()).device
    x, m = (t[:1].to(device) for t in test)
    taken = []
    with torch.inference_mode():
        for _ in range(9):
            begun = time.perf_counter()
            float(trained.network(x * 2 - 1, m).mean())
            taken.append(time.perf_counter() - begun)
    return 1000 * float(np.median(taken[2:]))


def _claims(trained: dict[str, list[Trained]], rows: dict[str, list[Row]]) -> list[Claim]:
    """The paper's claims, and what the balanced sampler changes."""
    mean = {name: results.means(r) for name, r in rows.items()}

    def difference(a: str, b: str, metric: str) -> Interval:
        noises = (
            training_noise(trained[name], metric) * abs(mean[name][metric]) for name in (a, b)
        )
        return results.widened(results.difference(rows[a], rows[b], metric), *noises)

    zero_one = difference("model-1", "model-0", "lpips_hole")
    margin = EQUAL * mean["model-0"]["lpips_hole"]
    sizes = {name: runs[0].parameters for name, runs in trained.items()}
    claims = [
        results.within(
            "The channel-wise fully connected layer is not needed: "
            "Model 0 and Model 1 are equal (Table 1).",
            zero_one,
            margin,
            f"LPIPS x 100 of the hole, Model 1 minus Model 0: {zero_one}, "
            f"within {margin:.2g} (5 %) counts as equal; "
            f"{sizes['model-0']:,} and {sizes['model-1']:,} parameters.",
        )
    ]
    three_two = difference("model-3", "model-2", "lpips_output")
    in_hole = difference("model-3", "model-2", "lpips_hole")
    claims.append(
        results.below(
            "Skip connections improve the output's LPIPS: Model 3 is far below Model 2 (Table 2).",
            three_two,
            f"LPIPS x 100 of the whole output, Model 3 minus Model 2: {three_two}. "
            f"In the hole alone: {in_hole}.",
        )
    )
    claims.append(_convergence(trained))
    sharp = difference("model-2", "model-3", "known_psnr")
    claims.append(
        results.below(
            "The known part stays sharp in Model 3's own output, and is blurred in Model 2's "
            "(section 5.2).",
            sharp,
            "Known part of the output: "
            + "; ".join(
                f"{name} {mean[name]['known_psnr']:.1f} dB, "
                f"{100 * mean[name]['known_sharpness']:.0f} % of the truth's gradients"
                for name in ("model-3", "model-2")
            )
            + ".",
        )
    )
    return claims + _limitation(rows)


def _convergence(trained: dict[str, list[Trained]]) -> Claim:
    """Whether Model 3's curve reaches Model 2's last value before Model 2 did, for every seed."""
    at: list[float] = []
    for two, three in zip(trained["model-2"], trained["model-3"], strict=True):
        goal = two.curve[-1]["lpips_output"]
        reached = (p["samples"] for p in three.curve if p["lpips_output"] <= goal)
        at.append(next(reached, goal - goal + math.inf))  # NaN stays NaN
    total = trained["model-2"][0].samples
    verdict = (
        "held"
        if all(a < total for a in at)
        else "not held"
        if all(a > total for a in at)
        else "not decided"
    )
    when = ", ".join(
        "never" if math.isinf(a) else "unknown" if math.isnan(a) else f"{a:,.0f}" for a in at
    )
    return Claim(
        "Skip connections speed up convergence (section 5.2).",
        verdict,
        f"Model 3's output has the LPIPS that Model 2 ends with, after {total:,} pictures, "
        f"at {when} pictures.",
    )


def _limitation(rows: dict[str, list[Row]]) -> list[Claim]:
    """Section 6: frontal and Asian faces are poorer. And the effect of the balanced sampler."""
    claims = []
    three = rows["model-3"]
    yaw = results.column(three, "yaw")
    if np.isfinite(yaw).sum() >= 9:
        low, high = np.nanpercentile(yaw, [100 / 3, 200 / 3])
        value = results.column(three, "lpips_hole")
        difference = results.between(value[yaw >= high], value[yaw <= low])
        claims.append(
            results.below(
                "Model 3 is poorer on front faces (section 6).",
                difference,
                "LPIPS x 100 of the hole, most turned third minus most frontal third "
                f"of {difference.n} faces: {difference}.",
            )
        )
    asian = np.array([r.get("group") == "Asian" for r in three])
    if 0 < asian.sum() < len(asian):
        value = results.column(three, "lpips_hole")
        difference = results.between(value[~asian], value[asian])
        claims.append(
            results.below(
                "Model 3 is poorer on Asian faces (section 6).",
                difference,
                f"LPIPS x 100 of the hole, all others minus {asian.sum()} Asian faces: "
                f"{difference}.",
            )
        )
    if BALANCED in rows:
        # Another training moves all groups alike by chance: the claim counts how much more the
        # Asian faces gain than the others.
        change = results.column(rows[BALANCED], "lpips_hole") - results.column(three, "lpips_hole")
        more = results.between(change[asian], change[~asian])
        groups = {
            g: _change(rows, g) for g in sorted({str(r["group"]) for r in three if r.get("group")})
        }
        text = "; ".join(f"{g} {c}" for g, c in groups.items())
        claims.append(
            results.below(
                "A sampler balanced over groups and ages helps Asian faces more than others "
                "(a question, not the paper's claim).",
                more,
                f"LPIPS x 100 of the hole, balanced minus not, Asian minus others: {more}. "
                f"By group: {text}.",
            )
        )
    return claims


def _change(rows: dict[str, list[Row]], group: str) -> Interval:
    """By how much the balanced sampler changes a group's LPIPS of the hole."""
    with_sampler, without = (
        [r for r in rows[name] if r.get("group") == group] for name in (BALANCED, "model-3")
    )
    return results.difference(with_sampler, without, "lpips_hole")


def _by_group(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Mean LPIPS x 100 of the hole and the number of faces, by group and by age."""
    groups: dict[str, dict[str, Any]] = {}
    for key in ("group", "age_band"):
        for value in sorted({str(r[key]) for r in rows if r.get(key)}):
            members = [r for r in rows if r.get(key) == value]
            groups[f"{key} {value}"] = {
                "lpips_hole": results.means(members)["lpips_hole"],
                "count": len(members),
            }
    return groups


def _grid(path: Path, trained: dict[str, list[Trained]], test: tuple[Tensor, Tensor]) -> None:
    """Six test faces: with the hole, every model's own output, Model 3's composite, the truth."""
    x, m = (t[:6] for t in test)
    columns = {"input": x * m + 0.5 * (1 - m)}
    for name, runs in trained.items():
        device = next(runs[0].network.parameters()).device
        with torch.inference_mode():
            columns[name] = (
                runs[0]
                .task.fill(runs[0].network, x.to(device), m.to(device))
                .float()
                .clamp(0, 1)
                .cpu()
            )
    columns["3, composite"] = x * m + columns["model-3"] * (1 - m)
    columns["truth"] = x
    plots.grid(path, columns)
