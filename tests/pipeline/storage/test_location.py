"""Folders elsewhere, on fsspec's own filesystem in memory: what is found, refused and shown, and a whole run of the local engine there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import fsspec
import pytest
from PIL import Image

from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.output.remote import RemoteJournal, RemoteOutput
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.batch.worker import failed_entry
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UnreadableError, UnwritableError, UsageError
from remove_objects.pipeline.storage.layout import JOURNAL_NAME, JOURNAL_PIECES
from remove_objects.pipeline.storage.location import RemotePath, is_plain_name, parse_location
from remove_objects.pipeline.system.text import redacted
from tests.support.scenes import scene


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    filesystem = fsspec.filesystem("memory")
    filesystem.store.clear()
    yield filesystem
    filesystem.store.clear()


def picture(seed: int = 0, person: bool = True) -> bytes:
    file = io.BytesIO()
    (
        Image.fromarray(scene(seed=seed))
        if person
        else Image.fromarray(scene(seed=seed, person=None))
    ).save(file, "PNG")
    return file.getvalue()


def remote(text: str) -> RemotePath:
    found = parse_location(text)
    assert isinstance(found, RemotePath)
    return found


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
def test_addresses_that_are_not_taken(text: str, says: str) -> None:
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
def test_names_that_could_climb_are_no_photos(name: str, memory: fsspec.AbstractFileSystem) -> None:
    assert not is_plain_name(name)


def test_the_scan_finds_what_it_finds_in_a_folder(memory: fsspec.AbstractFileSystem) -> None:
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
    assert [str(job.relative) for job in plan.photos] == ["b.JPG", "sub/a.png"]
    assert str(plan.photos[1].target) == "memory://photos/cleaned/sub/a.png"
    assert str(plan.photos[1].mask_target) == "memory://photos/cleaned/masks/sub/a.png"
    assert plan.notes == ("memory://photos: 1 other file ignored",)
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


def test_a_name_that_climbs_is_left_out_and_said(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = {
        "a.png": RemotePath("memory://photos", PurePosixPath("a.png")),
        "../../etc/b.png": RemotePath("memory://photos"),
    }
    monkeypatch.setattr(RemotePath, "files", lambda self: listing)
    plan = plan_run([remote("memory://photos")], remote("memory://out"))
    assert [str(job.relative) for job in plan.photos] == ["a.png"]
    assert "1 left out" in plan.notes[0]


def test_a_run_from_memory_to_memory_and_again(
    memory: fsspec.AbstractFileSystem, red_is_person: None
) -> None:
    for name, content in {
        "a.png": picture(), "c.png": picture(), "sub/b.png": picture(1, person=False), "sub/bad.png": b"no picture"
    }.items():  # fmt: skip
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


def row(name: str, identity: str = "") -> dict[str, Any]:
    return {"input": name, "identity": identity, "entry": failed_entry(name, "damaged")}


def test_rows_are_put_in_pieces_and_become_one_file(memory: fsspec.AbstractFileSystem) -> None:
    folder = remote("memory://out")
    journal = RemoteJournal(folder)
    assert journal.add(row("a", "1")) == []  # kept back
    assert journal.flush() == ["a"]
    assert RemoteJournal(folder).rows["a"]["identity"] == "1"
    later = RemoteJournal(folder)
    later.add(row("a", "2"))
    later.flush()
    third = RemoteJournal(folder)
    assert (third.rows["a"]["identity"], third.complete) == ("2", False)
    third.finish()
    assert [p.rpartition("/")[2] for p in memory.find("/out")] == [JOURNAL_NAME]
    assert RemoteJournal(folder).complete


def test_a_piece_that_cannot_be_put_goes_with_the_next(
    memory: fsspec.AbstractFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("remove_objects.pipeline.batch.output.remote.INTERVAL", 0.0)
    journal = RemoteJournal(remote("memory://out"))
    put = RemotePath.put

    def broken(*_: object) -> None:
        raise UnwritableError("the network is down")

    monkeypatch.setattr(RemotePath, "put", broken)
    assert journal.add(row("a")) == []
    with pytest.raises(UnwritableError):
        journal.flush()
    monkeypatch.setattr(RemotePath, "put", put)
    assert journal.add(row("b")) == ["a", "b"]
    assert set(RemoteJournal(remote("memory://out")).rows) == {"a", "b"}


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_claim_tells_ones_own_file_from_another(
    elsewhere: bool, memory: fsspec.AbstractFileSystem, tmp_path: Path
) -> None:
    output = RemoteOutput(remote("memory://out")) if elsewhere else LocalOutput(tmp_path / "out")
    part, name = tmp_path / "part", PurePosixPath("a.png")

    def take_the_name() -> None:
        if not elsewhere:
            part.replace(tmp_path / "out" / "a.png")

    (tmp_path / "out").mkdir()
    part.write_bytes(b"ours")
    output.claim("a.png", name, part, None)
    take_the_name()  # and then it died, before the journal's line
    part.write_bytes(b"ours, again")
    output.claim("a.png", name, part, None)
    take_the_name()
    output.release(["a.png"])
    part.write_bytes(b"ours, a third time")
    with pytest.raises(UnwritableError, match="exists and is not"):
        output.claim("a.png", name, part, None)
    output.claim("a.png", name, part, output.stamp(name))  # the journal knows it


def test_what_a_filesystem_raises_becomes_a_photos_error(
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
