"""``evaluate-inpainter`` on a user's own photos, pairs and weights, from the command to the files.

The networks are the bundled ones, without the texture search, which takes most of the time.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from remove_objects.models.checkpoint import save_weights
from remove_objects.models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from remove_objects.models.shipped import FOLDER, shipped_entry
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.train.evaluate_cli import TESTS, main
from remove_objects.train.evaluation import probes
from remove_objects.train.evaluation.pairs import find_pairs
from tests.support.scenes import scene


@pytest.fixture(autouse=True)
def plain_fills(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fill without the photo's own texture, and download nothing."""
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    of_run = Inpainters.__init__
    monkeypatch.setattr(
        Inpainters,
        "__init__",
        lambda self, device, *, detail=True, weights=(): of_run(
            self, device, detail=False, weights=weights
        ),
    )


def shipped(kind: str) -> list[str]:
    """Return the option that names a bundled weight."""
    return ["--weights", f"{kind}={FOLDER / shipped_entry(kind)['file']}"]


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def untimed(path: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in read(path)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two photos, one of them in a subfolder, a file that is none, and a hidden one."""
    folder = tmp_path / "photos"
    (folder / "rome").mkdir(parents=True)
    Image.fromarray(scene(90, 120, person=None)).save(folder / "a.jpg")
    Image.fromarray(scene(120, 90, person=None, seed=3)).save(folder / "rome" / "b.png")
    (folder / "damaged.jpg").write_bytes(b"no picture")
    (folder / ".hidden.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("Rome, May")
    return folder


def test_own_photos_and_own_weights_to_csv_and_pictures(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def probe(name: str, *options: str) -> Path:
        place = tmp_path / f"{name}.csv"
        call = ["probes", "--images", str(photos), "--csv", str(place), *options]
        assert main([*call, "--test", "edge-25-35", "--test", "free-form-10-20"]) == 0
        return place

    sheets, metrics = photos / "sheets", tmp_path / "metrics.json"
    first = probe("first", "--pictures", str(sheets), "--json", str(metrics))
    said = capsys.readouterr()
    assert f"left out: {photos / 'damaged.jpg'}: " in said.err
    assert "hidden" not in said.err
    assert "edge-25-35        ours" in said.out
    rows = read(first)
    assert {row["picture"] for row in rows} == {str(photos / "a.jpg"), str(photos / "rome/b.png")}
    assert {row["filler"] for row in rows} == {"ours", "navier-stokes", "telea"}
    assert len(rows) == 2 * 2 * 3
    for row in rows:
        low, high = (0.1, 0.2) if row["test"] == "free-form-10-20" else (0.25, 0.35)
        assert low - 0.01 <= float(row["hole_share"]) <= high + 0.01
        assert 5 < float(row["hole_psnr"]) < 60
    table = json.loads(metrics.read_text())
    mean = np.mean([float(r["hole_l1"]) for r in rows if r["filler"] == "ours"][:2])
    test = rows[0]["test"]
    assert table[test]["ours"]["hole_l1"] == pytest.approx(mean, abs=1e-4)
    with Image.open(sheets / "edge-25-35" / "000_a.png") as sheet:
        assert sheet.width == 6 * 256  # before, hole, ours, two methods, truth
        assert sheet.height > 256
    # The sheets lie among the photos, and are none of them.
    bundled = [*shipped("partial-conv"), *shipped("compression")]
    assert untimed(probe("again", "--pictures", str(sheets), *bundled)) == untimed(first)
    torch.manual_seed(0)
    other = save_weights(PartialConvUNet(PartialConvUNetConfig(2)), tmp_path, "partial-conv")
    changed = probe("changed", "--pictures", str(sheets), "--weights", f"partial-conv={other}")
    for before, after in zip(untimed(first), untimed(changed), strict=True):
        assert (before != after) == (before["filler"] == "ours")


def _save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Two pairs by name, beside files that are none."""
    folder = tmp_path / "pairs"
    for seed, name in enumerate(("lane", "old_town")):
        mask = np.zeros((120, 160), bool)
        mask[40:70, 60:80] = True
        _save(folder / f"{name}_input.png", scene(seed=seed))
        _save(folder / f"{name}_gt.png", scene(seed=seed, person=None))
        _save(folder / f"{name}_mask.png", mask)
    _save(folder / "lane_effect.png", scene())
    (folder / "readme.txt").write_text("taken in May")
    return folder


def test_own_pairs_by_name_and_in_folders_to_csv_and_pictures(pairs: Path, tmp_path: Path) -> None:
    def measure(name: str, folder: Path, *options: str) -> list[dict[str, str]]:
        place = tmp_path / f"{name}.csv"
        call = ["pairs", "--pairs", str(folder), "--csv", str(place), *options]
        assert main(call) == 0
        return untimed(place)

    first = measure("first", pairs, "--pictures", str(tmp_path / "sheets"))
    assert [(row["picture"], row["filler"]) for row in first] == [
        (name, filler)
        for name in ("lane", "old_town")
        for filler in ("ours", "navier-stokes", "telea")
    ]
    assert all(float(row["hole_share"]) == 600 / 120 / 160 for row in first[:1])
    with Image.open(tmp_path / "sheets" / "lane.png") as sheet:
        assert sheet.width == 6 * 160
    assert measure("again", pairs, *shipped("partial-conv"), *shipped("compression")) == first
    sorted_by_part = tmp_path / "sorted"
    for file in pairs.glob("*_*.png"):
        name, _, word = file.stem.rpartition("_")
        part = {"input": "input", "mask": "mask", "gt": "truth"}.get(word)
        if part is not None:
            _save(sorted_by_part / part / f"{name}.png", np.asarray(Image.open(file)))
    assert measure("sorted", sorted_by_part) == first
    assert len(measure("one", pairs, "--count", "1")) == 3


def _lose(pairs: Path, name: str) -> str:
    (pairs / name).unlink()
    return ""


def _smaller_truth(pairs: Path) -> None:
    _save(pairs / "lane_gt.png", scene(60, 80, person=None))


def _empty_mask(pairs: Path) -> None:
    _save(pairs / "lane_mask.png", np.zeros((120, 160), bool))


def _full_mask(pairs: Path) -> None:
    _save(pairs / "lane_mask.png", np.ones((120, 160), bool))


def _other_mask(pairs: Path) -> None:
    _save(pairs / "lane_mask.png", np.ones((120, 100), bool))


def _damaged(pairs: Path) -> None:
    (pairs / "lane_input.png").write_bytes(b"no picture")


def _two_masks(pairs: Path) -> None:
    _save(pairs / "lane_mask.bmp", np.zeros((120, 160), np.uint8))


def _nothing(pairs: Path) -> None:
    for file in pairs.iterdir():
        file.unlink()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (partial(_lose, name="lane_mask.png"), "lane has no mask"),
        (partial(_lose, name="lane_gt.png"), "lane has no truth"),
        (partial(_lose, name="lane_input.png"), "lane has no input"),
        (_smaller_truth, "lane_gt.png: 80 x 60 pixels, and its photo lane_input.png has 160 x 120"),
        (_empty_mask, "lane_mask.png: this mask is empty"),
        (_full_mask, "lane_mask.png: marks 100% of the photo, too much to be filled"),
        (_other_mask, "lane_mask.png: this mask is 100 x 120 pixels, its photo 160 x 120"),
        (_damaged, "lane_input.png: "),
        (_two_masks, "lane has two files of its mask, lane_mask.bmp and lane_mask.png"),
        (_nothing, "no pairs found; a pair is NAME_input.*, NAME_mask.* and NAME_gt.*"),
    ],
)
def test_faults_of_pairs_are_named_before_anything_is_measured(
    pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    says: str,
) -> None:
    spoil(pairs)
    call = ["pairs", "--pairs", str(pairs), "--csv", str(tmp_path / "x.csv")]
    assert main(call) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert "Traceback" not in said.err
    assert not said.out
    assert not (tmp_path / "x.csv").exists()


