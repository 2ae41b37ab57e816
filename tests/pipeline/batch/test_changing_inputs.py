"""The input folder changes while a run is at work: a result belongs to the file that was read, or there is none."""

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

pytestmark = pytest.mark.slow


@pytest.fixture
def own(ground: Ground, tmp_path: Path) -> Ground:
    """Photos that this test may change."""
    shutil.copytree(ground.folder, tmp_path / "own")
    own = object.__new__(Ground)
    own.folder, own.whole, own.inputs = tmp_path / "own", tmp_path / "own" / "whole", ground.inputs
    return own


def during(name: str, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """``change`` happens once, while the photo of this name is at work, after it was read."""
    clean, done = ObjectRemover.clean, []

    def changing(remover: ObjectRemover, photo: Photo, *arguments: Any, **options: Any) -> Any:
        if photo.path is not None and photo.path.name == name and not done:
            done.append(change())
        return clean(remover, photo, *arguments, **options)

    monkeypatch.setattr(ObjectRemover, "clean", changing)


def entries(own: Ground, out: Path) -> dict[str, dict[str, Any]]:
    return {p["input"]: p for p in own.clean(out).photos}


def assert_made_anew(own: Ground, out: Path, tmp_path: Path) -> None:
    """What the next run leaves is what one over the photos as they are now leaves."""
    found, fresh = entries(own, out), entries(own, tmp_path / "fresh")
    assert {name for name, entry in found.items() if entry["status"] == "failed"} == {"broken.png"}
    for name, entry in fresh.items():
        if entry["output"]:
            assert (out / entry["output"]).read_bytes() == (
                tmp_path / "fresh" / entry["output"]
            ).read_bytes(), name


def test_a_photo_deleted_before_its_turn_is_an_entry_that_says_so(
    own: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = own.folder / "in" / "deep" / "c.jpg"
    during("a.png", gone.unlink, monkeypatch)
    found = entries(own, tmp_path / "out")
    assert found["deep/c.jpg"]["status"] == "failed"
    assert found["deep/c.jpg"]["error"].startswith(
        f"{gone}: existed when the run began, and is missing now"
    )
    assert found["deep/b.jpg"]["status"] in ("ok", "review")
    assert "deep/c.jpg" not in entries(own, tmp_path / "out")


@pytest.mark.parametrize("name", ["a.png", "deep/c.jpg"], ids=["filled", "copied"])
@pytest.mark.parametrize("how", ["replaced", "truncated", "deleted"])
def test_a_photo_that_changes_while_it_is_at_work_leaves_no_result(
    name: str, how: str, own: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out = own.folder / "in" / name, tmp_path / "out"
    content = photo.read_bytes()
    changes: dict[str, Callable[[], object]] = {
        "replaced": lambda: Image.fromarray(scene(48, 64, person=None, seed=8)).save(photo),
        "truncated": lambda: os.truncate(photo, 100),
        "deleted": photo.unlink,
    }
    during(photo.name, changes[how], monkeypatch)
    found = entries(own, out)
    assert found[name]["status"] == "failed"
    assert (
        found[name]["error"]
        == f"{photo}: changed while it was in progress, the result was discarded; run the same command again"
    )
    assert found[name]["output"] is None
    assert not (out / name).exists()
    if how != "replaced":
        photo.write_bytes(content)
    assert_made_anew(own, out, tmp_path)


def test_a_photo_that_changes_while_it_is_copied_leaves_no_result(
    own: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out, copy = own.folder / "in" / "deep" / "c.jpg", tmp_path / "out", atomic.copy_photo

    def late(*arguments: Any, **options: Any) -> None:
        Image.fromarray(scene(48, 64, seed=8)).save(
            photo
        )  # with somebody in it, who was not there when it was looked at
        copy(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr("remove_objects.pipeline.images.save.copy_photo", late)
        assert entries(own, out)["deep/c.jpg"]["error"].startswith(
            f"{photo}: changed while it was in progress"
        )
    assert not (out / "deep" / "c.jpg").exists()
    assert_made_anew(own, out, tmp_path)


def test_a_mask_that_changes_while_its_photo_is_at_work_leaves_no_result(
    own: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = own.folder / "masks" / "a.png"
    during("a.png", lambda: Image.new("1", (64, 48)).save(mask), monkeypatch)
    found = entries(own, tmp_path / "out")
    assert found["a.png"]["error"].startswith(f"{mask}: changed while it was in progress")
    assert not (tmp_path / "out" / "a.png").exists()
    assert_made_anew(own, tmp_path / "out", tmp_path)


def test_a_photo_replaced_before_its_turn_is_cleaned_as_it_is_then_and_not_again(
    own: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, out = own.folder / "in" / "deep" / "b.jpg", tmp_path / "out"
    during(
        "a.png",
        lambda: Image.fromarray(scene(48, 64, person=None, seed=8)).save(photo),
        monkeypatch,
    )
    assert entries(own, out)["deep/b.jpg"]["status"] in ("ok", "review")
    assert entries(own, out)["deep/b.jpg"]["status"] == "skipped"
    assert_made_anew(own, out, tmp_path)


def test_a_photo_that_comes_while_a_run_is_at_work_is_the_next_runs(
    own: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = own.folder / "in" / "new.png"
    during(
        "a.png", lambda: Image.fromarray(scene(48, 64, person=None, seed=8)).save(new), monkeypatch
    )
    assert "new.png" not in entries(own, tmp_path / "out")
    found = {name: entry["status"] for name, entry in entries(own, tmp_path / "out").items()}
    assert found.pop("new.png") == "unchanged"
    assert found.pop("broken.png") == "failed"
    assert set(found.values()) == {"skipped"}
