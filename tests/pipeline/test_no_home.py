"""A user without a home and without an entry in the password file, as in many containers."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.scenes import scene

ROOT = Path(__file__).parents[2]

#: The command with the networks of a test.
COMMAND = """
import sys
from pathlib import Path
import remove_objects.models.shipped
remove_objects.models.shipped.FOLDER = Path(sys.argv.pop(1))
from remove_objects.pipeline.cli import main
sys.exit(main())
"""

#: Runs a command as a user whom nobody knows, in surroundings that name nothing but PATH.
NOBODY = ["unshare", "-U", "--map-user=54321", "--map-group=54321", "env", "-i", "PATH=/usr/bin"]


def test_the_command_needs_no_home(tmp_path: Path, tiny_weights: Path) -> None:
    if (
        not shutil.which("unshare")
        or subprocess.run([*NOBODY, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this system gives no process another user (unshare -U)")
    Image.fromarray(scene()).save(tmp_path / "a.png")
    mask = Image.new("L", (160, 120))
    mask.paste(255, (60, 40, 80, 70))
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks" / "a.png")
    folders = ["--masks", tmp_path / "masks", "-o", tmp_path / "out", tmp_path / "a.png"]
    command = [sys.executable, "-c", COMMAND, tiny_weights, "--class", "person", "--offline"]
    done = subprocess.run(
        [*NOBODY, *command, *folders],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert (tmp_path / "out" / "a.png").is_file()
