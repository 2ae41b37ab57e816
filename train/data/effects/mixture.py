"""All samples of the effects network: made scenes, real moments, and labelled photos."""

from __future__ import annotations

import logging
from pathlib import Path

from torch import Tensor
from torch.utils.data import Dataset

from ..objects import cut_outs as cut_out_file
from ..objects import scenes as grounds
from . import cameras, photos, samples, things
from .cameras import CameraMoments
from .photos import LabelledThings
from .samples import EffectSamples, EffectScenes

log = logging.getLogger(__name__)

#: How often each kind is drawn.
SHARES = {"made": 0.4, "cameras": 0.35, "photos": 0.25}


#: Folders below the data folder that samples are made of.
FOLDERS = tuple(
    dict.fromkeys(
        (
            *cut_out_file.SOURCES,
            *(folder.removesuffix("/images") for folder in samples.GROUNDS),
            cameras.FOLDER,
            photos.FOLDER,
            things.FOLDER,
        )
    )
)


def count_pictures(data: Path) -> int:
    """Count the pictures of ``FOLDERS``; a moment or a labelled photo is one.

    Raises:
        FileNotFoundError: there are none.
    """
    found: set[Path] = set()
    for source in cut_out_file.SOURCES:
        found.update(cut_out_file.photos_of(data, source))
    for folder in samples.GROUNDS:
        found.update(grounds.photos_of(data, folder))
    for folder in (cameras.FOLDER, photos.FOLDER):
        found.update((data / folder).glob("*/*_image.png"))
    found.update((data / things.FOLDER).glob("*/*.png"))
    if not found:
        raise FileNotFoundError(f"{data}: none of {', '.join(FOLDERS)} found below it")
    return len(found)


def sources(
    data: Path, cut_outs: Path, size: int, *, held_out: bool, seed: int
) -> dict[str, Dataset[tuple[Tensor, ...]]]:
    """The kinds that the data folder has; made scenes are always among them.

    Args:
        data: data folder.
        cut_outs: folder that ``cut_outs.build`` wrote.
        size: side of a sample in pixels.
        held_out: of pictures that are never trained on, or of the others.
        seed: of all samples.

    Raises:
        FileNotFoundError: there are no scenes.
    """
    scenes = EffectScenes(data, cut_outs, size, held_out=held_out, seed=seed)
    found: dict[str, Dataset[tuple[Tensor, ...]]] = {"made": EffectSamples(scenes)}
    for name, kind in (("cameras", CameraMoments), ("photos", LabelledThings)):
        try:
            found[name] = kind(data, size, held_out=held_out, seed=seed)
        except FileNotFoundError as error:
            log.warning("%s; %s without", error, "held out" if held_out else "trained")
    return found
