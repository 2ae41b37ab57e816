"""The package as users get it: built, installed into a fresh environment, used in a hostile folder.

The folder has packages of the user's own named like the folders of the repository, and
``PYTHONPATH`` points at it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

import remove_objects
from tools.package_tree import FOLDERS, ROOT

pytestmark = pytest.mark.slow

COMMANDS = ("remove-objects", "mask-board", "train-inpainter", "evaluate-inpainter")
API = """
import numpy as np
import remove_objects
from remove_objects import ObjectRemover, Settings, Status

image = np.full((160, 160, 3), 90, np.uint8)
hole = np.zeros((160, 160), bool)
hole[60:90, 70:100] = True
remover = ObjectRemover(Settings(offline=True, probe=False, device="cpu"))
result, outcome = remover.remove(image, hole=hole)
assert result.shape == image.shape
assert outcome.status in (Status.OK, Status.REVIEW)
assert dir(remove_objects) == sorted(remove_objects.__all__)
print(remove_objects.__file__)
"""


def site_packages(environment: Path) -> Path:
    """The folder of an environment's packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)}))


def data_files(package: Path) -> set[Path]:
    """Every file below a folder, but for compiled modules."""
    files = (path.relative_to(package) for path in package.rglob("*") if path.is_file())
    return {path for path in files if "__pycache__" not in path.parts}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the package; its dependencies are those of the running Python."""
    folder = tmp_path_factory.mktemp("install")
    checkout = folder / "checkout"
    junk = shutil.ignore_patterns("__pycache__")
    for name in ("remove_objects", *FOLDERS):
        shutil.copytree(ROOT / name, checkout / name, ignore=junk)
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, checkout)
    # What building version 0.1 left in a checkout that was updated since.
    (checkout / "build" / "lib" / "models").mkdir(parents=True)
    (checkout / "build" / "lib" / "models" / "__init__.py").touch()
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    offline = ["--no-deps", "--no-index", "--no-cache-dir"]
    wheels = folder / "wheels"
    build = [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(wheels)]
    subprocess.run([*build, str(checkout)], check=True)
    venv.create(folder / "venv", with_pip=False)
    python = str(folder / "venv" / "bin" / "python")
    (wheel,) = wheels.iterdir()
    subprocess.run([*pip, "--python", python, "install", *offline, str(wheel)], check=True)
    # A .pth file's folder comes after the environment's own, so the package is found there first.
    (site_packages(folder / "venv") / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "venv"


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A user's folder with ``models/``, ``pipeline/`` and ``train.py`` of its own."""
    for name in ("models/__init__.py", "pipeline/__init__.py", "train.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise ImportError('the module of the user was imported')\n")
    return tmp_path


def run(environment: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in a folder that is on ``PYTHONPATH``; it must succeed."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    surroundings |= {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    surroundings["TORCH_HOME"] = str(folder / "no-cache")
    done = subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_it_brings_one_name(environment: Path) -> None:
    site = site_packages(environment)
    version = remove_objects.__version__
    assert {path.name for path in site.iterdir()} == {
        "dependencies.pth",
        "remove_objects",
        f"remove_objects-{version}.dist-info",
    }


def test_it_brings_every_file(environment: Path) -> None:
    package = site_packages(environment) / "remove_objects"
    expected = data_files(ROOT / "remove_objects")
    for name in FOLDERS:
        expected |= {Path(name) / path for path in data_files(ROOT / name)}
    assert data_files(package) == expected
    assert {
        Path("py.typed"),
        Path("pipeline/report/schema.json"),
        Path("pipeline/report/templates/report.html.j2"),
        Path("pipeline/board/page/board.html"),
        Path("models/weights/index.json"),
    } <= expected


def test_the_api_works_in_a_folder_with_equal_names(environment: Path, hostile: Path) -> None:
    done = run(environment, hostile, "python", "-W", "error", "-c", API)
    assert str(site_packages(environment)) in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_work_in_a_folder_with_equal_names(
    environment: Path, hostile: Path, command: str
) -> None:
    assert f"usage: {command}" in run(environment, hostile, command, "--help").stdout


def test_the_version_is_the_packages(environment: Path, hostile: Path) -> None:
    said = run(environment, hostile, "remove-objects", "--version").stdout
    assert said == f"remove-objects {remove_objects.__version__}\n"


def test_the_module_is_the_command(environment: Path, hostile: Path) -> None:
    done = run(environment, hostile, "python", "-X", "importtime", "-m", "remove_objects", "--help")
    assert "usage: remove-objects" in done.stdout
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "remove_objects.pipeline.cli" in loaded
    assert not loaded & {"torch", "numpy", "cv2", "PIL"}, "--help answers within 0.1 s without them"


@pytest.mark.network
def test_torchrun_starts_training(environment: Path, hostile: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1")
    done = run(
        environment, hostile, "python", *launcher, "-m", "remove_objects.train.cli", "--help"
    )
    assert "usage: train-inpainter" in done.stdout
