"""The loop: exact resume, a stop on a bad loss, the best average, and a log of JSON lines."""

from __future__ import annotations

import json
import logging
import math
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from remove_objects.models.checkpoint import CheckpointError, weights_bytes, weights_header
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.system import lock
from remove_objects.train import engine
from remove_objects.train.best import kind_of_best, read_best
from remove_objects.train.data.pictures import Stream
from remove_objects.train.engine import Run


@dataclass(frozen=True)
class Plain:
    """A config without a number."""


class Deep(nn.Sequential):
    """Dropout and batch norm: the states that a resume must restore."""

    config_class, config = Plain, Plain()

    def __init__(self, _: Plain | None = None) -> None:
        super().__init__(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 1))


class Flat(nn.Sequential):
    """Without random numbers or statistics, so that it can be computed by hand."""

    config_class, config = Plain, Plain()

    def __init__(self, _: Plain | None = None) -> None:
        super().__init__(nn.Linear(3, 1))


class Line:
    """A line through points. Events happen at the given step, counted from 0."""

    telling = ("loss",)

    def __init__(
        self,
        make: Callable[[], nn.Module] = Deep,
        *,
        batch: int = 16,
        rate: float = 0.05,
        interrupt_at: int | None = None,
        interrupt: Sequence[signal.Signals] = (signal.SIGINT,),
        bad_at: int | None = None,
        bad: float = math.nan,
        figures: Sequence[dict[str, float]] = (),
        grid: NDArray[np.uint8] | None = None,
        clip: float | None = None,
        optimizer: type[torch.optim.Optimizer] = torch.optim.Adam,
    ) -> None:
        torch.manual_seed(1)
        self.network = make()
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimizers = {"network": optimizer(self.network.parameters(), lr=rate)}  # type: ignore[call-arg]
        self.clip = {"network": clip} if clip else {}
        self.batch, self.rate, self.interrupt_at, self.interrupt, self.bad_at, self.bad = (
            batch,
            rate,
            interrupt_at,
            interrupt,
            bad_at,
            bad,
        )
        self.figures, self.grid = list(figures), grid
        self.shares: list[float] = []
        self.loss_values: list[float] = []
        self.weights: list[Tensor] = []
        self.judged: list[tuple[bool, bool, bool]] = []
        self.averages: list[Tensor] = []
        self.prepared = 0

    def prepare(self, fabric: Fabric) -> None:
        self.prepared += 1

    def batches(
        self, start: int, *, accumulate: int, rank: int, world: int
    ) -> Iterator[tuple[Tensor, ...]]:
        for row, numbers in enumerate(Stream(self.batch, accumulate, rank, world).batches(start)):
            x = torch.stack(
                [torch.randn(3, generator=torch.Generator().manual_seed(n)) for n in numbers]
            )
            yield x, x.sum(1, keepdim=True), torch.tensor(start + row // accumulate)

    def set_progress(self, share: float) -> None:
        self.shares.append(share)
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.rate * (1 - share)

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, dict[str, Tensor]]:
        x, y, step = batch
        self.weights.append(first_weight(self.network))
        loss = (self.modules["network"](x) - y).square().mean()
        if int(step) == self.bad_at:
            loss = loss * self.bad
        if int(step) == self.interrupt_at:
            for number in self.interrupt:
                os.kill(os.getpid(), number)
        self.loss_values.append(float(loss.detach()))
        return {"network": {"loss": loss, "one": torch.ones(())}}

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        self.judged.append(
            (network is self.network, network.training, torch.is_inference_mode_enabled())
        )
        self.averages.append(first_weight(network))
        return (
            self.figures.pop(0) if self.figures else {"val_loss": float(network(torch.ones(1, 3)))}
        )

    def samples(self, network: nn.Module) -> NDArray[Any] | None:
        return self.grid


def first_weight(network: nn.Module) -> Tensor:
    return next(network.parameters()).detach().clone()


