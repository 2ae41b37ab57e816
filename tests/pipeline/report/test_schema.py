"""``report.json`` of real runs against the schema that ships; and a schema that refuses what it should."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.report import entry as report
from remove_objects.pipeline.report import files as files_module
from remove_objects.pipeline.system.stopwatch import STAGES
from remove_objects.pipeline.types import Route, Status
from tests.support.pages import RUN, entry
from tests.support.scenes import scene

SCHEMA = json.loads((Path(report.__file__).parent / "schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    Image.fromarray(scene(seed=1)).save(folder / "a.png")
    Image.fromarray(scene(person=(0, 40, 30, 50), seed=2)).save(folder / "deep" / "edge.png")
    Image.fromarray(scene(person=None, seed=3)).save(folder / "empty.png")
    Image.new("RGB", (80, 60), (255, 0, 0)).save(folder / "all.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    return folder


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    return found


def test_the_schema_is_one_and_follows_the_code() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    photo, hole = (SCHEMA["$defs"][k]["properties"] for k in ("photo", "hole"))
    assert photo["status"]["enum"] == [s.value for s in Status]
    assert photo["stages"]["propertyNames"]["enum"] == list(STAGES)
    assert hole["route"]["enum"] == [r.value for r in Route]
    assert SCHEMA["properties"]["schema_version"]["const"] == files_module.SCHEMA_VERSION


@pytest.mark.parametrize(
    "changes", [{}, {"dry_run": True}, {"save_masks": True}], ids=["plain", "dry", "masks"]
)
def test_reports_of_every_status_are_valid(photos: Path, changes: dict[str, Any]) -> None:
    out, settings = photos.parent / "out", Settings(compare=("telea",))
    seen = set()
    for _ in range(2):
        remove_folder(
            [photos],
            settings,
            BatchSettings(classes=("person",), output=out, **changes),
            command="remove-objects",
        )
        found = load(out / "report.json")
        VALIDATOR.validate(found)
        seen |= {p["status"] for p in found["photos"]}
    assert {"failed", "unchanged", "skipped"} <= seen
    assert seen & {"ok", "review"}
    holes = [h for p in found["photos"] for h in p["holes"]]
    assert any("compare" in h for h in holes) != bool(changes.get("dry_run"))


def test_masks_and_truth_of_ones_own_are_valid(photos: Path) -> None:
    for folder in ("masks", "truth"):
        (photos.parent / folder).mkdir()
    mask = Image.new("L", (160, 120))
    mask.paste(255, (60, 40, 80, 70))
    mask.save(photos.parent / "masks" / "a.png")
    Image.fromarray(scene(seed=1, person=None)).save(photos.parent / "truth" / "a.png")
    batch = BatchSettings(
        output=photos.parent / "out", masks=photos.parent / "masks", truth=photos.parent / "truth"
    )
    remove_folder([photos], Settings(probe=False), batch)
    found = load(photos.parent / "out" / "report.json")
    VALIDATOR.validate(found)
    assert next(p for p in found["photos"] if p["input"] == "a.png")["truth"]["psnr"] > 0


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("schema_version", 2),
        ("extra", 1),
        ("run/weights/box", "not a hash"),
        ("run/seconds", -1),
        ("photos/0/status", "fine"),
        ("photos/0/hole_share", 1.5),
        ("photos/0/score", -0.1),
        ("photos/0/score", "high"),
        ("photos/0/extra", 1),
        ("photos/0/output", "/absolute.png"),
        ("photos/0/error", "an error on a photo that did not fail"),
        ("photos/0/stages/lunch", 1.0),
        ("photos/0/holes/0/box", [1, 2, 3]),
        ("photos/0/holes/0/box", [1, 2, 0, 4]),
        ("photos/0/holes/0/box", [1, 2, 3, 4, 5]),
        ("photos/0/holes/0/route", "sky"),
        ("photos/0/holes/0/probe", {"l1": 0.1}),
        ("photos/0/holes/0/compare", {"telea": {"seam": 1.0}}),
    ],
)
def test_what_is_wrong_is_refused(path: str, value: Any) -> None:
    right = {"schema_version": 1, "run": copy.deepcopy(RUN), "photos": [entry("a.jpg")]}
    VALIDATOR.validate(right)
    wrong = copy.deepcopy(right)
    *parents, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    place: Any = wrong
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(jsonschema.ValidationError):
        VALIDATOR.validate(wrong)


def test_later_versions_may_add_to_the_run() -> None:
    VALIDATOR.validate(
        {"schema_version": 1, "run": RUN | {"baseline": {"file": "earlier.json"}}, "photos": []}
    )
