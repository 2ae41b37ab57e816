"""CelebA, CelebA-HQ and Places2 in every layout of their archives, with tiny pictures."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.train.data import datasets
from remove_objects.train.data.datasets import NotTheDatasetError, find_dataset, read_partition
from remove_objects.train.request import DATASETS


def unpack(folder: Path, names: Iterable[str]) -> None:
    """Pictures of 4 x 4 pixels."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((4, 4, 3), 90, np.uint8))


#: Pictures of CelebA's three parts, at the borders between them.
FACES = {
    "train": ("000001.jpg", "162770.jpg"),
    "validation": ("162771.jpg", "182637.jpg"),
    "test": ("182638.jpg", "202599.jpg"),
}
ALL_FACES = tuple(name for part in FACES.values() for name in part)


def parts(name: str, root: Path) -> dict[str, set[str]]:
    found = find_dataset(name, root)
    return {part: {path.name for path in getattr(found, part)} for part in FACES}


def partition(separator: str = " ", header: str = "") -> str:
    lines = [
        f"{name}{separator}{part}" for part, names in enumerate(FACES.values()) for name in names
    ]
    return "\n".join([header, *lines] if header else lines) + "\n"


@pytest.mark.parametrize(
    ("pictures", "listed", "named"),
    [
        ("img_align_celeba", "list_eval_partition.txt", "."),
        ("img_align_celeba", "list_eval_partition.txt", "img_align_celeba"),
        ("Img/img_align_celeba", "Eval/list_eval_partition.txt", "."),
        ("Img/img_align_celeba", "Eval/list_eval_partition.txt", "Img"),
        ("Img/img_align_celeba", "Eval/list_eval_partition.txt", "Img/img_align_celeba"),
        ("CelebA/Img/img_align_celeba", "CelebA/Eval/list_eval_partition.txt", "."),
        ("celeba/img_align_celeba", "celeba/list_eval_partition.txt", "."),
        ("img_align_celeba/img_align_celeba", "list_eval_partition.csv", "."),
        ("img_align_celeba", None, "."),
    ],
)
def test_celeba_as_its_archives_unpack(
    tmp_path: Path, pictures: str, listed: str | None, named: str
) -> None:
    unpack(tmp_path / pictures, ALL_FACES)
    if listed:
        (tmp_path / listed).parent.mkdir(exist_ok=True)
        text = partition(",", "image_id,partition") if listed.endswith("csv") else partition()
        (tmp_path / listed).write_text(text)
    assert parts("celeba", tmp_path / named) == {part: set(names) for part, names in FACES.items()}


def test_celebas_list_decides_not_the_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unpack(tmp_path / "img_align_celeba_png", ("000001.png", "000002.png", "000003.png"))
    listed = tmp_path / "list_eval_partition.txt"
    listed.write_text("000001.jpg 2\n000002.jpg 0\n000009.jpg 0\n")
    found = parts("celeba", tmp_path)
    assert found == {"train": {"000002.png"}, "validation": set(), "test": {"000001.png"}}
    assert f"{listed}: does not name 1 of 3 pictures; left out" in caplog.text


@pytest.mark.parametrize("line", ["000002.jpg 3", "000002.jpg", "000002.jpg,0,1"])
def test_a_damaged_list_is_named_with_its_line(tmp_path: Path, line: str) -> None:
    listed = tmp_path / "list_eval_partition.txt"
    listed.write_text(f"000001.jpg 0\n{line}\n")
    with pytest.raises(ValueError, match=r"list_eval_partition.txt, line 2: .*000002.jpg"):
        read_partition(listed)


#: Numbers of CelebA-HQ that a permutation by seed 0 puts first and last of each part.
ORDER = np.random.default_rng(0).permutation(30_000)
HQ = {
    "train": ORDER[[0, 20_999]],
    "validation": ORDER[[21_000, 25_499]],
    "test": ORDER[[25_500, -1]],
}


