"""Links in the output folder: nothing that they lead to is written, appended to or removed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from remove_objects.pipeline import cli, images
from remove_objects.pipeline.batch.output.links import OWN_NAMES
from remove_objects.pipeline.batch.output.replaced import keep
from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import RemoveObjectsError, UnwritableError
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.storage.layout import JOURNAL_NAME, OWN, PREVIEWS, REPLACED
from remove_objects.pipeline.system import lock
from remove_objects.pipeline.types import Photo
from tests.support.faults import FAST
from tests.support.scenes import scene
from tests.support.snapshots import snapshot

FOLDERS = (".remove-objects-claims", OWN, PREVIEWS, REPLACED, "masks", "deep", "masks/deep")
REPORTS = ("report.json", "report.csv", "report.html", "preview.html")
FILES = (lock.NAME, lock.HOLDER, JOURNAL_NAME, *REPORTS)
#: A file that a run removes from its own folders: what a killed run left there.
LEFTOVER = f".{'0' * 16}.part"


@pytest.fixture
def place(tmp_path: Path, cheap: None) -> Path:
    """Photos in ``photos``, an empty ``out``, and ``other`` with files of the program's names."""
    (tmp_path / "photos" / "deep").mkdir(parents=True)
    Image.fromarray(scene(48, 64, person=(20, 10, 12, 16), seed=1)).save(
        tmp_path / "photos" / "a.png"
    )
    Image.fromarray(scene(48, 64, person=None, seed=2)).save(tmp_path / "photos" / "deep" / "b.jpg")
    (tmp_path / "out").mkdir()
    other = tmp_path / "other"
    preview = previews.place(other, "a.png", "before").name
    for name in (LEFTOVER, preview, "claim.json", "a.png", "b.jpg", "empty", "deep/b.jpg"):
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_bytes(b"" if name == "empty" else b"{}")
    return tmp_path


def clean(place: Path, *, overwrite: bool = False) -> FolderResult:
    batch = BatchSettings(
        output=place / "out",
        classes=("person",),
        save_masks=True,
        overwrite=overwrite,
        workers=1,
    )
    return remove_folder([place / "photos"], Settings(**FAST), batch)


def command(place: Path) -> int:
    options = ["--class", "person", "--no-probe", "--detail", "none", "--save-masks", "-q"]
    return cli.main([*options, "-o", str(place / "out"), str(place / "photos")])


def outside(place: Path) -> dict[str, tuple[object, ...]]:
    return snapshot(place / "photos", place / "other")


def leave_dead_holder(place: Path) -> None:
    """Make the next run tidy, as after a killed one."""
    if not os.path.lexists(place / "out" / lock.HOLDER):
        (place / "out" / lock.HOLDER).write_text("a run that died")


def test_every_name_of_the_program_is_tried() -> None:
    assert {*FILES, *FOLDERS} - {"masks", "deep", "masks/deep"} == set(OWN_NAMES)


