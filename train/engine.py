"""The training loop on Lightning Fabric.

Steps, moving average, exact resume, held-out metrics, samples, and a clean stop. A task knows
its networks and losses (``train.tasks.base``); the loop knows time, devices and files.
"""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..models.precision import has_bf16
from ..pipeline.system import lock
from ..pipeline.system.atomic import atomic_write, remove_parts
from ..pipeline.system.extras import import_extra
from ..pipeline.system.signals import signals_restored
from .best import (
    BEST,
    BEST_BY,
    EARLIER,
    Averaged,
    averaged_values,
    convert_earlier,
    write_best,
)
from .progress import Progress

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the last checkpoint is older than that."""


class DamagedCheckpointError(ValueError):
    """The checkpoint cannot be read; the message names the file to delete."""


class Task(Protocol):
    """What the loop trains.

    ``prepare`` is called after Fabric has wrapped the entries of ``modules`` and
    ``optimizers``: read them there at every use.

    Attributes:
        modules: all modules that learn, by name. Checkpoints hold the names.
        optimizers: the modules' optimizers, by the same names.
        clip: largest gradient norm by module; a module without entry is not clipped.
        telling: names of losses, the most telling first; the bar shows the first two that there
            are.
    """

    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    clip: dict[str, float]
    telling: tuple[str, ...]

    @property
    def network(self) -> nn.Module:
        """The bare network that is averaged and ships; it has a ``config`` dataclass."""

    def prepare(self, fabric: Fabric) -> None:
        """Move everything that is not in ``modules`` to the run's device and precision.

        Called once, before the first step.
        """

    def batches(
        self, start: int, *, accumulate: int, rank: int, world: int
    ) -> Iterator[tuple[Tensor, ...]]:
        """Endless batches of this process.

        Args:
            start: first optimizer step.
            accumulate: batches per step.
            rank: number of this process.
            world: count of processes.
        """

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, dict[str, Tensor]]:
        """The weighted losses of each module by name, ready to be added up.

        The graphs of two modules share no parameters.
        """

    def set_progress(self, share: float) -> None:
        """Adjust schedules; called before each step with the share of the run in [0, 1]."""

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Metrics on held-out pictures; their names begin with ``val_``."""

    def samples(self, network: nn.Module) -> NDArray[Any] | None:
        """A grid of held-out results, HWC uint8 RGB, or None."""


@dataclass(frozen=True)
class Run:
    """Length, intervals and hardware of a run.

    Attributes:
        steps: length of the whole run in optimizer steps.
        minutes: time limit of this session.
        every: steps between log lines and checkpoints.
        evaluate_every: steps between held-out metrics.
        evaluate_first: whether a new run measures what it starts with, which may stay the best.
        accumulate: batches whose gradients make one step.
        average: decay of the moving average; 0 = none.
        precision: as Fabric names it.
        device: as Fabric names it.
        devices: number of processes on this machine; torchrun's count takes precedence.
        seed: of the global random numbers.
        kind: the network's name, for the header of the best weights.
        recipe: how the network is trained, for the same header; see ``Recipe.record``.
    """

    steps: int
    minutes: float = math.inf
    every: int = 100
    evaluate_every: int = 1000
    evaluate_first: bool = False
    accumulate: int = 1
    average: float = 0.999
    precision: str = "32-true"
    device: str = "cpu"
    devices: int = 1
    seed: int = 0
    kind: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


#: In smaller crops maps become one or two columns wide, where oneDNN's bf16 convolution with a
#: stride may return NaN (``models.precision.NARROW``): generator and discriminator of the
#: compression network together halve six times.
NARROW_CROPS = 128


def best_precision(device: str, size: int = 0) -> str:
    """The fastest precision of a device.

    Args:
        device: as ``Run.device``.
        size: side of the crops in pixels; 0 = unknown, and no crop is small.

    Returns:
        ``bf16-mixed`` if the hardware multiplies bf16, ``16-mixed`` on other CUDA devices, else
        ``32-true``; for crops below ``NARROW_CROPS`` on a processor ``32-true``.
    """
    if device == "cuda" or (device == "auto" and torch.cuda.is_available()):
        return "bf16-mixed" if has_bf16("cuda") else "16-mixed"
    is_narrow = 0 < size < NARROW_CROPS
    is_fast = device in ("cpu", "auto") and has_bf16("cpu") and not is_narrow
    return "bf16-mixed" if is_fast else "32-true"


