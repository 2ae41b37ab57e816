"""Copy-paste: which objects are cut out, how they are pasted, and where they may come from."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from remove_objects.train.data import copy_paste
from remove_objects.train.data.copy_paste import CopyPaste, paste
from remove_objects.train.data.labelled import VOID, LabelledCrops

BACKGROUND, PERSON, DOG = 30, 200, 120


def photo(_: Path, label: Path | None) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A dark photo with a bright object of the class in the label's name.

    The object is a disc; a speck of the same class lies elsewhere.
    """
    category = int(str(label))
    image, ids = np.full((100, 80, 3), BACKGROUND, np.uint8), np.zeros((100, 80), np.uint8)
    cv2.circle(ids, (40, 50), 20, category, -1)
    ids[2:5, 2:5] = category
    image[ids > 0] = PERSON if category == 15 else DOG
    return image, ids


def groups(*labels: str) -> list[list[tuple[Path, Path | None]]]:
    return [[(Path("photo"), Path(name))] for name in labels]


def test_an_object_is_cut_out_in_its_box_without_specks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(8):
        cutout = CopyPaste(groups("15"), photo).draw(rng)
        assert cutout is not None
        image, ids = cutout
        assert ids.shape == (41, 41)
        assert set(np.unique(ids)) == {0, 15}
        assert (image[ids == 15] == PERSON).all()
        assert (image[ids == 0] == BACKGROUND).all()


def test_photos_without_objects_give_none() -> None:
    rng = np.random.default_rng(0)
    assert CopyPaste(groups("0"), photo).draw(rng) is None
    assert CopyPaste(groups("255"), photo).draw(rng) is None
    image, label = np.zeros((90, 90, 3), np.uint8), np.zeros((90, 90), np.uint8)
    for made in (CopyPaste(groups("0"), photo), CopyPaste([[]], photo)):
        for _ in range(10):
            made.paste_some(image, label, rng)
    assert not image.any()
    assert not label.any()


def test_every_group_gives_as_many_objects() -> None:
    people, dogs = groups("15", "12")
    made, rng = CopyPaste([people, dogs * 50], photo), np.random.default_rng(0)
    drawn = [int(cutout[1].max()) for cutout in (made.draw(rng) for _ in range(200)) if cutout]
    assert 75 < drawn.count(15) < 125
    assert len(drawn) == 200


@pytest.mark.parametrize("longer", [8.0, 20.0, 60.0])
def test_a_pasted_object_is_labelled_and_has_no_old_background(longer: float) -> None:
    rng = np.random.default_rng(1)
    thing = CopyPaste(groups("15"), photo).draw(rng)
    assert thing is not None
    thing[0][thing[1] == 0] = (0, 255, 0)  # green, as no other pixel
    for _ in range(20):
        image, label = np.full((90, 90, 3), BACKGROUND, np.uint8), np.zeros((90, 90), np.uint8)
        paste(image, label, *thing, longer, rng)
        changed = (image != BACKGROUND).any(2)
        assert set(np.unique(label)) == {0, 15}
        assert (image[label == 15] > BACKGROUND).all()
        assert (label[~changed] == 0).all()
        rows, columns = (np.flatnonzero((label == 15).any(axis)) for axis in (1, 0))
        assert max(np.ptp(rows), np.ptp(columns)) + 1 == pytest.approx(longer, abs=2)
        assert (image[..., 1].astype(int) - image[..., 0] <= 1).all()


def test_an_object_that_does_not_fit_is_left_out() -> None:
    rng = np.random.default_rng(1)
    thing = CopyPaste(groups("15"), photo).draw(rng)
    assert thing is not None
    image, label = np.zeros((90, 30, 3), np.uint8), np.zeros((90, 30), np.uint8)
    paste(image, label, *thing, 31.0, rng)
    assert not image.any()
    paste(image, label, *thing, 30.0, rng)
    assert label.any()


def test_about_half_of_the_pictures_get_a_few_objects() -> None:
    made, pieces = CopyPaste(groups("15"), photo), []
    for n in range(200):
        image, label = np.zeros((200, 200, 3), np.uint8), np.zeros((200, 200), np.uint8)
        made.paste_some(image, label, np.random.default_rng(n))
        _, _, stats, _ = cv2.connectedComponentsWithStats((label > 0).astype(np.uint8))
        pieces.append(len(stats) - 1)
        assert all(
            max(s[cv2.CC_STAT_WIDTH], s[cv2.CC_STAT_HEIGHT]) >= copy_paste.SMALLEST - 3
            for s in stats[1:]
        )
    assert 70 < sum(p > 0 for p in pieces) < 130
    assert max(pieces) in (copy_paste.MOST_OBJECTS - 1, copy_paste.MOST_OBJECTS)  # two may touch


def test_a_crop_with_objects_is_a_function_of_seed_and_number(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "bare.png"), np.zeros((40, 60, 3), np.uint8))
    bare: list[tuple[Path, Path | None]] = [(tmp_path / "bare.png", None)]
    first, again = (
        LabelledCrops(bare, size=64, seed=0, copy_paste=CopyPaste(groups("15"), photo))
        for _ in range(2)
    )
    samples = [first[n] for n in range(12)]
    for n, (image, label) in reversed(list(enumerate(samples))):
        assert (again[n][0] == image).all()
        assert (again[n][1] == label).all()
        assert set(label.unique().tolist()) <= {
            15,
            VOID,
        }  # the photo has no label, the pasted objects have
        assert (image[:, label == 15] > 70).all()
    assert 2 < sum((label == 15).any() for _, label in samples) < 12
