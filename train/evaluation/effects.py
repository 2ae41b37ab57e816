"""``evaluate-inpainter effects``: do the shadows and reflections of removed objects go too?

Each pair of ``removal/pairs_with_shadow`` shows the same place with and without the objects; a mask
marks the objects, another one all that they changed. Each is filled with the objects' mask, with
that mask widened evenly to the area of both, with the mask of all that changed, and with what
the program finds by the objects' mask.

Objects that are pasted into photos change nothing around them: what is found there is false.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...pipeline.config import GivenWeights, Settings
from ...pipeline.detect.mask import dilate
from ...pipeline.errors import WeightsError
from ...pipeline.pixels import resize
from ...pipeline.quality.metrics import inside_errors
from ...pipeline.removal.request import Removal
from ...pipeline.remover import ObjectRemover
from ...pipeline.types import Box, Layer, Mask, Outcome, Photo, Pixels
from ..data.objects.cut_outs import cut_out
from ..data.pictures import read_rgb
from .kept import keep_sheet

#: Folders of photos into which objects are pasted, and whose instances are the objects.
GROUNDS, OBJECTS = ("scenes/rooms", "segmentation/coco_val/images"), "segmentation/coco_val"
#: Least and largest share of its photo of an object that is pasted.
SMALLEST, LARGEST = 0.01, 0.25
#: Draws for each photo that is wanted: not every photo has such an object.
ATTEMPTS = 50
#: A found pixel so near a true effect is no false one: the true masks have a soft edge.
NEAR = 2
#: What goes along with objects.
ALONG = (Layer.SHADOW, Layer.REFLECTION, Layer.CARRIED)
#: What is measured of a pair, and its format in the table: the means, None where none is known.
KEYS = ("lpips", "psnr", "recall", "precision", "false")
FORMATS = ("8.4f", "7.2f", "8.0%", "11.0%", "8.1%")


def evaluate_effects(
    data: Path, *, count: int, weights: GivenWeights = (), keep: Path | None = None
) -> dict[str, Any]:
    """Measure both.

    Args:
        data: data folder.
        count: most pairs of each scene, and most photos with pasted objects.
        weights: the user's own, which replace bundled ones.
        keep: folder for the pictures side by side, or None.

    Returns:
        ``pairs``: a row for each scene and way to fill; ``pasted``: how much is found beside
        objects that changed nothing.

    Raises:
        FileNotFoundError: there are no pairs.
        WeightsError: a weight does not fit, or there is none.
    """
    remover = remover_with(weights)
    return {
        "pairs": list(_pairs(remover, data, count, keep)),
        "pasted": _pasted(remover, data, count, keep),
    }


def remover_with(weights: GivenWeights) -> ObjectRemover:
    """A remover with the compact segmenter and an effects network.

    Args:
        weights: the user's own, which replace bundled ones.

    Raises:
        WeightsError: a weight does not fit, or there is none.
    """
    remover = ObjectRemover(
        Settings(segmenter="compact", offline=True, probe=False, weights=weights)
    )
    if remover.networks.effects is None:
        raise WeightsError(
            "no weight of object-effects ships; name one with --weights object-effects=FILE"
        )
    return remover


def _pairs(
    remover: ObjectRemover, data: Path, count: int, keep: Path | None
) -> Iterator[dict[str, Any]]:
    folder = data / "removal" / "pairs_with_shadow"
    stems = sorted(p.name.removesuffix("_input.webp") for p in folder.glob("*_input.webp"))
    if not stems:
        raise FileNotFoundError(f"{folder}: no *_input.webp found")
    for scene in sorted({stem.rsplit("_", 1)[0] for stem in stems}):
        own = [stem for stem in stems if stem.rsplit("_", 1)[0] == scene]
        rows: dict[str, list[tuple[float, ...]]] = {}
        for stem in own[:: max(1, len(own) // count)][:count]:
            rgb, truth = (read_rgb(folder / f"{stem}_{kind}.webp") for kind in ("input", "gt"))
            objects, changed = (
                read_rgb(folder / f"{stem}_{kind}.png")[..., 0] > 127 for kind in ("mask", "effect")
            )
            ways = {
                "objects' mask": (objects, ()),
                "widened evenly": (widened_to(objects, int((objects | changed).sum())), ()),
                "found": (objects, remover.settings.along),
                "all that changed": (objects | changed, ()),
            }
            shown = [_marked(rgb, objects, objects | changed)]
            for name, (mask, along) in ways.items():
                outcome = _cleaned(remover, rgb, mask, along)
                result = rgb if outcome.result is None else outcome.result
                rows.setdefault(name, []).append(
                    (*_errors(remover, result, truth, changed), *_found(outcome, objects, changed))
                )
                shown.append(result)
            keep_sheet(keep, stem, [*shown, truth])
        for name, values in rows.items():
            means = {key: _mean(v) for key, v in zip(KEYS, zip(*values, strict=True), strict=True)}
            yield {"scene": scene, "way": name, "count": len(values), **means}


def _cleaned(remover: ObjectRemover, rgb: Pixels, mask: Mask, along: tuple[str, ...]) -> Outcome:
    removal = Removal.from_settings(remover.settings, mask=mask)
    return remover.clean(Photo(rgb), replace(removal, along=along))


def widened_to(mask: Mask, area: int) -> Mask:
    """A mask, widened evenly until it has at least so many pixels."""
    radius = 0
    while (found := dilate(mask, radius)).sum() < area:
        radius += 1
    return found


def _errors(
    remover: ObjectRemover, result: Pixels, truth: Pixels, changed: Mask
) -> tuple[float, float]:
    """(LPIPS of the whole picture, PSNR in all that changed)."""
    filled, expected = result.astype(np.float32) / 255, truth.astype(np.float32) / 255
    lpips = remover.networks.perceptual.distance(filled, expected)
    return float("nan") if lpips is None else lpips, inside_errors(filled, expected, changed)[1]


def _found(outcome: Outcome, objects: Mask, changed: Mask) -> tuple[float, float, float]:
    """(share of the effects that is removed, share of what is found that is true, false / objects).

    Of what ``layers`` says goes along; NaN where there is none.
    """
    assert outcome.layers is not None
    found, true = np.isin(outcome.layers, ALONG), changed & ~objects
    removed = outcome.layers != Layer.NONE
    false = float((found & ~dilate(changed, NEAR)).sum())
    total = float(found.sum())
    return (
        float((removed & true).sum() / true.sum()) if true.any() else float("nan"),
        1 - false / total if total else float("nan"),
        false / max(1.0, float(objects.sum())),
    )


def _pasted(
    remover: ObjectRemover, data: Path, count: int, keep: Path | None
) -> dict[str, dict[str, float]]:
    """By folder of grounds: the false area by the object's, and in how many photos it is large."""
    table = {}
    for folder in GROUNDS:
        false = []
        for name, rgb, objects in pasted(data, folder, count):
            removal = Removal.from_settings(remover.settings, mask=objects, dry_run=True)
            outcome = remover.clean(Photo(rgb), removal)
            assert outcome.layers is not None
            found = np.isin(outcome.layers, ALONG)
            false.append(float(found.sum() / objects.sum()))
            if found.any():
                keep_sheet(keep, f"pasted_{name}", [rgb, _marked(rgb, objects, objects | found)])
        values = np.array(false)
        table[folder] = {
            "count": len(values),
            "median": float(np.median(values)) if len(values) else float("nan"),
            "mean": float(values.mean()) if len(values) else float("nan"),
            "above 2 %": float((values > 0.02).sum()),
            "above 20 %": float((values > 0.2).sum()),
        }
    return table


