"""The pictures and the holes of one ``train-inpainter`` call, from its options."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..request import Request
from .datasets import find_dataset
from .holes import HoleGenerator, Kinds, MaskFolder, named_mixture, without_data
from .pictures import LEAST, find_images, split

log = logging.getLogger(__name__)

#: Photos whose size is looked at before a run, at most.
LOOKED_AT = 500


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
    if request.images:
        return _of_folders(request)
    if request.data is None:
        raise ValueError(
            f"{request.model} needs pictures: --images DIR, a folder of photos, or --data DIR, the "
            "folder below which the preset's folders lie"
        )
    files = find_images([request.data / folder for folder in folders])
    training, held_out = split(files, request.held_out_of(len(files)))
    return Chosen(training, held_out, tuple(folders))


def _of_folders(request: Request) -> Chosen:
    """The user's own pictures; those that the run itself writes, and masks, are none."""
    for folder in request.images:
        if not folder.is_dir():
            found = "is a file" if folder.exists() else "no such folder"
            raise FileNotFoundError(f"{folder}: {found}; --images names a folder of photos")
    others = [folder.resolve() for folder in (request.folder, request.masks) if folder is not None]
    files = [
        path
        for path in _pictures(request.images)
        if not any(path.resolve().is_relative_to(other) for other in others)
    ]
    if len(files) < 2:
        raise ValueError(
            f"{len(files)} picture in {', '.join(map(str, request.images))}; training needs 2 or "
            "more, because one is held out; --images repeats"
        )
    training, held_out = split(files, request.held_out_of(len(files)))
    return Chosen(training, held_out, images=request.shown_images)


def _pictures(folders: Sequence[Path]) -> list[Path]:
    """``find_images``; if there are none, the error says which files there are."""
    try:
        return find_images(folders)
    except FileNotFoundError as error:
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        kinds = Counter(path.suffix.lower() or path.name for path in files).most_common(3)
        if not kinds:
            raise
        there = ", ".join(f"{count} {kind}" for kind, count in kinds)
        raise FileNotFoundError(f"{error}, but {there}; convert photos to JPEG or PNG") from error


def _of_dataset(request: Request) -> Chosen:
    """The request's dataset; the held-out pictures are a fixed sample."""
    ((name, root),) = request.datasets
    dataset = find_dataset(name, root)
    count = (
        request.held_out_samples if dataset.validation else request.held_out_of(len(dataset.train))
    )
    if count < 1:
        raise ValueError(f"{count} pictures to be held out; expected 1 or more")
    if dataset.validation:
        order = np.random.default_rng(0).permutation(len(dataset.validation))
        held_out = [dataset.validation[i] for i in order[:count]]
        training = dataset.train
    else:
        training, held_out = split(dataset.train, count)
    return Chosen(
        training,
        held_out,
        folders=(name,),
        facts={"split": dataset.split},
    )


def choose_holes(
    request: Request, kinds: Kinds, photos: Sequence[Path]
) -> tuple[HoleGenerator, Kinds]:
    """The holes of the request's masks, else those of the preset.

    Without a data folder the kinds that need files are drawn by what needs none, and the log says
    by what.

    Args:
        request: see ``Request``.
        kinds: the preset's, (weight, name) each.
        photos: to train on; the bundled segmenter looks for objects in them.

    Returns:
        (what draws the holes, the kinds that it draws; none of own masks).

    Raises:
        FileNotFoundError: there are no masks.
    """
    if request.masks:
        return MaskFolder(request.masks), ()
    if request.data is not None:
        try:
            return named_mixture(kinds, request.data), kinds
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"{error}; with --images and without --data holes are drawn that need no files, "
                "and --masks DIR takes them from mask pictures of yours"
            ) from error
    drawn = without_data(kinds)
    names = {name for _, name in drawn}
    if "free-form" in names:
        log.info("holes: strokes and patches stand in for the data folder's irregular masks")
    if "silhouettes" not in names:
        return named_mixture(drawn), drawn
    from .silhouettes import find_silhouettes

    shapes = find_silhouettes(photos, request.seed)
    found = f"silhouettes of {len(shapes)} objects that the bundled segmenter found in your photos"
    none = "round patches, because the bundled segmenter found no object in your photos,"
    log.info("holes: %s stand in for labelled objects", found if shapes else none)
    if not shapes:
        drawn = tuple((w, "blobs" if name == "silhouettes" else name) for w, name in drawn)
    return named_mixture(drawn, silhouettes=shapes), drawn


def warn_of_small_photos(photos: Sequence[Path], size: int, step: int) -> None:
    """Warn if photos are much smaller than the crops: they are enlarged, and enlarging blurs.

    Args:
        photos: to train on; a sample of them is looked at.
        size: side of the crops in pixels.
        step: what that side must be a multiple of; 0 = it cannot be changed.
    """
    sides = [side for path in photos[:: -(-len(photos) // LOOKED_AT)] if (side := _shorter(path))]
    small = sorted(side for side in sides if side < LEAST * size)
    if not small:
        return
    fitting = small[len(small) // 2] // step * step if step else 0
    remedy = f"; --size {fitting} trains on smaller crops" if fitting else ""
    log.warning(
        "%d of %d photos are much smaller than the crops of %d pixels, and are enlarged, which "
        "teaches the network to blur%s",
        len(small),
        len(sides),
        size,
        remedy,
    )


def _shorter(path: Path) -> int:
    """The shorter side of a photo in pixels, by its file's header; 0 if that cannot be read."""
    try:
        with Image.open(path) as image:
            return min(image.size)
    # An unreadable file is left out when it is its turn, and the log names it.
    except (OSError, ValueError, Image.DecompressionBombError):
        return 0
