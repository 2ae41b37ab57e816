"""The line of ``--json``: its schema and its type agree, and skipped photos are not forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from remove_objects.pipeline.report import summary
from remove_objects.pipeline.types import Status

SCHEMA = json.loads((Path(summary.__file__).parent / "summary.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def entry(name: str, status: str, **more: Any) -> dict[str, Any]:
    """What a summary reads of a photo's entry."""
    photo = {"input": name, "status": status, "error": None, "reason": "why", "score": None}
    return {**photo, "residue": None, **more}


def test_the_schema_has_the_keys_of_the_type() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    keys = set(summary.Summary.__annotations__)
    assert set(SCHEMA["properties"]) == set(SCHEMA["required"]) == keys
    counted = SCHEMA["properties"]["counts"]
    assert set(counted["required"]) == {status.value for status in Status}
    assert SCHEMA["properties"]["schema_version"]["const"] == summary.SUMMARY_VERSION


@pytest.mark.parametrize("key", sorted(summary.Summary.__annotations__))
def test_the_schema_misses_every_key(key: str) -> None:
    line = dict(summary.without_result(2, "wrong"))
    VALIDATOR.validate(line)
    del line[key]
    assert not VALIDATOR.is_valid(line)


def test_photos_that_wait_for_a_person_are_named_worst_first() -> None:
    photos = [
        entry("a", "ok"),
        entry("b", "review", score=0.4),
        entry("c", "review", score=0.9),
        entry("mended", "review", score=0.9, reviewed=True),
        entry("later", "skipped", earlier_status="review"),
        entry("done", "skipped", earlier_status="ok"),
        entry("z", "failed", error="z: no picture"),
    ]
    line = summary.of_photos(photos)
    VALIDATOR.validate(line)
    assert line["review"] == ["c", "b", "later"]
    assert line["failed"] == [{"input": "z", "error": "z: no picture"}]
    assert line["counts"] == {"ok": 1, "review": 3, "failed": 1, "unchanged": 0, "skipped": 2}
