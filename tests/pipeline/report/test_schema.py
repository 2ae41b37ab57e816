"""``schema.json`` accepts the reports of real runs, refuses wrong ones, and matches the types."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.report import files, schema
from remove_objects.pipeline.report.spreadsheet import FEATURES
from remove_objects.pipeline.system.stopwatch import STAGES
from remove_objects.pipeline.types import Layer, Route, Status
from tests.support import pages
from tests.support.pages import RUN, entry
from tests.support.scenes import scene

SCHEMA = json.loads((Path(schema.__file__).parent / "schema.json").read_text(encoding="utf-8"))
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
    report: dict[str, Any] = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
    return report


def shape(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The part of a JSON schema that Python's types can say, in one form.

    Args:
        node: the schema, or a part of it.
        definitions: its ``$defs``.

    Returns:
        By JSON type: the choices of a string, the elements of an array, the keys of an object
        (optional ones end with ``?``) or, under ``*``, the values of a mapping.
    """
    if "$ref" in node:
        return shape(definitions[node["$ref"].removeprefix("#/$defs/")], definitions)
    if alternatives := node.get("anyOf") or node.get("oneOf"):
        return {k: v for n in alternatives for k, v in shape(n, definitions).items()}
    values = node.get("enum", [node["const"]] if "const" in node else [])
    names = {bool: "boolean", int: "number", str: "string"}
    types = node.get("type") or sorted({names[type(v)] for v in values})
    choices = [str(v) for v in values]
    if (pattern := node.get("pattern", "")).endswith("\\Z"):
        choices = pattern.removeprefix("^(").removesuffix(")\\Z").split("|")
    properties = {
        key if key in node.get("required", []) else f"{key}?": shape(value, definitions)
        for key, value in node.get("properties", {}).items()
    }
    extra = node.get("additionalProperties")
    element = node.get("items") or node.get("prefixItems", [None])[0]
    said: dict[str, Any] = {
        "object": properties or {"*": shape(extra, definitions) if extra else {}},
        "array": shape(element, definitions) if element else {},
        "string": choices,
    }
    return {t: said.get(t) for t in ([types] if isinstance(types, str) else types)}


def test_the_schema_and_the_types_agree() -> None:
    types = msgspec.json.schema(schema.Report)
    published = shape(SCHEMA, SCHEMA["$defs"])["object"]
    typed = shape(types, types["$defs"])["object"]
    for side in (published, typed):
        # The types are wider: reports of other versions have other quality features.
        signs = side["photos"]["array"]["object"]["holes"]["array"]["object"].pop("signs")
        assert set(signs) == {"object", "null"}
        # Every setting is in the file; the schema lists those that have always been there.
        side["run"]["object"].pop("settings")
        # 1 is a constant there and an integer here.
        side.pop("schema_version")
    assert published["photos"] == typed["photos"]
    assert published["run"] == typed["run"]
    features = SCHEMA["$defs"]["hole"]["properties"]["signs"]["properties"]
    assert tuple(features) == FEATURES


def test_the_schema_knows_every_layer() -> None:
    names = SCHEMA["$defs"]["photo"]["properties"]["layers"]["propertyNames"]["enum"]
    assert names == [layer.label for layer in Layer if layer]


@pytest.mark.parametrize("key", sorted(schema.Entry.__annotations__))
def test_an_entry_needs_every_key_but_the_optional_ones(key: str) -> None:
    row = entry("a.jpg")
    assert schema.is_entry(row)
    row.pop(key, None)
    optional = (
        *("earlier_status", "figures", "layers", "left_outside", "leftovers", "objects"),
        *("decision", "reviewed"),
    )
    assert schema.is_entry(row) == (key in optional)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("status", "fine"),
        ("status", "ok\n"),
        ("earlier_status", "skipped"),
        ("score", float("nan")),
        ("score", float("inf")),
        ("seconds", True),
        ("seconds", 10**400),
        ("warnings", "one"),
        ("reviewed", False),
        ("decision", "maybe"),
        ("holes", [{"box": [1, 2, 3]}]),
        ("input", None),
    ],
)
def test_a_wrong_value_makes_no_entry(key: str, value: Any) -> None:
    assert not schema.is_entry(entry("a.jpg") | {key: value})


@pytest.mark.parametrize("value", [None, [], "entry", 1, {}])
def test_other_json_is_no_entry(value: Any) -> None:
    assert not schema.is_entry(value)


def test_later_keys_are_accepted() -> None:
    assert schema.is_entry(entry("a.jpg") | {"later": 1, "earlier_status": "ok"})


def test_a_key_that_is_no_unicode_makes_no_entry() -> None:
    assert not schema.is_entry(entry("a.jpg") | {"\udcff": 1})


def test_the_schema_is_valid_and_follows_the_code() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    photo, hole = (SCHEMA["$defs"][k]["properties"] for k in ("photo", "hole"))
    assert photo["status"]["enum"] == [s.value for s in Status]
    assert photo["stages"]["propertyNames"]["enum"] == list(STAGES)
    assert hole["route"]["enum"] == [r.value for r in Route]
    assert SCHEMA["properties"]["schema_version"]["const"] == files.SCHEMA_VERSION


@pytest.mark.parametrize(
    ("borrowed", "valid"),
    [
        ({"b.jpg": 0.82, "c.jpg": 0.18}, True),
        ({}, False),
        ({"b.jpg": 1.2}, False),
        ({"b.jpg": "all"}, False),
        (["b.jpg"], False),
    ],
)
def test_a_hole_borrows_shares_by_name(borrowed: Any, valid: bool) -> None:
    hole = SCHEMA["$defs"]["hole"]["properties"]["borrowed"] | {"$defs": SCHEMA["$defs"]}
    assert jsonschema.Draft202012Validator(hole).is_valid(borrowed) == valid
    row = entry("a.jpg", holes=[pages.hole(borrowed=borrowed)])
    numbers = isinstance(borrowed, dict) and "all" not in borrowed.values()
    assert schema.is_entry(row) == numbers


@pytest.mark.parametrize(
    "changes", [{}, {"dry_run": True}, {"save_masks": True}], ids=["plain", "dry", "masks"]
)
def test_reports_of_every_status_are_valid(photos: Path, changes: dict[str, Any]) -> None:
    out, settings = photos.parent / "out", Settings(compare=("telea",))
    statuses = set()
    for _ in range(2):
        remove_folder(
            [photos],
            settings,
            BatchSettings(classes=("person",), output=out, **changes),
            command="remove-objects",
        )
        report = load(out / "report.json")
        VALIDATOR.validate(report)
        statuses |= {p["status"] for p in report["photos"]}
    assert {"failed", "unchanged", "skipped"} <= statuses
    assert statuses & {"ok", "review"}
    holes = [h for p in report["photos"] for h in p["holes"]]
    assert any("compare" in h for h in holes) != bool(changes.get("dry_run"))


def test_a_report_with_given_masks_and_ground_truth_is_valid(photos: Path) -> None:
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
    report = load(photos.parent / "out" / "report.json")
    VALIDATOR.validate(report)
    assert next(p for p in report["photos"] if p["input"] == "a.png")["truth"]["psnr"] > 0


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
def test_a_wrong_report_is_refused(path: str, value: Any) -> None:
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
