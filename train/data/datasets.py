"""CelebA, CelebA-HQ and Places2, found by name as their archives unpack, in their papers' parts."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ..request import DATASETS
from .pictures import TRAINING_SUFFIXES, find_images

log = logging.getLogger(__name__)

#: Source and terms of each set, for the model card; a name comes before the name it begins with.
TERMS = {
    "celeba-hq": "CelebA-HQ (Karras et al. 2018), of CelebA's photos: non-commercial research",
    "celeba": "CelebA (Liu et al. 2015): non-commercial research",
    "places2": "Places2 (Zhou et al. 2017): non-commercial research and education",
}

#: What the pictures of each set show, as the tables name their folders.
KINDS = {"celeba": "faces", "celeba-hq": "faces", "places2": "scenes"}

#: Folders in which an archive may have been unpacked, below the named one.
CELEBA_PARENTS = ("", "Img", "celeba", "celeba/Img", "CelebA", "CelebA/Img")
HQ_PARENTS = ("", "CelebAMask-HQ", "celeba-hq", "CelebA-HQ", "data")
PLACES_PARENTS = ("", "places2", "Places2", "places365", "Places365", "places", "Places")

#: CelebA's aligned pictures of 178 x 218, which Jiang & Zhang use, as JPEG or PNG.
CELEBA_FOLDERS = ("img_align_celeba", "img_align_celeba_png")
#: CelebA's parts; the first two names are the archive's and Kaggle's.
CELEBA_LISTS = ("list_eval_partition.txt", "list_eval_partition.csv")
#: The last number of CelebA's training and validation parts, and the last of all. The parts of
#: ``list_eval_partition.txt`` are these three ranges.
CELEBA_LAST = (162_770, 182_637, 202_599)

#: CelebA-HQ's folders, those of 256 x 256 pixels first, the paper's size.
HQ_FOLDERS = (
    "celeba_hq",
    "celeba-hq-256",
    "celeba_hq_256",
    "data256x256",
    "CelebA-HQ-img",
    "data512x512",
    "data1024x1024",
)
#: Number of CelebA-HQ's pictures, and of those in its training part and before its test part:
#: 70, 15 and 15 % (Kulkarni et al., section 2.1).
HQ_COUNT, HQ_TRAINING, HQ_TEST_FROM = 30_000, 21_000, 25_500

#: Places2's folders: of the training part, of the validation part, and the list of the former.
PLACES_FOLDERS = (
    ("places365_standard/train", "places365_standard/val", ""),
    ("data_256", "val_256", "places365_train_standard.txt"),
    ("data_256_standard", "val_256", "places365_train_standard.txt"),
    ("data_large", "val_large", "places365_train_standard.txt"),
    ("data_large_standard", "val_large", "places365_train_standard.txt"),
    ("data_256_challenge", "val_256", "places365_train_challenge.txt"),
    ("data_large_challenge", "val_large", "places365_train_challenge.txt"),
    ("train", "val", ""),
)
#: Names of Places2's pictures in the two parts.
PLACES_TRAINING, PLACES_TEST = r"\d{8}\.jpg", r"Places365_val_\d{8}\.jpg"


class NotTheDatasetError(FileNotFoundError):
    """The folder is not laid out as the named set is."""


@dataclass(frozen=True)
class Dataset:
    """A set's pictures in three parts that share none.

    Attributes:
        name: one of ``DATASETS``.
        train: to train on.
        validation: for metrics during the training; empty if the set has no such part, or it is
            not on the disk. Metrics then hold out pictures of ``train``.
        test: what tables measure on, in an order that follows from the files' names alone, so
            that the first N are a fair sample and the same for everyone; empty if it is not on
            the disk.
        split: in words, which picture is in which part.
        folder: of the training pictures; Places2's classes are its sub-folders.
    """

    name: str
    train: list[Path]
    validation: list[Path]
    test: list[Path]
    split: str
    folder: Path


def find_dataset(name: str, root: Path) -> Dataset:
    """The pictures of a set below a folder.

    Args:
        name: one of ``DATASETS``.
        root: the folder in which the set's archives were unpacked, or the set's own folder.

    Raises:
        NotTheDatasetError: the folder does not exist, or holds another thing.
        ValueError: the name is unknown, or a list of the parts is damaged.
    """
    finders: dict[str, Callable[[Path], Dataset]] = {
        "celeba": _celeba,
        "celeba-hq": _celeba_hq,
        "places2": _places2,
    }
    if name not in finders:
        raise ValueError(f"no dataset is named {name}; there are {', '.join(DATASETS)}")
    if not root.is_dir():
        raise NotTheDatasetError(f"{root}: no such folder; --root names the folder of {name}")
    dataset = finders[name](root)
    if not dataset.train:
        raise NotTheDatasetError(
            f"{dataset.folder}: no picture of {name}'s training part ({dataset.split})"
        )
    log.info(
        "%s: %s pictures to train, %s for validation, %s for tests in %s",
        name,
        *(f"{len(part):,}" for part in (dataset.train, dataset.validation, dataset.test)),
        dataset.folder,
    )
    return dataset


def _celeba(root: Path) -> Dataset:
    """CelebA in its authors' parts; Jiang & Zhang name none."""
    folder = _first(root, "celeba", CELEBA_PARENTS, CELEBA_FOLDERS)
    pictures = find_images([folder])
    listed = _partition_file(folder)
    parts: tuple[list[Path], ...] = ([], [], [])
    if listed is None:
        split = "CelebA's own parts, by the pictures' numbers"
        for path in pictures:
            parts[_celeba_part(path)].append(path)
    else:
        split = f"CelebA's own parts, {listed.name}"
        partition = read_partition(listed)
        known = [path for path in pictures if path.stem in partition]
        _tell_left_out(pictures, known, listed)
        for path in known:
            parts[partition[path.stem]].append(path)
    return Dataset("celeba", parts[0], parts[1], _by_name(parts[2]), split, folder)


