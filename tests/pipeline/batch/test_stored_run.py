"""Version 0.2.0 reads, resumes and compares with what version 0.1.0 left in an output folder.

``stored_run_0_1_0`` was written by version 0.1.0 itself, with the weights of its
``weights_index.json``, from three small photos (two cut-outs of ``sample_images``, one
generated picture) and a file that is not a picture::

    remove-objects --offline --segmenter compact --device cpu --class person --save-masks
        --workers 1 photos -o finished

``finished`` is that run's output folder. ``again.json`` is the report of the same command over
a copy of it, in which finished photos are ``skipped``. ``interrupted`` is the output folder of
a run that was killed after three of the four photos.

A photo's identity holds the size and time of its files, and git keeps no times: the fixture
sets them.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.board.run_folder import open_run
from remove_objects.pipeline.report.baseline import compare, load_baseline
from remove_objects.pipeline.report.files import read_report
from remove_objects.pipeline.report.tolerance import tolerances
from remove_objects.pipeline.storage.layout import JOURNAL_NAME

STORED = Path(__file__).parent / "stored_run_0_1_0"
#: The modification time that every photo had, in ns.
PHOTO_TIME = 1_700_000_000 * 10**9
OPTIONS = [
    *("--offline", "--segmenter", "compact", "--device", "cpu"),
    *("--class", "person", "--save-masks", "--workers", "1", "--quiet"),
]
FINISHED = {"deep/moon.jpg": "review", "empty.png": "unchanged", "pad.jpg": "ok"}
REPORTS = {JOURNAL_NAME, "report.json", "report.csv", "report.html"}


@pytest.fixture
def stored(tmp_path: Path, red_is_person: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the stored folders with their times, as the current folder."""
    folder = tmp_path / "stored"
    shutil.copytree(STORED, folder)
    for photo in (folder / "photos").rglob("*.*"):
        os.utime(photo, ns=(PHOTO_TIME, PHOTO_TIME))
    for output in (folder / "finished", folder / "interrupted"):
        for row in Journal(output).rows.values():
            for name, stamp in (("output", "written"), ("mask", "mask_written")):
                if row[stamp] is not None:
                    os.utime(output / row["entry"][name], ns=(row[stamp][1], row[stamp][1]))
    index = (STORED / "weights_index.json").read_text(encoding="utf-8")
    monkeypatch.setattr("remove_objects.models.shipped.shipped_index", lambda: index)
    monkeypatch.chdir(folder)
    return folder


def files(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and modification time of every file but the reports and the lock."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and path.name not in REPORTS and "lock" not in path.name
    }


def statuses(output: Path) -> dict[str, str]:
    return {
        photo["input"]: photo["status"] for photo in read_report(output / "report.json")["photos"]
    }


def test_finished_photos_are_skipped_and_their_files_untouched(stored: Path) -> None:
    before = files(stored / "finished")
    assert cli.main([*OPTIONS, "photos", "-o", "finished"]) == 1  # the broken file fails again
    assert statuses(stored / "finished") == {
        "broken.png": "failed",
        **dict.fromkeys(FINISHED, "skipped"),
    }
    after = files(stored / "finished")
    assert {name: after[name] for name in before} == before
    assert set(after) == set(before)


def test_skipped_photos_keep_what_the_earlier_report_said(stored: Path) -> None:
    earlier = {p["input"]: p for p in read_report(stored / "finished/report.json")["photos"]}
    cli.main([*OPTIONS, "photos", "-o", "finished"])
    now = {p["input"]: p for p in read_report(stored / "finished/report.json")["photos"]}
    for name, status in FINISHED.items():
        assert now[name].pop("earlier_status") == status == earlier[name]["status"]
        reason = f"finished in an earlier run as {status}: {earlier[name]['reason']}"
        assert now[name] == {**earlier[name], "status": "skipped", "reason": reason}


def test_an_interrupted_run_resumes(stored: Path) -> None:
    output = stored / "interrupted"
    before = files(output)
    assert "pad.jpg" not in Journal(output).rows
    assert cli.main([*OPTIONS, "photos", "-o", "interrupted"]) == 1
    assert statuses(output) == {
        "broken.png": "failed",
        "deep/moon.jpg": "review",
        "empty.png": "unchanged",
        "pad.jpg": "unchanged",  # by the segmenter of these tests, to which nothing is a person
    }
    after = files(output)
    assert {name: after[name] for name in before} == before
    assert (output / "pad.jpg").read_bytes() == (stored / "photos/pad.jpg").read_bytes()
    assert Journal(output).complete


@pytest.mark.parametrize("baseline", ["finished/report.json", "again.json"])
def test_an_old_report_is_a_baseline(baseline: str, stored: Path) -> None:
    old = load_baseline(stored / baseline)
    arguments = ["photos", "-o", "finished", "--baseline", baseline]
    shutil.copy(stored / "finished/report.json", stored / "first.json")
    cli.main([*OPTIONS, *arguments])
    comparison = compare(read_report(stored / "finished/report.json"), old, tolerances([]))
    assert comparison.photos == 4
    assert not comparison.worse
    assert not comparison.better


def test_a_worse_result_than_the_old_report_is_noticed(stored: Path) -> None:
    (stored / "finished/report.json").rename(stored / "first.json")
    report = json.loads((stored / "first.json").read_text())
    for photo in report["photos"]:
        photo["residue"] = 0.9
    worse = compare(report, load_baseline(stored / "again.json"), tolerances([])).worse
    assert {change.photo for change in worse} >= {"deep/moon.jpg", "pad.jpg"}


def test_old_masks_go_in_by_masks(stored: Path) -> None:
    (stored / "photos/broken.png").unlink()
    options = [*OPTIONS, "--dry-run", "--masks", "finished/masks", "--dilate", "0"]
    assert cli.main([*options, "photos", "-o", "new"]) == 0
    for name in ("masks/deep/moon.png", "masks/pad.png"):
        with (
            Image.open(stored / "finished" / name) as old,
            Image.open(stored / "new" / name) as new,
        ):
            assert np.array_equal(np.asarray(old), np.asarray(new))


@pytest.mark.parametrize("report", ["finished/report.json", "again.json"])
def test_the_board_opens_the_old_folder(report: str, stored: Path) -> None:
    content = (stored / report).read_bytes()
    (stored / "finished/report.json").write_bytes(content)
    opened = open_run(stored / "finished")
    assert opened.classes == ("person",)
    assert [item.name for item in opened.items if not item.missing] == [
        "deep/moon.jpg",
        "pad.jpg",
        "broken.png",
        "empty.png",
    ]
    assert opened.items[0].mask == stored / "finished/masks/deep/moon.png"