def train(task: Task, folder: Path, run: Run) -> dict[str, float]:
    """Train ``task`` until its steps or minutes are over, or Ctrl-C.

    The run resumes from ``folder/checkpoint.pt`` if it exists, exactly as if it had not
    stopped: weights, optimizers, average, random states of every process, and order of the
    data. Under ``torchrun`` every process trains on its own share of each batch.

    Args:
        task: see ``Task``.
        folder: for ``checkpoint.pt``, ``best.safetensors`` (the best average so far),
            ``log.jsonl`` and ``samples/``; created if missing.
        run: its steps include those of earlier sessions.

    Returns:
        The last held-out metrics, ``step``, and ``seconds`` over all sessions.

    Raises:
        NonFiniteLossError: names the step and the losses; no checkpoint is written after it.
        DamagedCheckpointError: the checkpoint cannot be read.
        UsageError: another process trains into the folder, the folder is not writable, or the
            extra ``train`` is not installed.
    """
    require_fabric()
    # The first process holds the lock for all, before they are launched: a process that failed
    # alone would leave the others waiting.
    with (
        lock.folder_lock(folder, lambda: remove_parts(folder), option="--run")
        if is_first_process()
        else nullcontext()
    ):
        return _train(task, folder, run)


def require_fabric() -> Any:
    """Import and return the module ``lightning_fabric``.

    Raises:
        UsageError: it is not installed; the message says how to install it.
    """
    return import_extra("lightning_fabric", "training needs Lightning Fabric", "train")


def is_first_process() -> bool:
    """Whether this is the first of the processes that train together.

    Before they are connected, only the launcher's environment says so.
    """
    return os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")) == "0"


def _train(task: Task, folder: Path, run: Run) -> dict[str, float]:
    """``train`` in a locked folder."""
    under_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    processes = int(os.environ["LOCAL_WORLD_SIZE"]) if under_torchrun else run.devices
    fabric: Fabric = require_fabric().Fabric(
        accelerator=run.device,
        devices=processes,
        num_nodes=int(os.environ["WORLD_SIZE"]) // processes if under_torchrun else 1,
        strategy="ddp" if under_torchrun or run.devices > 1 else "auto",
        precision=run.precision,
    )
    fabric.launch()
    folder.mkdir(parents=True, exist_ok=True)
    state = _read(
        folder / "checkpoint.pt",
        {"step", "seconds", "best", "machines", "ema", "parts", "precision", "random"},
    )
    ema = _average(task.network, run.average).to(fabric.device)
    _wrap(task, fabric)
    step, seconds = _restore(state, task, ema, fabric)
    _seed(state, fabric, run.seed)
    session = _Session(task, folder, run, fabric, ema, step, seconds, state or {})
    with _stop_signals() as stop:
        metrics = session.go(stop)
    return {"step": float(session.step), "seconds": session.seconds, **metrics}


