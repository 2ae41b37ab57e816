"""One call of ``train-inpainter``: build the task, then train it or export its weights."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch

from . import engine
from .best import read_best
from .export import Exported, copy_saved, export
from .net2net import init_from
from .presets import MODELS
from .recipe import Recipe
from .request import Request
from .tasks.base import NetworkTask

#: The folder of a run in which a task that ``saves`` writes its network.
SAVED = "model"

log = logging.getLogger(__name__)


def make_task(request: Request) -> tuple[NetworkTask, Recipe]:
    """Build the requested task, its network's weights drawn from the seed, and its recipe.

    Raises:
        ValueError: an option is missing or does not fit the network.
        OSError: there are no pictures, or none can be read.
    """
    torch.manual_seed(request.seed)
    model = MODELS[request.model]
    if request.datasets and not model.task().takes_dataset:
        raise ValueError(
            f"--dataset trains inpainters and scene-classifier; {request.model} has "
            "its own folders below --data"
        )
    task, recipe = model.task().from_request(request, model.preset(request.preset))
    start = request.init_from.name if request.init_from else ""
    return task, replace(recipe, command=request.command, start=start)


def train(request: Request) -> dict[str, float]:
    """Train the requested network until its steps or minutes are over; see ``engine.train``."""
    task, recipe = make_task(request)
    # A resumed run has its own weights, and the file that it started from may be gone.
    if request.init_from and not request.has_checkpoint:
        init_from(task.network, request.init_from)
    precision = request.precision or recipe.precision
    run = engine.Run(
        steps=recipe.steps,
        minutes=request.minutes,
        every=request.every,
        evaluate_every=request.evaluate_every,
        accumulate=request.accumulate,
        average=recipe.average,
        precision=engine.best_precision(request.device) if precision == "auto" else precision,
        device=request.device,
        devices=request.devices,
        seed=request.seed,
        kind=request.model,
        recipe=recipe.record(),
    )
    metrics = engine.train(task, request.folder, run)
    if task.saves and engine.is_first_process():
        best = read_best(request.folder, task.network)
        log.info("%s", task.save(best, request.folder / SAVED))
    return metrics


def export_weights(request: Request, folder: Path) -> Exported:
    """Write the run's best averaged weights into ``folder``; see ``export.export``."""
    task = MODELS[request.model].task()
    if task.saves:
        return copy_saved(request.folder / SAVED, folder)
    return export(
        request.model, task, request.folder, folder, terms=request.terms, replace=request.replace
    )
