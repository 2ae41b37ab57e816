"""Files appear complete or not at all, and leftovers of a killed process are recognised."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from remove_objects.pipeline.errors import OutputError, UnreadableError, UnwritableError
from remove_objects.pipeline.system.atomic import (
    Placement,
    atomic_write,
    copy_photo,
    exists,
    is_file,
    remove_parts,
)


def test_atomic_write_replaces_only_at_the_end_and_keeps_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "report.json"
    with atomic_write(path) as handle:
        handle.write(b"{}")
        assert not path.exists()
        assert [name[0] for name in os.listdir(path.parent)] == ["."]
    assert path.read_bytes() == b"{}"
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    assert path.stat().st_mode == plain.stat().st_mode
    with pytest.raises(ZeroDivisionError), atomic_write(path):
        raise ZeroDivisionError
    assert path.read_bytes() == b"{}"
    assert os.listdir(path.parent) == ["report.json"]


def test_before_sees_the_complete_file_and_can_refuse_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"

    def refuse(part: Path, target: Path) -> None:
        assert part.read_bytes() == b"new"
        assert target == path
        raise UnwritableError("foreign")

    with (
        pytest.raises(UnwritableError, match="foreign"),
        atomic_write(path, placement=Placement(before=refuse)) as file,
    ):
        file.write(b"new")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (errno.ENOSPC, OutputError),
        (errno.EDQUOT, OutputError),
        (errno.EROFS, OutputError),
        (errno.EACCES, UnwritableError),
    ],
)
def test_only_an_error_that_every_file_would_meet_ends_the_run(
    number: int, error: type[UnwritableError], tmp_path: Path
) -> None:
    with (
        pytest.raises(UnwritableError, match="cannot be written") as caught,
        atomic_write(tmp_path / "a"),
    ):
        raise OSError(number, os.strerror(number))
    assert type(caught.value) is error


def test_leftovers_are_removed_and_nothing_else(tmp_path: Path) -> None:
    others = [".0123456789abcdef", "0123456789abcdef.part", ".hidden.part", "deep"]
    for name in (".0123456789abcdef.part", ".0123456789abcdef.part.png", *others[:-1]):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "deep").mkdir()
    remove_parts(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(others)
    remove_parts(tmp_path / "missing")


def test_copy_photo_copies_every_byte(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(os.urandom(3_000_000))
    copy_photo(tmp_path / "a.jpg", tmp_path / "out" / "a.jpg")
    assert (tmp_path / "out" / "a.jpg").read_bytes() == (tmp_path / "a.jpg").read_bytes()
    with pytest.raises(UnreadableError, match=r"missing\.jpg: cannot be opened"):
        copy_photo(tmp_path / "missing.jpg", tmp_path / "out" / "b.jpg")
    assert os.listdir(tmp_path / "out") == ["a.jpg"]


def test_an_impossible_name_is_no_file() -> None:
    for name in ("nul\0", "a" * 5000):
        assert not is_file(Path(name))
        assert not exists(Path(name))
