"""The pictures of one ``train-inpainter`` call, from its options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..request import Request, without_root
from .datasets import find_dataset
from .pictures import find_images, split


@dataclass(frozen=True)
class Chosen:
    """Pictures to train on, and pictures for the log's metrics.

    Attributes:
        training: files to train on.
        held_out: files that are never trained on.
        folders: the preset's folders or the dataset that they are from.
        images: the user's own folders that they are from, as a card shows them.
        facts: further entries of the card's recipe.
    """

    training: list[Path]
    held_out: list[Path]
    folders: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def choose_pictures(request: Request, folders: Sequence[str]) -> Chosen:
    """The pictures of the request's dataset or folders, else those of the preset's folders.

    Of a dataset only the training part is trained on. The held-out pictures are of its validation
    part, or of the training part if it has none.

    Args:
        request: see ``Request``.
        folders: the preset's folders below the data folder.

    Raises:
        FileNotFoundError: there are no pictures, or not those of the named dataset.
        ValueError: too few pictures are left to train on, or options do not go together.
    """
    if request.datasets:
        return _of_dataset(request)
    places = request.images or tuple(request.data_folder / folder for folder in folders)
    training, held_out = split(find_images(places), request.held_out)
    if request.images:
        return Chosen(training, held_out, images=tuple(without_root(str(p)) for p in places))
    return Chosen(training, held_out, tuple(folders))


def _of_dataset(request: Request) -> Chosen:
    """The request's dataset; the held-out pictures are a fixed sample."""
    ((name, root),) = request.datasets
    dataset = find_dataset(name, root)
    if request.held_out < 1:
        raise ValueError(f"{request.held_out} pictures to be held out; expected 1 or more")
    if dataset.validation:
        order = np.random.default_rng(0).permutation(len(dataset.validation))
        held_out = [dataset.validation[i] for i in order[: request.held_out]]
        training = dataset.train
    else:
        training, held_out = split(dataset.train, request.held_out)
    return Chosen(
        training,
        held_out,
        folders=(name,),
        facts={"split": dataset.split},
    )
