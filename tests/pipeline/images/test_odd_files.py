"""Odd files in a folder, through the whole command: a result or one error each, and no hang."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.report.files import read_report
from remove_objects.pipeline.report.schema import is_entry
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.system.text import printable
from tests.pipeline.images.test_open import png_header
from tests.support.bombs import jpeg_of_many_scans
from tests.support.scenes import scene

posix = pytest.mark.skipif(os.name != "posix", reason="names and files that only POSIX has")
NAMES = {
    "newline": "new\nline.png",
    "emoji": "\U0001f468\u200d\U0001f469\u200d\U0001f467 family.png",
    "right to left": "\u202egnp.oto\u200fhp.png",
    "255 bytes": "x" * 251 + ".png",
    "no UTF-8": os.fsdecode(b"latin-\xff\xfe.png"),
    "markup": "<script>alert(1)<&'\".png",
    "formula": "=cmd|'calc'!A1.png",
    "option": "--overwrite.png",
}


def small_mask(height: int, width: int) -> Image.Image:
    mask = np.zeros((height, width), bool)
    mask[height // 3 : height // 2 + 1, width // 3 : width // 2 + 1] = True
    return Image.fromarray(mask)


def clean(folder: Path, *more: str) -> tuple[int, dict[str, dict]]:
    """Return the exit code and the report's entries by name."""
    out = folder.parent / "out"
    code = cli.main(
        ["--no-probe", "--detail", "none", "--offline", "-q", "-o", str(out), *more, str(folder)]
    )
    return code, {entry["input"]: entry for entry in read_report(out / "report.json")["photos"]}


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    (tmp_path / "photos").mkdir()
    Image.fromarray(scene()).save(tmp_path / "photos" / "good.png")
    return tmp_path / "photos"


