"""The arms of a table: networks trained alike but for one difference.

Each can be resumed, and each is measured on the same pictures at fixed points.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock, Timeout
from torch import nn

from ...models.checkpoint import save_weights, sha256
from .. import engine
from ..tasks.base import InpaintingTask
from .results import Row, means, plain


@dataclass(frozen=True)
class Budget:
    """The budget that every arm of a table gets.

    Attributes:
        steps: optimizer steps.
        batch: pictures per step.
        points: number of measurements after the one at the start, evenly spaced.
        seeds: of weights, data order and holes; every arm is trained once for each.
        minutes: time limit of the whole call; the same command resumes.
        device: as in ``engine.Run``.
        precision: as in ``engine.Run``.
        workers: as in ``train.data.pictures.batches``.
        only: patterns of the names of the arms to train in this call; empty = all. Several
            processes may share a folder.
    """

    steps: int
    batch: int
    points: int = 5
    seeds: tuple[int, ...] = (0,)
    minutes: float = math.inf
    device: str = "cpu"
    precision: str = "32-true"
    workers: int = 0
    only: tuple[str, ...] = ()


@dataclass(frozen=True)
class Arm:
    """One way to train.

    Attributes:
        name: of its folder and row.
        what: description.
        task: makes a fresh task for a seed.
        judge: measures its network on the test pictures, one row per picture.
        recipe: the numbers that make it, for the record.
    """

    name: str
    what: str
    task: Callable[[int], InpaintingTask]
    judge: Callable[[InpaintingTask, nn.Module], list[Row]]
    recipe: dict[str, Any]


@dataclass(frozen=True)
class Trained:
    """An arm after its budget.

    Attributes:
        arm: its name.
        seed: its seed.
        network: with its last weights, in evaluation mode.
        task: that trained it.
        rows: metrics of the test pictures.
        curve: mean metrics by samples seen.
        samples: pictures seen.
        seconds: of training.
        parameters: of the network.
        sha256: of its weights as fp16 safetensors.
    """

    arm: str
    seed: int
    network: nn.Module
    task: InpaintingTask
    rows: list[Row]
    curve: list[dict[str, float]]
    samples: int
    seconds: float
    parameters: int
    sha256: str


#: Names in the recipes of earlier versions' run folders, and today's.
RENAMED = {"judge_rate": "discriminator_lr_scale", "look_at_output": "features_of_output"}


class UnfinishedError(RuntimeError):
    """The time limit passed, or the user stopped; the same command resumes."""


class BusyError(UnfinishedError):
    """Another process trains this arm: two would overwrite each other's checkpoints."""


class OtherRecipeError(ValueError):
    """The folder holds an arm that was trained with other numbers."""


class _Judged:
    """A task whose held-out metrics are the table's own.

    The test pictures choose nothing: an arm is its last weights, not its best.
    """

    def __init__(
        self, task: InpaintingTask, judge: Callable[[InpaintingTask, nn.Module], list[Row]]
    ) -> None:
        self._task, self._judge = task, judge

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """The mean metrics of the test pictures."""
        return {
            f"val_{name}": value for name, value in means(self._judge(self._task, network)).items()
        }


def train_arm(
    arm: Arm, seed: int, folder: Path, budget: Budget, minutes: float = math.inf
) -> Trained:
    """Train one arm, resume it, or load it if it is finished.

    Args:
        arm: see ``Arm``.
        seed: one of the budget's.
        folder: the table's; the arm has its own below.
        budget: see ``Budget``.
        minutes: time limit.

    Raises:
        UnfinishedError: stopped before its last step.
        BusyError: another process trains it.
        OtherRecipeError: its folder was started with other numbers.
    """
    place = folder / f"{arm.name}-seed{seed}"
    place.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(place / ".lock", timeout=0):
            return _train_arm(arm, seed, place, budget, minutes)
    except Timeout:
        raise BusyError(
            f"{arm.name}, seed {seed}: another process is training it; call again when it is done"
        ) from None