def _celeba_part(path: Path) -> int:
    """0, 1 or 2 for a picture of the training, validation or test part.

    Raises:
        NotTheDatasetError: the file's name is no number of CelebA.
    """
    number = int(path.stem) if path.stem.isascii() and path.stem.isdigit() else 0
    for part, last in enumerate(CELEBA_LAST):
        if 0 < number <= last:
            return part
    raise NotTheDatasetError(
        f"{path}: is no picture of celeba; looked for the names 000001.jpg to 202599.jpg "
        f"or a list of the parts ({' or '.join(CELEBA_LISTS)})"
    )


def _partition_file(folder: Path) -> Path | None:
    """CelebA's list of parts near its pictures: among them, beside them, above, or in ``Eval``."""
    parents = folder.resolve().parents[:2]
    places = (folder, *(parent / sub for parent in parents for sub in ("", "Eval")))
    files = (place / name for place in places for name in CELEBA_LISTS)
    return next((file for file in files if file.is_file()), None)


def read_partition(path: Path) -> dict[str, int]:
    """Read ``list_eval_partition.txt`` or Kaggle's ``.csv`` of the same.

    Returns:
        0 = training, 1 = validation, 2 = test, by the file's name without suffix.

    Raises:
        ValueError: a line is none of ``NAME PART`` or ``NAME,PART``.
    """
    parts: dict[str, int] = {}
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            fields = line.replace(",", " ").split()
            if not fields or (number == 1 and fields == ["image_id", "partition"]):
                continue
            if len(fields) != 2 or fields[1] not in ("0", "1", "2"):
                raise ValueError(
                    f"{path}, line {number}: expected a file's name and 0, 1 or 2, "
                    f"found {line.strip()!r}"
                )
            parts[Path(fields[0]).stem] = int(fields[1])
    return parts


def _celeba_hq(root: Path) -> Dataset:
    """CelebA-HQ, 70 % for training, 15 % for validation, 15 % for the test (Kulkarni et al., 2.1).

    The paper prints no list. A picture's part follows from its number and a fixed seed alone, so
    it is the same in every layout that numbers the pictures alike, and whether or not all are
    there. The archive's own ``train`` and ``val`` are of another paper.
    """
    folder = _hq_folder(root)
    parts: tuple[list[Path], ...] = ([], [], [])
    for path in find_images([folder]):
        digits = re.search(r"\d+$", path.stem)
        if digits is None or int(digits[0]) > HQ_COUNT:
            raise NotTheDatasetError(
                f"{path}: is no picture of celeba-hq; looked for names that end in a number "
                f"up to {HQ_COUNT}"
            )
        place = _hq_places()[int(digits[0]) % HQ_COUNT]
        parts[(place >= HQ_TRAINING) + (place >= HQ_TEST_FROM)].append(path)
    split = "70 / 15 / 15 % by the pictures' numbers, seed 0"
    return Dataset("celeba-hq", parts[0], parts[1], _by_name(parts[2]), split, folder)


def _hq_folder(root: Path) -> Path:
    """The folder of CelebA-HQ's pictures; ``train`` and ``val`` of men and women count as one."""
    if any((root / part / "female").is_dir() for part in ("train", "val")):
        return root
    return _first(root, "celeba-hq", HQ_PARENTS, HQ_FOLDERS)


