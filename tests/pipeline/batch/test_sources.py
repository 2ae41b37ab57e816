"""Names in the output folder: results of several source folders side by side."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from remove_objects.pipeline.batch import sources
from remove_objects.pipeline.batch.names import InputPhoto
from remove_objects.pipeline.batch.sources import KnownPhotos, name_photos, source_key
from remove_objects.pipeline.storage.location import Location
from remove_objects.pipeline.storage.stamp import mark
from tests.support.memory_store import remote


def photo(root: Location, name: str) -> InputPhoto:
    source = root / name
    return InputPhoto(source, PurePosixPath(name), root, PurePosixPath(name), source_key(source))


def names(photos: list[InputPhoto], known: KnownPhotos | None = None) -> list[str]:
    return [str(p.relative) for p in name_photos(photos, known or KnownPhotos(), [])]


def known(**rows: Any) -> KnownPhotos:
    """Rows by their sources' keys; a local source that exists is marked."""
    return KnownPhotos.of(
        {
            name: {
                "input": name,
                "entry": {},  # type: ignore[typeddict-item]
                "source": source,
                "source_mark": mark(Path(source)),
            }
            for source, name in rows.items()
        }
    )


def test_one_folder_lies_at_the_top() -> None:
    rome = Path("/p/rome")
    assert names([photo(rome, "a.jpg"), photo(rome, "deep/b.jpg")]) == ["a.jpg", "deep/b.jpg"]


def test_several_folders_lie_side_by_side() -> None:
    rome, oslo = Path("/p/rome"), Path("/q/oslo")
    assert names([photo(rome, "a.jpg"), photo(oslo, "a.jpg")]) == ["rome/a.jpg", "oslo/a.jpg"]


def test_folders_of_one_name_are_told_apart_by_their_parents() -> None:
    folders = [Path("/x/100CANON"), Path("/y/100CANON"), Path("/z/x/100CANON")]
    assert names([photo(folder, "a.jpg") for folder in folders]) == [
        "100CANON-2/a.jpg",
        "y/100CANON/a.jpg",
        "z/x/100CANON/a.jpg",
    ]


def test_a_number_instead_of_a_name_is_told() -> None:
    notes: list[str] = []
    folders = [Path("/x/100CANON"), Path("/y/100CANON"), Path("/z/x/100CANON")]
    name_photos([photo(folder, "a.jpg") for folder in folders], KnownPhotos(), notes)
    assert notes == [
        "/x/100CANON: its results go to the folder 100CANON-2, because the folder's own name is "
        "taken"
    ]


def test_a_folder_in_a_given_folder_is_no_folder_of_its_own() -> None:
    p = Path("/p")
    assert names([photo(p, "a.jpg"), photo(p / "sub", "b.jpg")]) == ["a.jpg", "sub/b.jpg"]


def test_a_later_folder_gets_a_subfolder_and_known_photos_keep_their_names() -> None:
    before = known(**{"/p/rome/a.jpg": "a.jpg"})
    rome, oslo = Path("/p/rome"), Path("/p/oslo")
    assert names([photo(oslo, "a.jpg")], before) == ["oslo/a.jpg"]
    assert names([photo(rome, "a.jpg"), photo(rome, "new.jpg")], before) == ["a.jpg", "new.jpg"]
    both = known(**{"/p/rome/a.jpg": "a.jpg", "/q/oslo/a.jpg": "oslo/a.jpg"})
    assert names([photo(Path("/q/oslo"), "b.jpg")], both) == ["oslo/b.jpg"]
    assert names([photo(Path("/r/oslo"), "b.jpg")], both) == ["r/oslo/b.jpg"]
    assert names([photo(Path("/q"), "oslo/a.jpg")], both) == ["oslo/a.jpg"]


def test_a_subfolder_of_a_known_folder_belongs_to_it() -> None:
    before = known(**{"/p/rome/a.jpg": "rome/a.jpg"})
    assert names([photo(Path("/p/rome"), "b.jpg")], before) == ["rome/b.jpg"]


@pytest.mark.parametrize("name", ["masks", "report_files", ".hidden", "report.json"])
def test_no_folder_takes_a_name_of_the_program(name: str) -> None:
    before = known(**{"/p/rome/a.jpg": "a.jpg"})
    assert names([photo(Path("/q") / name, "a.jpg")], before) == [f"q/{name}/a.jpg"]