def test_many_faults_are_counted(tmp_path: Path) -> None:
    for number in range(9):
        _save(tmp_path / f"{number}_input.png", scene())
    with pytest.raises(UsageError, match="9 faults in 9 pairs") as error:
        find_pairs(tmp_path)
    assert "and 4 more" in str(error.value)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("probes", "probes needs --data, or --images PHOTOS for your own"),
        ("pairs", "pairs needs --data, or --pairs DIR for your own"),
        ("edges", "edges needs --data"),
        ("probes --images none", "none: no such file or folder of photos"),
        ("probes --images empty", "empty: no photos found"),
        ("probes --images photos/damaged.jpg", "damaged.jpg: "),
        ("probes --images photos --test sky", "no test sky; there are free-form-10-20"),
        ("probes --images photos --size 32", "--size: 32 pixels; expected 64 to 4096"),
        ("pairs --pairs photos --size 128", "--size belongs to probes"),
        ("probes --images photos --count 0", "--count: 0 pictures"),
        ("probes --images photos --csv none/x.csv", "lies in no folder that exists"),
        ("probes --images photos --csv empty", "empty: is a folder"),
        ("probes --images photos --weights partial-conv=photos", "photos: a folder"),
        ("probes --pairs photos", "--pairs belongs to pairs"),
        ("pairs --images photos", "--images belongs to probes"),
        ("edges --data . --csv x.csv", "--csv belongs to probes, pairs"),
        ("pairs --pairs none", "none: no such folder of pairs"),
        ("routing --data . --weights partial-conv=x", "--weights belongs to"),
    ],
)
def test_a_wrong_call_is_exit_2_with_a_sentence(
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    call: str,
    says: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    Path("empty").mkdir()
    assert main(call.split()) == 2
    assert says in capsys.readouterr().err


def test_the_tests_of_the_command_are_the_probes() -> None:
    assert tuple(probes.TESTS) == TESTS
    assert [name for name, test in probes.TESTS.items() if not test.of_any_photo] == ["face-centre"]
