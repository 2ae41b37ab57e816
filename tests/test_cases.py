"""What people handed in and what went wrong with it, run again: $REMOVE_OBJECTS_DATA/cases.

``CASES`` is a table: the folder of a case, the arguments of the command, and what must come out.
Every folder needs a row. The torture set is run through the command in one call.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.images import suffixes
from remove_objects.pipeline.system.extras import install_command
from tests.pipeline.test_no_home import NOBODY

ROOT = Path(__file__).parents[1]
SAMPLES = ROOT / "sample_images"
DATA = Path(os.environ.get("REMOVE_OBJECTS_DATA", "/nowhere"))
NO_DATA = "set REMOVE_OBJECTS_DATA to the folder that holds cases/ and torture/"

#: What every command begins with.
QUICK = ("--segmenter", "compact", "--offline", "--no-probe")


@dataclass
class Ran:
    """What a command did.

    Attributes:
        folder: the copy of the case, which was the current folder.
        code: the exit code.
        out: its standard output.
        err: its standard error.
    """

    folder: Path
    code: int
    out: str
    err: str

    @property
    def photos(self) -> dict[str, Any]:
        """The entries of the report by the photos' names."""
        report = json.loads((self.folder / "out" / "report.json").read_text(encoding="utf-8"))
        return {entry["input"]: entry for entry in report["photos"]}

    @property
    def statuses(self) -> dict[str, str]:
        return {name: entry["status"] for name, entry in self.photos.items()}

    def result(self, name: str) -> np.ndarray:
        """The pixels of a result, RGB."""
        with Image.open(self.folder / "out" / self.photos[name]["output"]) as picture:
            return np.asarray(picture.convert("RGB"))


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        folder: the case's folder.
        arguments: of the command, without ``QUICK``; it runs in a copy of the folder.
        check: raises an ``AssertionError`` unless the right thing came out.
        code: the exit code.
        prepare: adds to the copy what the case's command makes before.
        before: arguments of an earlier command, if there is one.
        needs: a package that the case needs.
    """

    folder: str
    arguments: tuple[str, ...]
    check: Callable[[Ran], None]
    code: int = 0
    prepare: Callable[[Path], None] = field(default=lambda _: None)
    before: tuple[str, ...] = ()
    needs: str = "numpy"


# --- Files


def _link_a_folder(folder: Path) -> None:
    (folder / "photos" / "album").symlink_to("..", target_is_directory=True)


def _one_line_tells_what_was_passed_over(ran: Ran) -> None:
    assert set(ran.statuses) == {"DSC00001.HIF", "IMG_1.jpg"}
    (line,) = [line for line in ran.err.splitlines() if "passed over" in line]
    for told in ("1 .mov (video)", "1 .jxl", "1 .jp2", "1 link to a folder"):
        assert told in line
    assert f"1 .arw, 1 .cr2, 1 .dng (RAW: {install_command('raw')})" in line


def _thumbnails_are_no_photos(ran: Ran) -> None:
    assert set(ran.statuses) == {"a.jpg", "forest.png/0.png"}
    assert "failed" not in ran.statuses.values()


def _a_phones_photo(folder: Path) -> None:
    Image.new("L", (16384, 12288), 128).save(folder / "IMG_200MP.jpg", quality=30)


def _the_option_for_larger_photos_is_named(ran: Ran) -> None:
    assert "201,326,592 pixels" in ran.err
    assert "--max-pixels 202M" in ran.err


def _a_photo_of_200_megapixels_is_cleaned(ran: Ran) -> None:
    assert ran.statuses == {"IMG_200MP.jpg": "unchanged"}
    assert "202 megapixels takes about 6.5 GB of memory" in ran.err


def _samples(*names: str) -> Callable[[Path], None]:
    def copy(folder: Path) -> None:
        (folder / "photos").mkdir()
        for name in names:
            shutil.copy(SAMPLES / name, folder / "photos")

    return copy


def _both_runs_are_in_the_report(ran: Ran) -> None:
    assert set(ran.statuses) == {"astronaut.jpg", "coffee.jpg"}
    assert ran.statuses["astronaut.jpg"] == "skipped"


def _lines_tell_how_far_it_is(ran: Ran) -> None:
    lines = [line for line in ran.err.splitlines() if " of 3 photos" in line]
    assert lines[0] == "remove-objects: 0 of 3 photos"
    assert lines[-1].startswith("remove-objects: 3 of 3 photos: ")


def _a_private_old_photo(folder: Path) -> None:
    _samples("coffee.jpg")(folder)
    os.utime(folder / "photos" / "coffee.jpg", (1089590400, 1089590400))
    (folder / "photos" / "coffee.jpg").chmod(0o600)


def _date_and_rights_are_the_photos(ran: Ran) -> None:
    found = (ran.folder / "out" / "coffee.jpg").stat()
    assert (found.st_mtime, found.st_mode & 0o777) == (1089590400, 0o600)


# --- Formats


def _main_goes_back_as_main(ran: Ran) -> None:
    """HEVC's profile, chroma and bits are the source's: Main (Still Picture), 4:2:0, 8."""
    content = (ran.folder / "out" / "IMG_0001.HEIC").read_bytes()
    coded = content[content.find(b"hvcC") + 4 :]
    assert coded[1] & 31 in (1, 3)
    assert (coded[16] & 3, 8 + (coded[17] & 7)) == (1, 8)
    entry = ran.photos["IMG_0001.HEIC"]
    assert entry["status"] in ("ok", "review")
    assert entry["fidelity"]["psnr_outside"] > 50
    assert len(content) < 1.3 * (ran.folder / "IMG_0001.HEIC").stat().st_size


def _read_with_a_warning(*names: str) -> Callable[[Ran], None]:
    def check(ran: Ran) -> None:
        for name in names:
            assert ran.photos[name]["status"] != "failed"
            assert ran.photos[name]["warnings"]

    return check


# --- Masks

#: With own masks, of which the result counts, and of which only the masks count.
FILLED = ("-o", "out", "--masks")
MASKED = ("--dry-run", "--save-masks", "-o", "out", "--masks")


def _the_man_is_in_the_hole(ran: Ran) -> None:
    (name,) = ran.statuses
    with Image.open(SAMPLES / ".masks" / "brick_wall.png") as file:
        man = np.asarray(file.convert("L")) > 127
    with Image.open(ran.folder / "out" / ran.photos[name]["mask"]) as file:
        hole = np.asarray(file.convert("L")) > 127
    assert (man & hole).sum() > 0.97 * man.sum()
    assert hole.sum() < 1.6 * man.sum()


def _refused_as_a_mask(found: str) -> Callable[[Ran], None]:
    def check(ran: Ran) -> None:
        assert set(ran.statuses.values()) == {"failed"}
        assert "masks/brick_wall.png: this is no mask" in ran.err
        assert found in ran.err

    return check


def _nothing_was_done(*told: str) -> Callable[[Ran], None]:
    def check(ran: Ran) -> None:
        assert not (ran.folder / "out").exists()
        for text in told:
            assert text in ran.err

    return check


def _all_three_have_the_hole(ran: Ran) -> None:
    assert set(ran.statuses) == {"brick_wall.jpg", "far_moon.jpg", "mural.jpg"}
    assert all(entry["hole_share"] > 0.09 for entry in ran.photos.values())


def _the_place_is_doubted(ran: Ran) -> None:
    assert ran.statuses == {"p.jpg": "review"}
    assert "EXIF orientation 3" in ran.photos["p.jpg"]["reason"]
    assert "1 mask may be drawn on stored pixels" in ran.err


# --- Pixels that are none


def _hole(ran: Ran, name: str) -> np.ndarray:
    with Image.open(ran.folder / "masks" / f"{name}.png") as mask:
        return np.asarray(mask.convert("L")) > 127


def _the_frame_is_not_copied(ran: Ran) -> None:
    """No block of the hole has the one colour of the frame beside it."""
    for name in ("black", "white", "wall30"):
        result, hole = ran.result(f"{name}.png"), _hole(ran, name)
        frame = result[0, 0].astype(int)
        like_frame = (abs(result.astype(int) - frame).max(2) <= 2) & hole & _inside(result, frame)
        assert like_frame.sum() < 0.01 * hole.sum(), name


def _inside(result: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """The rows and columns of the photo that are no part of the frame."""
    is_frame = abs(result.astype(int) - frame).max(2) <= 2
    rows, columns = is_frame.mean(1) < 0.95, is_frame.mean(0) < 0.95
    inside: np.ndarray = rows[:, None] & columns[None]
    return inside


def _hidden_colour_stays_hidden(ran: Ran) -> None:
    """What lies under transparency is not led into the hole: its colour does not matter."""
    pictures = {}
    for name in ("black", "cyan"):
        with Image.open(ran.folder / "out" / ran.photos[f"{name}.png"]["output"]) as picture:
            pictures[name] = np.asarray(picture.convert("RGBA"))
    visible = pictures["black"][..., 3] > 0
    assert np.array_equal(pictures["black"][visible], pictures["cyan"][visible])


def _nothing_is_left_of_the_objects(ran: Ran) -> None:
    """The mean error in the holes was 0.138 with these masks to the letter, and is 0.085."""
    errors = [entry["truth"]["l1"] for entry in ran.photos.values()]
    assert len(errors) == 5
    assert sum(errors) / 5 < 0.105


CASES = (
    Case(
        "framed_scan",
        (*FILLED, "masks", "photos"),
        _the_frame_is_not_copied,
    ),
    Case(
        "transparent_hidden_rgb",
        (*FILLED, "masks", "photos"),
        _hidden_colour_stays_hidden,
    ),
    Case(
        "tight_mask", (*FILLED, "m2", "--truth", "truth", "photos"), _nothing_is_left_of_the_objects
    ),
    Case("mask_jpg_name", (*MASKED, "masks", "photos"), _the_man_is_in_the_hole),
    Case("mask_mask001", (*MASKED, "masks", "photos"), _the_man_is_in_the_hole),
    Case("mask_upper_png", (*MASKED, "masks", "photos"), _the_man_is_in_the_hole),
    Case(
        "mask_one_for_all",
        (*MASKED, "masks", "photos"),
        _nothing_was_done("no photo has a mask in masks", "--masks masks/mask.png"),
        code=2,
    ),
    Case("mask_one_for_all", (*MASKED, "masks/mask.png", "photos"), _all_three_have_the_hole),
    Case(
        "mask_erased_photo",
        (*MASKED, "masks", "photos"),
        _refused_as_a_mask("10% is transparent"),
        code=1,
    ),
    Case(
        "mask_red_overlay",
        (*MASKED, "masks", "photos"),
        _refused_as_a_mask("painted red"),
        code=1,
    ),
    Case("mask_orientation3", (*MASKED, "masks", "photos"), _the_place_is_doubted),
    Case(
        "mask_same_folder",
        ("--masks", ".", "-o", "out", "."),
        _nothing_was_done("test.jpg and test.png"),
        code=2,
    ),
    Case(
        "passed_over",
        ("--class", "person", "-o", "out", "photos"),
        _one_line_tells_what_was_passed_over,
        prepare=_link_a_folder,
        needs="pillow_heif",
    ),
    Case("synology_eadir", ("--class", "person", "-o", "out", "photos"), _thumbnails_are_no_photos),
    Case(
        "phone_200mp",
        ("--class", "person", "-o", "out", "IMG_200MP.jpg"),
        _the_option_for_larger_photos_is_named,
        code=1,
        prepare=_a_phones_photo,
    ),
    Case(
        "second_run_report",
        ("--class", "person", "-o", "out", "photos/coffee.jpg"),
        _both_runs_are_in_the_report,
        prepare=_samples("astronaut.jpg", "coffee.jpg"),
        before=("--class", "person", "-o", "out", "photos/astronaut.jpg"),
    ),
    Case(
        "non_tty_progress",
        ("--class", "person", "-o", "out", "photos"),
        _lines_tell_how_far_it_is,
        prepare=_samples("coffee.jpg", "far_moon.jpg", "mural.jpg"),
    ),
    Case(
        "mtime_and_mode",
        ("--class", "person", "-o", "out", "photos"),
        _date_and_rights_are_the_photos,
        prepare=_a_private_old_photo,
    ),
    Case(
        "heic_444",
        ("--class", "person", "-o", "out", "IMG_0001.HEIC"),
        _main_goes_back_as_main,
        needs="pillow_heif",
    ),
    Case(
        "jpeg_no_eoi",
        ("--class", "person", "-o", "out", "p.jpg"),
        _read_with_a_warning("p.jpg"),
    ),
    Case(
        "png_ancillary_crc",
        ("--class", "person", "-o", "out", "png_badcrc_text.png", "scan_iccp.png"),
        _read_with_a_warning("png_badcrc_text.png", "scan_iccp.png"),
    ),
)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-cache"))


def copied(case: str, tmp_path: Path) -> Path:
    """A copy of a case's folder that can be written; skips without the data."""
    if not (DATA / "cases" / case).is_dir():
        pytest.skip(NO_DATA)
    folder = tmp_path / case
    folder.mkdir()
    for file in (DATA / "cases" / case).rglob("*"):
        target = folder / file.relative_to(DATA / "cases" / case)
        if file.is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return folder


