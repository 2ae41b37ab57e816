"""What is left of an object in the reports of runs: written, resumed, and shown at the board."""

from __future__ import annotations

import csv
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.engines import threads
from remove_objects.pipeline.batch.engines.ray_actors import CleaningActor
from remove_objects.pipeline.batch.ledger import Ledger
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.run_folder import open_run
from remove_objects.pipeline.config import Settings
from tests.support.scenes import scene

PERSON = (90, 60, 60, 80)


@pytest.fixture
def photos(tmp_path: Path, cheap: None) -> Path:
    """A photo of a person, and a mask that misses the legs."""
    for folder in ("photos", "masks"):
        (tmp_path / folder).mkdir()
    Image.fromarray(scene(240, 280, person=PERSON)).save(tmp_path / "photos" / "a.png")
    mask = np.zeros((240, 280), np.uint8)
    mask[57:120, 87:153] = 255
    Image.fromarray(mask).save(tmp_path / "masks" / "a.png")
    return tmp_path / "photos"


def run(photos: Path, **more: Any) -> dict[str, Any]:
    """Run with the mask, to the letter; the photo's row of the report."""
    batch = BatchSettings(
        output=photos.parent / "out", masks=photos.parent / "masks", workers=1, **more
    )
    settings = Settings(probe=False, offline=True, dilate=0)
    remove_folder([photos], settings=settings, batch=batch)
    report = json.loads((photos.parent / "out" / "report.json").read_text(encoding="utf-8"))
    (row,) = report["photos"]
    return dict(row)


def test_the_reports_of_a_run_and_of_one_that_resumes_it_name_the_place(photos: Path) -> None:
    row = run(photos, save_masks=True)
    assert row["status"] == "review"
    (left,) = row["leftovers"]
    assert left["box"] == [90, 120, 60, 20]
    assert left["why"] in row["reason"]
    out = photos.parent / "out"
    table = list(csv.DictReader((out / "report.csv").read_text(encoding="utf-8").splitlines()))
    assert [line["leftovers"] for line in table] == ["1"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "1 place" in page
    again = run(photos, save_masks=True)
    assert (again["status"], again["earlier_status"]) == ("skipped", "review")
    assert again["leftovers"] == row["leftovers"]


def test_a_ray_actor_tells_of_the_place_and_of_the_segmenter_that_saw_it(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An actor's answer comes back pickled; the driver learns of networks from it alone."""
    local = run(photos)
    weights = json.loads((photos.parent / "out" / "report.json").read_text())["run"]["weights"]
    out = photos.parent / "by ray"
    out.mkdir()
    settings = Settings(probe=False, offline=True, dilate=0)
    batch = BatchSettings(output=out, masks=photos.parent / "masks", workers=1)
    output = LocalOutput(out, overwrite=False)
    plan = plan_run([photos], out, masks=batch.masks)
    (task,) = Ledger(out, output, settings, batch, ()).decide(plan.photos).tasks
    monkeypatch.setattr(threads, "use_threads", lambda *_: None)
    actor = CleaningActor((settings, batch, (), output, 1))
    row, facts, _ = pickle.loads(pickle.dumps(actor.clean(task)))
    for key in ("status", "reason", "leftovers", "residue"):
        assert row["entry"][key] == local[key]
    assert facts.weights == weights


def test_the_board_opens_a_result_with_leftovers_and_says_why(photos: Path) -> None:
    run(photos, save_masks=True)
    board = Board(open_run(photos.parent / "out"))
    try:
        opened = board.open("a.png")
    finally:
        board.close()
    assert "something of the person seems to be left" in json.dumps(opened)
