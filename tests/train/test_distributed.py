"""Two processes train as one: the same samples make the same step."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from remove_objects.train.cli import main

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def command(data: Path, run: Path, *more: str) -> list[str]:
    small = [
        "--features",
        "none",
        "--width",
        "2",
        "--held-out",
        "2",
        "--size",
        "128",
        "--steps",
        "2",
        "--every",
        "1",
    ]
    here = ["--device", "cpu", "--precision", "32-true", "--workers", "0"]
    return ["partial-conv", "--data", str(data), "--run", str(run), *small, *here, *more]


@pytest.mark.slow
def test_two_processes_make_the_step_of_one_with_twice_the_batch(
    data: Path, tmp_path: Path
) -> None:
    launch = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--nproc-per-node",
        "2",
        "--master-port",
        str(free_port()),
        "-m",
        "--",
    ]
    done = subprocess.run(
        [*launch, "remove_objects.train.cli", *command(data, tmp_path / "two", "--batch", "1")],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the best weights are those of step") == 1  # one of them prints
    assert main(command(data, tmp_path / "one", "--batch", "2")) == 0
    assert main(command(data, tmp_path / "other", "--batch", "1")) == 0
    two, one, other = (checkpoint(tmp_path / name) for name in ("two", "one", "other"))
    assert two["step"] == one["step"] == 2
    assert two["ema"].keys() == one["ema"].keys()
    for name, value in one["ema"].items():
        torch.testing.assert_close(two["ema"][name], value, rtol=0, atol=1e-5)
    assert (
        max(float((other["ema"][k] - v).abs().max()) for k, v in one["ema"].items()) > 1e-4
    )  # half of the samples make a different step
    assert [c["random"].shape[0] for c in (two, one)] == [2, 1]
    assert not torch.equal(*two["random"])
    assert two["machines"] == [f"{one['machines'][0]} x 2"]
    log = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    rows = [(1, False), (1, True), (2, False), (2, True)]
    assert [(r["step"], "val_psnr" in r) for r in log] == rows


def checkpoint(run: Path) -> dict[str, Any]:
    return torch.load(run / "checkpoint.pt", weights_only=True)
