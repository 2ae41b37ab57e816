"""``pip install .`` without an extra: a cleaning works, and what is missing is named with its cure.

Every other installed package is refused: one that a module needs, but ``dependencies`` does not
bring, fails here.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from PIL import Image

from remove_objects.pipeline.report.files import read_report
from remove_objects.pipeline.system.extras import install_command
from tests.pipeline.images.test_raw import dng, smooth
from tests.support.own_models import write_model
from tests.support.plain import other_modules, run_plain
from tests.support.scenes import scene

pytestmark = pytest.mark.slow

#: Runs commands in one process, which loads the networks' libraries once.
CALLS = """
import contextlib, importlib, io, json, sys

answers = []
for module, arguments in json.loads(sys.argv[1]):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            code = importlib.import_module(f"remove_objects.{module}").main(arguments)
        except SystemExit as end:
            code = end.code
    answers.append([code, said.getvalue()])
print(json.dumps(answers))
"""
OFFLINE = {"REMOVE_OBJECTS_OFFLINE": "1"}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with one small JPEG."""
    (tmp_path / "photos").mkdir()
    Image.fromarray(scene()).save(tmp_path / "photos" / "a.jpg")
    return tmp_path / "photos"


def answers(folder: Path, *calls: tuple[str, list[str]]) -> list[tuple[int, str]]:
    """(exit code, output) of each command; see ``CALLS``."""
    done = run_plain(folder, "-c", CALLS, json.dumps(calls), environment=OFFLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    return [(code, said) for code, said in json.loads(done.stdout.splitlines()[-1])]


def test_what_only_extras_bring_is_refused() -> None:
    refused = other_modules()
    assert {"pytest", "lightning_fabric", "segmentation_models_pytorch", "timm"} <= refused
    assert not refused & {"torch", "torchvision", "cv2", "PIL", "lpips", "numpy", "remove_objects"}


def test_a_cleaning_needs_no_extra(photos: Path, tmp_path: Path) -> None:
    mask = Image.new("L", (160, 120))
    mask.paste(255, (60, 40, 80, 70))
    (tmp_path / "masks").mkdir()
    mask.save(tmp_path / "masks" / "a.png")
    arguments = ["--class", "person", "--masks", str(tmp_path / "masks"), "-o", str(tmp_path / "o")]
    command = ["-m", "remove_objects", *arguments, "--save-masks", str(photos)]
    done = run_plain(tmp_path, *command, environment=OFFLINE)
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = read_report(tmp_path / "o" / "report.json")["photos"]
    assert entry["status"] in ("ok", "review")
    assert entry["holes"]
    assert (tmp_path / "o" / "report.html").exists()
    with Image.open(tmp_path / "o" / "a.jpg") as result:
        assert result.size == (160, 120)


def test_a_missing_extra_is_named_with_the_command_that_installs_it(
    photos: Path, tmp_path: Path
) -> None:
    own = str(write_model(tmp_path / "wires"))
    single, out = str(photos / "a.jpg"), ["-o", str(tmp_path / "out")]
    heic, raw = tmp_path / "b.heic", tmp_path / "c.dng"
    heic.write_bytes(struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic")
    raw.write_bytes(dng(smooth()))
    person, training = (
        ["--class", "person"],
        ["--images", str(photos), "--run", str(tmp_path / "r")],
    )
    labelled = ["--labels", str(photos), "--classes", "wire"]
    expected = {
        install_command("board"): ("pipeline.board.cli", [single]),
        install_command("serve"): ("pipeline.cli", ["serve", "--port", "0"]),
        install_command("distributed"): (
            "pipeline.cli",
            ["--engine", "ray", *person, *out, single],
        ),
        install_command("own-classes"): (
            "pipeline.cli",
            ["--segmenter", own, "--class", "wire", *out, single],
        ),
        install_command("heic"): ("pipeline.cli", [*person, "-o", str(tmp_path / "h"), str(heic)]),
        install_command("raw"): ("pipeline.cli", [*person, "-o", str(tmp_path / "w"), str(raw)]),
        install_command("train"): ("train.cli", ["partial-conv", *training]),
        f"{install_command('train')}\n": ("train.cli", ["segmenter", *training, *labelled]),
        "pip install s3fs": ("pipeline.cli", [*person, *out, "s3://bucket/photos"]),
        "pip install gcsfs": ("pipeline.cli", [*person, *out, "gs://bucket/photos"]),
    }
    for remedy, (code, said) in zip(expected, answers(tmp_path, *expected.values()), strict=True):
        assert remedy in said, said
        assert "Traceback" not in said, said
        assert code == (1 if remedy == install_command("heic") else 2), said


def test_measuring_needs_no_extra_and_a_table_that_trains_names_it(
    photos: Path, tmp_path: Path
) -> None:
    probes = ["probes", "--images", str(photos), "--count", "1", "--test", "free-form-10-20"]
    table = ["skip-ce-lpips", "--quick", "--run", str(tmp_path / "t")]
    measured, trained = answers(
        tmp_path, ("train.evaluate_cli", [*probes, "--size", "64"]), ("train.evaluate_cli", table)
    )
    assert measured[0] == 0, measured
    assert "navier-stokes" in measured[1]
    assert trained[0] == 2, trained
    assert install_command("train") in trained[1]
