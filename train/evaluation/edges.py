"""``evaluate-inpainter edges``: how tightly holes lie around real objects, and what they miss.

The objects of ``removal/objects`` have exact masks. The segmenter's mask widened evenly, which is
what a run without the refiner removes, is the curve to beat; the refined mask widened evenly, and
along its own edge as a run does, stand beside it. Some photos show further objects of the class,
which count for the hole: prefer the medians, and compare within one table.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ...pipeline.config import GivenWeights, Settings, auto_dilate
from ...pipeline.detect import mask, multi_scale, refine
from ...pipeline.networks import Networks, NetworkSettings
from ...pipeline.removal.selection import whole_objects
from ..data.pictures import read_rgb
from ..edge_curve import Point, point

#: The classes of the objects, by the names of their videos.
CLASSES = {
    "blackswan": ("bird",),
    "breakdance": ("person",),
    "car-roundabout": ("car",),
    "cows": ("cow",),
    "dog": ("dog",),
    "drift-straight": ("car",),
    "horsejump-high": ("horse", "person"),
    "libby": ("dog",),
    "paragliding-launch": ("person",),
    "scooter-black": ("motorbike", "person"),
}
#: Pixels by which masks are widened evenly.
RADII = (0, 1, 2, 3, 4, 6, 8)


def evaluate_edges(data: Path, *, count: int, weights: GivenWeights = ()) -> dict[str, Any]:
    """The curve of missed against hole, with the compact segmenter.

    Args:
        data: data folder.
        count: most photos.
        weights: the user's own, which replace bundled ones.

    Returns:
        ``Point`` as a dict by its name, and the ``count`` of photos.

    Raises:
        FileNotFoundError: there are no photos.
        WeightsError: a weight does not fit.
    """
    folder = data / "removal" / "objects"
    files = [p for p in sorted(folder.glob("*.jpg")) if p.stem.rsplit("_", 1)[0] in CLASSES]
    if not files[:count]:
        raise FileNotFoundError(f"{folder}: no photos found")
    settings = Settings(segmenter="compact", offline=True, weights=weights)
    networks = Networks(NetworkSettings.from_settings(settings))
    refiner = networks.refiner
    objects, coarse, raw, refined = [], [], [], []
    threshold = Settings().threshold
    for path in files[:count]:
        rgb = read_rgb(path)
        objects.append(read_rgb(path.with_name(f"{path.stem}_mask.png"))[..., 0] > 127)
        classes = CLASSES[path.stem.rsplit("_", 1)[0]]
        looks = multi_scale.look(networks.segmenter, rgb, networks.detector)
        probability = whole_objects(rgb, looks, classes, threshold, networks)
        height, width = rgb.shape[:2]
        coarse.append(mask.class_mask(probability, height, width, threshold))
        if refiner is not None:
            found = refine.refine(refiner, rgb, probability, threshold)
            raw.append(found)
            refined.append(refine.refined_mask(found, height, width))
    known = [np.ones_like(m) for m in objects]
    radii = sorted({*RADII, auto_dilate(*objects[0].shape)})

    def even(name: str, masks: list[Any], radius: int) -> Point:
        holes = [mask.dilate(m, radius) for m in masks]
        return point(f"{name} +{radius}", holes, objects, known)

    points = [even("segmenter", coarse, radius) for radius in radii]
    if refiner is not None:
        points += [even("refined", refined, radius) for radius in radii]
        soft = [refine.widen_softly(f, m) for f, m in zip(raw, refined, strict=True)]
        points.append(point("refined, to its edge", soft, objects, known))
    return {p.name: asdict(p) for p in points} | {"count": len(objects)}


def render(table: dict[str, Any]) -> str:
    """The metrics as a text table."""
    lines = [f"{'hole':24}{'missed':>9}{'mean':>9}{'hole/object':>13}   n = {table['count']}"]
    for name, row in table.items():
        if isinstance(row, dict):
            lines.append(
                f"{name:24}{row['missed']:9.2%}{row['missed_mean']:9.2%}{row['hole']:13.3f}"
            )
    return "\n".join(lines)
