"""What is no photo, what a pattern excludes, and what the terminal says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.images import suffixes
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.location import parse_location
from remove_objects.pipeline.system.extras import install_command
from tests.support.plans import relatives, touch
from tests.support.scenes import scene

if TYPE_CHECKING:
    import fsspec


@pytest.fixture(autouse=True)
def _without_the_extra_raw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suffixes, "SUFFIXES", suffixes.SUFFIXES - suffixes.RAW_SUFFIXES)


#: Files of folders that programs and disks make: none is a photo of the user.
SYSTEM_FILES = (
    "@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
    "rome/@eaDir/b.jpg/SYNOFILE_THUMB_M.png",
    "#recycle/old.jpg",
    "#snapshot/GMT-2026/old.jpg",
    "@Recycle/old.jpg",
    "@Recently-Snapshot/old.jpg",
    ".@__thumb/a.jpg",
    ".thumbnails/1.jpg",
    "__MACOSX/._a.jpg",
    "$RECYCLE.BIN/S-1-5/$R1.jpg",
    "System Volume Information/x.png",
    "lost+found/1.jpg",
    "Catalogue Previews.lrdata/0/1.jpg",
    "P.photoslibrary/resources/derivatives/1.jpeg",
    "P.photoslibrary/private/1.jpeg",
    "Old.aplibrary/Thumbnails/1.jpg",
    "._a.jpg",
    ".DS_Store",
)


def test_folders_of_thumbnails_and_trash_hold_no_photos(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "P.photoslibrary/originals/A/1.heic", *SYSTEM_FILES)
    plan = plan_run([tmp_path / "p"])
    assert relatives(plan) == ["P.photoslibrary/originals/A/1.heic", "a.jpg"]
    assert plan.told == ()


def test_a_bucket_is_searched_by_the_same_rules(memory: fsspec.AbstractFileSystem) -> None:
    for name in (*SYSTEM_FILES, "a.jpg", "b.dng", "keep/c.jpg", "raw/d.jpg", "raw/deep/e.jpg"):
        memory.pipe(f"/photos/{name}", b"")
    photos, output = parse_location("memory://photos"), parse_location("memory://out")
    plan = plan_run([photos], output, patterns=["raw/"])
    assert relatives(plan) == ["a.jpg", "keep/c.jpg"]
    assert plan.told[0].startswith("memory://photos: passed over 1 .dng (RAW")
    assert "2 files and folders by --exclude" in plan.told[0]


def test_the_results_of_an_earlier_run_below_a_folder_are_no_photos(
    tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    names = ("a.jpg", f"cleaned/{JOURNAL_NAME}", "cleaned/a.jpg", "cleaned/deep/b.jpg")
    touch(tmp_path / "p", *names)
    for name in names:
        memory.pipe(f"/bucket/p/{name}", b"never opened by scan")
    bucket = parse_location("memory://bucket/p")
    for given, output in (
        (tmp_path / "p", tmp_path / "out"),
        (bucket, parse_location("memory://bucket/out")),
    ):
        plan = plan_run([given], output)
        assert relatives(plan) == ["a.jpg"]
        (told,) = plan.told
        assert told.startswith(f"{given / 'cleaned'}: left out, because it holds the results")
        itself = plan_run([given / "cleaned"], output)
        assert (relatives(itself), itself.told) == (["a.jpg", "deep/b.jpg"], ())
    assert plan_run([tmp_path / "p"], tmp_path / "p" / "cleaned").told == ()


def test_a_given_folder_is_searched_whatever_its_name(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "#recycle/a.jpg",
        "P.photoslibrary/resources/1.jpg",
        "P.photoslibrary/Masters/2.jpg",
    )
    assert relatives(plan_run([tmp_path / "#recycle"])) == ["a.jpg"]
    assert relatives(plan_run([tmp_path / "P.photoslibrary"])) == ["Masters/2.jpg"]


def test_a_folder_with_the_ending_of_a_photo_is_a_folder(tmp_path: Path) -> None:
    touch(tmp_path / "p", "forest.png/0.png", "a.jpg")
    assert relatives(plan_run([tmp_path / "p"])) == ["a.jpg", "forest.png/0.png"]


def test_one_line_counts_what_somebody_may_miss(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(p, "a.jpg", *(f"{i}.DNG" for i in range(3)), "4.cr2", "1.MOV", "1.jxl", "a.zip")
    touch(p, "a.xmp", "notes.txt", "Thumbs.db", "IMG.AAE", "x.json", "README", "@eaDir/b.jpg")
    (p / "album").symlink_to(tmp_path, target_is_directory=True)
    (told,) = plan_run([p]).told
    assert told == (
        f"{p}: passed over 3 .dng, 1 .cr2 (RAW: {install_command('raw')}), 1 .mov (video), "
        "1 .jxl (picture of a kind that is not read), 1 .zip (archive: unpack it), "
        "1 link to a folder, 6 other files, 1 folder of thumbnails or trash"
    )


def test_files_that_nobody_misses_are_not_told(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "a.xmp", "Thumbs.db")
    plan = plan_run([tmp_path / "p"])
    assert (plan.told, plan.notes) == ((), (f"{tmp_path / 'p'}: passed over 2 other files",))


def test_whoever_names_a_file_is_told_if_it_is_no_photo(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "b.txt", "c.mov", "._a.jpg")
    plan = plan_run([tmp_path / "a.jpg", tmp_path / "c.mov"])
    assert plan.told == (f"{tmp_path / 'c.mov'}: not a photo by its name, passed over (video)",)
    plan = plan_run([tmp_path / name for name in ("a.jpg", "b.txt", "c.mov", "._a.jpg")])
    assert relatives(plan) == ["a.jpg"]
    assert plan.told == ("of the given files, passed over 1 .mov (video), 2 other files",)


@pytest.mark.parametrize(
    ("patterns", "left"),
    [
        (["*.png"], ["a.jpg", "sub/deep/d.jpg", "sub/keep.jpg"]),
        (["sub/"], ["a.jpg", "b.png"]),
        (["/deep"], ["a.jpg", "b.png", "sub/c.png", "sub/deep/d.jpg", "sub/keep.jpg"]),
        (["sub/deep"], ["a.jpg", "b.png", "sub/c.png", "sub/keep.jpg"]),
        (["sub/*", "!sub/keep.jpg"], ["a.jpg", "b.png", "sub/keep.jpg"]),
        (["sub/", "!sub/keep.jpg"], ["a.jpg", "b.png"]),  # as git: its folder is excluded
        (["*", "!*.jpg"], ["a.jpg"]),
        (["**/deep/**"], ["a.jpg", "b.png", "sub/c.png", "sub/keep.jpg"]),
    ],
)
def test_patterns_exclude_as_in_a_gitignore(
    patterns: list[str], left: list[str], tmp_path: Path, memory: fsspec.AbstractFileSystem
) -> None:
    names = ("a.jpg", "b.png", "sub/c.png", "sub/keep.jpg", "sub/deep/d.jpg")
    touch(tmp_path / "p", *names)
    assert relatives(plan_run([tmp_path / "p"], patterns=patterns)) == left
    for name in names:
        memory.pipe(f"/photos/{name}", b"")
    photos, output = parse_location("memory://photos"), parse_location("memory://out")
    assert relatives(plan_run([photos], output, patterns=patterns)) == left


def test_patterns_concern_given_files_too(tmp_path: Path) -> None:
    touch(tmp_path, "#old/a.jpg", "b_edited.jpg", "c.jpg")
    files = [tmp_path / name for name in ("#old/a.jpg", "b_edited.jpg", "c.jpg")]
    plan = plan_run(files, tmp_path / "out", patterns=["#old/", "*_edited.*"])
    assert relatives(plan) == ["c.jpg"]
    assert plan.told == ("of the given files, passed over 2 files and folders by --exclude",)


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "  ", "!", "a\nb"),
        *("[", "old[1", "[]", "[9-0]", "a[/]b", "[[:digit:]]*"),
        *("/", "./old/", "!../a", "a//b"),
    ],
)
def test_what_can_match_nothing_is_refused_by_name(pattern: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--exclude {pattern!r}: ")):
        BatchSettings(exclude=("*.png", pattern))
    with pytest.raises(UsageError, match=re.escape(f"--exclude {pattern!r}: ")):
        BatchSettings(exclude=pattern)


def test_the_terminal_says_what_was_passed_over_unless_it_is_to_be_quiet(
    tmp_path: Path, red_is_person: None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "photos"
    touch(folder, "b.dng", "c.mov", "notes.txt", "skip/e.png")
    Image.fromarray(scene()).save(folder / "a.png")
    call = ["--class", "person", "--no-probe", "--exclude", "skip/", str(folder)]
    assert cli.main(call) == 0
    said = capsys.readouterr()
    lines = [line for line in said.err.splitlines() if "passed over" in line]
    assert len(lines) == 1
    assert f"1 .dng (RAW: {install_command('raw')}), 1 .mov (video)" in lines[0]
    assert cli.main(["-q", "--overwrite", *call]) == 0
    assert "passed over" not in capsys.readouterr().err
