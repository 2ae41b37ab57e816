"""Runs over folders that hold series: what is filled from others, and when a photo is new again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.batch import series, series_photos, worker
from remove_objects.pipeline.batch.run import FolderResult, remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect import multi_scale
from remove_objects.pipeline.detect.segmenters import Segmenter
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report.picks import pick_settings
from remove_objects.pipeline.storage.layout import JOURNAL_NAME
from tests.support.box_segmenter import BoxSegmenter
from tests.support.hand_held import (
    LARGE,
    empty_shot,
    held,
    place,
    save,
    save_shots,
    shot,
    walker,
    with_person,
)
from tests.support.memory_store import remote

if TYPE_CHECKING:
    import fsspec

QUICK = Settings(probe=False)


@pytest.fixture
def photos(tmp_path: Path, red_is_person: None) -> Path:
    """Three photos of one place, two seconds apart."""
    return save_shots(tmp_path / "photos")


def run(inputs: Path, **changes: Any) -> FolderResult:
    folder = inputs if inputs.is_dir() else inputs.parent
    batch = {"classes": ("person",), "output": folder.parent / "out", "workers": 1, **changes}
    return remove_folder([inputs], QUICK, BatchSettings(**batch))


def rows(photos: Path) -> dict[str, Any]:
    lines = (photos.parent / "out" / JOURNAL_NAME).read_text().splitlines()
    return {row["input"]: row for row in map(json.loads, lines) if "input" in row}


def statuses(result: FolderResult) -> list[str]:
    return [photo["status"] for photo in sorted(result.photos, key=lambda p: p["input"])]


def cleaned_again(result: FolderResult) -> list[str]:
    return sorted(p["input"] for p in result.photos if p["status"] != "skipped")


def error_in_hole(photos: Path, number: int = 1) -> float:
    result = np.asarray(Image.open(photos.parent / "out" / f"IMG_{number}.png")).astype(float)
    true = empty_shot(number).astype(float)
    return float(np.abs(result - true)[walker(number)].mean())


def test_what_one_photo_hides_comes_from_another(photos: Path) -> None:
    result = run(photos)
    row = rows(photos)["IMG_1.png"]
    assert row["neighbours"] == ["IMG_0.png", "IMG_2.png"]
    assert row["borrowed"]
    for name, (source, mark, own_mask) in row["borrowed"].items():
        assert source == str(photos / name)
        assert mark[0] == (photos / name).stat().st_size
        assert own_mask is None
    assert result.run["settings"]["series"] == "auto"
    with_others = error_in_hole(photos)
    shutil.rmtree(photos.parent / "out")
    run(photos, series="off")
    assert "borrowed" not in rows(photos)["IMG_1.png"]
    assert with_others < 0.5 * error_in_hole(photos)


def written(photos: Path) -> tuple[dict[str, bytes], dict[str, Any]]:
    """The results and masks of a run, and what its journal says of each photo, without times."""
    out = photos.parent / "out"
    files = {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*.png"))}
    known = rows(photos)
    for row in known.values():
        row["entry"] = {k: v for k, v in row["entry"].items() if k not in ("seconds", "stages")}
    keys = ("source_mark", "given_marks", "neighbours", "borrowed", "entry")
    return files, {name: [row.get(key) for key in keys] for name, row in known.items()}


#: Row from which a mask leaves out somebody's legs.
SHORT = 240


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, "plain"),
        ({"dilate": 0}, "short masks"),
        ({}, "letterbox"),
        ({"keep": "largest"}, "plain"),
        ({"keep": "main"}, "letterbox"),
        ({"max_size": 0.05}, "plain"),
        ({"along": ()}, "plain"),
    ],
)
def test_what_is_remembered_changes_no_byte(
    settings: dict[str, Any],
    kind: str,
    photos: Path,
    cheap: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In whichever order photos are cleaned, and however many at once."""
    names = [photos / f"IMG_{number}.png" for number in range(3)]
    masks = photos.parent / "masks"
    masks.mkdir()
    for number, name in enumerate(names):
        rgb = with_person(shot(number), 30, 60, 30, 60)
        if kind == "letterbox":
            rgb[:40] = rgb[-40:] = 0
        save(rgb, name, 2 * number)
        mask = (rgb == (255, 0, 0)).all(2)
        mask[SHORT:] = False
        Image.fromarray(mask).save(masks / name.name)
    found = []
    all_of_it = series_photos.REMEMBERED, series_photos.DECODED
    for sizes, workers, inputs in (
        ((0, 0), 1, names),
        (all_of_it, 1, names),
        (all_of_it, 3, names[::-1]),
    ):
        monkeypatch.setattr(worker, "Memory", lambda sizes=sizes, **_: series_photos.Memory(*sizes))
        batch = BatchSettings(
            classes=("person",),
            output=photos.parent / "out",
            masks=masks if kind == "short masks" else None,
            save_masks=True,
            workers=workers,
        )
        remove_folder(inputs, replace(QUICK, **settings), batch)
        found.append(written(photos))
        shutil.rmtree(photos.parent / "out")
    files, journal = found[0]
    assert len(files) >= 9
    assert all(borrowed for _, _, _, borrowed, _ in journal.values())
    left = {name: len(row[-1]["leftovers"]) for name, row in journal.items()}
    assert any(left.values()) == (kind == "short masks"), left
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("who_stays", ["nobody", "largest", "main", "small", "picked"])
def test_a_photo_is_segmented_once(
    who_stays: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To be cleaned, and as a neighbour of both others, whoever may stay in it."""
    looked, glances = list[bytes](), list[bytes]()

    def looking(segmenter: Segmenter, rgb: np.ndarray, *arguments: Any) -> multi_scale.Looks:
        looked.append(rgb.tobytes())
        return look(segmenter, rgb, *arguments)

    def glancing(self: BoxSegmenter, rgb: np.ndarray, *arguments: Any) -> np.ndarray:
        glances.append(rgb.tobytes())
        return glance(self, rgb, *arguments)

    files = [photos / f"IMG_{number}.png" for number in range(3)]
    whole = [np.asarray(Image.open(file)).tobytes() for file in files]
    settings = {
        "largest": {"keep": "largest"},
        "main": {"keep": "main"},
        "small": {"min_size": 0.5},
    }
    picks = picks_of(photos) if who_stays == "picked" else None
    look, glance = multi_scale.look, BoxSegmenter.probabilities
    monkeypatch.setattr(multi_scale, "look", looking)
    monkeypatch.setattr(BoxSegmenter, "probabilities", glancing)
    batch = BatchSettings(classes=("person",), output=photos.parent / "out", workers=1, picks=picks)
    remove_folder([photos], replace(QUICK, **settings.get(who_stays, {})), batch)
    assert sorted(looked) == sorted(whole)
    # Whoever asks second glances at the whole photo once more.
    assert max(glances.count(each) for each in whole) <= 2


def picks_of(photos: Path) -> Path:
    """A file by which a person decided about one photo, and left all as it is."""
    height, width = np.asarray(Image.open(photos / "IMG_1.png")).shape[:2]
    decided = {"name": "IMG_1.png", "size": [width, height], "objects": []}
    content = {
        "picks_version": 1,
        "settings": pick_settings(["person"], "auto", 0.5, {}),
        "photos": [decided],
    }
    file = photos.parent / "picks.json"
    file.write_text(json.dumps(content))
    return file


def test_a_fixed_camera(tmp_path: Path, red_is_person: None) -> None:
    folder = tmp_path / "photos"
    for number in range(3):
        save(
            with_person(place(1, *LARGE), 120 + 160 * number, 160, 60, 120),
            folder / f"IMG_{number}.png",
        )
    run(folder, series="fixed")
    assert set(rows(folder)["IMG_1.png"]["borrowed"]) <= {"IMG_0.png", "IMG_2.png"}
    result = np.asarray(Image.open(tmp_path / "out" / "IMG_1.png")).astype(float)
    true = place(1, *LARGE).astype(float)
    assert np.abs(result - true)[160:280, 280:340].mean() < 8


def test_the_same_run_again_does_nothing(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(photos)
    assert statuses(run(photos)) == ["skipped"] * 3
    shutil.rmtree(photos.parent / "out")
    run(photos, series="off")

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a photo was read")

    monkeypatch.setattr(series, "read_glance", refuse)
    assert statuses(run(photos, series="off")) == ["skipped"] * 3


def test_a_neighbour_that_changed_makes_a_photo_new(photos: Path) -> None:
    run(photos)
    uses = sorted(name for name, row in rows(photos).items() if "IMG_0.png" in row["borrowed"])
    assert uses
    save(with_person(held(place(1, *LARGE), 0), 100, 160, 60, 120), photos / "IMG_0.png", 0)
    result = run(photos)
    assert cleaned_again(result) == sorted({"IMG_0.png", *uses})
    assert any("series that changed" in warning for warning in result.warnings)
    assert statuses(run(photos)) == ["skipped"] * 3


@pytest.mark.parametrize("change", ["changed", "gone"])
def test_a_dry_run_foresees_what_is_cleaned_again(change: str, photos: Path) -> None:
    run(photos)
    if change == "gone":
        (photos / "IMG_0.png").unlink()
    else:
        save(with_person(held(place(1, *LARGE), 0), 100, 160, 60, 120), photos / "IMG_0.png", 0)
    before = {p: p.read_bytes() for p in (photos.parent / "out").glob("*.png")}
    foreseen = cleaned_again(run(photos, dry_run=True))
    assert len(foreseen) >= 2 - (change == "gone")
    assert {p: p.read_bytes() for p in before} == before
    assert cleaned_again(run(photos)) == foreseen
    assert set(statuses(run(photos))) == {"skipped"}


def test_a_neighbour_that_appeared_makes_a_photo_new(photos: Path) -> None:
    run(photos)
    save(held(place(1, *LARGE), 8), photos / "IMG_3.png", 3)
    assert cleaned_again(run(photos)) == [f"IMG_{number}.png" for number in range(4)]
    assert statuses(run(photos)) == ["skipped"] * 4


def test_a_neighbour_that_is_gone_makes_a_photo_new(photos: Path) -> None:
    run(photos)
    uses = sorted(name for name, row in rows(photos).items() if "IMG_0.png" in row["borrowed"])
    (photos / "IMG_0.png").unlink()
    assert cleaned_again(run(photos)) == uses


def test_a_neighbour_whose_own_mask_changed_makes_a_photo_new(photos: Path) -> None:
    masks = photos.parent / "masks"
    masks.mkdir()
    for file in photos.iterdir():
        red = (np.asarray(Image.open(file)) == (255, 0, 0)).all(2)
        Image.fromarray((red * 255).astype(np.uint8)).save(masks / file.name)
    run(photos, masks=masks)
    lent = {name: set(row.get("borrowed", ())) for name, row in rows(photos).items()}
    lender = min(set().union(*lent.values()))
    assert statuses(run(photos, masks=masks)) == ["skipped"] * 3
    mask = np.asarray(Image.open(masks / lender)).copy()
    mask[10:40, 10:40] = 255
    Image.fromarray(mask).save(masks / lender)
    uses = {name for name, lenders in lent.items() if lender in lenders}
    assert cleaned_again(run(photos, masks=masks)) == sorted({lender, *uses})


def test_a_thing_that_only_one_mask_covers_does_not_come_back_from_where_it_stands(
    tmp_path: Path, red_is_person: None
) -> None:
    """One mask is of a bin, which stands in both photos, and the other of somebody."""
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for number in range(2):
        picture = shot(number)
        picture[300:400, 400 - 5 * number : 460 - 5 * number] = place(7, 100, 60)
        save(picture, photos / f"IMG_{number}.png", 2 * number)
        covered = np.zeros(LARGE, np.uint8)
        covered[walker(1) if number else (slice(296, 404), slice(396, 464))] = 255
        save(covered, masks / f"IMG_{number}.png")
    result = run(photos, masks=masks)
    lent = {photo["input"]: photo["holes"][0].get("borrowed") for photo in result.photos}
    assert lent["IMG_0.png"] is None
    assert lent["IMG_1.png"] == {"IMG_0.png": pytest.approx(1, abs=0.01)}


def test_a_photo_that_is_given_alone_stays(photos: Path) -> None:
    run(photos)
    assert statuses(run(photos / "IMG_1.png")) == ["skipped"]


def test_a_copy_of_the_folder_changes_nothing(photos: Path) -> None:
    run(photos)
    moved = photos.parent / "moved" / "photos"
    shutil.copytree(photos, moved)
    shutil.rmtree(photos)
    result = remove_folder(
        [moved], QUICK, BatchSettings(classes=("person",), output=photos.parent / "out", workers=1)
    )
    assert statuses(result) == ["skipped"] * 3


def test_a_photo_of_a_moved_folder_that_is_given_alone_stays(photos: Path) -> None:
    run(photos)
    moved = photos.parent / "moved" / "photos"
    moved.parent.mkdir()
    photos.rename(moved)
    batch = BatchSettings(classes=("person",), output=photos.parent / "out", workers=1)
    again = remove_folder([moved / "IMG_1.png"], QUICK, batch)
    assert statuses(again) == ["skipped"]
    lender = min(rows(photos)["IMG_1.png"]["borrowed"])
    (moved / lender).unlink()
    assert cleaned_again(remove_folder([moved / "IMG_1.png"], QUICK, batch)) == ["IMG_1.png"]


def test_a_series_in_a_bucket(photos: Path, memory: fsspec.AbstractFileSystem) -> None:
    def again(place: str = "memory://photos") -> list[str]:
        out = remote("memory://out")
        batch = BatchSettings(classes=("person",), output=out, workers=1)
        return cleaned_again(remove_folder([remote(place)], QUICK, batch))

    def lent() -> dict[str, set[str]]:
        lines = memory.cat(f"/out/{JOURNAL_NAME}").decode().splitlines()
        read = (row for row in map(json.loads, lines) if "input" in row)
        return {row["input"]: set(row.get("borrowed", ())) for row in read}

    memory.put(f"{photos}/", "/photos/", recursive=True)
    names = [f"IMG_{number}.png" for number in range(3)]
    assert again() == names
    assert again() == []
    used = lent()
    uses = [name for name in names if "IMG_0.png" in used[name]]
    assert uses
    assert again(f"memory://photos/{uses[0]}") == []
    memory.rm("/photos/IMG_0.png")
    assert again() == uses


def test_finished_photos_are_neighbours_too(photos: Path) -> None:
    run(photos / "IMG_0.png")
    assert "borrowed" not in rows(photos)["IMG_0.png"]
    result = run(photos)
    assert cleaned_again(result) == ["IMG_1.png", "IMG_2.png"]
    assert "IMG_0.png" in rows(photos)["IMG_1.png"]["neighbours"]


def test_results_of_another_way_to_use_series_stand_in_the_way(photos: Path) -> None:
    run(photos)
    with pytest.raises(UsageError, match="--series auto; now --series off"):
        run(photos, series="off")


def test_results_that_used_no_other_photo_are_those_of_off(photos: Path) -> None:
    run(photos / "IMG_0.png")
    assert statuses(run(photos / "IMG_0.png", series="off")) == ["skipped"]


def test_added_classes_use_no_other_photo_and_keep_what_is_known(photos: Path) -> None:
    run(photos)
    before = rows(photos)["IMG_1.png"]
    result = run(photos, classes=("person", "dog"), add=True)
    assert {photo["status"] for photo in result.photos} != {"failed"}
    after = rows(photos)["IMG_1.png"]
    assert after["made_with"] != before["made_with"]
    assert after["borrowed"] == before["borrowed"]
    assert after["neighbours"] == before["neighbours"]


@pytest.mark.parametrize("option", ["dry_run", "preview"])
def test_where_nothing_is_filled_nothing_is_searched(
    option: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a photo was read")

    monkeypatch.setattr(series, "read_glance", refuse)
    result = run(photos, **{option: True})
    assert "failed" not in statuses(result)


def test_overwrite_cleans_a_series_again(photos: Path) -> None:
    run(photos)
    assert len(cleaned_again(run(photos, overwrite=True))) == 3
    assert rows(photos)["IMG_1.png"]["borrowed"]


def test_a_damaged_neighbour_costs_a_warning_and_no_photo(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    glance = series.read_glance

    def and_damage(file: Path, **options: Any) -> Any:
        seen = glance(file, **options)
        if file.name == "IMG_2.png":
            file.write_bytes(file.read_bytes()[:5000])
        return seen

    monkeypatch.setattr(series, "read_glance", and_damage)
    result = run(photos)
    by_name = {photo["input"]: photo for photo in result.photos}
    assert by_name["IMG_2.png"]["status"] == "failed"
    assert by_name["IMG_1.png"]["status"] != "failed"
    assert any(
        "IMG_2.png of its series was left out" in w for w in by_name["IMG_1.png"]["warnings"]
    )
