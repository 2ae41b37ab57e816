"""The layers beside saved masks: written, kept, merged, and never somebody else's file or photo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch.journal import Journal
from remove_objects.pipeline.batch.names import layers_name, mask_names
from remove_objects.pipeline.batch.output.replaced import versions
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from remove_objects.pipeline.storage.stamp import mark
from remove_objects.pipeline.types import Layer
from tests.support.plans import touch
from tests.support.states.networks import CheapNetworks
from tests.support.tiny_effects import SeesColours

if TYPE_CHECKING:
    import fsspec

PERSON, DOG = (20, 10, 12, 20), (60, 10, 12, 12)
PERSONS_SHADOW, DOGS_SHADOW = (20, 34, 20, 8), (60, 26, 20, 6)
LAYERS = "masks/a.layers.png"


def picture(**things: tuple[int, int, int, int]) -> np.ndarray:
    colours = {"person": (255, 0, 0), "dog": (0, 0, 255), "shadow": (40, 40, 40)}
    rgb = np.full((60, 100, 3), 170, np.uint8)
    for name, (x, y, w, h) in things.items():
        rgb[y : y + h, x : x + w] = colours[name.rstrip("2")]
    return rgb


@pytest.fixture
def photos(tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person and a dog, with their shadows, which go along."""
    monkeypatch.setattr(CheapNetworks, "effects", SeesColours())
    folder = tmp_path / "photos"
    folder.mkdir()
    both = picture(person=PERSON, dog=DOG, shadow=PERSONS_SHADOW, shadow2=DOGS_SHADOW)
    Image.fromarray(both).save(folder / "a.png")
    return folder


def clean(photos: Path, *classes: str, **more: Any) -> dict[str, Any]:
    batch = {"output": photos.parent / "out", "save_masks": True, "workers": 1, **more}
    masks = {} if classes else {"masks": photos.parent / "m"}
    settings = Settings(probe=False, dilate=0)
    (entry,) = remove_folder([photos], settings, BatchSettings(classes, **batch, **masks)).photos
    return dict(entry)


def saved(photos: Path, name: str = LAYERS) -> np.ndarray:
    with Image.open(photos.parent / "out" / name) as picture:
        return np.asarray(picture)


def row_of(photos: Path) -> Any:
    return Journal(photos.parent / "out").rows["a.png"]


def shares(layers: np.ndarray, box: tuple[int, int, int, int]) -> dict[int, float]:
    x, y, w, h = box
    values, counts = np.unique(layers[y : y + h, x : x + w], return_counts=True)
    return dict(zip(values.tolist(), (counts / (w * h)).tolist(), strict=True))


def test_layers_say_of_each_pixel_of_the_mask_why_it_went(photos: Path) -> None:
    entry, layers = clean(photos, "person", "dog"), saved(photos)
    assert np.array_equal(layers > 0, saved(photos, entry["mask"]))
    for box, layer in ((PERSON, Layer.OBJECT), (DOG, Layer.OBJECT), (PERSONS_SHADOW, Layer.SHADOW)):
        assert shares(layers, box).get(layer, 0) > 0.9
    counts = {layer.label: float((layers == layer).mean()) for layer in Layer if layer}
    assert entry["layers"] == {k: pytest.approx(v, abs=1e-5) for k, v in counts.items() if v}
    assert row_of(photos)["layers_written"] == mark(photos.parent / "out" / LAYERS)


def test_layers_are_written_if_nothing_went_along_and_not_without_masks(photos: Path) -> None:
    Image.fromarray(picture(person=PERSON)).save(photos / "a.png")
    clean(photos, "person", output=photos.parent / "without", save_masks=False)
    assert not (photos.parent / "without" / "masks").exists()
    entry = clean(photos, "person")
    assert set(entry["layers"]) == {"object"}
    assert set(np.unique(saved(photos))) == {Layer.NONE, Layer.OBJECT}


def test_a_file_that_is_not_ours_is_neither_replaced_nor_lost(photos: Path) -> None:
    layers = photos.parent / "out" / LAYERS
    layers.parent.mkdir(parents=True)
    layers.write_bytes(b"somebody's file")
    entry = clean(photos, "person")
    assert entry["status"] == "failed"
    assert f"{LAYERS}: exists and is not what an earlier run wrote" in entry["error"]
    assert layers.read_bytes() == b"somebody's file"
    entry = clean(photos, "person", overwrite=True)
    assert any(LAYERS in warning for warning in entry["warnings"])
    kept = versions(photos.parent / "out", PurePosixPath(LAYERS))
    assert [(v.path.read_bytes(), v.made_from) for v in kept] == [(b"somebody's file", None)]
    assert (saved(photos) > 0).any()


def test_a_link_in_their_place_fails_the_photo(photos: Path, tmp_path: Path) -> None:
    place = photos.parent / "out" / LAYERS
    place.parent.mkdir(parents=True)
    (tmp_path / "elsewhere").write_bytes(b"precious")
    place.symlink_to(tmp_path / "elsewhere")
    assert "link" in clean(photos, "person")["error"]
    assert (tmp_path / "elsewhere").read_bytes() == b"precious"


