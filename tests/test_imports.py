"""The layers of imports, as ``[tool.importlinter]`` in ``pyproject.toml`` defines them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.package_tree import ROOT, lay_out


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts on the package below ``folder``."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"]
    return subprocess.run(
        [*command, str(ROOT / "pyproject.toml"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_import_keeps_the_contracts(tmp_path: Path) -> None:
    lay_out(tmp_path)
    done = lint(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("models/partial_conv.py", "pipeline.types"),
        ("pipeline/inpaint/composite.py", "pipeline.quality.metrics"),
        ("pipeline/system/lock.py", "pipeline.storage.stamp"),
        ("train/data/holes.py", "train.tasks.base"),
    ],
    ids=["package", "sibling", "room", "training"],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str, imported: str) -> None:
    file = lay_out(tmp_path) / module
    text = file.read_text()
    file.unlink()
    file.write_text(f"{text}\nimport remove_objects.{imported}\n")
    done = lint(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert " 1 broken" in done.stdout
