"""Inputs that change during a run: a result belongs to the file that was read, or is discarded."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.system import atomic
from remove_objects.pipeline.types import Photo
from tests.support.faults import Ground
from tests.support.scenes import scene

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cheap")]


@pytest.fixture
def changeable(ground: Ground, tmp_path: Path) -> Ground:
    """A copy of the photos, which a test may change."""
    folder = tmp_path / "copy"
    shutil.copytree(ground.folder, folder)
    copy = object.__new__(Ground)
    copy.folder, copy.whole, copy.inputs = folder, folder / "whole", ground.inputs
    return copy


def during(name: str, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``change`` happen once, while the photo of this name is in progress, after its read."""
    clean, done = ObjectRemover.clean, []

    def changing(remover: ObjectRemover, photo: Photo, *arguments: Any, **options: Any) -> Any:
        if photo.path is not None and photo.path.name == name and not done:
            done.append(change())
        return clean(remover, photo, *arguments, **options)

    monkeypatch.setattr(ObjectRemover, "clean", changing)


def entries(changeable: Ground, out: Path) -> dict[str, dict[str, Any]]:
    return {p["input"]: p for p in changeable.clean(out).photos}


def assert_processed_again(changeable: Ground, out: Path, tmp_path: Path) -> None:
    """The next run leaves the same files as a new run over the current photos."""
    by_name, fresh = entries(changeable, out), entries(changeable, tmp_path / "fresh")
    assert {name for name, entry in by_name.items() if entry["status"] == "failed"} == {
        "broken.png"
    }
    for name, entry in fresh.items():
        if entry["output"]:
            assert (out / entry["output"]).read_bytes() == (
                tmp_path / "fresh" / entry["output"]
            ).read_bytes(), name


def test_a_photo_deleted_before_its_turn_is_a_failed_entry(
    changeable: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = changeable.folder / "in" / "deep" / "c.jpg"
    during("a.png", gone.unlink, monkeypatch)
    by_name = entries(changeable, tmp_path / "out")
    assert by_name["deep/c.jpg"]["status"] == "failed"
    assert by_name["deep/c.jpg"]["error"].startswith(
        f"{gone}: existed when the run began, and is missing now"
    )
    assert by_name["deep/b.jpg"]["status"] in ("ok", "review")
    assert "deep/c.jpg" not in entries(changeable, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.png", "deep/c.jpg"], ids=["filled", "copied"])
@pytest.mark.parametrize("how", ["replaced", "truncated", "deleted"])
def test_a_photo_that_changes_in_progress_leaves_no_result(
    name: str, how: str, changeable: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out = changeable.folder / "in" / name, tmp_path / "out"
    content = photo.read_bytes()
    changes: dict[str, Callable[[], object]] = {
        "replaced": lambda: Image.fromarray(scene(48, 64, person=None, seed=8)).save(photo),
        "truncated": lambda: os.truncate(photo, 100),
        "deleted": photo.unlink,
    }
    during(photo.name, changes[how], monkeypatch)
    by_name = entries(changeable, out)
    assert by_name[name]["status"] == "failed"
    assert by_name[name]["error"] == (
        f"{photo}: changed while it was in progress, the result was discarded; "
        "run the same command again"
    )
    assert by_name[name]["output"] is None
    assert not (out / name).exists()
    if how != "replaced":
        photo.write_bytes(content)
    assert_processed_again(changeable, out, tmp_path)


def test_a_photo_that_changes_during_its_copy_leaves_no_result(
    changeable: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out, copy = (
        changeable.folder / "in" / "deep" / "c.jpg",
        tmp_path / "out",
        atomic.copy_photo,
    )

    def late(*arguments: Any, **options: Any) -> None:
        # Now with a person in it, who was not there when the photo was segmented.
        Image.fromarray(scene(48, 64, seed=8)).save(photo)
        copy(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("remove_objects.pipeline.images.save.copy_photo", late)
        assert entries(changeable, out)["deep/c.jpg"]["error"].startswith(
            f"{photo}: changed while it was in progress"
        )
    assert not (out / "deep" / "c.jpg").exists()
    assert_processed_again(changeable, out, tmp_path)


def test_a_mask_that_changes_in_progress_leaves_no_result(
    changeable: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = changeable.folder / "masks" / "a.png"
    during("a.png", lambda: Image.new("1", (64, 48)).save(mask), monkeypatch)
    by_name = entries(changeable, tmp_path / "out")
    assert by_name["a.png"]["error"].startswith(f"{mask}: changed while it was in progress")
    assert not (tmp_path / "out" / "a.png").exists()
    assert_processed_again(changeable, tmp_path / "out", tmp_path)


def test_a_photo_replaced_before_its_turn_is_processed_once(
    changeable: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out = changeable.folder / "in" / "deep" / "b.jpg", tmp_path / "out"
    during(
        "a.png",
        lambda: Image.fromarray(scene(48, 64, person=None, seed=8)).save(photo),
        monkeypatch,
    )
    assert entries(changeable, out)["deep/b.jpg"]["status"] in ("ok", "review")
    assert entries(changeable, out)["deep/b.jpg"]["status"] == "skipped"
    assert_processed_again(changeable, out, tmp_path)


def test_a_photo_added_during_a_run_belongs_to_the_next_run(
    changeable: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = changeable.folder / "in" / "new.png"
    during(
        "a.png", lambda: Image.fromarray(scene(48, 64, person=None, seed=8)).save(new), monkeypatch
    )
    assert "new.png" not in entries(changeable, tmp_path / "out")
    by_name = {
        name: entry["status"] for name, entry in entries(changeable, tmp_path / "out").items()
    }
    assert by_name.pop("new.png") == "unchanged"
    assert by_name.pop("broken.png") == "failed"
    assert set(by_name.values()) == {"skipped"}