def test_lost_layers_are_made_again_and_those_of_an_earlier_version_are_not_missed(
    photos: Path,
) -> None:
    out = photos.parent / "out"
    clean(photos, "person")
    content = (out / LAYERS).read_bytes()
    assert clean(photos, "person")["status"] == "skipped"
    (out / LAYERS).unlink()
    assert clean(photos, "person")["status"] != "skipped"
    assert (out / LAYERS).read_bytes() == content
    (out / LAYERS).unlink()
    lines = [json.loads(line) for line in (out / JOURNAL_NAME).read_text().splitlines()]
    for line in lines:
        line.pop("layers_written", None)
        line.get("entry", {}).pop("layers", None)
    (out / JOURNAL_NAME).write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert clean(photos, "person")["status"] == "skipped"
    assert not (out / LAYERS).exists()


def test_other_layers_replace_our_own_which_are_kept(photos: Path) -> None:
    clean(photos, "person")
    first = saved(photos)
    content = (photos.parent / "out" / LAYERS).read_bytes()
    clean(photos, "dog", overwrite=True)
    assert shares(saved(photos), PERSON) == {0: 1.0}
    assert shares(first, PERSON).get(Layer.OBJECT, 0) > 0.9
    kept = versions(photos.parent / "out", PurePosixPath(LAYERS))
    assert [v.path.read_bytes() for v in kept] == [content]
    assert kept[0].made_from is not None  # a run can make it again: only the newest are kept


@pytest.mark.parametrize("has_layers", [True, False])
def test_added_classes_add_to_the_layers(photos: Path, has_layers: bool) -> None:
    first = clean(photos, "person")
    before = saved(photos)
    if not has_layers:
        (photos.parent / "out" / LAYERS).unlink()
    entry = clean(photos, "person", "dog", add=True)
    layers = saved(photos)
    assert np.array_equal(layers > 0, saved(photos, entry["mask"]))
    expected = before if has_layers else (before > 0).astype(np.uint8)
    assert np.array_equal(layers[before > 0], expected[before > 0])
    assert shares(layers, DOG).get(Layer.OBJECT, 0) > 0.9
    assert shares(layers, DOGS_SHADOW).get(Layer.SHADOW, 0) > 0.9
    assert entry["layers"]["shadow"] >= first["layers"]["shadow"]
    assert entry["layers"]["object"] > first["layers"]["object"]


def test_the_mask_alone_goes_back_in(photos: Path) -> None:
    clean(photos, "person", "dog")
    mask = saved(photos, "masks/a.png")
    (photos.parent / "out" / "masks").rename(photos.parent / "m")
    entry = clean(photos, output=photos.parent / "again")
    assert entry["warnings"] == []
    with Image.open(photos.parent / "again" / "masks" / "a.png") as again:
        assert np.array_equal(np.asarray(again), mask)


def test_a_name_that_no_disk_takes_is_told(photos: Path) -> None:
    name = f"{'x' * 246}.png"
    (photos / "a.png").rename(photos / name)
    entry = clean(photos, "person")
    assert entry["mask"] == f"masks/{name}"
    assert any("layers of its mask are not saved" in warning for warning in entry["warnings"])
    assert [path.name for path in (photos.parent / "out" / "masks").iterdir()] == [name]


@pytest.fixture
def stored(photos: Path, memory: fsspec.AbstractFileSystem) -> Iterator[str]:
    """The photos in a store."""
    memory.pipe("/photos/a.png", (photos / "a.png").read_bytes())
    return iter(["memory://photos"])


def test_a_store_has_them_too(stored: Iterator[str], memory: fsspec.AbstractFileSystem) -> None:
    batch = BatchSettings(("person",), output="memory://out", save_masks=True, workers=1)
    address = next(stored)
    for _ in range(2):
        (entry,) = remove_folder([address], Settings(probe=False), batch).photos
    assert entry["status"] == "skipped"
    names = {path.removeprefix("/out/") for path in memory.find("/out")}
    assert {"masks/a.png", LAYERS} <= names
    assert not [name for name in names if "claims" in name]


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("photos", "masks"),
    [
        (["a.jpg", "a.layers.jpg"], ["a", "a.layers.jpg"]),
        (["a.layers.jpg"], ["a.layers.jpg"]),  # a.jpg may come later
        (["a.jpg", "A.LAYERS.png"], ["a", "A.LAYERS.png"]),
        (["a.jpg", "a.layers.layers.jpg"], ["a", "a.layers.layers.jpg"]),
        (["a.jpg", "masks/a.layers.png"], ["a.jpg", "masks/a.layers.png"]),
        (["x/a.jpg", "a.layers.jpg"], ["x/a", "a.layers.jpg"]),
    ],
)
def test_no_mask_has_the_name_of_another_ones_layers(photos: list[str], masks: list[str]) -> None:
    names = mask_names([PurePosixPath(photo) for photo in photos])
    assert [str(name) for name in names] == [f"masks/{mask}.png" for mask in masks]
    every = [*names, *map(layers_name, names), *map(PurePosixPath, photos)]
    assert len({str(name).casefold() for name in every}) == len(every)