def run(
    folder: Path,
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ran:
    monkeypatch.chdir(folder)
    code = cli.main([*QUICK, *arguments])
    said = capsys.readouterr()
    return Ran(folder, code, said.out, said.err)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.folder)
def test_a_case(
    case: Case,
    tmp_path: Path,
    empty_cache: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip(case.needs)
    # As without the extra raw.
    monkeypatch.setattr(suffixes, "SUFFIXES", suffixes.SUFFIXES - suffixes.RAW_SUFFIXES)
    folder = copied(case.folder, tmp_path)
    case.prepare(folder)
    if case.before:
        assert run(folder, case.before, monkeypatch, capsys).code == 0
    ran = run(folder, case.arguments, monkeypatch, capsys)
    assert ran.code == case.code, ran.err
    case.check(ran)


@pytest.mark.slow
def test_a_phones_photo_is_cleaned_with_a_raised_limit(
    tmp_path: Path,
    empty_cache: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = copied("phone_200mp", tmp_path)
    _a_phones_photo(folder)
    call = ("--class", "person", "--max-pixels", "202M", "-o", "out", "IMG_200MP.jpg")
    ran = run(folder, call, monkeypatch, capsys)
    assert ran.code == 0, ran.err
    _a_photo_of_200_megapixels_is_cleaned(ran)


def test_no_home(tmp_path: Path) -> None:
    """The case ``no_home``: another user, whom nobody knows, in empty surroundings."""
    folder = copied("no_home", tmp_path)
    if subprocess.run([*NOBODY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system gives no process another user (unshare -U)")
    shutil.copy(SAMPLES / "astronaut.jpg", folder)
    command = [sys.executable, "-m", "remove_objects", *QUICK, "--class", "person", "-o"]
    command += [str(folder / "out"), str(folder / "astronaut.jpg")]
    done = subprocess.run(
        [*NOBODY, *command], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert (folder / "out" / "astronaut.jpg").is_file()


def test_every_case_has_a_row() -> None:
    if not (DATA / "cases").is_dir():
        pytest.skip(NO_DATA)
    folders = {folder.name for folder in (DATA / "cases").iterdir()}
    assert folders == {*(case.folder for case in CASES), "no_home"}


#: Why a file of the torture set may fail although it is valid: each is told in docs/reliability.md.
REFUSED = (
    "split it first",  # an animation, or several pages
    "which cannot be written back",  # samples of 12 or 32 bits
    "no fixed range of brightness",
    "cannot be kept at its depth",  # 16-bit CMYK
)
#: Files among the unusual ones that a fuzzer damaged.
DAMAGED = "unusual/crash-"


@pytest.mark.slow
def test_the_torture_set_in_one_run(
    tmp_path: Path,
    empty_cache: None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No file ends the run, and each has an entry: a result, or a sentence that says why not."""
    if not (DATA / "torture").is_dir():
        pytest.skip(NO_DATA)
    shutil.copytree(DATA / "torture", tmp_path / "torture")
    files = sorted(path for path in (tmp_path / "torture").rglob("*") if path.is_file())
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in files}
    ran = run(tmp_path, ("--class", "person", "-o", "out", "torture"), monkeypatch, capsys)
    assert ran.code == 1
    assert "Traceback" not in ran.err
    assert set(ran.photos) == {str(path.relative_to(tmp_path / "torture")) for path in files}
    for name, entry in ran.photos.items():
        if entry["status"] == "failed":
            assert name in entry["error"]
            assert len(entry["error"].rpartition(name)[2]) > 20
            if not name.startswith(("broken/", DAMAGED)):
                assert any(why in entry["error"] for why in REFUSED), entry["error"]
        else:
            assert (tmp_path / "out" / entry["output"]).is_file()
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in files} == before
    again = run(tmp_path, ("--class", "person", "-o", "out", "torture"), monkeypatch, capsys)
    assert again.code == 1
    failed = {name for name, status in ran.statuses.items() if status == "failed"}
    assert {n for n, status in again.statuses.items() if status == "failed"} == failed
    assert {s for n, s in again.statuses.items() if n not in failed} == {"skipped"}
