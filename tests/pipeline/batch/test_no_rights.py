"""An output folder that this user may not write, at the begin or amid the work, in real processes.

The superuser may write everywhere; without that right a process of his own obeys the modes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.support.scenes import scene
from tests.support.waiting import wait_for

ROOT = Path(__file__).parents[3]
PROCESS = ROOT / "tests" / "support" / "watch_process.py"
OPTIONS = ["--class", "person", "--no-probe", "--offline", "--workers", "1"]
BOARD = """
import sys
from pathlib import Path
from remove_objects.pipeline.board import run_folder
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.errors import RemoveObjectsError
board = Board(run_folder.open_run(Path("out")))
board.open("0.png")
for decide in (board.accept, board.restore):
    try:
        decide("0.png")
    except RemoveObjectsError as error:
        print(error)
board.close()
"""
pytestmark = pytest.mark.slow


class Place:
    """A folder of photos, and processes that obey the modes of folders."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.slow, self.out = folder, folder / "slow", folder / "out"
        (folder / "photos").mkdir()
        for number in range(4):
            picture = scene(60, 80, person=(20, 20, 12, 16), seed=number)
            Image.fromarray(picture).save(folder / "photos" / f"{number}.png")
        self.out.mkdir()

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start Python; what it says goes to the file ``said``."""
        as_user = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]
        with open(self.folder / "said", "wb") as said:
            return subprocess.Popen(
                [*([] if os.geteuid() else as_user), sys.executable, *command],
                cwd=self.folder,
                stdout=said,
                stderr=subprocess.STDOUT,
                env={
                    **os.environ,
                    "WATCH_SLOW": str(self.slow),
                    "OMP_NUM_THREADS": "1",
                    "PYTHONPATH": str(ROOT),
                },
            )

    def said(self) -> str:
        """Return what the last process has printed so far."""
        return (self.folder / "said").read_text()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """Photos, and an output folder."""
    if not os.geteuid() and shutil.which("setpriv") is None:
        pytest.skip("the superuser may write into every folder, and there is no setpriv")
    made = Place(tmp_path)
    yield made
    made.out.chmod(0o755)


@pytest.mark.parametrize("words", [[], ["watch"]])
def test_a_folder_that_nobody_may_write_ends_the_call_before_any_work(
    words: list[str], place: Place
) -> None:
    place.out.chmod(0o555)
    process = place.start(str(PROCESS), *words, *OPTIONS, "-o", "out", "photos")
    assert process.wait(120) == 2, place.said()
    assert f"{place.out}: nothing can be written there (Permission denied)" in place.said()
    assert "in progress" not in place.said()
    assert os.listdir(place.out) == []


def test_a_folder_that_loses_its_rights_ends_the_run_which_resumes(place: Place) -> None:
    place.slow.touch()
    process = place.start(str(PROCESS), *OPTIONS, "-o", "out", "photos")
    try:
        wait_for(lambda: "in progress 0.png" in place.said() or process.poll() is not None, 120)
        place.out.chmod(0o555)
    finally:
        place.slow.unlink()
    assert process.wait(120) == 1, place.said()
    # The others would be filled for nothing.
    assert "in progress 1.png" not in place.said()
    assert f"stopped ({place.out}" in place.said()
    assert f"like all in {place.out} (Permission denied)" in place.said()
    assert not list(place.out.glob("*.png"))
    place.out.chmod(0o755)
    process = place.start(str(PROCESS), *OPTIONS, "-o", "out", "photos")
    assert process.wait(120) == 0, place.said()
    assert {path.name for path in place.out.glob("*.png")} == {f"{n}.png" for n in range(4)}
    assert not list(place.out.glob(".*.part"))
    before = {path: path.read_bytes() for path in place.out.rglob("*") if path.is_file()}
    place.out.chmod(0o555)
    process = place.start(str(PROCESS), *OPTIONS, "-o", "out", "photos")
    assert process.wait(120) == 2, place.said()  # the lock of the first run is there
    assert f"{place.out}: nothing can be written there (Permission denied)" in place.said()
    process = place.start("-c", BOARD)  # a board opens it, and says that it can decide nothing
    assert process.wait(120) == 0, place.said()
    assert place.said().count("nothing can be written there (Permission denied)") == 2
    assert {path: path.read_bytes() for path in before} == before
