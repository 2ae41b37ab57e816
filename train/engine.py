"""The training loop: steps, exponential moving average, checkpoints, one JSON line an interval, a clean stop.

A task knows its networks and losses (``train.tasks``); the loop knows time.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

log = logging.getLogger(__name__)


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the last checkpoint is from before it."""


class Task(Protocol):
    """What the loop trains: ``network`` ships, ``parts`` are all networks and optimizers to keep in a checkpoint."""

    parts: dict[str, Any]

    @property
    def network(self) -> nn.Module:
        """What is averaged and exported."""

    def batches(self, start: int) -> Iterator[tuple[Tensor, ...]]:
        """Endless batches from step ``start`` on."""

    def step(self, batch: tuple[Tensor, ...]) -> dict[str, float]:
        """One optimisation step; the losses by name."""

    def set_progress(self, share: float) -> None:
        """Told before each step which share of the run is done, in [0, 1]; for schedules."""

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Figures on held-out pictures."""


def train(
    task: Task, folder: Path, *, steps: int, minutes: float = math.inf, every: int = 100, evaluate_every: int = 1000
) -> dict[str, float]:
    """Train ``task`` until ``steps`` or ``minutes`` are over, or Ctrl-C; resumes from ``folder/checkpoint.pt`` if it is there.

    Args:
        task: see ``Task``.
        folder: where checkpoint and log (``log.jsonl``) go; made if missing.
        steps: the run's whole length, earlier sessions counted in.
        minutes: this session's bound on wall time.
        every: steps between log lines and checkpoints.
        evaluate_every: steps between held-out figures.

    Returns:
        The last held-out figures and ``step``.

    Raises:
        NonFiniteLossError: names the step and the losses; no checkpoint is written after it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ema = _average(task.network)
    start, seconds = _resume(folder / "checkpoint.pt", task, ema)
    begun = time.monotonic()
    totals: dict[str, float] = {}
    counted = 0  # steps in ``totals``: fewer than ``every`` after a resume from a step between two lines
    figures: dict[str, float] = {}
    step = start
    bar = tqdm(task.batches(start), total=steps, initial=start, unit="step", dynamic_ncols=True)
    try:
        for batch in bar:
            if step >= steps or time.monotonic() - begun > minutes * 60:
                break
            task.set_progress(step / steps)
            losses = task.step(batch)
            if not all(math.isfinite(v) for v in losses.values()):
                raise NonFiniteLossError(f"step {step}: {losses}; resume from the last checkpoint with a lower learning rate")
            ema.update_parameters(task.network)
            step += 1
            counted += 1
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + value
            if step % every == 0:
                means = {k: round(v / counted, 5) for k, v in totals.items()}
                totals, counted = {}, 0
                bar.set_postfix(means)
                spent = seconds + time.monotonic() - begun
                _log(folder, {"step": step, "seconds": round(spent, 1), **means})
                _save(folder / "checkpoint.pt", task, ema, step, spent)
            if step % evaluate_every == 0:
                figures = _evaluate(task, ema)
                _log(folder, {"step": step, **figures})
    except KeyboardInterrupt:
        log.warning("stopped by the user at step %d; the same command goes on from here", step)
    if step > start or step == 0:  # a run of no steps keeps what the task began with
        _save(folder / "checkpoint.pt", task, ema, step, seconds + time.monotonic() - begun)
        figures = _evaluate(task, ema)
        _log(folder, {"step": step, **figures})
    return {"step": float(step), "seconds": seconds + time.monotonic() - begun, **figures}


def averaged_network(folder: Path, task: Task) -> tuple[nn.Module, int, float]:
    """The averaged network of ``folder``'s checkpoint, with its step and the seconds spent; for export."""
    ema = _average(task.network)
    step, seconds = _resume(folder / "checkpoint.pt", task, ema)
    return ema.module.eval(), step, seconds


def _average(network: nn.Module, decay: float = 0.999) -> AveragedModel:
    """An exponential moving average whose memory grows with the run: a fixed decay would keep the random start for thousands of steps."""

    @torch.no_grad()
    def blend(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if not averaged[0].is_floating_point():  # batch norm's counters
            for mean, now in zip(averaged, current, strict=True):
                mean.copy_(now)
            return
        n = float(count)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(network, multi_avg_fn=blend, use_buffers=True)  # type: ignore[arg-type]


def _evaluate(task: Task, ema: AveragedModel) -> dict[str, float]:
    network = ema.module
    was = network.training
    network.eval()
    with torch.inference_mode():
        figures = task.evaluate(network)
    network.train(was)
    return {k: round(v, 5) for k, v in figures.items()}


def _save(path: Path, task: Task, ema: AveragedModel, step: int, seconds: float) -> None:
    state = {
        "step": step,
        "seconds": seconds,
        "ema": ema.state_dict(),
        "parts": {k: v.state_dict() for k, v in task.parts.items()},
        "torch_random": torch.get_rng_state(),
    }
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def _resume(path: Path, task: Task, ema: AveragedModel) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    state = torch.load(path, map_location="cpu", weights_only=True)
    for name, part in task.parts.items():
        if name in state["parts"]:
            part.load_state_dict(state["parts"][name])
        else:
            log.warning("%s: has no %s; it starts fresh", path, name)
    ema.load_state_dict(state["ema"])
    torch.set_rng_state(state["torch_random"])
    log.info("%s: resumed at step %d", path, state["step"])
    return int(state["step"]), float(state["seconds"])


def _log(folder: Path, row: dict[str, Any]) -> None:
    with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