def rows(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def saved(folder: Path, name: str = "checkpoint.pt") -> dict[str, Any]:
    return torch.load(folder / name, weights_only=True)


def written(folder: Path) -> dict[str, bytes]:
    """Every file by name, without the lock and TensorBoard's, which depend on the installation."""
    files = [
        p
        for p in folder.rglob("*")
        if p.is_file() and "tensorboard" not in p.parts and p.name != lock.NAME
    ]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def assert_same(first: Any, second: Any) -> None:
    """Compare bit by bit."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_same(first[key], second[key])
    elif isinstance(first, Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second


def assert_same_run(first: Path, second: Path) -> None:
    one, other = saved(first), saved(second)
    for name in ("step", "ema", "parts", "precision", "random"):
        assert_same(one[name], other[name])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The loop's clock in seconds; it changes only when the test sets it."""
    now = [100.0]
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


class Slow(Line):
    """Takes two seconds per batch."""

    def __init__(self, clock: list[float], **more: Any) -> None:
        super().__init__(**more)
        self.clock = clock

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, dict[str, Tensor]]:
        self.clock[0] += 2
        return super().losses(batch)


RUN = Run(steps=7, every=2, evaluate_every=3)


@pytest.mark.parametrize(
    ("number", "at"), [(signal.SIGINT, 4), (signal.SIGTERM, 2), (signal.SIGINT, 5)]
)
def test_run_that_was_interrupted_and_resumed_equals_an_uninterrupted_one(
    number: signal.Signals, at: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = Line()
    torch.manual_seed(5)
    engine.train(whole, tmp_path / "whole", RUN)

    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with caplog.at_level(logging.WARNING):
        result = engine.train(Line(interrupt_at=at, interrupt=[number]), tmp_path / "parts", RUN)
    assert result["step"] == at + 1  # the current step is finished, evaluated and saved
    assert result["val_loss"] == rows(tmp_path / "parts")[-1]["val_loss"]
    assert [r.getMessage() for r in caplog.records] == [
        f"stopped by the user at step {at + 1}; the same command resumes from here"
    ]
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before

    resumed = Line()
    torch.manual_seed(999)
    assert engine.train(resumed, tmp_path / "parts", RUN)["step"] == 7
    assert resumed.loss_values == whole.loss_values[at + 1 :]
    assert resumed.shares == whole.shares[at + 1 :] == [i / 7 for i in range(at + 1, 7)]
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_a_failed_run_resumes_exactly_from_its_last_checkpoint(tmp_path: Path) -> None:
    whole, resumed = Line(), Line()
    engine.train(whole, tmp_path / "whole", RUN)
    with pytest.raises(engine.NonFiniteLossError):
        engine.train(Line(bad_at=5), tmp_path / "parts", RUN)
    engine.train(resumed, tmp_path / "parts", RUN)
    assert resumed.loss_values == whole.loss_values[4:]
    assert_same_run(tmp_path / "whole", tmp_path / "parts")


def test_second_interrupt_does_not_wait_for_the_step(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    task = Line(interrupt_at=3, interrupt=[signal.SIGINT, signal.SIGINT])
    with pytest.raises(KeyboardInterrupt):
        engine.train(task, tmp_path, RUN)
    assert len(task.loss_values) == 3
    assert saved(tmp_path)["step"] == 2
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_trains_without_signals(tmp_path: Path) -> None:
    last_steps: list[float] = []
    thread = threading.Thread(
        target=lambda: last_steps.append(engine.train(Line(), tmp_path, Run(steps=2))["step"])
    )
    thread.start()
    thread.join()
    assert last_steps == [2]


def test_seed_decides_what_is_random_and_the_state_before_does_not(tmp_path: Path) -> None:
    series = []
    for i, seed in enumerate((3, 3, 4)):
        task = Line()
        torch.manual_seed(i)
        engine.train(task, tmp_path / str(i), Run(steps=2, seed=seed))
        series.append(task.loss_values)
    assert series[0] == series[1] != series[2]


def test_checkpoint_of_another_number_of_processes_restarts_at_the_seed(tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, Run(steps=2))
    state = saved(tmp_path)
    assert len(state["random"]) == 1
    torch.save(
        {**state, "random": torch.cat([state["random"], state["random"]])},
        tmp_path / "checkpoint.pt",
    )
    task = Line()
    engine.train(task, tmp_path, Run(steps=3, seed=7))
    other = Deep()
    other.load_state_dict(state["parts"]["network"])
    x, y, _ = next(task.batches(2, accumulate=1, rank=0, world=1))
    torch.manual_seed(7)
    assert task.loss_values == [float((other(x) - y).square().mean().detach())]


# From Python 3.12 on, a fork beside torch's threads warns.
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
@pytest.mark.parametrize("rank", [0, 1])
def test_every_process_resumes_its_own_random_numbers(rank: int) -> None:
    states, numbers = [], []
    for seed in (3, 4):
        torch.manual_seed(seed)
        states.append(torch.get_rng_state())
        numbers.append(torch.rand(5))
    fabric = SimpleNamespace(world_size=2, global_rank=rank, device=torch.device("cpu"))

    def process() -> None:
        engine._seed({"random": torch.stack(states)}, fabric, 0)  # type: ignore[arg-type]
        os._exit(0 if torch.equal(torch.rand(5), numbers[rank]) else 1)

    fork = multiprocessing.get_context("fork").Process(target=process)
    fork.start()
    fork.join(60)
    assert fork.exitcode == 0


def test_average_has_a_memory_that_grows_with_the_run(tmp_path: Path) -> None:
    task = Line()
    engine.train(task, tmp_path, Run(steps=4))
    after = [*task.weights[1:], first_weight(task.network)]
    expected = after[0]
    for n, weight in enumerate(after[1:], start=1):
        decay = (1 + n) / (10 + n)
        expected = decay * expected + (1 - decay) * weight
    best = read_best(tmp_path, Deep)
    torch.testing.assert_close(first_weight(best.network), expected)
    assert not torch.equal(expected, after[-1])
    assert int(best.network[1].num_batches_tracked) == 4  # type: ignore[index]
    assert not best.network.training
    assert (best.step, best.machines) == (4, (engine.machine(torch.device("cpu")),))
    assert best.metrics == {"val_loss": rows(tmp_path)[-1]["val_loss"]}
    assert best.seconds > 0


def test_average_remembers_no_longer_than_its_decay(tmp_path: Path) -> None:
    task = Line()
    engine.train(task, tmp_path, Run(steps=2, average=0.1))  # (1 + 1) / (10 + 1) would be more
    torch.testing.assert_close(
        task.averages[-1], 0.1 * task.weights[1] + 0.9 * first_weight(task.network)
    )


def test_average_of_nothing_is_the_last_weight(tmp_path: Path) -> None:
    task = Line()
    engine.train(task, tmp_path, Run(steps=3, average=0.0))
    state = saved(tmp_path)
    assert_same(
        {f"module.{k}": v for k, v in task.network.state_dict().items()}
        | {"n_averaged": torch.tensor(3)},
        state["ema"],
    )


def test_log_is_one_json_object_a_line_with_the_interval_means(tmp_path: Path) -> None:
    task = Line()
    result = engine.train(task, tmp_path, Run(steps=6, every=2, evaluate_every=4))
    means = [r for r in rows(tmp_path) if "loss" in r]
    assert [r["step"] for r in means] == [2, 4, 6]
    assert [r["loss"] for r in means] == pytest.approx(
        [sum(task.loss_values[i : i + 2]) / 2 for i in (0, 2, 4)], abs=1e-5
    )
    assert all(set(r) == {"step", "seconds", "loss", "one", "images_per_second"} for r in means)
    figures = [r for r in rows(tmp_path) if "val_loss" in r]
    assert [r["step"] for r in figures] == [4, 6]
    assert result["step"] == 6
    assert result["val_loss"] == figures[-1]["val_loss"]
    # The averaged network is evaluated, in evaluation mode, without gradients.
    assert task.judged == [(False, False, True)] * 2
    assert task.prepared == 1


def test_seconds_and_images_per_second_go_by_the_clock(tmp_path: Path, clock: list[float]) -> None:
    run = Run(steps=4, every=2, accumulate=2)
    assert engine.train(Slow(clock, batch=6), tmp_path, run)["seconds"] == 16
    assert (
        engine.train(Slow(clock, batch=6), tmp_path, Run(steps=6, every=2))["seconds"] == 20
    )  # both sessions
    means = [r for r in rows(tmp_path) if "loss" in r]
    assert [(r["seconds"], r["images_per_second"]) for r in means] == [
        (8, 3.0),
        (16, 3.0),
        (20, 3.0),
    ]  # six in two seconds
    assert saved(tmp_path)["seconds"] == 20


def test_minutes_end_a_session_not_the_run(tmp_path: Path, clock: list[float]) -> None:
    run = Run(steps=9, minutes=0.1)
    assert (
        engine.train(Slow(clock), tmp_path, run)["step"] == 4
    )  # six seconds are over after the fourth step
    assert engine.train(Slow(clock), tmp_path, run)["step"] == 8
    assert engine.train(Slow(clock), tmp_path, run)["step"] == 9


def test_no_minutes_no_steps(tmp_path: Path) -> None:
    task = Line()
    assert engine.train(task, tmp_path, Run(steps=5, minutes=0))["step"] == 0
    assert task.loss_values == []
    best = read_best(tmp_path, Deep)  # the initial weights
    assert best.step == 0
    assert torch.equal(first_weight(best.network), first_weight(task.network))


def test_means_after_a_resume_count_only_their_own_steps(tmp_path: Path) -> None:
    run = Run(steps=8, every=4)
    engine.train(Line(interrupt_at=1), tmp_path, run)
    resumed = Line()
    engine.train(resumed, tmp_path, run)
    means = [r for r in rows(tmp_path) if "loss" in r]
    assert [(r["step"], r["one"]) for r in means] == [(4, 1.0), (8, 1.0)]
    assert means[0]["loss"] == pytest.approx(sum(resumed.loss_values[:2]) / 2, abs=1e-5)


def test_progress_goes_from_zero_by_the_whole_length(tmp_path: Path) -> None:
    task = Line()
    engine.train(task, tmp_path, Run(steps=4))
    assert task.shares == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_non_finite_loss_stops_without_a_checkpoint(tmp_path: Path, bad: float) -> None:
    task = Line(bad_at=1, bad=bad)
    with pytest.raises(engine.NonFiniteLossError, match=rf"step 1: .*'loss': {bad}"):
        engine.train(task, tmp_path, Run(steps=5, every=10))
    assert written(tmp_path) == {}
    assert len(task.loss_values) == 2


def test_non_finite_loss_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(engine.NonFiniteLossError):
        engine.train(Line(bad_at=3), tmp_path, Run(steps=6, every=1))
    state = saved(tmp_path)
    assert state["step"] == 3
    assert all(v.isfinite().all() for v in state["parts"]["network"].values())
    assert [r["step"] for r in rows(tmp_path)] == [1, 2, 3]
    assert engine.train(Line(), tmp_path, Run(steps=6))["step"] == 6


def test_two_runs_do_not_train_into_one_folder(tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, Run(steps=2, device="cpu"))
    before = written(tmp_path)
    with (
        lock.folder_lock(tmp_path),
        pytest.raises(UsageError, match=r"another run .* name another folder with --run"),
    ):
        engine.train(Line(), tmp_path, Run(steps=4, device="cpu"))
    assert written(tmp_path) == before
    assert engine.train(Line(), tmp_path, Run(steps=4, device="cpu"))["step"] == 4


def test_partial_files_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    (tmp_path / lock.HOLDER).write_text("{}")
    (tmp_path / f".{0:016x}.part").write_bytes(b"half")
    engine.train(Line(), tmp_path, Run(steps=1, device="cpu"))
    assert set(written(tmp_path)) == {"best.safetensors", "checkpoint.pt", "log.jsonl"}


def test_finished_run_does_nothing_more(tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, Run(steps=2))
    before = written(tmp_path)
    task = Line()
    assert engine.train(task, tmp_path, Run(steps=2))["step"] == 2
    assert (task.loss_values, task.judged) == ([], [])
    assert written(tmp_path) == before
    assert set(before) == {
        "best.safetensors",
        "checkpoint.pt",
        "log.jsonl",
    }  # no temporary file is left


def test_checkpoint_without_a_module_warns_and_resumes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine.train(Line(), tmp_path, Run(steps=2))
    task = Line()
    judge = nn.Linear(3, 1)
    task.modules["judge"], task.optimizers["judge"] = judge, torch.optim.Adam(judge.parameters())
    with caplog.at_level(logging.WARNING):
        assert engine.train(task, tmp_path, Run(steps=3))["step"] == 3
    missing = [r.getMessage() for r in caplog.records]
    assert missing == [
        f"the checkpoint has no {part}; it starts fresh" for part in ("judge", "judge_optimizer")
    ]
    assert {"judge", "judge_optimizer"} <= saved(tmp_path)["parts"].keys()


@pytest.mark.parametrize("left", [0, 1, 100, 1000, -100], ids=lambda n: f"{n} bytes")
def test_truncated_checkpoint_is_named(left: int, tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, Run(steps=1))
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(engine.DamagedCheckpointError) as error:
        engine.train(Line(), tmp_path, Run(steps=2))
    assert str(error.value).startswith(f"{path}: not a readable checkpoint (")
    assert "delete it" in str(error.value)


@pytest.mark.parametrize("left", [0, 7, 100, -1])
def test_truncated_weights_are_named(left: int, tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, Run(steps=1))
    path = tmp_path / "best.safetensors"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(CheckpointError, match="not a readable safetensors file") as error:
        read_best(tmp_path, Deep)
    assert str(path) in str(error.value)


def test_weights_of_something_else_are_no_runs(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(weights_bytes(Deep(), "a"))
    with pytest.raises(CheckpointError, match="its header is not that of a training run"):
        read_best(tmp_path, Deep)


def test_best_weights_tell_how_they_were_made(tmp_path: Path) -> None:
    recipe = {"command": "train-inpainter line", "holes": [[1.0, "edge"]]}
    engine.train(Line(), tmp_path, Run(steps=2, kind="line", recipe=recipe))
    best = read_best(tmp_path, Deep)
    assert (best.kind, best.recipe, kind_of_best(tmp_path)) == ("line", recipe, "line")
    header = weights_header(tmp_path / "best.safetensors")
    assert (header["kind"], header["network"], header["config"]) == ("line", "Deep", "{}")


def test_a_run_keeps_what_it_started_with_while_nothing_is_better(tmp_path: Path) -> None:
    task = Line(figures=[{"val_loss": 1.0}, {"val_loss": 3.0}])
    initial = first_weight(task.network)
    engine.train(task, tmp_path, Run(steps=2, evaluate_first=True))
    assert [r["step"] for r in rows(tmp_path) if "val_loss" in r] == [0, 2]
    best = read_best(tmp_path, Deep)
    assert (best.step, best.metrics) == (0, {"val_loss": 1.0})
    assert torch.equal(first_weight(best.network), initial)
    engine.train(Line(), tmp_path, Run(steps=3, evaluate_first=True))  # a resumed run has begun
    assert [r["step"] for r in rows(tmp_path) if "val_loss" in r] == [0, 2, 3]


def test_the_best_of_an_earlier_version_is_converted_once(tmp_path: Path) -> None:
    earlier = Line(figures=[{"val_loss": 1.0}])
    engine.train(earlier, tmp_path, Run(steps=2))
    best = read_best(tmp_path, Deep)
    ema = {f"module.{k}": v for k, v in best.network.state_dict().items()}
    stored = {"step": 2, "seconds": 5.0, "machines": ["a machine"], "figures": {"val_loss": 1.0}}
    torch.save({**stored, "ema": ema | {"n_averaged": torch.tensor(2)}}, tmp_path / "best.pt")
    (tmp_path / "best.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="run the training command"):
        read_best(tmp_path, Deep)

    run = Run(steps=3, kind="line", recipe={"command": "train-inpainter line"})
    engine.train(Line(figures=[{"val_loss": 2.0}]), tmp_path, run)
    converted = read_best(tmp_path, Deep)
    assert (converted.step, converted.seconds, converted.machines) == (2, 5.0, ("a machine",))
    assert (converted.metrics, converted.kind) == ({"val_loss": 1.0}, "line")
    assert_same(dict(converted.network.state_dict()), dict(best.network.state_dict()))
    assert not (tmp_path / "best.pt").exists()


def test_the_last_average_is_the_checkpoints(tmp_path: Path) -> None:
    task = Line(figures=[{"val_loss": 1.0}, {"val_loss": 2.0}])
    engine.train(task, tmp_path, Run(steps=2, evaluate_every=1))
    last = engine.last_average(tmp_path, Deep())
    assert torch.equal(first_weight(last), task.averages[1])
    assert not last.training
    with pytest.raises(FileNotFoundError, match="train first"):
        engine.last_average(tmp_path / "elsewhere", Deep())


@pytest.mark.parametrize(
    "content", [b"<html>", b"hello", b"version https://git-lfs.github.com", b"\0" * 500]
)
def test_file_that_is_not_a_checkpoint_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(
        engine.DamagedCheckpointError, match=r"checkpoint\.pt: not a readable checkpoint"
    ):
        engine.train(Line(), tmp_path, Run(steps=2))


@pytest.mark.parametrize(
    "content",
    [[1, 2, 3], {"0.weight": torch.ones(8, 3)}, {"step": 3, "parts": {}}],
    ids=["list", "weights", "older"],
)
def test_checkpoint_of_something_else_is_named(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "checkpoint.pt")
    with pytest.raises(engine.DamagedCheckpointError, match=r"checkpoint\.pt"):
        engine.train(Line(), tmp_path, Run(steps=2))


class Bomb:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


def test_checkpoint_that_would_run_code_does_not(tmp_path: Path) -> None:
    run, target = tmp_path / "run", tmp_path / "made-by-the-pickle"
    run.mkdir()
    torch.save({"step": 1, "parts": Bomb(target)}, run / "checkpoint.pt")
    with pytest.raises(engine.DamagedCheckpointError, match=r"checkpoint\.pt"):
        engine.train(Line(), run, Run(steps=2))
    assert not target.exists()
    torch.load(
        run / "checkpoint.pt", weights_only=False
    )  # the bomb works, so the test above is meaningful
    assert target.is_dir()


def test_a_run_without_weights_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"best\.safetensors: .*train first"):
        read_best(tmp_path, Deep)


@pytest.mark.parametrize(
    ("figures", "best"),
    [
        ([{"val_loss": 3.0}, {"val_loss": 1.0}, {"val_loss": 2.0}], 2),
        ([{"val_mean": 0.1}, {"val_mean": 0.5}, {"val_mean": 0.3}], 2),  # higher is better
        (
            [
                {"val_lpips": 0.3, "val_loss": 1.0},
                {"val_lpips": 0.2, "val_loss": 9.0},
                {"val_lpips": 0.25, "val_loss": 0.0},
            ],
            2,
        ),
        ([{"val_loss": math.nan}, {"val_loss": 5.0}, {"val_loss": math.nan}], 2),
        ([{"val_loss": 1.0}, {"val_loss": 1.0}, {"val_loss": 1.0}], 1),  # equal is not better
        (
            [{"val_psnr": 1.0}, {"val_psnr": 2.0}, {"val_psnr": 3.0}],
            1,
        ),  # no known metric: the first
    ],
)
def test_best_average_is_kept_not_the_last(
    figures: list[dict[str, float]], best: int, tmp_path: Path
) -> None:
    task = Line(figures=figures)
    engine.train(task, tmp_path, Run(steps=3, evaluate_every=1))
    assert (len(task.averages), saved(tmp_path)["step"]) == (3, 3)
    kept = read_best(tmp_path, Deep)
    assert (kept.step, kept.metrics) == (best, figures[best - 1])
    assert torch.equal(first_weight(kept.network), task.averages[best - 1])
    assert not any(
        torch.equal(task.averages[best - 1], a)
        for i, a in enumerate(task.averages, start=1)
        if i != best
    )


def test_best_average_outlives_a_resume(tmp_path: Path) -> None:
    engine.train(Line(figures=[{"val_loss": 1.0}]), tmp_path, Run(steps=1))
    engine.train(Line(figures=[{"val_loss": 2.0}]), tmp_path, Run(steps=2))
    assert read_best(tmp_path, Deep).step == 1
    engine.train(Line(figures=[{"val_loss": 0.5}]), tmp_path, Run(steps=3))
    assert read_best(tmp_path, Deep).step == 3


def test_best_average_outlives_a_later_failure(tmp_path: Path) -> None:
    with pytest.raises(engine.NonFiniteLossError):
        engine.train(
            Line(figures=[{"val_loss": 1.0}], bad_at=3),
            tmp_path,
            Run(steps=4, every=2, evaluate_every=2),
        )
    engine.train(
        Line(figures=[{"val_loss": 2.0}]), tmp_path, Run(steps=4, every=2, evaluate_every=2)
    )
    assert read_best(tmp_path, Deep).step == 2


@pytest.mark.parametrize("clip", [None, 0.1])
def test_accumulated_batches_make_the_step_of_one_large_batch(
    clip: float | None, tmp_path: Path
) -> None:
    # Not Adam, whose steps do not depend on the size of a gradient.
    large, small, other = (
        Line(Flat, batch=b, clip=clip, optimizer=torch.optim.SGD) for b in (4, 2, 2)
    )
    engine.train(large, tmp_path / "large", Run(steps=3, every=1))
    engine.train(small, tmp_path / "small", Run(steps=3, every=1, accumulate=2))
    engine.train(other, tmp_path / "other", Run(steps=3, every=1))
    torch.testing.assert_close(
        first_weight(small.network), first_weight(large.network), rtol=1e-5, atol=1e-6
    )
    assert not torch.allclose(
        first_weight(other.network), first_weight(large.network), rtol=1e-5, atol=1e-6
    )
    assert len(small.loss_values) == 6
    one, two = ([r["loss"] for r in rows(tmp_path / name)[:3]] for name in ("large", "small"))
    assert two == pytest.approx(one, abs=2e-5)


def test_gradient_is_clipped_and_its_norm_logged(tmp_path: Path) -> None:
    task = Line(Flat, clip=0.01, optimizer=torch.optim.SGD, rate=1.0)
    x, y, _ = next(task.batches(0, accumulate=1, rank=0, world=1))
    weight, bias = (p.detach().clone() for p in task.network.parameters())
    slope = 2 * (x @ weight.T + bias - y) / len(x)
    gradient = torch.cat([(slope * x).sum(0), slope.sum(0)])
    engine.train(task, tmp_path, Run(steps=1, every=1))
    moved = torch.cat(
        [
            (a - b.detach()).flatten()
            for a, b in zip((weight, bias), task.network.parameters(), strict=True)
        ]
    )
    torch.testing.assert_close(moved, 0.01 * gradient / gradient.norm(), rtol=1e-3, atol=1e-6)
    assert rows(tmp_path)[0]["network_gradient"] == pytest.approx(float(gradient.norm()), abs=1e-5)


def test_grids_of_samples_are_written_at_each_evaluation(tmp_path: Path) -> None:
    grid = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    engine.train(Line(grid=grid), tmp_path, Run(steps=5, evaluate_every=2))
    files = sorted((tmp_path / "samples").iterdir())
    assert [f.name for f in files] == ["0000002.png", "0000004.png", "0000005.png"]
    assert np.array_equal(cv2.imread(str(files[0]))[..., ::-1], grid)


def test_every_machine_of_a_run_is_recorded_once(tmp_path: Path) -> None:
    engine.train(Line(), tmp_path, Run(steps=1))
    torch.save({**saved(tmp_path), "machines": ["another"]}, tmp_path / "checkpoint.pt")
    for steps in (2, 3):
        engine.train(Line(), tmp_path, Run(steps=steps))
    assert saved(tmp_path)["machines"] == ["another", f"{os.cpu_count()} CPU cores"]


def test_precision_is_one_that_the_hardware_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    legal = {"32-true", "bf16-mixed", "16-mixed"}
    assert {engine.best_precision(d) for d in ("cpu", "auto")} <= legal
    assert engine.best_precision("mps") == "32-true"
    for capability, expected in (
        ({}, "32-true"),
        ({"avx512_bf16": True}, "bf16-mixed"),
        ({"avx512_bf16": False}, "32-true"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda c=capability: c, raising=False)
        assert engine.best_precision("cpu") == expected
        assert engine.best_precision("cpu", 128) == expected
        assert engine.best_precision("cpu", 127) == "32-true"
    for supported, expected in ((True, "bf16-mixed"), (False, "16-mixed")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda s=supported, **_: s)
        assert engine.best_precision("cuda") == expected
