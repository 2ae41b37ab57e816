"""What ``train-inpainter`` says at its end: what there is now, and the next command."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from ..models.kinds import KINDS
from ..models.own_segmenter import RUN_MODEL, read_model
from .best import BEST, BEST_BY, about_best
from .export import INDEX, Exported
from .request import Request

#: The words for metrics of ``BEST_BY``; others are not told.
_TOLD = {
    "val_lpips": "LPIPS",
    "val_perceptual": "perceptual distance",
    "val_mean": "mean score",
    "val_accuracy": "accuracy",
    "val_hole_l1": "L1 in the holes",
    "val_loss": "loss",
}


def after_training(request: Request) -> list[str]:
    """What a run came to, where its weights are, and what is to be done with them.

    It reads the run's folder: the log has the first metrics, the best weights their own.
    """
    path = request.folder / BEST
    if not path.exists():
        return []
    about = about_best(request.folder)
    step, metrics = about["step"], about["metrics"]
    if not step:
        words = f"the best weights are those that the run started with{_metric(metrics, {})}"
    else:
        words = f"the best weights are those of step {step}{_metric(metrics, _first(request))}"
    model = request.folder / RUN_MODEL
    if model.is_dir():
        path = model
    lines = [f"{request.model}: {words}; they are in {path}"]
    if request.model in KINDS or model.is_dir():
        return [*lines, *use(request.model, path, request.images)]
    run = "" if request.run is None else f" --run {shlex.quote(str(request.run))}"
    return [*lines, f"next: train-inpainter {request.model}{run} --export my-weights"]


def _first(request: Request) -> dict[str, float]:
    """The run's first held-out metrics."""
    path = request.folder / "log.jsonl"
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
    return next((row for row in rows if any(name.startswith("val_") for name in row)), {})


def _metric(metrics: dict[str, float], first: dict[str, float]) -> str:
    """The first metric of ``BEST_BY`` that has words, at first and now."""
    for name, higher in BEST_BY:
        if name in metrics and name in _TOLD:
            words, better = _TOLD[name], "higher" if higher else "lower"
            before = first.get(name, metrics[name])
            if before == metrics[name]:
                return f" ({words} on the held-out pictures: {metrics[name]:.4g})"
            at = "before training" if first["step"] == 0 else f"at step {first['step']}"
            return (
                f" ({words} on the held-out pictures: {before:.4g} {at}, {metrics[name]:.4g} now; "
                f"{better} is better)"
            )
    return ""


def out_of_memory(request: Request, error: BaseException) -> str:
    """What to do if the memory is full."""
    first = (str(error).splitlines() or ["out of memory"])[0][:200]
    workers = ", or fewer --workers" if request.workers else ""
    return (
        f"the memory is full ({first}); call again with a smaller --batch (--accumulate N makes a "
        f"step of N batches), a smaller --size{workers}; the run resumes from its last checkpoint"
    )


def after_export(request: Request, exported: Exported) -> list[str]:
    """What an export wrote, and what is to be done with it."""
    folder, path = exported.path.parent, exported.path
    lines = [] if exported.is_new else [f"{path} was there already, of the same values"]
    if exported.others:
        lines.append(
            f"{folder / INDEX} still names {exported.others}; "
            f"--replace {exported.others} deletes that and names this one"
        )
    if not exported.has_terms:
        lines.append(
            f"say in {exported.card} whose the pictures are, or export again with --terms TEXT"
        )
    return [*lines, *use(request.model, path, request.images)]


def use(kind: str, path: Path, images: tuple[Path, ...]) -> list[str]:
    """The command that uses a weight, or a model's folder; none if no command takes it."""
    if path.is_dir():
        names = ",".join(read_model(path).classes)
        options = ["--segmenter", f"compact,{path}", "--class", names]
    elif kind in KINDS:
        options = ["--weights", f"{kind}={path}", "--class", "person"]
    else:
        return []
    photos = str(images[0]) if images else "photos"
    return [f"next: {shlex.join(['remove-objects', *options, photos])}"]