class _Interval:
    """The losses and the pictures since the last row of the log."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._totals: dict[str, Tensor] = {}
        self._steps = self._pictures = 0

    def add(self, losses: dict[str, Tensor], pictures: int) -> None:
        """Count a step."""
        for name, value in losses.items():
            self._totals[name] = self._totals.get(name, torch.zeros_like(value)) + value
        self._steps += 1
        self._pictures += pictures

    def means(self) -> dict[str, float]:
        """The mean losses by name."""
        return {name: float(total) / self._steps for name, total in self._totals.items()}

    def row(self) -> dict[str, float]:
        """What the log tells of it."""
        speed = self._pictures / (time.monotonic() - self._since)
        means = {name: round(mean, 5) for name, mean in self.means().items()}
        return {**means, "images_per_second": round(speed, 2)}


class _Session:
    """One call of ``train``: the loop and the files that it writes."""

    def __init__(
        self,
        task: Task,
        folder: Path,
        run: Run,
        fabric: Fabric,
        ema: AveragedModel,
        step: int,
        seconds: float,
        state: dict[str, Any],
    ) -> None:
        self.task, self.folder, self.run, self.fabric, self.ema = task, folder, run, fabric, ema
        self.start = self.step = step
        self.best = float(state.get("best", math.inf))
        here = machine(fabric.device) + (f" x {fabric.world_size}" if fabric.world_size > 1 else "")
        self.machines = [m for m in state.get("machines", []) if m != here] + [here]
        # In fp16 an overflowing gradient is expected: the loss scale falls and the step is
        # skipped.
        self._scaled = run.precision.startswith("16")
        self._earlier, self._begun = seconds, time.monotonic()
        self._board = _tensorboard(folder) if fabric.is_global_zero else None
        if fabric.is_global_zero:
            self._take_over()

    def _take_over(self) -> None:
        """Keep what an earlier version wrote as the best weights in today's form."""
        state = _read(self.folder / EARLIER, {"step", "seconds", "machines", "ema"})
        if state is not None and not (self.folder / BEST).exists():
            run = self.run
            convert_earlier(self.folder, self.ema.module, state, run.kind, run.recipe)

    @property
    def seconds(self) -> float:
        """Time spent over all sessions."""
        return self._earlier + time.monotonic() - self._begun

    def go(self, stop: threading.Event) -> dict[str, float]:
        """Train until the end or a stop; returns the last held-out metrics."""
        run = self.run
        world, rank = self.fabric.world_size, self.fabric.global_rank
        stream = self.task.batches(self.step, accumulate=run.accumulate, rank=rank, world=world)
        metrics: dict[str, float] = {}
        evaluated = -1
        if run.evaluate_first and self.step == 0:
            metrics, evaluated = self._evaluate(), 0
        interval = _Interval()
        with Progress(
            run.steps, self.step, self.task.telling, minutes=run.minutes, shown=rank == 0
        ) as progress:
            while self.step < run.steps and not self._over(stop):
                self.task.set_progress(self.step / run.steps)
                losses, count = self._step(stream)
                interval.add(losses, count * world)
                self.step += 1
                if progress.is_due(self.step):
                    progress.show(self.step, interval.means())
                if self.step % run.every == 0:
                    row = {"step": self.step, "seconds": round(self.seconds, 1)}
                    self._log({**row, **interval.row()})
                # Evaluate first: the checkpoint then knows the best score up to its step.
                if self.step % run.evaluate_every == 0:
                    metrics, evaluated = self._evaluate(), self.step
                if self.step % run.every == 0:
                    self._save()
                    interval = _Interval()
        if stop.is_set():
            log.warning(
                "stopped by the user at step %d; the same command resumes from here", self.step
            )
        return self._finished(metrics, evaluated)

    def _finished(self, metrics: dict[str, float], evaluated: int) -> dict[str, float]:
        """Save what is not saved yet; returns the held-out metrics of the last step."""
        # A run of no steps saves the initial weights.
        if self.step > self.start or self.step == 0:
            if evaluated != self.step:
                metrics = self._evaluate()
            self._save()
        if self._board is not None:
            self._board.close()
        return metrics

    def _over(self, stop: threading.Event) -> bool:
        """Whether to stop before the next step; all processes decide alike."""
        return _any(
            self.fabric, stop.is_set() or time.monotonic() - self._begun > self.run.minutes * 60
        )

    def _step(self, stream: Iterator[tuple[Tensor, ...]]) -> tuple[dict[str, Tensor], int]:
        """One optimizer step over ``accumulate`` batches.

        Returns:
            (mean losses by name, number of pictures that this process saw).
        """
        task, fabric, share = self.task, self.fabric, 1 / self.run.accumulate
        logged: dict[str, Tensor] = {}
        count = 0
        for i in range(self.run.accumulate):
            batch = tuple(t.to(fabric.device, non_blocking=True) for t in next(stream))
            count += len(batch[0])
            with ExitStack() as stack:
                for module in task.modules.values():
                    unfinished = i + 1 < self.run.accumulate
                    sync = fabric.no_backward_sync(module, enabled=unfinished)  # type: ignore[arg-type]
                    stack.enter_context(sync)
                for losses in task.losses(batch).values():
                    fabric.backward(torch.stack(list(losses.values())).sum() * share)
                    for name, value in losses.items():
                        logged[name] = (
                            logged.get(name, torch.zeros_like(value)) + value.detach() * share
                        )
        if _any(fabric, not bool(torch.isfinite(torch.stack(list(logged.values()))).all())):
            losses_now = {k: float(v) for k, v in logged.items()}
            raise NonFiniteLossError(
                f"step {self.step}: {losses_now}; "
                "resume from the last checkpoint with a lower learning rate"
            )
        for name, optimizer in task.optimizers.items():
            if name in task.clip:
                norm = fabric.clip_gradients(
                    task.modules[name],
                    optimizer,
                    max_norm=task.clip[name],
                    error_if_nonfinite=False,
                )
                if norm is not None:
                    logged[f"{name}_gradient"] = norm.detach()
                if norm is not None and not self._scaled and not bool(torch.isfinite(norm)):
                    raise NonFiniteLossError(
                        f"step {self.step}: the gradient of {name} is {float(norm)}; "
                        "resume with a lower learning rate"
                    )
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.ema.update_parameters(task.network)
        return logged, count

    def _evaluate(self) -> dict[str, float]:
        """Held-out metrics of the averaged network; writes the best weights so far."""
        if not self.fabric.is_global_zero:
            self.fabric.barrier()
            return {}
        network = self.ema.module
        was_training = network.training
        network.eval()
        with torch.inference_mode(), self.fabric.autocast():
            metrics = {k: round(v, 5) for k, v in self.task.evaluate(network).items()}
            grid = self.task.samples(network)
        network.train(was_training)
        self._log({"step": self.step, **metrics})
        if grid is not None:
            self._write_samples(grid)
        score = _score(metrics)
        if score < self.best or not (self.folder / BEST).exists():
            self.best = score
            best = Averaged(
                network,
                self.step,
                self.seconds,
                tuple(self.machines),
                metrics,
                self.run.kind,
                self.run.recipe,
            )
            write_best(self.folder, best)
        self.fabric.barrier()
        return metrics

    def _write_samples(self, grid: NDArray[Any]) -> None:
        """Write a grid of samples as PNG, and to TensorBoard."""
        from PIL import Image

        folder = self.folder / "samples"
        folder.mkdir(exist_ok=True)
        Image.fromarray(grid).save(folder / f"{self.step:07d}.png")
        if self._board is not None:
            self._board.add_image("samples", grid, self.step, dataformats="HWC")

    def _save(self) -> None:
        """Write the checkpoint."""
        fabric = self.fabric
        random = cast(Tensor, fabric.all_gather(_random_state(fabric.device)))
        if not fabric.is_global_zero:
            fabric.barrier()
            return
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "machines": self.machines,
            "ema": self.ema.state_dict(),
            "parts": {k: v.state_dict() for k, v in _parts(self.task).items()},
            "precision": fabric.strategy.precision.state_dict(),
            "random": random.reshape(fabric.world_size, -1).cpu(),
        }
        _write(self.folder / "checkpoint.pt", state)
        fabric.barrier()

    def _log(self, row: dict[str, Any]) -> None:
        """Append a row to ``log.jsonl``, and to TensorBoard."""
        if not self.fabric.is_global_zero:
            return
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        if self._board is not None:
            for name, value in row.items():
                if name != "step":
                    self._board.add_scalar(name, value, self.step)