@posix
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_goes_through_scan_journal_reports_previews_and_result(
    name: str, photos: Path
) -> None:
    (photos / "good.png").rename(photos / name)
    out = photos.parent / "out"
    code, entries = clean(photos, "--class", "person", "--save-masks")
    assert code == 0
    assert list(entries) == [name]
    assert (entries[name]["output"], entries[name]["status"] in ("ok", "review")) == (name, True)
    assert (out / name).is_file()
    assert (out / "masks" / name).is_file()
    assert set(previews.find(out, name)) == {"before", "mask", "after"}
    assert list(Journal(out).rows) == [name]
    with open(out / "report.csv", encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert (
        row["input"]
        .lstrip("'")
        .startswith(name[:6].encode("utf-8", "backslashreplace").decode().lstrip("'")[:4])
    )
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert clean(photos, "--class", "person", "--save-masks")[1][name]["status"] == "skipped"


@posix
def test_a_name_of_255_bytes_may_have_a_mask_and_fails_alone_where_its_result_needs_a_longer_one(
    photos: Path, tmp_path: Path
) -> None:
    """``--masks`` tries NAME.png first, a name too long for the disk."""
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("x" * 251 + ".png", "y" * 251 + ".jpg"):
        Image.fromarray(scene()).save(photos / name)
        small_mask(120, 160).save(masks / f"{name[:251]}.png")
    small_mask(120, 160).save(masks / "good.png")
    assert {entry["status"] for entry in clean(photos, "--masks", str(masks))[1].values()} <= {
        "ok",
        "review",
    }
    code, entries = clean(photos, "--masks", str(masks), "--lossless", "--overwrite")
    assert code == 1
    assert [
        printable(name)[0] for name, entry in entries.items() if entry["status"] == "failed"
    ] == ["y"]
    assert "File name too long" in entries["y" * 251 + ".jpg"]["error"]


@posix
def test_loops_pipes_and_devices_are_skipped_and_the_photo_beside_them_is_cleaned(
    photos: Path,
) -> None:
    (photos / "loop.jpg").symlink_to("loop.jpg")
    (photos / "here").symlink_to(".", target_is_directory=True)
    (photos / "up").symlink_to("../photos", target_is_directory=True)
    os.mkfifo(photos / "pipe.jpg")
    for name, device in (
        ("zero.png", "/dev/zero"),
        ("random.jpg", "/dev/random"),
        ("terminal.gif", "/dev/tty"),
    ):
        (photos / name).symlink_to(device)
    code, entries = clean(photos, "--class", "person")
    assert (code, list(entries)) == (0, ["good.png"])
    warnings = read_report(photos.parent / "out" / "report.json")["run"]["warnings"]
    assert any(
        "passed over 2 links to folders, 1 broken link, 4 pipes or devices" in warning
        or "passed over 2 links to folders, 4 pipes or devices, 1 broken link" in warning
        for warning in warnings
    )


@posix
@pytest.mark.parametrize("where", ["loop", "loop/below"])
def test_an_output_that_is_a_loop_of_links_is_a_wrong_call(
    where: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert cli.main(["--class", "person", "-o", str(tmp_path / where), str(photos)]) == 2
    assert str(tmp_path / where) in capsys.readouterr().err


@posix
@pytest.mark.parametrize("kind", ["pipe", "/dev/zero", "folder"])
def test_a_baseline_that_is_no_regular_file_is_a_wrong_call_and_never_blocks(
    kind: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "baseline.json"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(kind)
    assert cli.main(["--class", "person", "--baseline", str(path), str(photos)]) == 2
    assert f"{path}: the baseline cannot be read (not a regular file)" in capsys.readouterr().err


BAD = {
    "zero bytes": (b"", "the file is empty"),
    "bomb in its header": (png_header(60_000, 60_000), "3,600,000,000 pixels, more than the limit"),
    "endless scans": (jpeg_of_many_scans(1000), "scans where a progressive JPEG has a dozen"),
    "no picture": (b"MZ this is a program", "not a picture of a known kind"),
    "half a header": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "damaged"),
}


def test_each_bad_file_is_one_clear_error_and_the_good_one_is_cleaned(
    photos: Path, capsys: pytest.CaptureFixture
) -> None:
    for name, (content, _) in BAD.items():
        (photos / f"{name}.jpg").write_bytes(content)
    code, entries = clean(photos, "--class", "person")
    assert code == 1
    assert entries["good.png"]["status"] in ("ok", "review")
    stderr = capsys.readouterr().err
    for name, (_, says) in BAD.items():
        entry = entries[f"{name}.jpg"]
        assert (entry["status"], entry["output"]) == ("failed", None)
        assert entry["error"].startswith(f"{photos / name}.jpg: ")
        assert says in entry["error"]
        assert f"failed: {name}.jpg" in stderr


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 2), (2, 1), (3, 3), (1, 20_000), (20_000, 1), (2, 9_000)],
    ids=lambda size: str(size),
)
def test_a_photo_of_any_shape_is_cleaned_or_says_why_not(
    height: int, width: int, photos: Path, tmp_path: Path
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    picture = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    Image.fromarray(picture).save(photos / "good.png")
    small_mask(height, width).save(masks / "good.png")
    entry = clean(photos, "--masks", str(masks))[1]["good.png"]
    hole = np.asarray(small_mask(height, width))
    if hole.all():
        assert (entry["status"], "nothing is left to fill from" in entry["error"]) == (
            "failed",
            True,
        )
        return
    assert entry["status"] in ("ok", "review")
    result = np.asarray(Image.open(tmp_path / "out" / "good.png"))
    assert result.shape == picture.shape
    assert np.array_equal(result[~hole], picture[~hole])


@pytest.mark.parametrize(
    ("mask", "says"),
    [
        (Image.new("L", (160, 119), 255), "160 x 119 pixels, its photo 160 x 120"),
        (Image.new("L", (120, 160), 255), "lie on its side"),
        (Image.new("I", (160, 120), 1), "cannot be written back"),
        (b"", "the file is empty"),
        (png_header(60_000, 60_000), "more than the limit"),
    ],
    ids=["size", "turned", "mode", "empty", "bomb"],
)
def test_a_mask_that_does_not_fit_fails_its_photo_alone_and_is_named(
    mask: Image.Image | bytes, says: str, photos: Path, tmp_path: Path
) -> None:
    Image.fromarray(scene(seed=1)).save(photos / "other.png")
    masks = tmp_path / "masks"
    masks.mkdir()
    small_mask(120, 160).save(masks / "other.png")
    path = masks / "good.png"
    if isinstance(mask, bytes):
        path.write_bytes(mask)
    else:
        mask.save(path, "TIFF" if mask.mode == "I" else "PNG")
    code, entries = clean(photos, "--masks", str(masks))
    assert code == 1
    assert entries["other.png"]["status"] in ("ok", "review")
    assert entries["good.png"]["status"] == "failed"
    assert str(path) in entries["good.png"]["error"]
    assert says in entries["good.png"]["error"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "fine"),
        ("seconds", "1"),
        ("seconds", float("nan")),
        ("hole_share", 10**400),
        ("holes", [{}]),
        ("holes", None),
        ("output", "../../etc/passwd"),
        ("output", "a\0b"),
        ("mask", 5),
        ("reason", "\ud800"),
        ("warnings", "text"),
        ("classes", {"person": None}),
        ("fidelity", []),
        ("input", ["good.png"]),
    ],
)
def test_a_damaged_row_of_the_journal_is_ignored_and_its_photo_processed_again(
    key: str, value: object, photos: Path
) -> None:
    clean(photos, "--class", "person")
    journal = photos.parent / "out" / JOURNAL_NAME
    row = json.loads(journal.read_text().splitlines()[0])
    assert is_entry(row["entry"])
    row["entry"][key] = value
    journal.write_bytes((json.dumps(row) + "\n").encode("utf-8", "surrogatepass"))
    code, entries = clean(photos, "--class", "person", "--overwrite")
    assert (code, entries["good.png"]["status"] in ("ok", "review")) == (0, True)
    journal.write_bytes(
        (json.dumps(row) + "\n" + "[" * 100_000 + "\n").encode("utf-8", "surrogatepass")
    )
    # Without --overwrite, the result of the lost row is a foreign file: it is named, and kept.
    code, entries = clean(photos, "--class", "person")
    assert (code, entries["good.png"]["status"]) == (1, "failed")
    assert "is not what an earlier run wrote" in entries["good.png"]["error"]