@lru_cache(maxsize=1)
def _hq_places() -> list[int]:
    """The place of each number of CelebA-HQ in a fixed order of all."""
    places: list[int] = np.argsort(np.random.default_rng(0).permutation(HQ_COUNT)).tolist()
    return places


def _places2(root: Path) -> Dataset:
    """Places2: its training part to train on, its validation part for tests.

    Neither Kulkarni et al. nor Wu & Cui say which pictures they tested on. The set's own test
    part has no classes, is seldom unpacked, and is not used.
    """
    folder = _first(root, "places2", PLACES_PARENTS, [train for train, _, _ in PLACES_FOLDERS])
    train, val, listed = next(row for row in PLACES_FOLDERS if _is_named(folder, row[0]))
    base = folder.parents[train.count("/")]
    pictures = _of_places(folder, PLACES_TRAINING)
    if listed and (base / listed).is_file():
        pictures = _listed(pictures, folder, base / listed)
    test = _of_places(base / val, PLACES_TEST) if _holds_pictures(base / val) else []
    split = f"Places2's own parts: {train} to train, {val} for tests"
    return Dataset("places2", pictures, [], _by_name(test), split, folder)


def _of_places(folder: Path, pattern: str) -> list[Path]:
    """The pictures below one of Places2's folders.

    Raises:
        NotTheDatasetError: a name is not as Places2 names its pictures.
    """
    pictures = find_images([folder])
    name = re.compile(pattern)
    for path in pictures:
        if not name.fullmatch(path.name):
            raise NotTheDatasetError(
                f"{path}: is no picture of places2; looked for names such as "
                + ("Places365_val_00000001.jpg" if "val" in pattern else "00000001.jpg")
            )
    return pictures


def _listed(pictures: Sequence[Path], folder: Path, listed: Path) -> list[Path]:
    """Those of the folder's pictures that a list of Places2 names: ``/a/airfield/00000001.jpg 0``.

    Raises:
        NotTheDatasetError: it names none of them.
    """
    with open(listed, encoding="utf-8") as file:
        names = {line.split()[0].lstrip("/") for line in file if line.strip()}
    kept = [path for path in pictures if path.relative_to(folder).as_posix() in names]
    if not kept:
        raise NotTheDatasetError(
            f"{listed}: names none of the {len(pictures):,} pictures in {folder}, "
            f"such as {pictures[0].relative_to(folder).as_posix()}; use the list of this archive, "
            "or move the list away"
        )
    _tell_left_out(pictures, kept, listed)
    return kept


def _tell_left_out(pictures: Sequence[Path], kept: Sequence[Path], listed: Path) -> None:
    """Log how many pictures a list does not name."""
    if len(kept) < len(pictures):
        log.warning(
            "%s: does not name %d of %d pictures; left out",
            listed,
            len(pictures) - len(kept),
            len(pictures),
        )


def _by_name(paths: Sequence[Path]) -> list[Path]:
    """The files in an order that follows from their names alone and mixes classes and people."""
    return sorted(paths, key=lambda path: (hashlib.sha256(path.name.encode()).digest(), path))


def _first(root: Path, dataset: str, parents: Sequence[str], names: Sequence[str]) -> Path:
    """The first of the named folders that is in one of the parents and holds pictures.

    ``root`` may be the named folder itself.

    Raises:
        NotTheDatasetError: there is none; says what was looked for and what the folder holds.
    """
    whole = root.resolve()
    folders = [whole] if any(_is_named(whole, name) for name in names) else []
    folders += [root / parent / name for name in names for parent in parents]
    for folder in folders:
        if _holds_pictures(folder):
            return folder
    below = ", ".join(parent for parent in parents if parent)
    raise NotTheDatasetError(
        f"{root}: does not look like {dataset}; looked for a folder of pictures named "
        f"{', '.join(names)}, in it or in {below} below it; found {_contents(root)}. "
        f"--root names the folder in which {dataset}'s archive was unpacked; "
        "other folders of pictures go with --images"
    )


def _is_named(folder: Path, name: str) -> bool:
    """Whether the folder's path ends in ``name``, which may have several parts."""
    parts = Path(name).parts
    return folder.parts[-len(parts) :] == parts


def _holds_pictures(folder: Path) -> bool:
    """Whether there is a picture somewhere below the folder."""
    return folder.is_dir() and any(
        path.suffix.lower() in TRAINING_SUFFIXES for path in folder.rglob("*")
    )


def _contents(root: Path, most: int = 8) -> str:
    """What a folder holds, in words: its first entries."""
    names = sorted(f"{path.name}/" if path.is_dir() else path.name for path in root.iterdir())
    if not names:
        return "an empty folder"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
