"""Resuming: a finished photo is skipped if its files, settings and results are the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from remove_objects.pipeline.batch.ledger import Ledger
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.batch.worker import Facts
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.storage.layout import JOURNAL_NAME, REPLACED
from tests.support.scenes import scene

CLASSES = ("person",)
QUICK = Settings(probe=False)


def clean(photos: Path, out: Path, settings: Settings = QUICK, **more: Any) -> dict[str, Any]:
    """Run over the photos; returns the entries by name."""
    batch = BatchSettings(classes=CLASSES, output=out, **more)
    return {entry["input"]: entry for entry in remove_folder([photos], settings, batch).photos}


def ledger(out: Path, settings: Settings = QUICK, **more: Any) -> Ledger:
    batch = BatchSettings(classes=CLASSES, output=out, **more)
    return Ledger(out, LocalOutput(out), settings, batch, CLASSES)


def unfinished(photos: Path, out: Path, settings: Settings = QUICK, **more: Any) -> list[str]:
    """The names of the photos that a run would process."""
    decided = ledger(out, settings, **more).decide(plan_run([photos], out).photos)
    return [task.name for task in decided.tasks]


def change_row(out: Path, name: str, **changes: Any) -> None:
    """Change the entry of a photo in the journal."""
    lines = [json.loads(line) for line in (out / JOURNAL_NAME).read_text().splitlines()]
    for line in lines:
        if line.get("input") == name:
            line["entry"] |= changes
    (out / JOURNAL_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_second_run_skips_and_keeps_the_metrics(
    photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = clean(photos, out)
    times = {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    second = clean(photos, out)
    assert {entry["status"] for entry in second.values()} == {"skipped"}
    assert times == {p: p.stat().st_mtime_ns for p in out.rglob("*.png")}
    for name, entry in second.items():
        assert entry["holes"] == first[name]["holes"]
        assert entry["earlier_status"] == first[name]["status"]
        assert entry["reason"].endswith(f"as {first[name]['status']}: {first[name]['reason']}")


def test_a_third_run_reports_the_status_of_the_first(
    photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    assert clean(photos, out) == clean(photos, out)


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (Settings(probe=True), {}),
        (Settings(probe=False, compare=("telea",)), {}),
        (QUICK, {"save_masks": True}),
        (QUICK, {"overwrite": True}),
    ],
)
def test_the_choices_that_process_photos_again(
    settings: Settings, more: dict[str, Any], photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    assert len(unfinished(photos, out, settings, **more)) == 3


def test_a_run_that_reports_more_replaces_no_result_with_another(
    photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    results = [p for p in out.rglob("*.png") if ".remove-objects" not in p.parts]
    before = {p: p.read_bytes() for p in results}
    again = clean(photos, out, Settings(probe=True), save_masks=True)
    assert "skipped" not in {entry["status"] for entry in again.values()}
    assert {p: p.read_bytes() for p in before} == before
    assert not (out / REPLACED).exists()


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (QUICK, {"workers": 7}),
        (QUICK, {"engine": "ray", "actors": 2}),
        (QUICK, {"dry_run": True}),
        (Settings(probe=False, device="cpu"), {}),
        (Settings(probe=False, offline=True), {}),
    ],
)
def test_the_choices_that_do_not(
    settings: Settings, more: dict[str, Any], photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    assert unfinished(photos, out, settings, **more) == []


def test_a_changed_photo_is_processed_again_and_others_are_not(
    photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    Image.fromarray(scene(seed=9)).save(photos / "middle.png")
    again = clean(photos, out)
    assert again["middle.png"]["status"] != "skipped"
    assert again["deep/edge.png"]["status"] == "skipped"


def test_a_deleted_result_is_made_again(photos: Path, cheap: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    (out / "middle.png").unlink()
    assert unfinished(photos, out) == ["middle.png"]


def test_a_missing_mask_is_made_again_and_a_mended_one_is_kept(
    photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out, save_masks=True)
    Image.new("1", (9, 9)).save(out / "masks" / "middle.png")
    (out / "masks" / "deep" / "edge.png").unlink()
    assert unfinished(photos, out, save_masks=True) == ["deep/edge.png"]


@pytest.mark.parametrize("key", ["output", "mask"])
def test_a_row_that_names_another_file_is_not_believed(
    key: str, photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    (out / "elsewhere.png").write_bytes((out / "middle.png").read_bytes())
    change_row(out, "middle.png", **{key: "elsewhere.png"})
    again = clean(photos, out)["middle.png"]
    assert "elsewhere.png" not in (again["output"], again["mask"])


def test_a_failed_photo_is_processed_again(photos: Path, cheap: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (photos / "broken.png").write_bytes(b"no picture")
    clean(photos, out)
    assert unfinished(photos, out) == ["broken.png"]


def test_an_interrupted_run_resumes_and_its_report_is_complete(
    photos: Path, cheap: None, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    whole = clean(photos, tmp_path / "whole")
    clean(photos, out)
    # As after a kill: one photo is finished, a line is cut short, and there is no report.
    lines = (out / JOURNAL_NAME).read_text().splitlines()
    finished = json.loads(lines[0])["input"]
    (out / JOURNAL_NAME).write_text(lines[0] + "\n" + lines[1][:40])
    (out / "report.json").unlink()
    for name in set(whole) - {finished}:
        (out / name).unlink()
    resumed = clean(photos, out)

    def without_times(entries: dict[str, Any]) -> dict[str, Any]:
        return {
            name: {key: value for key, value in entry.items() if key not in ("seconds", "stages")}
            for name, entry in entries.items()
        }

    assert without_times(resumed) == without_times(whole)


def test_facts_of_an_interrupted_run_stay_in_the_report(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    lines = (out / JOURNAL_NAME).read_text().splitlines()
    (out / JOURNAL_NAME).write_text("\n".join(lines[:-1]) + "\n")  # not completed
    now = Facts({"new": "1" * 64}, ("a new warning",), "cuda")
    merged = ledger(out).facts(now, worked=True)
    assert {"box", "new"} <= set(merged.weights)
    assert "a new warning" in merged.warnings
    assert len(merged.warnings) > 1
    assert merged.device == "cpu, cuda"
    assert "new" not in ledger(out).facts(now, worked=False).weights


def test_facts_of_a_completed_run_do_not(photos: Path, cheap: None, tmp_path: Path) -> None:
    out = tmp_path / "out"
    clean(photos, out)
    now = Facts({"new": "1" * 64}, (), "cuda")
    assert ledger(out).facts(now, worked=True) == now
    assert ledger(out).facts(now, worked=False) == now