def _by_gender(n: int) -> str:
    return f"celeba_hq/{('train', 'val')[n % 2]}/{('male', 'female')[n % 3 % 2]}/{n:06d}.jpg"


@pytest.mark.parametrize(
    ("name", "named"),
    [
        (_by_gender, "."),
        (_by_gender, "celeba_hq"),
        (lambda n: f"data/{_by_gender(n)}", "."),
        (lambda n: _by_gender(n).replace("celeba_hq", "mine"), "mine"),
        (lambda n: f"CelebAMask-HQ/CelebA-HQ-img/{n}.jpg", "."),
        (lambda n: f"CelebAMask-HQ/CelebA-HQ-img/{n}.jpg", "CelebAMask-HQ"),
        (lambda n: f"CelebAMask-HQ/CelebA-HQ-img/{n}.jpg", "CelebAMask-HQ/CelebA-HQ-img"),
        (lambda n: f"data256x256/{n:05d}.jpg", "."),
        (lambda n: f"celeba-hq/data256x256/{n:05d}.jpg", "."),
        (lambda n: f"celeba-hq-256/{n:05d}.png", "."),
        (lambda n: f"celeba_hq_256/img{n:08d}.png", "celeba_hq_256"),
    ],
)
def test_celeba_hq_is_split_70_15_15_in_every_layout(
    tmp_path: Path, name: Callable[[int], str], named: str
) -> None:
    unpack(tmp_path, [name(int(n)) for numbers in HQ.values() for n in numbers])
    # Labels of the faces' parts are in the same archive.
    unpack(tmp_path / "CelebAMask-HQ" / "CelebAMask-HQ-mask-anno" / "0", ["00000_skin.png"])
    assert parts("celeba-hq", tmp_path / named) == {
        part: {Path(name(int(n))).name for n in numbers} for part, numbers in HQ.items()
    }


def test_all_of_celeba_hq_is_split_as_the_paper_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(tmp_path / "data256x256", ["00000.jpg"])
    pictures = [tmp_path / "data256x256" / f"{n:05d}.jpg" for n in range(1, 30_001)]
    monkeypatch.setattr(datasets, "find_images", lambda _: pictures)
    found = find_dataset("celeba-hq", tmp_path)
    assert [len(getattr(found, part)) for part in FACES] == [21_000, 4_500, 4_500]
    assert {*found.train, *found.validation, *found.test} == set(pictures)


TRAIN = (
    "a/airfield/00000001.jpg",
    "a/airfield/00000002.jpg",
    "a/apartment_building/outdoor/00000001.jpg",
)
VAL = tuple(f"Places365_val_{n:08d}.jpg" for n in range(1, 7))


@pytest.mark.parametrize(
    ("train", "val", "named"),
    [
        ("data_256", "val_256", "."),
        ("data_256", "val_256", "data_256"),
        ("data_256_standard", "val_256", "."),
        ("data_large", "val_large", "."),
        ("data_large_challenge", "val_large", "."),
        ("places2/data_256", "places2/val_256", "."),
        ("places365_standard/train", "places365_standard/val/airfield", "."),
        ("places365_standard/train", "places365_standard/val/airfield", "places365_standard"),
        ("mine/train", "mine/val/airfield", "mine"),
    ],
)
def test_places2_as_its_archives_unpack(tmp_path: Path, train: str, val: str, named: str) -> None:
    unpack(tmp_path / train, TRAIN)
    unpack(tmp_path / val, VAL)
    unpack(tmp_path / "test_256", ["Places365_test_00000001.jpg"])
    found = find_dataset("places2", tmp_path / named)
    assert {p.relative_to(found.folder).as_posix() for p in found.train} == set(TRAIN)
    assert {p.name for p in found.test} == set(VAL)
    assert not found.validation


