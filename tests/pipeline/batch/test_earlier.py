"""Which photos of earlier runs a later report tells of."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from remove_objects.pipeline.batch.earlier import earlier_entries
from remove_objects.pipeline.batch.output.local import LocalStanding
from remove_objects.pipeline.storage.stamp import mark
from tests.support.pages import entry


def told_of(folder: Path, *rows: dict[str, Any], told: tuple[str, ...] = ()) -> list[str]:
    """The names in the report of a folder with these rows in its journal."""
    journal: Any = SimpleNamespace(rows={row["entry"]["input"]: row for row in rows})
    return [e["input"] for e in earlier_entries(journal, LocalStanding(folder), told)]


def test_a_failure_is_told_as_long_as_its_photo_waits(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"damaged")
    row = {"entry": entry("a.jpg", "failed"), "source": str(photo), "source_mark": mark(photo)}
    assert told_of(tmp_path, row) == ["a.jpg"]
    assert told_of(tmp_path, row, told=("a.jpg",)) == []
    assert told_of(tmp_path, {"entry": row["entry"]}) == []  # nobody knows which photo it was
    photo.write_bytes(b"replaced by a whole one")
    assert told_of(tmp_path, row) == []
    photo.unlink()
    assert told_of(tmp_path, row) == []


def test_a_result_is_told_as_long_as_it_stands_and_is_its_photos(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"a result")
    row = {"entry": entry("a.jpg"), "written": mark(tmp_path / "a.jpg")}
    forged = {"entry": entry("c.jpg", output="b.jpg"), "written": mark(tmp_path / "b.jpg")}
    assert told_of(tmp_path, row, forged) == ["a.jpg"]
    (tmp_path / "a.jpg").write_bytes(b"edited by hand")
    assert told_of(tmp_path, row, forged) == []
