"""Full and read-only disks: no file is half written, messages name the cause, and runs resume."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.errors import OutputError, UnwritableError
from remove_objects.pipeline.images import read_photo, write_mask, write_photo
from remove_objects.pipeline.system import atomic
from remove_objects.pipeline.system.confined import OpenFolder
from tests.support.faults import OPTIONS, Ground
from tests.support.scenes import scene
from tools.faults.points import ended, limit_files, start

pytestmark = pytest.mark.slow


def command(ground: Ground, out: Path) -> int:
    options = ["--masks", str(ground.folder / "masks"), *OPTIONS]
    return cli.main([*options, "--workers", "1", "-o", str(out), str(ground.folder / "in")])


@contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    """Mount a separate file system at ``folder``; skip the test where this is not permitted."""
    folder.mkdir(exist_ok=True)
    if (
        shutil.which("mount") is None
        or subprocess.run(
            ["mount", *options, str(folder)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this process may not mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.parametrize("kilobytes", [4, 12, 20, 28, 36, 52, 68, 84])
def test_a_full_disk_ends_the_run_with_a_message_and_with_room_it_resumes(
    kilobytes: int, ground: Ground, tmp_path: Path
) -> None:
    out, errors = tmp_path / "out", tmp_path / "errors"
    with mounted(out, "-t", "tmpfs", "-o", f"size={kilobytes}k", "none"):
        assert ended(start(lambda: command(ground, out), errors)) == 1
        said = errors.read_text()
        assert "the disk is full (No space left on device)" in said
        assert str(out) in said
        assert "same command" in said
        assert "Traceback" not in said
        ground.assert_nothing_is_half(out)
        assert not list(out.rglob(".*.part"))
        subprocess.run(["mount", "-o", "remount,size=10m", str(out)], check=True)
        ground.assert_resumes(out)


@pytest.mark.parametrize("size", [0, 60, 200, 400, 700, 1100, 1600, 2500, 6000])
def test_a_disk_that_is_full_at_any_byte_of_a_file_ends_the_run_and_it_resumes(
    size: int, ground: Ground, tmp_path: Path
) -> None:
    """As above without a mount: the system's limit of a file's size acts as the full disk."""
    out = tmp_path / "out"

    def work() -> int:
        limit_files(size, deadly=False)
        atomic.FULL.add(errno.EFBIG)
        return command(ground, out)

    assert ended(start(work, Path(os.devnull))) == 1  # a message in a file would meet the limit too
    ground.assert_nothing_is_half(out)
    assert not list(out.rglob(".*.part"))
    ground.assert_resumes(out)


def test_a_file_that_is_too_large_for_the_disk_is_a_failed_entry_among_finished_ones(
    ground: Ground, tmp_path: Path
) -> None:
    from remove_objects.pipeline.report.files import read_report

    out, large = tmp_path / "out", ground.folder / "in" / "large.bmp"
    Image.fromarray(scene(120, 160, person=None)).save(large)  # 58 kB, the others have 9 at most
    try:

        def work() -> int:
            limit_files(40_000, deadly=False)
            return command(ground, out)

        assert ended(start(work)) == 1
        by_name = {p["input"]: p for p in read_report(out / "report.json")["photos"]}
        assert {name for name, entry in by_name.items() if entry["status"] == "failed"} == {
            "broken.png",
            "large.bmp",
        }
        assert (
            f"{out / 'large.bmp'}: cannot be written (File too large)"
            in by_name["large.bmp"]["error"]
        )
        assert not (out / "large.bmp").exists()
    finally:
        large.unlink()


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "webp", "tif", "avif"])
def test_a_full_disk_is_reported_as_such_in_every_format(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(picture).save(tmp_path / f"a.{suffix}")
    photo = read_photo(tmp_path / f"a.{suffix}")
    hole = np.zeros(photo.size, bool)
    hole[50:60, 50:60] = True
    target = Path("/dev/full")

    def full(path: Path, mode: str, **_: object) -> BinaryIO:
        return open(target, "r+b")

    monkeypatch.setattr(atomic, "open", full, raising=False)
    with pytest.raises(OutputError, match="the disk is full"):
        write_photo(photo, photo.rgb, hole, tmp_path / "out" / f"a.{suffix}")
    with pytest.raises(OutputError, match="the disk is full"):
        write_mask(picture[..., 0] > 127, tmp_path / "out" / "mask.png")
    assert os.listdir(tmp_path / "out") == []


@contextmanager
def without_rights(folder: Path) -> Iterator[bool]:
    """Make a folder read-only by its mode; yields False for the superuser, who ignores modes."""
    folder.chmod(0o555)
    try:
        yield not os.access(folder, os.W_OK)
    finally:
        folder.chmod(0o755)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only, by a mount for the superuser."""
    with without_rights(folder) as holds:
        if holds:
            yield
            return
        with mounted(folder, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield


def test_a_read_only_output_is_refused_before_any_work(
    ground: Ground, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with read_only(out):
        assert command(ground, out) == 2
        assert f"{out}: nothing can be written there (" in capsys.readouterr().err
        assert os.listdir(out) == []
    ground.assert_resumes(out)


def test_a_folder_without_rights_in_the_output_fails_its_own_photos_only(
    ground: Ground, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "deep").mkdir(parents=True)
    with without_rights(out / "deep") as holds:
        if not holds:
            pytest.skip("the superuser may write into every folder")
        by_name = {p["input"]: p for p in ground.clean(out).photos}
        assert {name for name, entry in by_name.items() if entry["status"] == "failed"} == {
            "broken.png",
            "deep/b.jpg",
            "deep/c.jpg",
        }
        assert f"{out / 'deep' / 'b.jpg'}: cannot be written" in by_name["deep/b.jpg"]["error"]


def test_a_photo_that_cannot_be_written_is_a_failed_entry_among_finished_ones(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = OpenFolder.replace

    def refused(folder: OpenFolder, old: str, new: str) -> None:
        if folder.path.name == "deep" and Path(new).suffix == ".jpg":
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(folder, old, new)

    monkeypatch.setattr(OpenFolder, "replace", refused)
    by_name = {p["input"]: p for p in ground.clean(tmp_path / "out").photos}
    assert {name for name, entry in by_name.items() if entry["status"] == "failed"} == {
        "broken.png",
        "deep/b.jpg",
        "deep/c.jpg",
    }
    assert (
        "deep/b.jpg: cannot be written (Permission denied); check the folder's permissions"
        in by_name["deep/b.jpg"]["error"]
    )
    monkeypatch.undo()
    assert {
        p["input"] for p in ground.clean(tmp_path / "out").photos if p["status"] == "failed"
    } == {"broken.png"}


def test_a_disk_that_becomes_read_only_ends_the_run_and_it_resumes(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, replace = tmp_path / "out", OpenFolder.replace

    def refused(folder: OpenFolder, old: str, new: str) -> None:
        if (out / "a.png").exists():
            raise OSError(errno.EROFS, "Read-only file system")
        replace(folder, old, new)

    monkeypatch.setattr(OpenFolder, "replace", refused)
    with pytest.raises(OutputError, match=r"stopped .*the disk is read-only"):
        ground.clean(out)
    monkeypatch.undo()
    ground.assert_nothing_is_half(out)
    assert (out / "a.png").exists()
    assert not (out / "deep" / "b.jpg").exists()
    ground.assert_resumes(out)


def test_a_result_that_could_not_be_replaced_is_still_recognised_as_ours(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, photo = tmp_path / "out", ground.folder / "in" / "a.png"
    ground.clean(out)
    content, times = photo.read_bytes(), photo.stat()
    try:
        Image.fromarray(scene(48, 64, person=None, seed=9)).save(photo)
        with monkeypatch.context() as patch:
            patch.setattr(
                "remove_objects.pipeline.images.save.write_photo",
                lambda *_, **__: (_ for _ in ()).throw(UnwritableError("the share went away")),
            )
            assert {p["input"]: p["error"] for p in ground.clean(out).photos}[
                "a.png"
            ] == "the share went away"
        again = {p["input"]: p for p in ground.clean(out).photos}["a.png"]
        assert again["status"] != "failed", again["error"]
    finally:
        photo.write_bytes(content)
        os.utime(photo, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_every_rename_stays_in_its_folder_so_the_output_may_be_on_any_disk(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renamed: list[tuple[str, str]] = []
    replace = OpenFolder.replace

    def seen(folder: OpenFolder, old: str, new: str) -> None:
        renamed.append((old, new))
        replace(folder, old, new)

    monkeypatch.setattr(OpenFolder, "replace", seen)
    other = Path("/dev/shm")
    elsewhere = (
        other.is_dir()
        and other.stat().st_dev != tmp_path.stat().st_dev
        and os.access(other, os.W_OK)
    )
    out = other / f"remove-objects-test-{os.getpid()}" if elsewhere else tmp_path / "out"
    try:
        ground.assert_resumes(out)
    finally:
        shutil.rmtree(out)
    assert len(renamed) > 10
    # Both are names in one open folder.
    assert not any("/" in name for pair in renamed for name in pair)