def pasted(data: Path, folder: str, count: int) -> Iterator[tuple[str, Pixels, Mask]]:
    """Photos with one object of another photo, at its own place and size.

    Yields:
        (name, HWC RGB, HW bool: the object).
    """
    grounds = sorted((data / folder).glob("*.jpg"))
    instances = sorted((data / OBJECTS / "instances").glob("*.png"))
    rng = np.random.default_rng(0)
    made = 0
    for _ in range(ATTEMPTS * count if grounds and instances else 0):
        if made == count:
            return
        path = instances[int(rng.integers(len(instances)))]
        values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        ground = grounds[int(rng.integers(len(grounds)))]
        if values is None or ground.stem == path.stem:
            continue
        whole = [
            v
            for v in np.unique(values)
            if v and SMALLEST <= (values == v).mean() <= LARGEST and not _is_cut(values == v)
        ]
        if not whole:
            continue
        mask = (values == whole[int(rng.integers(len(whole)))]).astype(np.uint8)
        rgb = read_rgb(ground)
        source = read_rgb(data / OBJECTS / "images" / f"{path.stem}.jpg")
        rgba = cut_out(source, mask, 2)
        scale = rgb.shape[0] / mask.shape[0]
        box = Box.bounding(mask > 0)
        yield f"{ground.stem}_{path.stem}", *paste(rgb, rgba, box, scale)
        made += 1


