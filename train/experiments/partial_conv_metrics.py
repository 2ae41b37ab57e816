"""``partial-conv-metrics``: Kulkarni et al., Table I.

The full loss, no style loss, no perceptual loss and Navier-Stokes at three hole ratios.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...pipeline.inpaint.classical import paint
from ...pipeline.quality.metrics import inside_errors
from .. import features
from ..data import holes
from ..presets import paper
from ..tasks.base import InpaintingTask
from ..tasks.partial_conv import PartialConvTask
from . import plots, results
from .request import TableRequest, lpips, pictures, squares
from .results import Claim, Row
from .runs import Arm, Trained, learning_curves, train_arms, training_noise

#: Shares of the picture that the holes cover.
RATIOS = (0.05, 0.1, 0.2)
#: Names of arms.
FULL, CLASSICAL, BLACK = "full", "navier-stokes", "navier-stokes, the known part black"
#: The metrics of Table I; 1 = higher is better, -1 = lower is better.
TABLE_I = {"l1": -1, "mse": -1, "psnr": 1, "ssim": 1}
#: The metrics of the printed table.
METRICS = (
    "l1",
    "mse",
    "psnr",
    "ssim",
    "lpips",
    "hole_l1",
    "hole_psnr",
    "output_mse_n",
    "output_psnr_n",
    "output_ssim",
)
#: Mean and deviation of torchvision's normalisation, which a VGG loss applies to its pictures.
MEAN, STD = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
#: Range of the hole ratios in training. The paper does not describe its training masks; this
#: range holds the tests' ratios.
TRAINING_RATIO = (0.03, 0.25)

Floats = NDArray[np.float32]


def run(request: TableRequest) -> str:
    """Train the full loss and its two ablations alike, measure them and Navier-Stokes.

    The numbers are the paper's preset but for width, batch, length, picture size and perceptual
    crop, which are the request's, and for LSUV, without which a short run ends before its outputs
    are in a picture's range. Holes are free-form, within a tenth of the named
    ratio, and the same for all.

    Returns:
        The text table.

    Raises:
        ValueError: no feature network is named.
    """
    files = pictures(request, "scenes")
    scorer, metric = lpips(("squeeze",))
    tests = {r: squares(files.test, holes.FreeForm(0.9 * r, 1.1 * r), request.size) for r in RATIOS}
    names = [f.name for f in files.test]
    if request.features == "none":
        raise ValueError(
            "the table is about losses over a feature network; name one with --features"
        )
    feature_network = features.feature_network(request.features)
    losses = paper("partial-conv").network["weights"]
    variants = {
        FULL: losses,
        "no-style": replace(losses, style=0.0),
        "no-perceptual": replace(losses, perceptual=0.0),
    }
    judge = partial(judged, tests, names, scorer)
    arms = [
        _arm(name, weights, files.train, request, feature_network, judge)
        for name, weights in variants.items()
    ]
    trained = train_arms(arms, request.folder, request.budget)
    rows = {name: results.over_seeds([t.rows for t in runs]) for name, runs in trained.items()}
    rows[CLASSICAL] = [
        r
        for x, m, label in _cases(tests, names)
        for r in _row(_classical(x, m), None, x, m, label, scorer)
    ]
    rows[BLACK] = [
        r
        for x, m, label in _cases(tests, names)
        for r in _row(np.where(m[..., None], _classical(x, m), 0), None, x, m, label, scorer)
    ]
    summary: dict[str, Any] = {}
    for name, arm_rows in rows.items():
        by_ratio = {
            str(r): results.means([row for row in arm_rows if row["ratio"] == str(r)])
            for r in RATIOS
        }
        summary[name] = {
            "figures": {f"{k}@{r}": v for r, means in by_ratio.items() for k, v in means.items()}
        }
    for name, runs in trained.items():
        summary[name] |= {
            "by_seed": [results.means(t.rows) for t in runs],
            "parameters": runs[0].parameters,
            "samples": runs[0].samples,
            "seconds": [round(t.seconds, 1) for t in runs],
            "sha256": [t.sha256 for t in runs],
            "curve": runs[0].curve,
        }
    claims = _claims(
        rows,
        {
            name: {m: training_noise(runs, m) for m in (*TABLE_I, "lpips")}
            for name, runs in trained.items()
        },
    )
    config = {
        "budget": request.budget,
        "width": request.width,
        "size": request.size,
        "perceptual_crop": request.perceptual_crop,
        "features": Path(request.features).name,
        "pictures": files.source,
        "lpips": metric,
        "losses": variants,
        "readings": readings(rows),
    }
    results.write(
        request.folder,
        table="partial-conv-metrics",
        command=request.command,
        config=config,
        arms=summary,
        rows=rows,
        claims=claims,
    )
    for column in ("psnr", "lpips"):
        plots.curves(
            request.folder / f"{column}.png",
            learning_curves(trained, column),
            "pictures seen",
            column.upper() + ", mean over the three ratios",
        )
    _grid(request.folder / "grid.jpg", trained, tests[RATIOS[-1]])
    tables = []
    for r in RATIOS:
        of_ratio = {
            name: {f: s["figures"][f"{f}@{r}"] for f in METRICS} for name, s in summary.items()
        }
        tables.append(
            f"hole ratio {r}\n"
            + results.render(of_ratio, METRICS, claims if r == RATIOS[-1] else [])
        )
    return "\n\n".join(tables)


def judged(
    tests: dict[float, tuple[Tensor, Tensor]],
    names: Sequence[str],
    scorer: nn.Module | None,
    task: InpaintingTask,
    network: nn.Module,
) -> list[Row]:
    """One row for each ratio and test picture; see ``_row`` for the metrics."""
    device = next(network.parameters()).device
    rows: list[Row] = []
    for ratio, (pictures_, masks) in tests.items():
        for i, name in enumerate(names):
            x, m = pictures_[i : i + 1].to(device), masks[i : i + 1].to(device)
            output = task.fill(network, x * m, m).float()
            filled, truth, known = _array(output), _array(x), m[0, 0].cpu().numpy() > 0.5
            composite = np.where(known[..., None], truth, filled.clip(0, 1))
            rows += _row(composite, filled, truth, ~known, (f"{name} {ratio}", str(ratio)), scorer)
    return rows


def _row(
    composite: Floats,
    output: Floats | None,
    truth: Floats,
    hole: NDArray[np.bool_],
    label: tuple[str, str],
    scorer: nn.Module | None,
) -> list[Row]:
    """One row of metrics.

    ``l1``: mean absolute difference. ``mse``: mean squared difference in 8-bit levels.
    ``psnr``: 10 log10(255^2 / mse). ``ssim``: as ``pipeline.quality.metrics.inside_errors``.
    These are of the composite I_comp over the whole picture; ``hole_l1`` and ``hole_psnr`` are
    over the hole alone. ``output_*`` are of the network's I_out over the whole picture:
    ``mse_n`` in units of torchvision's normalised pictures, ``psnr_n`` = 10 log10(255^2 /
    mse_n), which mixes two scales (see ``readings``).

    Args:
        composite: HW3 in [0, 1].
        output: HW3 in [0, 1], or None.
        truth: HW3 in [0, 1].
        hole: HW, True = hole.
        label: the picture's name and the ratio.
        scorer: LPIPS, or None.
    """
    everywhere = np.ones_like(hole)
    l1, _, ssim = inside_errors(composite, truth, everywhere)
    mse = 255.0**2 * float(((composite - truth) ** 2).mean())
    hole_l1, hole_psnr, _ = inside_errors(composite, truth, hole)
    distance = float("nan")
    if scorer is not None:
        pair = [
            torch.from_numpy(np.ascontiguousarray(p)).permute(2, 0, 1)[None]
            for p in (composite, truth)
        ]
        distance = float(scorer(*pair)[0])
    row: Row = {
        "picture": label[0],
        "ratio": label[1],
        "l1": l1,
        "mse": mse,
        "psnr": 10 * float(np.log10(255.0**2 / max(mse, 1e-6))),
        "ssim": ssim,
        "lpips": distance,
        "hole_l1": hole_l1,
        "hole_psnr": hole_psnr,
    }
    if output is not None:
        normalised = float((((output - truth) / STD) ** 2).mean())
        row |= {
            "output_mse_n": normalised,
            "output_psnr_n": 10 * float(np.log10(255.0**2 / max(normalised, 1e-9))),
            "output_ssim": inside_errors(output.clip(0, 1), truth, everywhere)[2],
        }
    else:
        row |= dict.fromkeys(("output_mse_n", "output_psnr_n", "output_ssim"), float("nan"))
    return [row]


def readings(rows: dict[str, list[Row]]) -> dict[str, Any]:
    """Possible meanings of Table I's numbers, tested on this run.

    The paper prints PSNR 55.5 dB beside MSE 0.192: 10 log10(255^2 / 0.192) = 55.3, so its MSE
    counts 8-bit levels or is divided by the wrong peak. SSIM 0.494 does not belong to an error
    of 0.4 levels. Both fit one picture if the MSE is of *normalised* pictures (unit variance)
    and the peak is still 255. And Navier-Stokes' MSE *falls* as the hole grows: 1.90e4, 1.81e4,
    1.64e4 are 2.00e4, 2.01e4 and 2.05e4 times (1 - r), the known share, and 2.0e4 is about the
    mean square of a photo's levels: as if the known part of the classical result had been
    black.
    """
    full, black = (
        {r: results.means([row for row in rows[name] if row["ratio"] == str(r)]) for r in RATIOS}
        for name in (FULL, BLACK)
    )
    return {
        "paper: navier-stokes mse / (1 - r)": {
            str(r): round(m / (1 - r), 1)
            for r, m in zip(RATIOS, (1.90e4, 1.81e4, 1.64e4), strict=True)
        },
        "here: navier-stokes, the known part black": {
            str(r): {
                "mse / (1 - r)": round(black[r]["mse"] / (1 - r), 1),
                "psnr": black[r]["psnr"],
                "ssim": black[r]["ssim"],
            }
            for r in RATIOS
        },
        "here: full, I_out normalised, peak 255": {
            str(r): {k: full[r][k] for k in ("output_mse_n", "output_psnr_n", "output_ssim")}
            for r in RATIOS
        },
        "here: full, I_comp in 8-bit levels": {
            str(r): {k: full[r][k] for k in ("mse", "psnr", "ssim")} for r in RATIOS
        },
    }


def _claims(rows: dict[str, list[Row]], noise: dict[str, dict[str, float]]) -> list[Claim]:
    """The paper's claims about the losses and Navier-Stokes, and the same for LPIPS."""
    claims = []
    for other, loss in (("no-style", "style"), ("no-perceptual", "perceptual")):
        claims.append(
            _better(
                f"The {loss} loss helps: "
                f"full is better than {other} on L1, MSE, PSNR and SSIM (Table I).",
                rows,
                other,
                TABLE_I,
                noise,
            )
        )
        claims.append(
            _better(
                f"The {loss} loss helps: full is better than {other} on LPIPS (not in the paper).",
                rows,
                other,
                {"lpips": -1},
                noise,
            )
        )
    claims.append(
        _better(
            "Navier-Stokes is worse than the network on L1, MSE, PSNR and SSIM (Table I).",
            rows,
            CLASSICAL,
            TABLE_I,
            noise,
        )
    )
    claims.append(
        _better(
            "Navier-Stokes is worse than the network on LPIPS (not in the paper).",
            rows,
            CLASSICAL,
            {"lpips": -1},
            noise,
        )
    )
    return claims


