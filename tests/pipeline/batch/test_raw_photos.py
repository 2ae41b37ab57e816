"""RAW photos in a folder: names beside the camera's own JPEGs, outputs, second runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from tests.support.raws import dng, needs_rawpy
from tests.support.scenes import scene

pytestmark = needs_rawpy


@pytest.fixture
def pair(tmp_path: Path, cheap: None) -> Path:
    """A RAW beside its camera's JPEG, both with a person, and a RAW without one."""
    folder = tmp_path / "photos"
    folder.mkdir()
    person = scene(person=(20, 20, 30, 50), seed=1)
    (folder / "IMG_1.DNG").write_bytes(dng(person))
    Image.fromarray(person).save(folder / "IMG_1.JPG", quality=95, subsampling=0)
    (folder / "IMG_2.DNG").write_bytes(dng(scene(person=None, seed=2)))
    return folder


def run(folder: Path, output: Path, settings: Settings | None = None, **batch: object) -> dict:
    remove_folder(
        [folder],
        settings or Settings(probe=False),
        BatchSettings(classes=("person",), output=output, **batch),  # type: ignore[arg-type]
    )
    report = json.loads((output / "report.json").read_text())
    return {photo["input"]: photo for photo in report["photos"]}


def files(output: Path) -> set[str]:
    return {
        path.name for path in output.iterdir() if path.suffix.lower() in (".jpg", ".tif", ".dng")
    }


def test_a_raw_and_its_jpeg_get_results_of_their_own(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    photos = run(pair, out, save_masks=True)
    assert {name: photo["output"] for name, photo in photos.items()} == {
        "IMG_1.DNG": "IMG_1.DNG.tif",
        "IMG_1.JPG": "IMG_1.JPG",
        "IMG_2.DNG": "IMG_2.DNG",
    }
    assert files(out) == {"IMG_1.DNG.tif", "IMG_1.JPG", "IMG_2.DNG"}
    assert photos["IMG_1.DNG"]["fidelity"] == {"changed_outside": 0, "psnr_outside": None}
    assert photos["IMG_2.DNG"]["status"] == "unchanged"
    assert (out / "IMG_2.DNG").read_bytes() == (pair / "IMG_2.DNG").read_bytes()
    masks = {photos["IMG_1.DNG"]["mask"], photos["IMG_1.JPG"]["mask"]}
    assert masks == {"masks/IMG_1.DNG.png", "masks/IMG_1.JPG.png"}
    assert np.asarray(Image.open(out / "masks/IMG_1.DNG.png")).any()


def test_a_second_run_finds_the_results_of_raw_photos(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pair, out)
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("IMG*")}
    photos = run(pair, out)
    assert {photo["status"] for photo in photos.values()} == {"skipped"}
    assert {path: path.stat().st_mtime_ns for path in out.glob("IMG*")} == stamps


def test_another_output_replaces_the_earlier_one_with_overwrite(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pair, out)
    with pytest.raises(UsageError, match="--raw-output tiff"):
        run(pair, out, Settings(probe=False, raw_output="jpeg"))
    photos = run(pair, out, Settings(probe=False, raw_output="jpeg"), overwrite=True)
    assert photos["IMG_1.DNG"]["output"] == "IMG_1.DNG.jpg"
    assert files(out) == {"IMG_1.DNG.jpg", "IMG_1.JPG", "IMG_2.DNG"}
    with Image.open(out / "IMG_1.DNG.jpg") as new:
        assert new.format == "JPEG"


def test_more_classes_are_removed_from_a_developed_raw(pair: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(pair, out)
    remove_folder(
        [pair],
        Settings(probe=False),
        BatchSettings(classes=("dog",), output=out, add=True),
    )
    report = json.loads((out / "report.json").read_text())
    assert {p["input"]: p["output"] for p in report["photos"]}["IMG_1.DNG"] == "IMG_1.DNG.tif"


def test_a_photo_that_has_the_name_of_a_raws_result_is_refused(pair: Path, tmp_path: Path) -> None:
    Image.fromarray(scene(seed=4)).save(pair / "IMG_1.DNG.tif")
    with pytest.raises(UsageError, match=r"both write .*IMG_1\.DNG\.tif"):
        run(pair, tmp_path / "out")


def test_the_command_line_chooses_the_output(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = ["--class", "person", "--no-probe", "-o", str(tmp_path / "out"), str(pair)]
    assert cli.main([*call, "--raw-output", "jpeg"]) == 0
    assert "IMG_1.DNG.jpg" in files(tmp_path / "out")
    assert cli.main([*call, "--raw-output", "jpeg", "--lossless"]) == 2
    assert "contradict" in capsys.readouterr().err
