"""No file shows a photo to more people than the photo's own file does."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.system.atomic import ANYWHERE, Placement, atomic_write
from remove_objects.pipeline.system.rights import Rights, rights_of, shared_rights

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")


@pytest.fixture(params=[0o022, 0o077, 0o002, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    mask: int = request.param
    earlier = os.umask(mask)
    yield mask
    os.umask(earlier)


def write(path: Path, placement: Placement = ANYWHERE) -> int:
    """Write a file, and return its permission bits; while it is written they are the same."""
    with atomic_write(path, placement=placement) as file:
        during = os.fstat(file.fileno()).st_mode & 0o777
        file.write(b"pixels")
    bits = path.stat().st_mode & 0o777
    assert during == bits
    return bits


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o444, 0o666, 0o755, 0o604])
def test_a_file_gets_what_the_umask_and_the_photo_both_allow(
    mode: int, umask: int, tmp_path: Path
) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(b"")
    photo.chmod(mode)
    assert write(tmp_path / "new", ANYWHERE.like(photo)) == 0o666 & mode & ~umask
    assert write(tmp_path / "plain") == 0o666 & ~umask


def test_the_date_is_the_photos_to_the_nanosecond(tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(b"")
    os.utime(photo, ns=(5, 1_234_567_890_123_456_789))
    write(tmp_path / "dated", ANYWHERE.like(photo))
    assert (tmp_path / "dated").stat().st_mtime_ns == photo.stat().st_mtime_ns
    write(tmp_path / "undated", ANYWHERE.like(photo).undated())
    assert (tmp_path / "undated").stat().st_mtime > 1.7e9
    seen = []
    dated = ANYWHERE.like(photo)
    with atomic_write(
        tmp_path / "checked",
        placement=Placement(
            modified_ns=dated.modified_ns, before=lambda part, _: seen.append(part.stat())
        ),
    ) as file:
        file.write(b"1")
    # The check before the rename sees the date that the file will have.
    assert [status.st_mtime_ns for status in seen] == [photo.stat().st_mtime_ns]


def test_a_date_that_the_disk_cannot_hold_fails_no_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(os, "utime", refuse)
    write(tmp_path / "a", Placement(modified_ns=-1))
    assert (tmp_path / "a").read_bytes() == b"pixels"


def test_a_photo_that_is_gone_gives_no_rights(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="missing: cannot be examined"):
        ANYWHERE.like(tmp_path / "missing")


@pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="only the superuser may choose any group"
)
@pytest.mark.parametrize(("mode", "expected"), [(0o660, 0o600), (0o664, 0o644), (0o646, 0o646)])
def test_another_group_may_do_no_more_than_everybody(
    mode: int, expected: int, tmp_path: Path
) -> None:
    photo, shared = tmp_path / "photo", tmp_path / "shared"
    photo.write_bytes(b"")
    photo.chmod(mode)
    shared.mkdir()
    os.chown(shared, -1, 4321)
    shared.chmod(0o2777)  # a new file gets the folder's group
    earlier = os.umask(0)
    try:
        assert write(shared / "a", ANYWHERE.like(photo)) == expected
        assert (shared / "a").stat().st_gid == 4321
        assert write(tmp_path / "a", ANYWHERE.like(photo)) == mode
    finally:
        os.umask(earlier)
    assert os.listdir(shared) == ["a"]


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="Linux keeps such lists in attributes")
def test_an_access_control_list_does_not_make_the_group_more_than_it_was(tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(b"")
    photo.chmod(0o600)
    # What "setfacl -m u:1234:rw" writes: owner rw, user 1234 rw, group none, mask rw, others none.
    entries = [(1, 6, -1), (2, 6, 1234), (4, 0, -1), (16, 6, -1), (32, 0, -1)]
    content = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
    try:
        os.setxattr(photo, "system.posix_acl_access", content)
    except OSError:
        pytest.skip("this disk has no access control lists")
    assert photo.stat().st_mode & 0o777 == 0o660
    assert write(tmp_path / "a", ANYWHERE.like(photo)) == 0o600


def test_shared_rights_are_those_of_the_most_private_file(tmp_path: Path) -> None:
    files = []
    for name, mode in (("a", 0o644), ("b", 0o640), ("c", 0o604)):
        files.append(tmp_path / name)
        files[-1].write_bytes(b"")
        files[-1].chmod(mode)
    group = files[0].stat().st_gid
    assert shared_rights(files[:2]) == Rights(0o640, group)
    assert shared_rights([*files, tmp_path / "missing"]) == Rights(0o600, group)
    assert shared_rights([]) is None
    other = Rights(0o644, group + 1)
    assert other.for_group(group) == 0o644
    assert Rights(0o660, group + 1).for_group(group) == 0o600
    assert rights_of(files[0], files[0].stat()).for_group(group) == 0o644
