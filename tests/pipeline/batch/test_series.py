"""Which photos of a run are one series."""

from __future__ import annotations

import pickle
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch import series
from remove_objects.pipeline.batch.ledger import Ledger
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.series import MOST, SeriesFinder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.storage.location import parse_location
from tests.support.hand_held import held, place, save, with_person


def neighbours(folder: Any, *, shuffled: bool = False, **settings: Any) -> dict[str, list[str]]:
    """Return each photo's neighbours by their names."""
    out = folder.parent / "out" if isinstance(folder, Path) else parse_location("memory://out")
    plan = plan_run([folder], out, masks=settings.get("masks"))
    photos = list(plan.photos)
    if shuffled:
        random.Random(1).shuffle(photos)
    finder = SeriesFinder(photos, BatchSettings(classes=("person",), **settings))
    return {str(p.relative): [each.name for each in finder.neighbours(p)] for p in photos}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two places, three photos each, a minute apart."""
    photos = tmp_path / "photos"
    for number in range(3):
        shot = with_person(held(place(1), 4 * number), 60 + 50 * number)
        save(shot, photos / f"IMG_{number}.jpg", 2 * number)
        save(held(place(2), 0, 5 * number), photos / f"IMG_{number + 3}.jpg", 60 + 2 * number)
    return photos


def test_photos_of_one_place_are_neighbours_nearest_in_time_first(folder: Path) -> None:
    assert neighbours(folder) == {
        "IMG_0.jpg": ["IMG_1.jpg", "IMG_2.jpg"],
        "IMG_1.jpg": ["IMG_0.jpg", "IMG_2.jpg"],
        "IMG_2.jpg": ["IMG_1.jpg", "IMG_0.jpg"],
        "IMG_3.jpg": ["IMG_4.jpg", "IMG_5.jpg"],
        "IMG_4.jpg": ["IMG_3.jpg", "IMG_5.jpg"],
        "IMG_5.jpg": ["IMG_4.jpg", "IMG_3.jpg"],
    }


def test_the_order_of_the_photos_changes_nothing(folder: Path) -> None:
    assert neighbours(folder, shuffled=True) == neighbours(folder)


def test_a_photo_has_few_neighbours_and_they_are_the_nearest(tmp_path: Path) -> None:
    for number in range(14):
        save(held(place(), number % 3), tmp_path / "p" / f"{number}.jpg", 3 * number)
    found = neighbours(tmp_path / "p")
    assert found["0.jpg"] == [f"{n}.jpg" for n in range(1, 1 + MOST)]
    assert found["6.jpg"] == [f"{n}.jpg" for n in (5, 7, 4, 8, 3, 9, 2, 10)]


@pytest.mark.parametrize(
    "other", ["later", "another camera", "of another size", "in another folder"]
)
def test_what_is_not_of_the_series(other: str, tmp_path: Path) -> None:
    photos = tmp_path / "p"
    save(place(), photos / "a1.jpg", 0)
    save(place()[:200], photos / "b2.jpg", 1) if other == "of another size" else None
    save(place(), photos / "b2.jpg", 3000) if other == "later" else None
    save(place(), photos / "b2.jpg", 1, "Box 2") if other == "another camera" else None
    save(place(), photos / "c" / "b2.jpg", 1) if other == "in another folder" else None
    assert not any(neighbours(photos).values())


def test_a_camera_that_was_turned_is_the_same_camera(tmp_path: Path) -> None:
    whole = place(3, 320, 320)
    save(whole[40:280], tmp_path / "p" / "1.jpg", 0)
    save(whole[:, 40:280], tmp_path / "p" / "2.jpg", 4)
    assert neighbours(tmp_path / "p") == {"1.jpg": ["2.jpg"], "2.jpg": ["1.jpg"]}


def test_fractions_of_a_second_count(tmp_path: Path) -> None:
    for name, seconds in (("c.jpg", 5.0), ("a.jpg", 5.25), ("b.jpg", 5.75)):
        save(held(place(), int(4 * seconds) % 5), tmp_path / "p" / name, seconds)
    assert neighbours(tmp_path / "p")["c.jpg"] == ["a.jpg", "b.jpg"]


def test_frames_without_exif_count_on(tmp_path: Path) -> None:
    for number in (8, 9, 10, 11):
        save(held(place(), number), tmp_path / "p" / f"frame{number}.png")
    assert neighbours(tmp_path / "p")["frame9.png"] == ["frame8.png", "frame10.png", "frame11.png"]


@pytest.mark.parametrize("name", ["frame{}.png", "IMG_{}.jpg"])
def test_a_name_alone_makes_no_series(name: str, tmp_path: Path) -> None:
    for number in range(6):
        save(place(number), tmp_path / "p" / name.format(number))
    assert not any(neighbours(tmp_path / "p").values())


def test_names_that_do_not_count_make_no_series(tmp_path: Path) -> None:
    for name in ("door.png", "window.png", "a1.png", "b2.png"):
        save(place(), tmp_path / "p" / name)
    assert not any(neighbours(tmp_path / "p").values())


def test_a_copy_of_a_photo_shows_nothing_else(tmp_path: Path) -> None:
    save(place(), tmp_path / "p" / "IMG_1.jpg", 0)
    save(place(), tmp_path / "p" / "IMG_1.tif", 0)
    save(place(), tmp_path / "p" / "IMG_1_edited.jpg", 0)
    save(place(), tmp_path / "p" / "IMG_11.jpg", 0)
    assert neighbours(tmp_path / "p")["IMG_1.jpg"] == ["IMG_11.jpg"]


def test_a_photo_that_cannot_be_read_is_nobodys_neighbour(folder: Path) -> None:
    content = (folder / "IMG_1.jpg").read_bytes()
    (folder / "IMG_1.jpg").write_bytes(content[:3000])
    found = neighbours(folder)
    assert found["IMG_0.jpg"] == ["IMG_2.jpg"]
    assert found["IMG_1.jpg"] == []


def test_a_fixed_camera_needs_no_likeness(tmp_path: Path) -> None:
    photos = tmp_path / "p"
    for number, name in enumerate(("x.png", "y10.png", "y9.png")):
        save(place(number), photos / name)
    save(place(5)[:200], photos / "z.png")
    assert neighbours(photos, series="fixed") == {
        "x.png": ["y9.png", "y10.png"],
        "y9.png": ["x.png", "y10.png"],
        "y10.png": ["y9.png", "x.png"],
        "z.png": [],
    }


def test_with_masks_only_what_has_a_mask_is_a_neighbour(folder: Path, tmp_path: Path) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for name in ("IMG_0.png", "IMG_1.png"):
        Image.fromarray(np.zeros((240, 320), np.uint8)).save(masks / name)
    found = neighbours(folder, masks=masks)
    assert found["IMG_0.jpg"] == ["IMG_1.jpg"]
    assert found["IMG_2.jpg"] == ["IMG_1.jpg", "IMG_0.jpg"]
    assert found["IMG_3.jpg"] == []


def test_nothing_is_read_of_a_photo_that_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a picture was read")

    monkeypatch.setattr(series, "read_glance", refuse)
    for number in range(3):
        save(place(), tmp_path / "p" / f"IMG_{number}.jpg", 3600 * number)
    assert not any(neighbours(tmp_path / "p").values())


def test_after_a_request_to_stop_nothing_is_read(folder: Path) -> None:
    plan = plan_run([folder], folder.parent / "out")
    finder = SeriesFinder(plan.photos, BatchSettings(classes=("person",)), lambda: True)
    assert not any(finder.neighbours(photo) for photo in plan.photos)


def test_each_pair_is_compared_once_and_few_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[None] = []
    monkeypatch.setattr(series, "are_alike", lambda *_: bool(compared.append(None)))
    for number in range(20):
        save(place(number), tmp_path / "p" / f"IMG_{number}.jpg", 3 * number)
    neighbours(tmp_path / "p")
    assert len(compared) <= 2 * 20 + 8


def test_photos_in_a_bucket_have_neighbours(folder: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory")
    for file in folder.iterdir():
        store.pipe_file(f"/series/{file.name}", file.read_bytes())
    try:
        found = neighbours(parse_location("memory://series"))
        assert found == neighbours(folder)
    finally:
        store.rm("/series", recursive=True)
    shutil.rmtree(folder)


def test_a_task_takes_its_neighbours_to_another_machine(folder: Path) -> None:
    plan = plan_run([folder], folder.parent / "out")
    batch = BatchSettings(classes=("person",), output=folder.parent / "out")
    output = LocalOutput(folder.parent / "out", overwrite=False)
    ledger = Ledger(
        plan.output,
        output,
        Settings(),
        batch,
        batch.classes,
        series=SeriesFinder(plan.photos, batch),
    )
    tasks = ledger.decide(plan.photos).tasks
    assert pickle.loads(pickle.dumps(tasks)) == tasks
    assert [each.source for each in tasks[0].neighbours] == [
        folder / "IMG_1.jpg",
        folder / "IMG_2.jpg",
    ]


def test_another_word_for_series_is_refused() -> None:
    with pytest.raises(UsageError, match="series must be one of auto, off, fixed"):
        BatchSettings(classes=("person",), series="on")