def test_a_name_in_use_is_not_taken_again() -> None:
    before = known(**{"/p/x.jpg": "x.jpg", "/p/Oslo/a.jpg": "Oslo/a.jpg"})
    assert names([photo(Path("/oslo"), "a.jpg")], before) == ["oslo-2/a.jpg"]


@pytest.mark.parametrize(("name", "chosen"), [("masks", "masks-2"), (".hidden", "photos-2")])
def test_a_taken_parent_does_not_keep_a_name_from_being_found(name: str, chosen: str) -> None:
    before = known(**{"/p/rome/a.jpg": "a.jpg", "/x/q/a.jpg": "q/a.jpg"})
    assert names([photo(Path("/q") / name, "a.jpg")], before) == [f"{chosen}/a.jpg"]


def test_addresses_are_sources_too() -> None:
    rome, oslo = remote("memory://rome"), remote("memory://photos/oslo")
    assert source_key(rome / "a.jpg") == "memory://rome/a.jpg"
    assert names([photo(rome, "a.jpg"), photo(oslo, "a.jpg")]) == ["rome/a.jpg", "oslo/a.jpg"]
    before = known(**{"memory://rome/a.jpg": "a.jpg"})
    assert names([photo(rome, "b.jpg"), photo(oslo, "b.jpg")], before) == ["b.jpg", "oslo/b.jpg"]


def test_a_moved_folder_is_recognised_by_its_photos(tmp_path: Path) -> None:
    rome = tmp_path / "rome"
    rome.mkdir()
    (rome / "a.jpg").write_bytes(b"one")
    (rome / "b.jpg").write_bytes(b"two")
    before = known(**{str(rome / "a.jpg"): "a.jpg", str(rome / "b.jpg"): "b.jpg"})
    copy = tmp_path / "copy"
    shutil.copytree(rome, copy)
    assert names([photo(copy, "a.jpg")], before) == ["copy/a.jpg"]  # the old one still exists
    moved = rome.rename(tmp_path / "roma")
    (moved / "b.jpg").write_bytes(b"changed")
    (moved / "new.jpg").write_bytes(b"new")
    assert names([photo(moved, n) for n in ("a.jpg", "b.jpg", "new.jpg")], before) == [
        "a.jpg",
        "b.jpg",
        "new.jpg",
    ]


def moved_by_one_photo(tmp_path: Path, **rows: str) -> KnownPhotos:
    """Rows of ``rome``, of whose photos a run has found some in their new folder already."""
    for source in (*rows.values(), *(f"roma/{name}" for name in ("b.jpg", "sub/c.jpg"))):
        (tmp_path / source).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / source).write_bytes(source.encode())
    before = known(**{str(tmp_path / source): name for name, source in rows.items()})
    shutil.rmtree(tmp_path / "rome")
    return before


def test_a_later_run_still_knows_that_a_folder_was_moved(tmp_path: Path) -> None:
    rows = {"a.jpg": "roma/a.jpg", "b.jpg": "rome/b.jpg", "sub/c.jpg": "rome/sub/c.jpg"}
    before = moved_by_one_photo(tmp_path, **rows)
    roma = tmp_path / "roma"
    assert names([photo(roma, "b.jpg"), photo(roma, "sub/c.jpg")], before) == ["b.jpg", "sub/c.jpg"]
    (tmp_path / "rome").mkdir()  # as after: mv rome/* roma
    assert names([photo(roma, "b.jpg")], before) == ["b.jpg"]
    (tmp_path / "rome" / "other.jpg").touch()  # rome is there: only some photos were moved
    assert names([photo(roma, "b.jpg")], before) == ["roma/b.jpg"]


def test_a_changed_photo_in_a_moved_folder_is_the_same_unless_it_was_taken_at_another_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = moved_by_one_photo(tmp_path, **{"a.jpg": "roma/a.jpg", "b.jpg": "rome/b.jpg"})
    before.rows["b.jpg"]["taken"] = "before"
    for now, name in (("before", "b.jpg"), (None, "b.jpg"), ("later", "roma/b.jpg")):
        monkeypatch.setattr(sources, "taken_mark", lambda _, now=now: now)
        assert names([photo(tmp_path / "roma", "b.jpg")], before) == [name]


def test_a_forged_row_leads_nowhere() -> None:
    before = known(**{"/p/a.jpg": "../../etc/a.jpg", "/p/b.jpg": "/etc/b.jpg"})
    assert names([photo(Path("/p"), "a.jpg")], before) == ["a.jpg"]