@pytest.mark.parametrize(
    ("target", "earlier"),
    [
        ("../photos/a.png", False),
        ("../photos/a.png", True),
        ("../other/empty", False),
        ("nowhere", False),
        ("foreign", False),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_a_link_under_a_name_of_the_program_is_refused_before_any_work(
    name: str, target: str, earlier: bool, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if earlier:
        clean(place)
    (place / "out" / "foreign").write_bytes(b"the user's")
    (place / "out" / name).unlink(missing_ok=True)
    (place / "out" / name).symlink_to(target)
    leave_dead_holder(place)
    before, within = outside(place), snapshot(place / "out")
    assert command(place) == 2
    said = capsys.readouterr().err
    assert f"{place / 'out' / name}: is a link to {target}" in said
    assert "remove it, or name another folder with --output" in said
    assert outside(place) == before
    assert snapshot(place / "out") == within


@pytest.mark.parametrize("target", ["../photos", "../other", "nowhere", "foreign"])
@pytest.mark.parametrize("name", FOLDERS)
def test_a_linked_folder_is_refused_before_any_work(
    name: str, target: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if target == "../photos":
        clean(place)
    (place / "out" / "foreign").mkdir()
    (place / "out" / "foreign" / LEFTOVER).write_bytes(b"the user's")
    shutil.rmtree(place / "out" / name, ignore_errors=True)
    link = place / "out" / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(
        target if target == "nowhere" else (place / "out" / target).resolve(),
        target_is_directory=True,
    )
    leave_dead_holder(place)
    before, within = outside(place), snapshot(place / "out")
    assert command(place) == 2
    assert f"{link}: is a link to" in capsys.readouterr().err
    assert outside(place) == before
    assert snapshot(place / "out") == within


def test_a_link_in_the_store_of_replaced_files_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean(place)
    (place / "out" / REPLACED / "deep").mkdir(parents=True)
    link = place / "out" / REPLACED / "deep" / "b.jpg"
    link.symlink_to(place / "other", target_is_directory=True)
    before = outside(place)
    assert command(place) == 2
    assert f"{link}: is a link to" in capsys.readouterr().err
    assert outside(place) == before


def test_a_photo_that_became_the_lock_by_a_hard_link_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.link(place / "photos" / "a.png", place / "out" / lock.NAME)
    before = outside(place)
    assert command(place) == 2
    assert f"{place / 'out' / lock.NAME}: is not the lock" in capsys.readouterr().err
    assert outside(place) == before


@pytest.mark.parametrize("name", [name for name in FILES if name != lock.NAME])
def test_a_hard_linked_photo_under_a_name_of_the_program_stays_as_it_is(
    name: str, place: Path
) -> None:
    os.link(place / "photos" / "a.png", place / "out" / name)
    before = outside(place)
    clean(place)
    assert outside(place) == before


@pytest.mark.parametrize("dead", [False, True])
def test_a_copy_of_the_folder_by_hard_links_stays_as_it_is(dead: bool, place: Path) -> None:
    clean(place)
    if dead:
        leave_dead_holder(place)
    shutil.copytree(place / "out", place / "backup", copy_function=os.link)
    before = snapshot(place / "backup")
    Image.fromarray(scene(48, 64, person=(20, 10, 12, 16), seed=5)).save(place / "photos" / "c.png")
    assert {p["status"] for p in clean(place).photos} <= {"skipped", "ok", "review"}
    assert snapshot(place / "backup") == before
    clean(place, overwrite=True)
    assert snapshot(place / "backup") == before


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("earlier", [False, True])
@pytest.mark.parametrize("target", ["../other/a.png", "nowhere"])
@pytest.mark.parametrize("name", ["a.png", "masks/a.png"])
def test_a_link_in_the_place_of_a_result_or_a_mask_fails_its_photo_before_work(
    name: str,
    target: str,
    earlier: bool,
    overwrite: bool,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if earlier:
        clean(place)
    link, read = place / "out" / name, []
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    before, read_photo = outside(place), images.read_photo

    def noting(path: Path, **limits: Any) -> Photo:
        read.append(path)
        return read_photo(path, **limits)

    monkeypatch.setattr(images, "read_photo", noting)
    result = clean(place, overwrite=overwrite)
    entry = {p["input"]: p for p in result.photos}["a.png"]
    assert outside(place) == before
    assert os.readlink(link) == target
    assert not [path for path in (place / "out" / REPLACED).rglob("*") if path.is_symlink()]
    if earlier and not overwrite and name == "masks/a.png":
        assert entry["status"] == "skipped"  # a finished photo: nothing would be written
        return
    assert str(entry["error"]).startswith(f"{link}: is a link to {target}, and nothing")
    assert "remove it" in str(entry["error"])
    assert any("1 link has the place of a result or a mask (a.png)" in w for w in result.warnings)
    assert "a.png" not in {path.name for path in read}


@pytest.mark.parametrize("name", ["a.png", "masks/a.png"])
def test_a_link_that_takes_the_place_during_the_work_is_not_replaced(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, link = images.read_photo, place / "out" / name

    def late(path: Path, **limits: Any) -> Photo:
        if path.name == "a.png":
            link.parent.mkdir(exist_ok=True)
            link.symlink_to("../other/a.png")
        return read(path, **limits)

    monkeypatch.setattr(images, "read_photo", late)
    before = outside(place)
    entry = {p["input"]: p for p in clean(place, overwrite=True).photos}["a.png"]
    assert f"{link}: is a link to ../other/a.png" in str(entry["error"])
    assert outside(place) == before
    assert link.is_symlink()


def test_the_store_of_replaced_files_takes_no_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    for target in ("file", "nowhere"):
        link = tmp_path / "a.png"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        with pytest.raises(UnwritableError, match=f"a.png: is a link to {target}"):
            keep(tmp_path, PurePosixPath("a.png"), None, None)
    assert not (tmp_path / REPLACED).exists()


def test_a_link_that_appears_during_the_run_fails_its_photos_and_is_not_followed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = images.read_photo

    def late(path: Path, **limits: Any) -> Photo:
        if path.name == "b.jpg":
            for name in ("deep", "masks"):
                shutil.rmtree(place / "out" / name, ignore_errors=True)
                (place / "out" / name).symlink_to(place / "other", target_is_directory=True)
        return read(path, **limits)

    monkeypatch.setattr(images, "read_photo", late)
    before = outside(place)
    entry = {p["input"]: p for p in clean(place).photos}["deep/b.jpg"]
    assert f"{place / 'out' / 'deep'}: is a link to" in str(entry["error"])
    assert outside(place) == before


def test_links_on_the_way_to_the_output_are_followed(place: Path) -> None:
    (place / "real").mkdir()
    (place / "out").rmdir()
    (place / "out").symlink_to(place / "real", target_is_directory=True)
    assert {p["status"] for p in clean(place).photos} <= {"ok", "review", "unchanged"}
    assert (place / "real" / "deep" / "b.jpg").is_file()


#: Where links are put: among the program's own names, results, masks and previews.
PLACES = [
    *FILES,
    *FOLDERS,
    "a.png",
    "deep/b.jpg",
    "masks/a.png",
    f"{PREVIEWS}/x-before.jpeg",
    f"{REPLACED}/a.png",
    ".remove-objects-claims/x.json",
]
TARGETS = ["other", "other/a.png", "other/empty", "photos", "photos/a.png", "out/deep", "nowhere"]
LINKS = st.lists(
    st.tuples(st.sampled_from(PLACES), st.sampled_from(TARGETS), st.booleans()), max_size=3
)


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(links=LINKS, earlier=st.booleans(), died=st.booleans(), overwrite=st.booleans())
def test_whatever_is_linked_everything_outside_stays_as_it_was(
    links: list[tuple[str, str, bool]], earlier: bool, died: bool, overwrite: bool, place: Path
) -> None:
    shutil.rmtree(place / "out")
    (place / "out").mkdir()
    if earlier:
        clean(place)
    for name, target, hard in links:
        put_link(place / "out" / PurePosixPath(name), place / target, hard=hard)
    if died:
        leave_dead_holder(place)
    before = outside(place)
    try:
        clean(place, overwrite=overwrite)
    except RemoveObjectsError as error:
        assert str(place / "out") in str(error)
    assert outside(place) == before


def put_link(link: Path, target: Path, *, hard: bool) -> None:
    """Put a link in the place of whatever lies there, unless another link is above it."""
    if any(part.is_symlink() or part.is_file() for part in link.parents):
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.is_dir() and not link.is_symlink():
        shutil.rmtree(link)
    link.unlink(missing_ok=True)
    if hard and target.is_file():
        os.link(target, link)
    else:
        link.symlink_to(target)
