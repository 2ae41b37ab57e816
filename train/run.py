"""One call of ``train-inpainter``: build the task, then train it or export its weights."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch

from ..models import shipped
from ..models.checkpoint import CheckpointError
from ..models.own_segmenter import RUN_MODEL
from ..pipeline.errors import UsageError
from . import engine
from .best import BEST, kind_of_best, read_best
from .export import Exported, copy_saved, export
from .net2net import init_from
from .presets import MODELS
from .recipe import Recipe
from .request import Request
from .tasks.base import NetworkTask

#: The value of ``--init-from`` that stands for the bundled weight.
SHIPPED = "shipped"

log = logging.getLogger(__name__)


def make_task(request: Request) -> tuple[NetworkTask, Recipe]:
    """Build the requested task, its network's weights drawn from the seed, and its recipe.

    Raises:
        ValueError: an option is missing or does not fit the network.
        OSError: there are no pictures, or none can be read.
    """
    if request.model != "segmenter" and (request.labels or request.classes or request.arch):
        raise ValueError(
            f"--labels, --classes and --arch are of train-inpainter segmenter; {request.model} "
            "learns no classes of your own"
        )
    torch.manual_seed(request.seed)
    model = MODELS[request.model]
    if request.datasets and not model.task().takes_dataset:
        raise ValueError(
            f"--dataset trains inpainters and scene-classifier; {request.model} has "
            "its own folders below --data"
        )
    task, recipe = model.task().from_request(request, model.preset(request.preset))
    start = start_file(request)
    return task, replace(recipe, command=request.command, start=start.name if start else "")


def start_file(request: Request) -> Path | None:
    """The weight file that a new run starts from; None = fresh values.

    Raises:
        ValueError: it is to be the bundled weight, and there is none of this network.
    """
    if request.init_from is None or request.init_from != Path(SHIPPED):
        return request.init_from
    if not shipped.is_shipped(request.model):
        raise ValueError(f"--init-from {SHIPPED}: no weight of {request.model} ships")
    return shipped.FOLDER / shipped.shipped_entry(request.model)["file"]


def train(request: Request) -> dict[str, float]:
    """Train the requested network until its steps or minutes are over; see ``engine.train``.

    Raises:
        UsageError: the run's folder is a file, or holds a run of another network; the weight to
            start from is none of this network; the extra ``train`` is not installed.
        ValueError: as of ``make_task``.
        OSError: as of ``make_task``.
    """
    engine.require_fabric()  # fails before any photo is read
    _refuse_file("--run", request.folder)
    if (request.folder / BEST).exists():
        kind = kind_of_best(request.folder)
        if kind not in ("", request.model):
            raise UsageError(f"{request.folder}: holds a run of {kind}; name another --run")
    task, recipe = make_task(request)
    # A resumed run has its own weights, and the file that it started from may be gone.
    start = None if request.has_checkpoint else start_file(request)
    if start is not None:
        try:
            init_from(task.network, start)
        except CheckpointError as error:
            raise UsageError(
                f"--init-from {error}; name a weight that train-inpainter {request.model} wrote"
            ) from error
    if engine.is_first_process():
        _tell(request, recipe, start)
    precision = request.precision or recipe.precision
    run = engine.Run(
        steps=recipe.steps,
        minutes=request.minutes,
        every=request.every,
        evaluate_every=request.evaluation(recipe.steps),
        evaluate_first=start is not None,
        accumulate=request.accumulate,
        average=recipe.average,
        precision=(
            engine.best_precision(request.device, recipe.size) if precision == "auto" else precision
        ),
        device=request.device,
        devices=request.devices,
        seed=request.seed,
        kind=request.model,
        recipe=recipe.record(),
    )
    metrics = engine.train(task, request.folder, run)
    if task.saves and engine.is_first_process():
        best = read_best(request.folder, task.network)
        task.save(best, request.folder / RUN_MODEL)
    return metrics


def _refuse_file(option: str, folder: Path) -> None:
    """Refuse a file where a folder is written to."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{option} {folder}: a file; name a folder")


def _tell(request: Request, recipe: Recipe, start: Path | None) -> None:
    """Log what begins."""
    words = f"{recipe.steps} steps of {recipe.batch}, {recipe.pictures} pictures to train on"
    if "held_out" in recipe.facts:
        words += f", {recipe.facts['held_out']} held out"
    log.info("%s: %s; the run's folder is %s", request.model, words, request.folder)
    if start is not None:
        log.info("starts from %s", start.name)
    elif not request.has_checkpoint and shipped.is_shipped(request.model):
        log.info(
            "starts from random values; --init-from %s starts from the bundled weight, which needs "
            "far fewer steps",
            SHIPPED,
        )


def export_weights(request: Request, folder: Path) -> Exported:
    """Write the run's best averaged weights into ``folder``; see ``export.export``."""
    _refuse_file("--export", folder)
    task = MODELS[request.model].task()
    if task.saves:
        return copy_saved(request.folder / RUN_MODEL, folder, terms=request.terms)
    return export(
        request.model, task, request.folder, folder, terms=request.terms, replace=request.replace
    )
