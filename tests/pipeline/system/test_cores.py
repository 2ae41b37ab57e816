"""The cores that a process may use, and the photos at once that follow from them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.settings import MOST_AUTO, BatchSettings
from remove_objects.pipeline.system import cores


@pytest.mark.parametrize(("number", "workers"), [(1, 1), (2, 2), (4, 4), (8, 8), (64, MOST_AUTO)])
def test_auto_is_a_photo_on_each_core(
    number: int, workers: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(number)), raising=False)
    monkeypatch.setattr(cores, "_GROUP", tmp_path / "none")
    assert cores.usable_cores() == number
    assert BatchSettings(workers="auto").workers == workers  # type: ignore[arg-type]
    assert cli.parser().parse_args(["--workers", "auto", "."]).workers == "auto"


@pytest.mark.parametrize(
    ("said", "number"),
    [("150000 100000\n", 2), ("max 100000\n", 8), ("50000 100000", 1), ("x", 8), ("", 8)],
)
def test_a_container_leaves_fewer(
    said: str, number: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    group = tmp_path / "cpu.max"
    group.write_text(said)
    monkeypatch.setattr(cores, "_GROUP", group)
    assert cores.usable_cores() == number


def test_a_system_without_affinity_counts_its_cores(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.setattr(cores, "_GROUP", tmp_path / "none")
    assert cores.usable_cores() == 1


@pytest.mark.parametrize(("own", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
@pytest.mark.parametrize("command", ["train.cli", "train.evaluate_cli"])
def test_training_tells_openmp_to_sleep_before_torch_loads_it(
    own: str | None, expected: str, command: str
) -> None:
    code = """
import os, sys
class Watch:
    def find_spec(self, name, *_):
        if name == "torch":
            print(os.environ["OMP_WAIT_POLICY"])
            sys.stdout.flush()
            os._exit(0)
sys.meta_path.insert(0, Watch())
import remove_objects.COMMAND as command
command.main(sys.argv[1:])
""".replace("COMMAND", command)
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {} if own is None else {"OMP_WAIT_POLICY": own}
    call = "skip-ce-lpips --quick" if "evaluate" in command else "edsr --images nowhere"
    done = subprocess.run(
        [sys.executable, "-c", code, *call.split()],
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [expected], done.stderr