def test_masks_of_earlier_runs_keep_their_names_and_their_layers(tmp_path: Path) -> None:
    """Version 0.1.0 gave a photo such as ``a.layers.jpg`` the name of another one's layers."""
    old, other = PurePosixPath("masks/a.layers.png"), PurePosixPath("masks/a.png")
    photos = [PurePosixPath("a.jpg"), PurePosixPath("a.layers.jpg")]
    assert mask_names(photos, {"a.layers.jpg": old}) == [PurePosixPath("masks/a.jpg.png"), old]
    assert mask_names(photos[:1], {"a.layers.jpg": old}) == [PurePosixPath("masks/a.jpg.png")]
    both = mask_names(photos, {"a.jpg": other, "a.layers.jpg": old})
    assert both == [PurePosixPath("masks/a.jpg.png"), old]
    assert mask_names(photos, {"a.jpg": other}) == [other, PurePosixPath("masks/a.layers.jpg.png")]


def test_layers_where_a_result_goes_are_refused(tmp_path: Path) -> None:
    touch(tmp_path / "p", "b.jpg", "b.png", "masks/b.jpg.layers.png")
    with pytest.raises(UsageError, match=r"b\.jpg\.layers\.png: rename the folder masks"):
        plan_run([tmp_path / "p"])


# --- layers are no masks and no photos ------------------------------------------------------------


def own_masks(tmp_path: Path, photos: list[str], masks: list[str]) -> dict[str, str | None]:
    touch(tmp_path / "p", *photos)
    touch(tmp_path / "m", *masks)
    plan = plan_run([tmp_path / "p"], masks=tmp_path / "m")
    assert not any("layers" in note for note in plan.notes)
    return {
        str(photo.relative): None if photo.own_mask is None else photo.own_mask.name
        for photo in plan.photos
    }


def test_layers_are_the_mask_of_nothing(tmp_path: Path) -> None:
    assert own_masks(tmp_path, ["a.jpg"], ["a.png", "a.layers.png"]) == {"a.jpg": "a.png"}
    photos = ["a.jpg", "a.layers.jpg"]
    masks = ["a.png", "a.layers.png", "a.layers.jpg.png", "a.layers.jpg.layers.png"]
    assert own_masks(tmp_path / "both", photos, masks) == {
        "a.jpg": "a.png",
        "a.layers.jpg": "a.layers.jpg.png",
    }
    assert own_masks(tmp_path / "own", ["a.layers.jpg"], ["a.layers.png"]) == {
        "a.layers.jpg": "a.layers.png"  # no layers: a.png is not there
    }


def test_layers_beside_masks_and_photos_are_no_photos(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    touch(folder, "a.jpg", "a.jpg.png", "a.jpg.layers.png", "b.png", "b.layers.png")
    touch(folder, "b.png.png", "b.layers.png.png")
    plan = plan_run([folder], masks=folder)
    found = {str(p.relative): p.own_mask and p.own_mask.name for p in plan.photos}
    assert found == {
        "a.jpg": "a.jpg.png",
        "b.png": "b.png.png",
        "b.layers.png": "b.layers.png.png",
    }
    plan = plan_run([folder], masks=folder / "a.jpg.png")
    assert [str(p.relative) for p in plan.photos] == ["a.jpg", "b.layers.png", "b.png"]


def test_saved_masks_of_a_run_are_no_photos(photos: Path) -> None:
    (photos / "masks").mkdir()
    Image.fromarray(picture()).save(photos / "masks" / "b.png")  # a photo that is called so
    remove_folder(
        [photos],
        Settings(probe=False),
        BatchSettings(("person",), output=photos.parent / "out", save_masks=True),
    )
    assert (photos.parent / "out" / LAYERS).exists()
    result = remove_folder(
        [photos.parent / "out"],
        Settings(probe=False),
        BatchSettings(("dog",), output=photos.parent / "second"),
    )
    assert sorted(p["input"] for p in result.photos) == ["a.png", "masks/b.png"]


def test_saved_masks_in_a_store_are_no_photos(
    stored: Iterator[str], memory: fsspec.AbstractFileSystem
) -> None:
    batch = BatchSettings(("person",), output="memory://out", save_masks=True)
    remove_folder([next(stored)], Settings(probe=False), batch)
    again = BatchSettings(("dog",), output="memory://second")
    result = remove_folder(["memory://out"], Settings(probe=False), again)
    assert [p["input"] for p in result.photos] == ["a.png"]


def test_a_second_run_may_name_what_goes_along_in_another_order(photos: Path) -> None:
    batch = BatchSettings(("person",), output=photos.parent / "out", workers=1)

    def status(*along: str) -> str:
        (entry,) = remove_folder([photos], Settings(probe=False, along=along), batch).photos
        return entry["status"]

    assert status("shadow", "carried") != "skipped"
    assert status("carried", "shadow") == "skipped"
    with pytest.raises(UsageError, match="--with shadow,carried; now --with carried"):
        status("carried")