def _better(
    claim: str,
    rows: dict[str, list[Row]],
    other: str,
    metrics: dict[str, int],
    noise: dict[str, dict[str, float]],
) -> Claim:
    """Whether the full loss is better than ``other`` on the metrics.

    It is if it is better in more than half of the cells (metric, ratio) and worse in none; a
    cell counts if its interval excludes zero. The opposite is ``not held``.
    """
    better, worse, texts = 0, 0, []
    for metric, sign in metrics.items():
        for ratio in RATIOS:
            of_full, of_other = (
                [r for r in rows[name] if r["ratio"] == str(ratio)] for name in (FULL, other)
            )
            noises = [
                noise[n][metric] * abs(results.means(r)[metric])
                for n, r in ((FULL, of_full), (other, of_other))
                if n in noise
            ]
            difference = results.widened(results.difference(of_full, of_other, metric), *noises)
            better += (sign > 0 and difference.low > 0) or (sign < 0 and difference.high < 0)
            worse += (sign > 0 and difference.high < 0) or (sign < 0 and difference.low > 0)
            if ratio == RATIOS[-1]:
                texts.append(f"{metric} {difference}")
    cells = len(metrics) * len(RATIOS)
    verdict = (
        "held"
        if not worse and better > cells / 2
        else "not held"
        if not better and worse > cells / 2
        else "not decided"
    )
    return Claim(
        claim,
        verdict,
        f"better in {better}, worse in {worse} of {cells} cells; "
        f"full minus {other} at {RATIOS[-1]}: {', '.join(texts)}.",
    )


