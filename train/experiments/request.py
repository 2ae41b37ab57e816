"""What a table is called with, and the pictures that it trains and tests on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..data.datasets import KINDS, find_dataset
from ..data.holes import HoleGenerator
from ..data.pictures import find_images
from .runs import Budget

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TableRequest:
    """One call of a table.

    Attributes:
        folder: for checkpoints and results.
        budget: see ``Budget``.
        data: data folder, which holds the table's folders (``faces/train`` …), or None.
        images: the user's training folders instead of those.
        test: the user's test folders.
        datasets: (name, root) of each set of ``train.data.datasets`` instead of folders.
        count: most test pictures.
        width: of the networks; each table defines it.
        size: side of the pictures in pixels.
        labels: CSV of ``file,age,gender,race`` of the faces, or None.
        features: feature network, as for ``train-inpainter``.
        perceptual_crop: side of the crop that the feature network sees; 0 = the whole picture.
        gated_width: channels of the gated convolutions, which need more for a like size.
        classifier: file of the classifier behind Similarity, or None.
        command: the command line, for the record.
    """

    folder: Path
    budget: Budget
    data: Path | None = None
    images: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    datasets: tuple[tuple[str, Path], ...] = ()
    count: int = 200
    width: int = 16
    size: int = 128
    labels: Path | None = None
    features: str = "none"
    perceptual_crop: int = 0
    gated_width: int = 48
    classifier: Path | None = None
    command: str = ""


@dataclass(frozen=True)
class Pictures:
    """Files to train on and files to test with.

    Attributes:
        train: training files.
        test: test files.
        source: their folders and numbers, for the record.
    """

    train: list[Path]
    test: list[Path]
    source: dict[str, Any]


def pictures(request: TableRequest, kind: str) -> Pictures:
    """The request's dataset or folders, else those of its data folder.

    Args:
        request: see ``TableRequest``.
        kind: ``faces`` or ``scenes``, whose ``train`` and ``val`` lie in the data folder.

    A user's folder without a test folder is split by a fixed seed as CelebA-HQ is in Kulkarni
    et al.: 70 % for training, 15 % for validation, which nothing here uses, and 15 % for the
    test.

    Raises:
        FileNotFoundError: no folder is named, or there are no pictures.
        ValueError: several datasets are named for one kind.
    """
    if request.datasets:
        return _of_dataset(request, kind)
    if request.images:
        images = find_images(request.images)
        if request.test:
            return _select(images, find_images(request.test), request, request.images, request.test)
        order = np.random.default_rng(0).permutation(len(images))
        training, tested = order[: round(0.7 * len(images))], order[round(0.85 * len(images)) :]
        if not len(tested):
            raise FileNotFoundError(
                f"{request.images[0]}: {len(images)} pictures are too few to split; "
                "name a folder with --test-images"
            )
        return _select(
            [images[i] for i in sorted(training)],
            [images[i] for i in sorted(tested)],
            request,
            request.images,
            ("15 % of them",),
        )
    if request.data is None:
        raise FileNotFoundError("no pictures are named; use --data, --images or --quick")
    train, test = f"{kind}/train", f"{kind}/val"
    folders = request.data / train, request.data / test
    return _select(find_images(folders[:1]), find_images(folders[1:]), request, (train,), (test,))


def _of_dataset(request: TableRequest, kind: str) -> Pictures:
    """The training part and the first ``count`` pictures of the test part of the kind's dataset.

    A single dataset serves a table of any kind.
    """
    name, root = dataset_of(request, kind)
    dataset = find_dataset(name, root)
    if not dataset.test:
        raise FileNotFoundError(
            f"{dataset.folder}: no picture of {name}'s test part below {root} ({dataset.split})"
        )
    test = dataset.test[: request.count]
    source = {
        "dataset": name,
        "split": dataset.split,
        "train_pictures": len(dataset.train),
        "test_part": len(dataset.test),
        "test_pictures": len(test),
    }
    return Pictures(dataset.train, test, source)


def dataset_of(request: TableRequest, kind: str) -> tuple[str, Path]:
    """(name, root) of the request's dataset of a kind; a single one serves every kind.

    Raises:
        ValueError: several are, or none is, of this kind.
    """
    of_kind = [pair for pair in request.datasets if KINDS[pair[0]] == kind]
    candidates = of_kind if len(request.datasets) > 1 else request.datasets
    if len(candidates) != 1:
        names = ", ".join(name for name, _ in request.datasets)
        raise ValueError(f"--dataset {names}: expected one of {kind}")
    return candidates[0]


def _select(
    train: list[Path],
    test: list[Path],
    request: TableRequest,
    train_folders: Sequence[Any],
    test_folders: Sequence[Any],
) -> Pictures:
    """The first ``count`` test pictures by name: the same ones for everyone who has the folder.

    Raises:
        FileNotFoundError: a picture is both a training and a test picture.
    """
    both = {p.resolve() for p in train} & {p.resolve() for p in test}
    if both:
        raise FileNotFoundError(
            f"{min(both)}: is both a training and a test picture; "
            "name folders that share no picture"
        )
    test = test[: request.count]
    names = {"train": [_name(f) for f in train_folders], "test": [_name(f) for f in test_folders]}
    return Pictures(
        train, test, {**names, "train_pictures": len(train), "test_pictures": len(test)}
    )


def _name(folder: Any) -> str:
    """A folder as results may show it: without the path of this machine."""
    return folder.name if isinstance(folder, Path) else str(folder)


def squares(files: Sequence[Path], holes: HoleGenerator, size: int) -> tuple[Tensor, Tensor]:
    """Centre squares of test pictures, with holes from a fixed seed.

    Args:
        files: of the pictures.
        holes: draws the holes.
        size: side of the squares in pixels.

    Returns:
        (pictures N3HW in [0, 1], masks N1HW with 1 = known).

    Raises:
        OSError: a file cannot be read. None may be left out, because results are listed by
            file.
    """
    from ..data.pictures import read_rgb
    from ..tasks.base import squares_with_holes

    return squares_with_holes([read_rgb(f) for f in files], holes, size)


def lpips(backbones: Sequence[str]) -> tuple[nn.Module | None, str]:
    """LPIPS of two batches over the first available backbone.

    Args:
        backbones: names, in order of preference.

    Returns:
        (LPIPS, its backbone's name), or (None, why there is none).
    """
    from ...pipeline.quality.lpips import lpips_network
    from ..features import Scorer

    why = ""
    for backbone in backbones:
        network, missing = lpips_network(backbone, offline=False)
        if network is not None:
            return Scorer(network), backbone
        why = why or missing
    log.warning("%s; LPIPS is left out", why)
    return None, why