def last_average(folder: Path, network: nn.Module) -> nn.Module:
    """Load the last average of a run, of ``checkpoint.pt``, instead of the best one.

    Args:
        folder: the run's.
        network: the same network, of any values; changed in place.

    Returns:
        ``network`` in evaluation mode.

    Raises:
        FileNotFoundError: nothing was trained there.
        DamagedCheckpointError: as in ``train``.
    """
    path = folder / "checkpoint.pt"
    state = _read(path, {"step", "ema"})
    if state is None:
        raise FileNotFoundError(f"{path}: no checkpoint; train first")
    network.load_state_dict(averaged_values(state["ema"]))
    return network.eval()


def machine(device: torch.device) -> str:
    """The name of the hardware for the card."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cores = f"{os.cpu_count()} CPU cores"
    return cores if device.type == "cpu" else f"{device.type}, {cores}"


def _parts(task: Task) -> dict[str, Any]:
    """Everything that a checkpoint stores of a task, by name."""
    return {**task.modules, **{f"{k}_optimizer": v for k, v in task.optimizers.items()}}


def _any(fabric: Fabric, flag: bool) -> bool:
    """Whether the flag is set in any process; all processes get the same answer."""
    if fabric.world_size == 1:
        return flag
    return bool(
        cast(
            Tensor,
            fabric.all_reduce(torch.tensor(float(flag), device=fabric.device), reduce_op="max"),
        )
        > 0
    )


def _score(metrics: dict[str, float]) -> float:
    """The metric by which checkpoints are compared; lower is better."""
    for name, higher in BEST_BY:
        if name in metrics and math.isfinite(metrics[name]):
            return -metrics[name] if higher else metrics[name]
    return math.inf


def _average(network: nn.Module, decay: float) -> AveragedModel:
    """An exponential moving average whose memory grows with the run.

    A fixed decay would keep the random initial weights for thousands of steps.
    """

    @torch.no_grad()
    def blend(averaged: list[Tensor], current: list[Tensor], count: Tensor | int) -> None:
        if not averaged[0].is_floating_point():  # batch norm's counters
            for mean, now in zip(averaged, current, strict=True):
                mean.copy_(now)
            return
        n = float(count)
        torch._foreach_lerp_(averaged, current, 1 - min(decay, (1 + n) / (10 + n)))

    return AveragedModel(network, multi_avg_fn=blend, use_buffers=True)  # type: ignore[arg-type]


def _wrap(task: Task, fabric: Fabric) -> None:
    """Hand every module and its optimizer to Fabric.

    Fabric adds device, precision and the exchange of gradients between processes.
    """
    for name, module in task.modules.items():
        wrapped, optimizer = fabric.setup(module, task.optimizers[name])
        task.modules[name], task.optimizers[name] = wrapped, optimizer
    task.prepare(fabric)


def _random_state(device: torch.device) -> Tensor:
    """The generators' states of this process in one row of bytes: CPU's, then the accelerator's."""
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return torch.cat(states).to(device)


