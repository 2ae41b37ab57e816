"""Labelled photos: crops that lie on their labels, order, void, palette."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.train.data import labelled
from remove_objects.train.data.labelled import (
    NOT_PERSON,
    PALETTE,
    VOID,
    LabelledCrops,
    read_pair,
)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A dark photo with a bright person in its left third, and the label."""
    photo, label = np.full((40, 60, 3), 40, np.uint8), np.zeros((40, 60), np.uint8)
    photo[:, :20], label[:, :20] = 200, 15
    cv2.imwrite(str(tmp_path / "photo.png"), photo)
    cv2.imwrite(str(tmp_path / "label.png"), label)
    return tmp_path / "photo.png", tmp_path / "label.png"


def test_crop_lies_on_its_label(pair: tuple[Path, Path]) -> None:
    crops = LabelledCrops([pair], size=64, seed=0)
    left, right, widths = 0, 0, set()
    for n in range(20):
        image, label = crops[n]
        assert (image.shape, image.dtype) == ((3, 64, 64), torch.uint8)
        assert (label.shape, label.dtype) == ((64, 64), torch.uint8)
        assert set(label.unique().tolist()) <= {0, 15}
        assert (
            (image[0] > 120) == (label == 15)
        ).float().mean() > 0.95  # but for the border between them
        place = (label == 15).nonzero()[:, 1].float()
        other = (label == 0).nonzero()[:, 1].float()
        if len(place) and len(other):
            left, right = (
                left + int(place.mean() < other.mean()),
                right + int(place.mean() > other.mean()),
            )
        assert (
            int(((label[0, 1:] == 15) != (label[0, :-1] == 15)).sum()) <= 1
        )  # not repeated beside itself
        widths.add(int((label[0] == 15).sum()))
    assert min(left, right) > 2  # mirrored or not
    assert len(widths) > 5  # at many places
    # The person is 20 of 40 pixels' height wide: at most 64 / 0.7 / 2 here.
    assert max(widths) <= 46


def test_crops_of_a_square_photo_are_as_large_as_the_photo_or_closer(tmp_path: Path) -> None:
    label = np.zeros((40, 40), np.uint8)
    label[10:30, 10:30] = 15
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((40, 40, 3), np.uint8))
    cv2.imwrite(str(tmp_path / "label.png"), label)
    crops = LabelledCrops([(tmp_path / "photo.png", tmp_path / "label.png")], size=80, seed=0)
    labels = [crops[n][1] for n in range(40)]
    whole = [label for label in labels if not label[[0, -1]].any() and not label[:, [0, -1]].any()]
    sides = [int(label.any(0).sum()) for label in whole]
    assert 40 <= min(sides) < 42
    assert 52 < max(sides) <= 80 / 2 / labelled.CLOSEST + 1


def test_labels_of_people_only_exclude_no_other_class(
    pair: tuple[Path, Path],
) -> None:
    named, unnamed = (
        LabelledCrops([pair], size=65, seed=0, people_only=only) for only in ((), (pair[0].parent,))
    )
    for n in range(4):
        image, label = named[n]
        assert torch.equal(image, unnamed[n][0])
        assert torch.equal(torch.where(label == 0, NOT_PERSON, label), unnamed[n][1])


def test_sample_is_a_function_of_seed_and_number(pair: tuple[Path, Path]) -> None:
    first, again, other = (LabelledCrops([pair] * 3, size=33, seed=s) for s in (0, 0, 1))
    samples = [first[n] for n in range(4)]
    for n, (image, label) in reversed(list(enumerate(samples))):
        assert torch.equal(again[n][0], image)
        assert torch.equal(again[n][1], label)
        assert not torch.equal(other[n][0], image)
    assert len({image.numpy().tobytes() for image, _ in samples}) == 4


def test_every_file_once_an_epoch(pair: tuple[Path, Path], tmp_path: Path) -> None:
    files: list[tuple[Path, Path | None]] = []
    for i in range(3):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((40, 60), i, np.uint8))
        files.append((pair[0], tmp_path / f"{i}.png"))
    crops = LabelledCrops(files, size=17, seed=0)
    seen = [int(crops[n][1].min()) for n in range(18)]
    epochs = [seen[i : i + 3] for i in range(0, 18, 3)]
    assert all(sorted(e) == [0, 1, 2] for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1


def test_photo_without_a_label_is_void(pair: tuple[Path, Path]) -> None:
    assert (LabelledCrops([(pair[0], None)], size=33, seed=0)[0][1] == VOID).all()
    image, label = read_pair(pair[0], None)
    assert image.shape == (40, 60, 3)
    assert (label == np.full((40, 60), VOID)).all()


def test_an_invalid_label_is_named(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"photo\.png: expected one channel of class ids"):
        read_pair(pair[0], pair[0])
    with pytest.raises(OSError, match=r"none\.png: not a readable label"):
        read_pair(pair[0], tmp_path / "none.png")


def test_palette_is_pascal_vocs() -> None:
    assert PALETTE.shape == (256, 3)
    assert PALETTE.dtype == np.uint8
    assert PALETTE[:4].tolist() == [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert PALETTE[15].tolist() == [192, 128, 128]
    assert PALETTE[255].tolist() == [224, 224, 192]
    assert len({tuple(c) for c in PALETTE[:21].tolist()}) == 21