def _arm(
    name: str,
    weights: Any,
    train: Sequence[Path],
    request: TableRequest,
    feature_network: nn.Module,
    judge: Callable[..., list[Row]],
) -> Arm:
    """The arm that trains with these weights of the losses."""
    preset = paper("partial-conv")
    network = {**preset.with_width(request.width), "weights": weights, "lsuv": True}
    base = replace(
        preset.schedule,
        batch=request.budget.batch,
        size=request.size,
        perceptual_crop=request.perceptual_crop,
    )
    generator = holes.FreeForm(*TRAINING_RATIO)

    def task(seed: int) -> InpaintingTask:
        # The fresh layers are scaled on training pictures; the test's are the judge's alone.
        begin = squares(train[:8], generator, request.size)
        common: dict[str, Any] = {
            "pictures": train,
            "holes": generator,
            "held_out": begin,
            "features": feature_network,
            "workers": request.budget.workers,
        }
        return PartialConvTask(**network, schedule=replace(base, seed=seed), **common)

    recipe = {
        "network": network,
        "schedule": base,
        "pictures": len(train),
        "test": request.count,
        "features": Path(request.features).name,
    }
    return Arm(name, "", task, judge, recipe)


def _cases(
    tests: dict[float, tuple[Tensor, Tensor]], names: Sequence[str]
) -> list[tuple[Floats, NDArray[np.bool_], tuple[str, str]]]:
    """(picture HW3 in [0, 1], hole HW, (name and ratio, ratio)) of every test picture."""
    return [
        (_array(x[None]), m[0].numpy() < 0.5, (f"{name} {ratio}", str(ratio)))
        for ratio, test in tests.items()
        for x, m, name in zip(*test, names, strict=True)
    ]


