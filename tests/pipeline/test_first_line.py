"""The commands say at once what they begin with: the libraries of the networks take seconds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

RUN, BOARD = "remove_objects", "remove_objects.pipeline.board.cli"
#: Stands in for a library, says when it is imported, and ends the process.
STUB = "import os; os.write(2, b'imported\\n'); os._exit(9)"


def told(module: str, *arguments: str, folder: Path) -> list[str]:
    """Return what a command in its own process prints until it imports NumPy or torch."""
    stubs = folder / "stubs"
    stubs.mkdir()
    for library in ("numpy", "torch", "cv2"):
        (stubs / f"{library}.py").write_text(STUB)
    (folder / "photos").mkdir()
    root = Path(__file__).parents[2]
    process = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(stubs), str(root)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 9
    assert process.stdout == ""
    lines = process.stderr.splitlines()
    assert lines.pop() == "imported"
    return lines


@pytest.mark.parametrize(
    ("module", "arguments", "line"),
    [
        (RUN, ["--class", "person", "photos"], "remove-objects: looking for photos in photos …"),
        (
            RUN,
            ["--class", "person", "--json", "a", "b", "c", "d\x1b"],
            "remove-objects: looking for photos in a, b, c and 1 more …",
        ),
        (
            RUN,
            ["watch", "photos", "--class", "person", "-o", "out"],
            "remove-objects: getting ready to watch photos …",
        ),
        (RUN, ["serve", "--class", "person"], "remove-objects: getting ready to serve …"),
        (BOARD, ["photos"], "mask-board: opening photos …"),
        (BOARD, [], "mask-board: starting …"),
    ],
)
def test_the_first_line_comes_before_any_network(
    module: str, arguments: list[str], line: str, tmp_path: Path
) -> None:
    assert told(module, *arguments, folder=tmp_path) == [line]


@pytest.mark.parametrize(
    "arguments", [["photos"], ["photos", "--json"], ["watch", "photos", "-o", "out"], ["serve"]]
)
def test_a_quiet_command_says_nothing(arguments: list[str], tmp_path: Path) -> None:
    assert told(RUN, *arguments, "--class", "person", "-q", folder=tmp_path) == []


@pytest.mark.alone
@pytest.mark.parametrize(
    ("module", "arguments"), [(RUN, ["--class", "person", "photos"]), (BOARD, ["photos"])]
)
def test_the_first_line_comes_at_once(module: str, arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    begun = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    try:
        assert b": " in process.stdout.readline()
        # 0.2 s on an idle machine; torch alone takes longer than this bound on a busy one.
        assert time.monotonic() - begun < 3
    finally:
        process.kill()
        process.communicate()
