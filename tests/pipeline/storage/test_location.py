"""Remote folders, on fsspec's file system in memory: the listing, refusals, secrets, and a run."""

from __future__ import annotations

import io
import json
from pathlib import Path, PurePosixPath

import fsspec
import pytest
from PIL import Image

from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnreadableError, UsageError
from remove_objects.pipeline.storage.layout import JOURNAL_NAME, JOURNAL_PIECES
from remove_objects.pipeline.storage.location import RemotePath, is_plain_name, parse_location
from remove_objects.pipeline.system.text import redacted
from tests.support.memory_store import remote
from tests.support.scenes import scene


def picture(seed: int = 0, person: bool = True) -> bytes:
    file = io.BytesIO()
    (
        Image.fromarray(scene(seed=seed))
        if person
        else Image.fromarray(scene(seed=seed, person=None))
    ).save(file, "PNG")
    return file.getvalue()


def test_paths_are_paths_and_addresses_are_not() -> None:
    assert parse_location("photos/a.jpg") == Path("photos/a.jpg")
    assert parse_location("file:///photos") == Path("/photos")
    assert parse_location("memory://photos/") == RemotePath("memory://photos")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("zip::memory://a.zip", "chain"),
        ("memory://a::memory://b", "chain"),
        ("memory://photos/../secret", r"\.\."),
        ("nonsense://bucket", "no filesystem is known by nonsense"),
    ],
)
def test_unsupported_addresses_are_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_location(text)


def test_passwords_and_signatures_are_never_shown() -> None:
    assert redacted("sftp://me:secret@host/photos") == "sftp://***@host/photos"
    assert redacted("--output=https://host/a?sig=secret&x=1") == "--output=https://host/a?***"
    assert redacted("photos/what?.jpg me@home") == "photos/what?.jpg me@home"
    place = RemotePath("sftp://me:secret@host/photos") / "a.jpg"
    assert "secret" not in f"{place} {place!r}"


@pytest.mark.parametrize(
    "name", ["../a.png", "a/../../b.png", "/a.png", "a//b.png", "", "a\\..\\b.png", "./a.png"]
)
def test_climbing_names_are_not_plain(name: str, memory: fsspec.AbstractFileSystem) -> None:
    assert not is_plain_name(name)


def test_a_remote_folder_is_searched_like_a_local_one(memory: fsspec.AbstractFileSystem) -> None:
    for name in (
        "b.JPG",
        "sub/a.png",
        "sub/.hidden.png",
        ".git/c.png",
        "notes.txt",
        "cleaned/old.png",
        "x/report_files/1.jpeg",
    ):
        memory.pipe(f"/photos/{name}", b"never opened by scan")
    memory.pipe(f"/photos/x/{JOURNAL_NAME}", b"")
    plan = plan_run([remote("memory://photos")], remote("memory://photos/cleaned"))
    assert [str(photo.relative) for photo in plan.photos] == ["b.JPG", "sub/a.png"]
    assert str(plan.photos[1].target) == "memory://photos/cleaned/sub/a.png"
    assert str(plan.photos[1].mask_target) == "memory://photos/cleaned/masks/sub/a.png"
    results, others = plan.notes
    assert results.startswith("memory://photos/x: left out, because it holds the results")
    assert others == "memory://photos: passed over 1 other file"
    assert str(plan_run([remote("memory://photos/sub")]).output) == "memory://photos/cleaned"
    for given, output, says in (
        ("memory://photos", "memory://photos", "both input and output"),
        ("memory://photos/sub", "memory://photos", "inside the output"),
        ("memory://none", "memory://out", "no such file"),
    ):
        with pytest.raises(UsageError, match=says):
            plan_run([remote(given)], remote(output))
    with pytest.raises(UsageError, match="--output"):
        plan_run([remote("memory://photos")])