def _seed(state: dict[str, Any] | None, fabric: Fabric, seed: int) -> None:
    """Restore the checkpoint's random states.

    A new run, or one of another number of processes, starts at ``seed`` + rank.
    """
    rows = state.get("random") if state else None
    cpu_bytes = torch.get_rng_state().numel()
    if rows is None or len(rows) != fabric.world_size:
        torch.manual_seed(seed + fabric.global_rank)
        return
    row = rows[fabric.global_rank]
    torch.set_rng_state(row[:cpu_bytes].clone())  # a view of a later row would crash it
    if fabric.device.type == "cuda" and len(row) > cpu_bytes:
        torch.cuda.set_rng_state(row[cpu_bytes:].clone(), fabric.device)


def _read(path: Path, needed: set[str]) -> dict[str, Any] | None:
    """The content of a checkpoint; None if there is no file."""
    if not path.exists():
        return None
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # Damage takes every form; with weights_only, a pickle that would run code ends here too.
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DamagedCheckpointError(
            f"{path}: not a readable checkpoint ({first}); delete it to start anew"
        ) from error
    if not isinstance(state, dict) or not needed <= set(state):
        raise DamagedCheckpointError(
            f"{path}: not a checkpoint of this version; "
            "delete it to start anew, or use another --run"
        )
    return state


def _restore(
    state: dict[str, Any] | None, task: Task, ema: AveragedModel, fabric: Fabric
) -> tuple[int, float]:
    """Load a checkpoint into task and average; returns (step, seconds)."""
    if state is None:
        return 0, 0.0
    for name, stateful in _parts(task).items():
        if name in state["parts"]:
            try:
                stateful.load_state_dict(state["parts"][name])
            except (RuntimeError, ValueError) as error:
                first = str(error).splitlines()[0]
                raise DamagedCheckpointError(
                    f"the checkpoint's {name} is of another shape ({first}); "
                    "use the same options, or another --run"
                ) from error
        else:
            log.warning("the checkpoint has no %s; it starts fresh", name)
    ema.load_state_dict(state["ema"])
    if state["precision"]:  # the loss scale of a run in fp16
        fabric.strategy.precision.load_state_dict(state["precision"])
    log.info("resumed at step %d", state["step"])
    return int(state["step"]), float(state["seconds"])


def _write(path: Path, state: dict[str, Any]) -> None:
    """Write a file atomically."""
    with atomic_write(path) as file:
        torch.save(state, file)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C, or a cluster's SIGTERM, sets.

    The step in progress is then finished and saved; a second Ctrl-C interrupts it.
    """
    stop = threading.Event()

    def request_stop(number: int, _: Any) -> None:
        stop.set()
        signal.signal(
            number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler
        )

    with signals_restored(signal.SIGINT, signal.SIGTERM) as numbers:
        for number in numbers:
            signal.signal(number, request_stop)
        yield stop


def _tensorboard(folder: Path) -> Any:
    """A TensorBoard writer if the package is installed, else None."""
    with suppress(ImportError):
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(folder / "tensorboard"))
    return None
