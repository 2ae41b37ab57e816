"""What the pipeline finds in the labelled photos: the masks that the network divides when in use.

A segmenter's mask loses feet, joins people whom the label keeps apart, and has areas that are of
nobody. A network that was taught with labels alone has never seen such a mask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ....models.categories import CATEGORIES
from ....pipeline.config import Settings
from ....pipeline.detect import mask, multi_scale
from ....pipeline.networks import Networks, NetworkSettings
from ....pipeline.removal.selection import whole_objects
from ....pipeline.system.atomic import atomic_write
from ....pipeline.types import Pixels
from ..pictures import read_rgb

#: Folder below a run's store.
FOLDER = "found"


def path_of(store: Path, photo: Path) -> Path:
    """Where the found masks of a photo are: HW uint8, the VOC class id of each pixel, 0 = none."""
    name = photo.stem.removesuffix("_image")
    folder = photo.parent.parent if photo.parent.name == "images" else photo.parent
    return store / FOLDER / f"{folder.name}_{name}_found.png"


def build(store: Path, photos: Mapping[Path, Sequence[int]]) -> None:
    """Segment photos with the shipped compact segmenter.

    What the store has already is not made again: a new segmenter needs a new store.

    Args:
        store: the run's.
        photos: with the VOC class ids that are looked for in each.

    Raises:
        OSError: a photo cannot be read.
    """
    missing = [photo for photo in photos if not path_of(store, photo).exists()]
    if not missing:
        return
    settings = Settings(segmenter="compact", offline=True)
    networks = Networks(NetworkSettings.from_settings(settings))
    for photo in tqdm(missing, desc="found masks", unit="photo"):
        found = _found(read_rgb(photo), photos[photo], settings.threshold, networks)
        encoded, data = cv2.imencode(".png", found)
        if not encoded:
            raise OSError(f"{photo}: its found mask cannot be encoded")
        with atomic_write(path_of(store, photo), durable=False) as file:
            file.write(data.tobytes())


def _found(
    rgb: Pixels, ids: Sequence[int], threshold: float, networks: Networks
) -> NDArray[np.uint8]:
    """HW, the id of the class that is found at each pixel."""
    looks = multi_scale.look(networks.segmenter, rgb, networks.detector)
    height, width = rgb.shape[:2]
    found = np.zeros((height, width), np.uint8)
    for category in ids:
        objects = whole_objects(rgb, looks, (CATEGORIES[category],), threshold, networks)
        found[mask.class_mask(objects, height, width, threshold)] = category
    return found