def test_a_climbing_name_is_left_out_with_a_note(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = {
        "a.png": RemotePath("memory://photos", PurePosixPath("a.png")),
        "../../etc/b.png": RemotePath("memory://photos"),
    }
    monkeypatch.setattr(RemotePath, "files", lambda self: listing)
    plan = plan_run([remote("memory://photos")], remote("memory://out"))
    assert [str(photo.relative) for photo in plan.photos] == ["a.png"]
    assert "1 left out" in plan.notes[0]


def test_a_run_from_memory_to_memory_and_again(
    memory: fsspec.AbstractFileSystem, red_is_person: None
) -> None:
    for name, content in {
        "a.png": picture(),
        "c.png": picture(),
        "sub/b.png": picture(1, person=False),
        "sub/bad.png": b"no picture",
    }.items():
        memory.pipe(f"/photos/{name}", content)
    memory.pipe("/out/sub/b.png", b"somebody's own file")
    memory.pipe("/out/c.png", b"somebody's own file")
    batch = BatchSettings(classes=("person",), output=remote("memory://out"), save_masks=True)
    first = remove_folder([remote("memory://photos")], Settings(probe=False), batch)
    statuses = {p["input"]: p["status"] for p in first.photos}
    assert statuses["a.png"] in ("ok", "review")
    assert [statuses[name] for name in ("c.png", "sub/b.png", "sub/bad.png")] == ["failed"] * 3
    errors = {p["input"]: p["error"] for p in first.photos}
    assert "memory://out/sub/b.png: exists" in errors["sub/b.png"]
    assert errors["sub/bad.png"].startswith("memory://photos/sub/bad.png: ")
    assert memory.cat("/out/sub/b.png") == b"somebody's own file"
    report = json.loads(memory.cat("/out/report.json"))
    assert report == first.written()
    assert b"data:image/jpeg" in memory.cat("/out/report.html")
    assert memory.exists("/out/masks/a.png")
    assert not [p for p in memory.find("/out") if JOURNAL_PIECES in p or "claims" in p]
    again = remove_folder([remote("memory://photos")], Settings(probe=False), batch)
    assert {p["input"]: p["status"] for p in again.photos}["a.png"] == "skipped"
    memory.rm("/out/c.png")
    again = remove_folder([remote("memory://photos")], Settings(probe=False), batch)
    assert {p["input"]: p["status"] for p in again.photos}["c.png"] in (
        "ok",
        "review",
    )  # its mask, written at the first try, is ours
    memory.pipe("/out/masks/c.png", b"mended by hand")
    memory.pipe("/photos/c.png", picture(2))
    again = remove_folder([remote("memory://photos")], Settings(probe=False), batch)
    assert (
        "memory://out/masks/c.png: exists"
        in {p["input"]: p["error"] for p in again.photos}["c.png"]
    )
    assert memory.cat("/out/masks/c.png") == b"mended by hand"
    memory.pipe("/out/a.png", b"changed by hand")
    third = remove_folder([remote("memory://photos")], Settings(probe=False), batch)
    assert "exists and is not" in next(p["error"] for p in third.photos if p["input"] == "a.png")


def test_from_memory_to_a_disk(
    memory: fsspec.AbstractFileSystem, red_is_person: None, tmp_path: Path
) -> None:
    memory.pipe("/photos/sub/a.png", picture())
    batch = BatchSettings(classes=("person",), output=tmp_path / "out")
    remove_folder([remote("memory://photos")], Settings(probe=False), batch)
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "a.png").write_bytes(picture())
    remove_folder(
        [tmp_path / "in"],
        Settings(probe=False),
        BatchSettings(classes=("person",), output=tmp_path / "same"),
    )
    assert (tmp_path / "out/sub/a.png").read_bytes() == (tmp_path / "same/sub/a.png").read_bytes()
    assert not [p for p in (tmp_path / "out").rglob("*") if "claims" in p.name]


def test_a_filesystems_error_becomes_a_photos_error(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = RemotePath("memory://photos", PurePosixPath("a.png"))

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no route to https://me:secret@host/x?sig=secret")

    monkeypatch.setattr(type(memory), "get_file", broken)
    with pytest.raises(
        UnreadableError, match=r"memory://photos/a\.png: cannot be downloaded"
    ) as caught:
        place.fetch(tmp_path / "a")
    assert "secret" not in str(caught.value)
