"""Below a folder no link is followed; above it the user's links are."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from remove_objects.pipeline.errors import UnwritableError, UsageError
from remove_objects.pipeline.system import confined
from remove_objects.pipeline.system.atomic import (
    Placement,
    append_alone,
    atomic_write,
    remove_parts,
)
from remove_objects.pipeline.system.confined import open_parent, refuse_links, remove
from tests.support.snapshots import snapshot

PART = f".{'0' * 16}.part"


@pytest.fixture(params=["descriptors", "paths"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to reach a file: through open folders, and by paths, as on Windows."""
    if request.param == "paths":
        monkeypatch.setattr(confined, "_RELATIVE", False)


@pytest.fixture
def out(tmp_path: Path, way: None) -> Path:
    """An output folder with a link to a folder outside, in which files have the program's names."""
    (tmp_path / "other").mkdir()
    (tmp_path / "out" / "real").mkdir(parents=True)
    for name in ("a.jpg", PART, "journal"):
        (tmp_path / "other" / name).write_bytes(b"not yours")
    (tmp_path / "out" / "link").symlink_to(tmp_path / "other", target_is_directory=True)
    return tmp_path / "out"


@pytest.mark.parametrize("name", ["link/a.jpg", "link/new/a.jpg", "real/../link/a.jpg"])
def test_nothing_is_written_or_removed_through_a_link(out: Path, name: str) -> None:
    other, path = out.parent / "other", out / name
    before = snapshot(other)
    with (
        pytest.raises(UnwritableError, match=r"link: is a link to .*remove it|is not below"),
        atomic_write(path, placement=Placement(within=out)) as file,
    ):
        file.write(b"new")
    with pytest.raises(UnwritableError):
        remove(path, out)
    with pytest.raises(UnwritableError), append_alone(path, out):
        pass
    remove_parts(path.parent, out)
    assert snapshot(other) == before


def test_a_link_that_is_the_file_itself_is_replaced_or_removed_and_never_followed(
    out: Path,
) -> None:
    precious = out.parent / "other" / "a.jpg"
    for name in ("written", "removed", "appended"):
        (out / name).symlink_to(precious)
    before = snapshot(precious.parent)
    with atomic_write(out / "written", placement=Placement(within=out)) as file:
        file.write(b"new")
    assert not (out / "written").is_symlink()
    remove(out / "removed", out)
    assert not os.path.lexists(out / "removed")
    with (
        pytest.raises(UnwritableError, match="appended: is a link to"),
        append_alone(out / "appended", out),
    ):
        pass
    assert snapshot(precious.parent) == before


def test_links_on_the_way_to_the_folder_are_the_users_own(out: Path) -> None:
    alias = out.parent / "alias"
    alias.symlink_to(out, target_is_directory=True)
    with atomic_write(alias / "deep" / "er" / "a", placement=Placement(within=alias)) as file:
        file.write(b"new")
    assert (out / "deep" / "er" / "a").read_bytes() == b"new"
    remove(alias / "deep" / "er" / "a", alias)
    assert list((out / "deep" / "er").iterdir()) == []


def test_a_missing_folder_is_made_and_a_file_in_its_place_is_an_error(out: Path) -> None:
    new = out.parent / "new" / "out"
    with atomic_write(new / "a", placement=Placement(within=new)):
        pass
    assert (new / "a").is_file()
    with (
        pytest.raises(UnwritableError, match="cannot be written"),
        atomic_write(new / "a" / "b", placement=Placement(within=new)),
    ):
        pass
    remove(new / "missing" / "b", new)
    with pytest.raises(FileNotFoundError), open_parent(new / "missing" / "b", new) as folder:
        folder.listing()


def test_unfinished_files_are_removed_below_the_folder_only(out: Path) -> None:
    (out / "real" / PART).write_bytes(b"half")
    for folder in (out / "real", out / "link"):
        remove_parts(folder, out)
    assert not (out / "real" / PART).exists()
    assert (out.parent / "other" / PART).exists()


def test_a_file_with_two_names_is_copied_before_it_is_appended_to(out: Path) -> None:
    other, journal = out.parent / "other" / "journal", out / "journal"
    os.link(other, journal)
    other.chmod(0o640)
    before = snapshot(other.parent)
    for line in (b"1", b"2"):
        with append_alone(journal, out) as file:
            file.write(line)
    assert snapshot(other.parent) == before
    assert journal.read_bytes() == b"not yours12"
    assert journal.stat().st_mode & 0o777 == 0o640
    with append_alone(out / "deep" / "new", out) as file:
        file.write(b"1")
    assert (out / "deep" / "new").read_bytes() == b"1"


@pytest.mark.parametrize(
    ("name", "found"),
    [("link", "link"), ("link/a.jpg", "link"), ("real/dangling", "real/dangling")],
)
def test_links_are_refused_before_any_work_with_their_name(
    out: Path, name: str, found: str
) -> None:
    (out / "real" / "dangling").symlink_to(out.parent / "nowhere")
    with pytest.raises(UsageError, match=rf"{out / found}: is a link to .* with --run"):
        refuse_links(out, [PurePosixPath("real/a.jpg"), PurePosixPath(name)], "--run")
    refuse_links(out, [PurePosixPath("real/a.jpg"), PurePosixPath("missing/b")])