def _train_arm(arm: Arm, seed: int, place: Path, budget: Budget, minutes: float) -> Trained:
    """``train_arm`` in the arm's locked folder."""
    _same_recipe(
        place,
        {
            **arm.recipe,
            "steps": budget.steps,
            "batch": budget.batch,
            "points": budget.points,
            "seed": seed,
        },
    )
    torch.manual_seed(seed)
    task = arm.task(seed)
    start = _at_start(place, task, arm)
    every = max(1, budget.steps // budget.points)
    run = engine.Run(
        steps=budget.steps,
        minutes=minutes,
        every=max(1, every // 2),
        evaluate_every=every,
        average=0.0,
        precision=budget.precision,
        device=budget.device,
        seed=seed,
    )
    done = engine.train(_Judged(task, arm.judge), place, run)  # type: ignore[arg-type]
    if done["step"] < budget.steps:
        raise UnfinishedError(
            f"{arm.name}, seed {seed}: {done['step']:.0f} of {budget.steps} steps; "
            "the same command resumes from there"
        )
    network = engine.last_average(place, deepcopy(task.network))
    weights = save_weights(network, place, arm.name)
    with torch.inference_mode():
        rows = arm.judge(task, network)
    return Trained(
        arm=arm.name,
        seed=seed,
        network=network,
        task=task,
        rows=rows,
        curve=[{"samples": 0.0, **start}, *_curve(place, budget)],
        samples=budget.steps * budget.batch,
        seconds=done["seconds"],
        parameters=sum(p.numel() for p in network.parameters()),
        sha256=sha256(weights),
    )


def train_arms(arms: Sequence[Arm], folder: Path, budget: Budget) -> dict[str, list[Trained]]:
    """Train every arm with every seed.

    All arms of the first seed come first, so that the table is complete as early as possible.

    Raises:
        UnfinishedError: the time limit passed; another process trains an arm (the others are
            trained first); or all arms of ``budget.only`` are trained, which are not the whole
            table.
        OtherRecipeError: an arm's folder was started with other numbers.
        ValueError: ``budget.only`` matches no arm.
    """
    begun = time.monotonic()
    chosen = {
        arm.name
        for arm in arms
        if not budget.only or any(fnmatchcase(arm.name, pattern) for pattern in budget.only)
    }
    if not chosen:
        raise ValueError(
            f"no arm is named {', '.join(budget.only)}; "
            f"there are {', '.join(arm.name for arm in arms)}"
        )
    trained: dict[str, list[Trained]] = {arm.name: [] for arm in arms}
    unfinished: UnfinishedError | None = None
    for seed in budget.seeds:
        for arm in arms:
            if arm.name in chosen:
                minutes = max(0.0, budget.minutes - (time.monotonic() - begun) / 60)
                try:
                    trained[arm.name].append(train_arm(arm, seed, folder, budget, minutes))
                except BusyError as error:
                    unfinished = error  # the others can be trained meanwhile
    if unfinished is not None:
        raise unfinished
    if len(chosen) < len(arms):
        raise UnfinishedError(
            f"{', '.join(sorted(chosen))}: trained; "
            "the same command without --only trains the rest and writes the table"
        )
    return trained


def learning_curves(
    trained: Mapping[str, Sequence[Trained]], metric: str
) -> dict[str, list[tuple[float, float]]]:
    """(pictures seen, ``metric``) along the first training of every arm."""
    return {
        arm: [(point["samples"], point[metric]) for point in runs[0].curve]
        for arm, runs in trained.items()
    }


def training_noise(runs: Sequence[Trained], metric: str) -> float:
    """How much an arm's mean ``metric`` depends on the chance of one training, as a share of it.

    An interval over test pictures does not contain this uncertainty. With several seeds it is
    twice the standard error of their means. With one it is the larger of the last two changes
    of its curve: a change that more training causes, another seed would cause as well.
    """
    if len(runs) > 1:
        values = np.array([np.nanmean([float(r[metric]) for r in t.rows]) for t in runs])
        return float(
            2 * values.std(ddof=1) / math.sqrt(len(values)) / max(1e-12, abs(values.mean()))
        )
    last = [p.get(metric, math.nan) for p in runs[0].curve[-3:]]
    return (
        max(abs(b - a) for a, b in pairwise(last)) / max(1e-12, abs(last[-1]))
        if len(last) > 1
        else 0.0
    )


def _at_start(place: Path, task: InpaintingTask, arm: Arm) -> dict[str, float]:
    """The metrics of the fresh network, kept in a file: a resumed run has no fresh network."""
    path = place / "start.json"
    if not path.exists():
        task.network.eval()
        with torch.inference_mode():
            path.write_text(json.dumps(means(arm.judge(task, task.network))), encoding="utf-8")
        task.network.train()
    metrics: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def _curve(place: Path, budget: Budget) -> list[dict[str, float]]:
    """The metrics of the log by samples seen.

    A step that was repeated after a crash is logged twice with the same metrics.
    """
    points: dict[int, dict[str, float]] = {}
    for line in (place / "log.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        metrics = {
            name.removeprefix("val_"): value
            for name, value in row.items()
            if name.startswith("val_")
        }
        if metrics:
            points[row["step"]] = {"samples": float(row["step"] * budget.batch), **metrics}
    return [points[step] for step in sorted(points)]


def _same_recipe(place: Path, recipe: dict[str, Any]) -> None:
    """Record an arm's recipe.

    Raises:
        OtherRecipeError: the folder was started with another.
    """
    path = place / "recipe.json"
    text = json.dumps(plain(recipe), indent=1, sort_keys=True) + "\n"
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"), object_hook=_renamed)
        now = json.loads(text)
        changed = ", ".join(
            f"{k}: {before.get(k)} there, {now.get(k)} now"
            for k in sorted({*before, *now})
            if before.get(k) != now.get(k)
        )
        if changed:
            raise OtherRecipeError(
                f"{place}: was trained otherwise ({changed}); use another --run, or delete it"
            )
    path.write_text(text, encoding="utf-8")


def _renamed(entries: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with today's names for those of ``RENAMED``."""
    return {RENAMED.get(name, name): value for name, value in entries.items()}