def test_the_list_of_places2_says_which_pictures_are_of_the_standard_set(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unpack(tmp_path / "data_256", TRAIN)
    listed = tmp_path / "places365_train_standard.txt"
    listed.write_text(f"/{TRAIN[0]} 0\n/{TRAIN[2]} 2\n/a/airfield/00000009.jpg 0\n")
    found = find_dataset("places2", tmp_path)
    assert {p.relative_to(found.folder).as_posix() for p in found.train} == {TRAIN[0], TRAIN[2]}
    assert "does not name 1 of 3 pictures; left out" in caplog.text
    listed.write_text("/b/bank/00000001.jpg 0\n")
    with pytest.raises(NotTheDatasetError, match=r"names none of the 3 pictures .* a/airfield"):
        find_dataset("places2", tmp_path)


@pytest.mark.parametrize("name", DATASETS)
def test_a_folder_of_other_things_is_told_by_what_was_sought_and_found(
    tmp_path: Path, name: str
) -> None:
    unpack(tmp_path / "holiday", ["1.jpg"])
    (tmp_path / "notes.txt").write_text("of no use")
    sought = {
        "celeba": "img_align_celeba",
        "celeba-hq": "celeba-hq-256",
        "places2": "places365_standard/train",
    }
    with pytest.raises(NotTheDatasetError) as error:
        find_dataset(name, tmp_path)
    for words in (str(tmp_path), name, sought[name], "found holiday/, notes.txt", "--images"):
        assert words in str(error.value)
    with pytest.raises(NotTheDatasetError, match=r"nowhere: no such folder"):
        find_dataset(name, tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "pictures", "culprit"),
    [
        ("celeba", ["img_align_celeba/face.jpg"], "face.jpg"),
        ("celeba", ["img_align_celeba/202600.jpg"], "202600.jpg"),
        ("celeba-hq", ["data256x256/face.jpg"], "face.jpg"),
        ("celeba-hq", ["data256x256/162771.jpg"], "162771.jpg"),
        ("places2", ["train/n01440764/n01440764_10026.jpg"], "n01440764_10026.jpg"),
        ("places2", ["train/male/000016.jpg"], "000016.jpg"),
        ("places2", ["data_256/a/airfield/00000001.jpg", "val_256/9.jpg"], "9.jpg"),
    ],
)
def test_pictures_of_another_set_are_refused_by_name(
    tmp_path: Path, name: str, pictures: list[str], culprit: str
) -> None:
    unpack(tmp_path, pictures)
    with pytest.raises(NotTheDatasetError, match=f"{culprit}: is no picture of {name}; looked for"):
        find_dataset(name, tmp_path)


def test_an_archive_without_its_training_part_is_told(tmp_path: Path) -> None:
    unpack(tmp_path / "img_align_celeba", FACES["test"])
    with pytest.raises(NotTheDatasetError, match="no picture of celeba's training part"):
        find_dataset("celeba", tmp_path)


def test_the_order_of_the_test_part_follows_from_the_names(tmp_path: Path) -> None:
    for folder, names in (("one", VAL), ("two", VAL[1:])):
        unpack(tmp_path / folder / "data_256", TRAIN)
        unpack(tmp_path / folder / "val_256", names)
    one, two = (
        [path.name for path in find_dataset("places2", tmp_path / folder).test]
        for folder in ("one", "two")
    )
    assert one != sorted(one)
    assert [name for name in one if name != VAL[0]] == two


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_to_the_pictures_is_followed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    unpack(tmp_path / "disk" / "img_align_celeba", ALL_FACES)
    (tmp_path / "faces").symlink_to(tmp_path / "disk" / "img_align_celeba")
    with caplog.at_level(logging.INFO):
        assert parts("celeba", tmp_path / "faces")["test"] == set(FACES["test"])
    assert "celeba: 2 pictures to train, 2 for validation, 2 for tests" in caplog.text


def test_every_named_set_has_kind_and_terms() -> None:
    assert set(datasets.KINDS) == set(datasets.TERMS) == set(DATASETS)
