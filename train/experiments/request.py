"""What a table is called with: pictures, budget, where it writes. And the pictures that it finds."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor, nn

from ..data.holes import HoleGenerator
from ..data.pictures import find_images
from .runs import Budget

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """One call of a table.

    ``folder``: of checkpoints and results. ``data``: holds the table's own folders (``faces/train`` …). ``images``, ``test``: a user's
    folders instead of those. ``count``: test pictures at most. ``width``: of the networks; each table says what that is. ``size``: side
    of the pictures in pixels. ``labels``: ``file,age,gender,race`` of the faces. ``features``: as for ``train-inpainter``. ``look``: side
    of the crop at which the feature network looks, 0 = all. ``classifier``: file of the network that names what is on a picture.
    ``command``: for the record.
    """

    folder: Path
    budget: Budget
    data: Path | None = None
    images: tuple[Path, ...] = ()
    test: tuple[Path, ...] = ()
    count: int = 200
    width: int = 16
    size: int = 128
    labels: Path | None = None
    features: str = "none"
    look: int = 0
    classifier: Path | None = None
    command: str = ""


@dataclass(frozen=True)
class Pictures:
    """Files to train on and files to test with; ``source`` says where they come from."""

    train: list[Path]
    test: list[Path]
    source: dict[str, Any]


def pictures(call: Call, train: str, test: str) -> Pictures:
    """The call's own folders, else ``train`` and ``test`` below its data folder.

    A user's folder without one for tests is split by a fixed seed as CelebA-HQ is in Kulkarni et al.: 70 % to train, 15 % to look at,
    which nothing here does, and 15 % to test.

    Raises:
        FileNotFoundError: there are no pictures; or no folder is named.
    """
    if call.images:
        found = find_images(call.images)
        if call.test:
            return _picked(found, find_images(call.test), call, call.images, call.test)
        order = np.random.default_rng(0).permutation(len(found))
        training, tested = order[: round(0.7 * len(found))], order[round(0.85 * len(found)) :]
        if not len(tested):
            raise FileNotFoundError(
                f"{call.images[0]}: {len(found)} pictures are too few to be split; name a folder with --test-images"
            )
        return _picked(
            [found[i] for i in sorted(training)],
            [found[i] for i in sorted(tested)],
            call,
            call.images,
            ("15 % of them",),
        )
    if call.data is None:
        raise FileNotFoundError("no pictures are named; use --data, --images or --quick")
    folders = call.data / train, call.data / test
    return _picked(find_images(folders[:1]), find_images(folders[1:]), call, (train,), (test,))


def _picked(
    train: list[Path],
    test: list[Path],
    call: Call,
    train_folders: Sequence[Any],
    test_folders: Sequence[Any],
) -> Pictures:
    """The first ``count`` test pictures in order of their names: the same ones for everybody who has the folder."""
    both = {p.resolve() for p in train} & {p.resolve() for p in test}
    if both:
        raise FileNotFoundError(
            f"{min(both)}: is to be trained on and tested with; name folders that share no picture"
        )
    test = test[: call.count]
    names = {"train": [_name(f) for f in train_folders], "test": [_name(f) for f in test_folders]}
    return Pictures(
        train, test, {**names, "train_pictures": len(train), "test_pictures": len(test)}
    )


def _name(folder: Any) -> str:
    """A folder as results may show it: no path of this machine."""
    return folder.name if isinstance(folder, Path) else str(folder)


def squares(files: Sequence[Path], holes: HoleGenerator, size: int) -> tuple[Tensor, Tensor]:
    """(pictures N3HW in [0, 1], masks N1HW with 1 = known): centre squares, holes from a seed of their own.

    Raises:
        OSError: a file cannot be read. Rows go by the files' names, so none may be left out.
    """
    from ..data.pictures import read_rgb
    from ..tasks.base import squares_with_holes

    return squares_with_holes([read_rgb(f) for f in files], holes, size)


def lpips(backbones: Sequence[str]) -> tuple[nn.Module | None, str]:
    """(LPIPS of two batches over the first of ``backbones`` that is to be had, its name), or (None, why not)."""
    from ...pipeline.quality.lpips import lpips_network
    from ..features import Scorer

    why = ""
    for backbone in backbones:
        network, missing = lpips_network(backbone, offline=False)
        if network is not None:
            return Scorer(network), backbone
        why = why or missing
    log.warning("%s; those figures are left out", why)
    return None, why