def _is_cut(mask: Mask) -> bool:
    return bool(mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any())


def paste(rgb: Pixels, rgba: Pixels, box: Box, scale: float) -> tuple[Pixels, Mask]:
    """A cut-out (HW4, with its margin) at a place of its own photo's box, scaled."""
    h, w = (max(4, round(side * scale)) for side in rgba.shape[:2])
    layer = resize(rgba, (h, w), cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    height, width = rgb.shape[:2]
    x = min(max(0, round(box.x * scale)), max(0, width - w))
    y = min(max(0, round(box.y * scale)), max(0, height - h))
    layer = layer[: height - y, : width - x]
    place = slice(y, y + layer.shape[0]), slice(x, x + layer.shape[1])
    alpha = layer[..., 3:].astype(np.float32) / 255
    result = rgb.copy()
    mixed = rgb[place] + alpha * (layer[..., :3].astype(np.float32) - rgb[place])
    result[place] = mixed.round().astype(np.uint8)
    mask = np.zeros((height, width), bool)
    mask[place] = alpha[..., 0] >= 0.5
    return result, mask


def _marked(rgb: Pixels, objects: Mask, changed: Mask) -> Pixels:
    """A photo with its objects in white and what they changed in red."""
    return painted(rgb, (((255, 0, 0), changed & ~objects), ((255, 255, 255), objects)))


def painted(rgb: Pixels, parts: Iterable[tuple[tuple[int, int, int], Mask]]) -> Pixels:
    """A photo with some of its parts in colours."""
    shown = rgb.astype(np.float32)
    for colour, mask in parts:
        shown[mask] = 0.4 * shown[mask] + 0.6 * np.array(colour, np.float32)
    return shown.astype(np.uint8)


def _mean(values: Iterable[float]) -> float | None:
    """The mean of what is known."""
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else None


def _cell(value: float | None, form: str) -> str:
    width = int(form.partition(".")[0])
    return f"{'–':>{width}}" if value is None else format(value, form)


def render(table: dict[str, Any]) -> str:
    """The metrics as a text table."""
    lines = [
        f"{'scene':10}{'mask':20}{'LPIPS':>8}{'PSNR':>7}{'recall':>8}{'precision':>11}{'false':>8}"
        f"{'n':>5}"
    ]
    for row in table["pairs"]:
        lines.append(
            f"{row['scene']:10}{row['way']:20}"
            + "".join(_cell(row[k], f) for k, f in zip(KEYS, FORMATS, strict=True))
            + f"{row['count']:5}"
        )
    lines.append(f"{'pasted into':32}{'median':>8}{'mean':>8}{'> 2 %':>8}{'> 20 %':>8}{'n':>5}")
    for folder, row in table["pasted"].items():
        lines.append(
            f"{folder:32}{row['median']:8.1%}{row['mean']:8.1%}{row['above 2 %']:8.0f}"
            f"{row['above 20 %']:8.0f}{row['count']:5.0f}"
        )
    return "\n".join(lines)