def _classical(truth: Floats, hole: NDArray[np.bool_]) -> Floats:
    """Navier-Stokes' result, HW3 in [0, 1]; its input has no ground truth under the hole."""
    blank = np.where(hole[..., None], 0, truth)
    return paint((blank * 255).round().astype(np.uint8), hole, CLASSICAL).astype(
        np.float32
    ) / np.float32(255)


def _array(picture: Tensor) -> Floats:
    """The first picture of a batch N3HW as HW3."""
    array: Floats = picture[0].permute(1, 2, 0).cpu().numpy()
    return array


def _grid(path: Path, trained: dict[str, list[Trained]], test: tuple[Tensor, Tensor]) -> None:
    """Six test pictures at the largest ratio, as figure 5.

    The columns are the picture with its hole, every arm's composite, Navier-Stokes', and the
    ground truth.
    """
    x, m = (t[:6] for t in test)
    columns = {"input": x * m + (1 - m)}
    for name, runs in trained.items():
        device = next(runs[0].network.parameters()).device
        with torch.inference_mode():
            columns[name] = (
                runs[0].task.composite(runs[0].network, x.to(device), m.to(device)).cpu()
            )
    classical = [_classical(_array(p[None]), k[0].numpy() < 0.5) for p, k in zip(x, m, strict=True)]
    columns[CLASSICAL] = torch.from_numpy(np.stack(classical)).permute(0, 3, 1, 2)
    columns["truth"] = x
    plots.grid(path, columns)
