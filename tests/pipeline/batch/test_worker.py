"""The worker: one photo's files and its row of the journal.

Inputs that change meanwhile: ``test_changing_inputs.py``; claims: ``output/test_claims.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.ledger import Ledger
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.batch.worker import Worker
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import OutputError, UnwritableError
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.storage.stamp import mark
from tests.support.scenes import scene

QUICK = Settings(probe=False)


class Bench:
    """A worker and its tasks over a folder of photos."""

    def __init__(self, photos: Path, settings: Settings = QUICK, **more: Any) -> None:
        self.out = photos.parent / "out"
        self.out.mkdir(exist_ok=True)
        batch = BatchSettings(**{"classes": ("person",), "output": self.out, **more})
        output = LocalOutput(self.out, overwrite=batch.overwrite)
        ledger = Ledger(self.out, output, settings, batch, batch.classes)
        plan = plan_run([photos], self.out, masks=batch.masks)
        tasks = ledger.decide(plan.photos).tasks
        self.tasks = {task.name: task for task in tasks}
        self.worker = Worker(ObjectRemover(settings), batch, batch.classes, output)

    def row(self, name: str) -> dict[str, Any]:
        return self.worker(self.tasks[name])


def test_a_row_names_the_files_that_were_written(photos: Path) -> None:
    bench = Bench(photos, save_masks=True)
    row = bench.row("middle.png")
    task, entry = bench.tasks["middle.png"], row["entry"]
    assert set(row) == {
        *("input", "entry", "source", "source_mark", "given_marks"),
        *("made_with", "settings", "written", "mask_written", "layers_written"),
    }
    assert (row["input"], entry["input"]) == ("middle.png", "middle.png")
    assert row["source"] == str(photos / "middle.png")
    assert row["source_mark"] == mark(photos / "middle.png") == task.marks()[0]
    assert row["given_marks"] == [None, None]
    assert row["settings"]["classes"] == ["person"]
    assert (entry["output"], entry["mask"]) == ("middle.png", "masks/middle.png")
    assert row["written"] == mark(bench.out / "middle.png")
    assert row["mask_written"] == mark(bench.out / "masks" / "middle.png")
    assert set(entry["stages"]) >= {"read", "inpaint", "preview", "write"}


def test_an_unchanged_photo_is_copied_and_has_no_mask(photos: Path) -> None:
    bench = Bench(photos, save_masks=True)
    row = bench.row("deep/er/empty.png")
    assert row["entry"]["status"] == "unchanged"
    assert (row["entry"]["mask"], row["mask_written"]) == (None, None)
    copy = bench.out / "deep" / "er" / "empty.png"
    assert copy.read_bytes() == (photos / "deep" / "er" / "empty.png").read_bytes()


def test_a_lossless_file_of_a_lossy_photo_gets_one_more_suffix(photos: Path) -> None:
    Image.fromarray(scene(seed=4)).save(photos / "lossy.jpg")
    bench = Bench(photos, Settings(probe=False, lossless=True))
    row = bench.row("lossy.jpg")
    assert row["entry"]["output"] == "lossy.jpg.png"
    assert row["written"] == mark(bench.out / "lossy.jpg.png")
    assert not (bench.out / "lossy.jpg").exists()


def test_a_dry_run_writes_masks_and_previews_only(photos: Path) -> None:
    bench = Bench(photos, save_masks=True, dry_run=True)
    rows = [bench.row(name) for name in bench.tasks]
    assert sorted(p.relative_to(bench.out).as_posix() for p in bench.out.rglob("*.png")) == [
        "masks/deep/edge.layers.png",
        "masks/deep/edge.png",
        "masks/middle.layers.png",
        "masks/middle.png",
    ]
    assert all(row["entry"]["output"] is None and row["written"] is None for row in rows)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff nothing more"])
def test_a_damaged_photo_is_a_failed_entry(content: bytes, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(content)
    bench = Bench(photos)
    row = bench.row("broken.jpg")
    assert row["entry"]["status"] == "failed"
    assert "broken.jpg" in row["entry"]["error"]
    assert (row["written"], row["entry"]["output"]) == (None, None)
    assert not (bench.out / "broken.jpg").exists()


def test_a_photo_that_is_all_person_fails_clearly(photos: Path) -> None:
    Image.new("RGB", (80, 60), (255, 0, 0)).save(photos / "red.png")
    entry = Bench(photos).row("red.png")["entry"]
    assert entry["status"] == "failed"
    assert "nothing is left" in entry["reason"]


def test_a_photo_that_vanished_since_the_scan_fails(photos: Path) -> None:
    bench = Bench(photos)
    (photos / "middle.png").unlink()
    assert "is missing now" in bench.row("middle.png")["entry"]["error"]


def test_a_photo_without_a_mask_of_ones_own_is_unchanged(photos: Path, tmp_path: Path) -> None:
    masks = tmp_path / "own masks"
    masks.mkdir()
    mask = np.zeros((120, 160), bool)
    mask[20:40, 20:40] = True
    Image.fromarray(mask).save(masks / "middle.png")
    bench = Bench(photos, classes=(), masks=masks, save_masks=True)
    assert bench.row("middle.png")["entry"]["mask"] == "masks/middle.png"
    entry = bench.row("deep/edge.png")["entry"]
    assert (entry["status"], entry["reason"]) == ("unchanged", f"no mask for it in {masks}")


def test_ground_truth_gives_the_error_in_the_holes(photos: Path, tmp_path: Path) -> None:
    truth = tmp_path / "truth"
    truth.mkdir()
    Image.fromarray(scene(seed=1, person=None)).save(truth / "middle.png")
    bench = Bench(photos, truth=truth)
    assert bench.row("middle.png")["entry"]["truth"]["psnr"] > 0
    assert bench.row("deep/edge.png")["entry"]["truth"] is None


def test_a_preview_that_cannot_be_written_is_a_warning(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UnwritableError("no room for it")

    monkeypatch.setattr("remove_objects.pipeline.report.previews.write", refuse)
    entry = Bench(photos).row("middle.png")["entry"]
    assert entry["status"] in ("ok", "review")
    assert "the report has no picture of it: no room for it" in entry["warnings"]


def test_an_error_that_every_photo_would_meet_is_raised(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr("remove_objects.pipeline.images.save_outcome", refuse)
    with pytest.raises(OutputError, match="the disk is full"):
        Bench(photos).row("middle.png")


def test_a_failed_try_keeps_the_stamps_of_the_earlier_result(photos: Path) -> None:
    first = Bench(photos, save_masks=True)
    row = first.row("middle.png")
    task = first.tasks["middle.png"]
    again = replace(task, row=row)
    (photos / "middle.png").write_bytes(b"no picture")
    failed = first.worker(again)
    assert failed["entry"]["status"] == "failed"
    for stamp in ("written", "mask_written", "layers_written"):
        assert failed[stamp] == row[stamp] is not None
    assert failed["source_mark"] != row["source_mark"]
