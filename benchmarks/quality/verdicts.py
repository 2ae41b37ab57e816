"""Test whether the report's metrics predict the quality of a result.

    python -m benchmarks.quality.verdicts run --data DATA --out FILE.jsonl --set fit|test
    python -m benchmarks.quality.verdicts fit FILE.jsonl
    python -m benchmarks.quality.verdicts judge FILE.jsonl

``run`` cuts people, animals and vehicles out by their labels, pastes them into photos without that
class, and removes them with the whole pipeline (compact segmenter; for every other photo the mask
is given instead of ``--class``). The ground truth is known, so it writes every candidate metric and
the true error, one line per photo; the same command resumes an interrupted run. ``fit`` and
``test`` use different photos and objects; no network was trained on those of ``test``. If the
segmenter does not detect the object, the photo is written as ``unchanged`` and ignored by the other
two commands.

``fit`` computes the weights of ``pipeline.quality.verdict`` (least squares on log LPIPS,
cross-validated) and prints them. ``judge`` prints how well each metric, the score and the status
rank the photos by their true error: Spearman's correlation, and precision and recall of ``review``
for the worst fifth.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import torch

from benchmarks.quality.planted import KINDS, Planted, is_visible, plant
from remove_objects.models.categories import CLASSES
from remove_objects.pipeline import remover as remover_module
from remove_objects.pipeline.config import Settings, auto_dilate
from remove_objects.pipeline.detect.edge import widen_to_edge
from remove_objects.pipeline.detect.leftovers import similar
from remove_objects.pipeline.detect.mask import (
    class_mask,
    dilate,
    find_holes,
    removed_probability,
)
from remove_objects.pipeline.geometry import hole_within
from remove_objects.pipeline.pixels import reduction, resize, scaled_size
from remove_objects.pipeline.quality.lpips import lpips_network
from remove_objects.pipeline.quality.verdict import WEIGHTS, expected_error
from remove_objects.pipeline.quality.verdict import judge as judge_photo
from remove_objects.pipeline.removal.picture import picture_of
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import Selection
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.report.entry import FEATURE_KEYS
from remove_objects.pipeline.types import (
    Box,
    Hole,
    HoleOutcome,
    Mask,
    Outcome,
    Photo,
    Pixels,
    QualityFeatures,
    Route,
    Routing,
    Status,
)
from remove_objects.train.data.pictures import find_images, read_rgb

#: Classes of the objects that are cut out and pasted.
PASTED = (
    "person",
    "dog",
    "cat",
    "horse",
    "cow",
    "sheep",
    "car",
    "bird",
    "bicycle",
    "motorbike",
    "bus",
    "chair",
    "bottle",
)
#: Least values of the candidates that enter as logarithms, including those of
#: pipeline/quality/verdict.py.
LEAST = {"side": 1e-2, "variety_of_colours": 1e-2, "contrast": 1e-2, "share": 1e-4} | {
    k: w.least for k, w in WEIGHTS.items() if w.least is not None
}
#: Fields of ``QualityFeatures`` by their names in earlier files and in the report.
FIELDS = {key: name for name, key in FEATURE_KEYS.items()}
#: Share of an object that the segmenter must detect in its own photo.
RECOGNISED = 0.7
#: Share of the photos that are flagged where two calibrations are compared.
FLAGGED = 0.32
#: Backgrounds and sources of objects of each set, below the data folder.
SETS = {
    "fit": (
        ("segmentation/voc_train/images", "scenes/train", "segmentation/ccp_person/images"),
        ("segmentation/voc_train",),
    ),
    "test": (
        ("segmentation/voc_val/images", "scenes/val", "segmentation/coco_val/images"),
        ("segmentation/coco_val", "segmentation/voc_val"),
    ),
}


@dataclass(frozen=True, eq=False)
class Composite:
    """A photo with a pasted object.

    Attributes:
        name: names the photo and the object.
        rgb: the photo with the object.
        truth: the photo before.
        object: HW, the object's pixels.
        category: the object's class.
    """

    name: str
    rgb: Pixels
    truth: Pixels
    object: Mask
    category: str


def composites(
    data: Path, which: str, seen: Callable[[Pixels, Sequence[str]], Mask]
) -> Iterator[Composite]:
    """Yield composites without end, the same ones for the same data.

    The segmenter sees no object like the pasted one in the photo before: of a cow that stands
    beside a pasted horse nobody could say whether it is left of the horse.

    Args:
        data: the data folder.
        which: a key of ``SETS``.
        seen: maps a photo and classes to the HW mask in which the segmenter detects the classes.
    """
    rng = np.random.default_rng({"fit": 11, "test": 12}[which])
    folders, sources = SETS[which]
    each = [find_images([data / f]) for f in folders]
    labelled = [
        file for source in sources for file in sorted((data / source / "labels").glob("*.png"))
    ]
    for made in itertools.count():
        photos = each[rng.integers(len(each))]
        background = photos[rng.integers(len(photos))]
        cut = cut_out(labelled[rng.integers(len(labelled))], rng, seen)
        place = rng.uniform(size=4)
        if cut is None:
            continue
        picture, alpha, category = cut
        truth = read_rgb(background)
        if min(truth.shape[:2]) < 200 or seen(truth, like(category)).mean() > 5e-4:
            continue
        rgb, covered = paste(truth, picture, alpha, place)
        if not 0.005 < covered.mean() < 0.35:
            continue
        yield Composite(f"{made:04d}-{background.stem}-{category}", rgb, truth, covered, category)


def like(category: str) -> list[str]:
    """Return a class and those that the segmenter mixes up with it."""
    return [category, *sorted(similar([category]))]


def cut_out(
    label_file: Path, rng: np.random.Generator, seen: Callable[[Pixels, Sequence[str]], Mask]
) -> tuple[Pixels, np.ndarray, str] | None:
    """Cut one whole object out of a labelled photo.

    Returns:
        (picture, opacity in [0, 1], class). None if the object is too small, touches the photo's
        border, or is not detected by the segmenter in its own photo.
    """
    from PIL import Image

    label = np.asarray(Image.open(label_file))
    classes = [c for c in np.unique(label) if 0 < c < 21 and CLASSES[c - 1] in PASTED]
    if not classes:
        return None
    chosen = int(rng.choice(classes))
    _, components, stats, _ = cv2.connectedComponentsWithStats((label == chosen).astype(np.uint8))
    if len(stats) < 2:
        return None
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, w, h, area = stats[largest]
    if area < 4000 or x < 2 or y < 2 or x + w > label.shape[1] - 2:
        return None
    picture = read_rgb(next((label_file.parent.parent / "images").glob(f"{label_file.stem}.*")))
    category, component = CLASSES[chosen - 1], components == largest
    if seen(picture, [category])[component].mean() < RECOGNISED:
        return None
    mask = cv2.erode(component.astype(np.uint8), np.ones((3, 3)))[y : y + h, x : x + w]
    opacity = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.8)
    return picture[y : y + h, x : x + w], opacity, category


def paste(
    truth: Pixels, picture: Pixels, alpha: np.ndarray, place: np.ndarray
) -> tuple[Pixels, Mask]:
    """Paste an object onto the lower part of a photo, at 1.5 to 20 % of it.

    A quarter of the objects may reach over the border.

    Args:
        truth: the photo.
        picture: the object's picture.
        alpha: its opacity in [0, 1].
        place: four random numbers in [0, 1]: scale, height, horizontal position, reach.

    Returns:
        (the photo with the object, HW mask of the object).
    """
    h, w = truth.shape[:2]
    scale = np.sqrt((0.015 * (0.2 / 0.015) ** place[0]) * h * w / max(1.0, float(alpha.sum())))
    scale = min(scale, 0.95 * h / alpha.shape[0], 0.95 * w / alpha.shape[1])
    size = max(8, round(alpha.shape[1] * scale)), max(8, round(alpha.shape[0] * scale))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small, a = (
        cv2.resize(picture, size, interpolation=how),
        cv2.resize(alpha, size, interpolation=cv2.INTER_AREA),
    )
    over = 0.4 if place[3] < 0.25 else 0.0
    foot = h * (0.6 + (0.4 + over) * place[1])  # things stand on the lower part of a photo
    y = round(foot - size[1])
    x = round(-over * size[0] + place[2] * (w + 2 * over * size[0] - size[0]))
    y = max(y, 0) if over else min(max(y, 0), h - size[1])
    canvas, opacity = np.zeros((h, w, 3), np.float32), np.zeros((h, w), np.float32)
    x0, x1, y0, y1 = max(0, x), min(w, x + size[0]), max(0, y), min(h, y + size[1])
    if x1 - x0 < 8 or y1 - y0 < 8:
        return truth, np.zeros((h, w), bool)
    canvas[y0:y1, x0:x1] = small[y0 - y : y1 - y, x0 - x : x1 - x]
    opacity[y0:y1, x0:x1] = a[y0 - y : y1 - y, x0 - x : x1 - x]
    mixed = truth * (1 - opacity[..., None]) + canvas * opacity[..., None]
    return (mixed + 0.5).clip(0, 255).astype(np.uint8), opacity > 0.02


class TrueError:
    """LPIPS (SqueezeNet) as a map, over the pixels of a mask."""

    def __init__(self) -> None:
        network, why = lpips_network(offline=True)
        if network is None:
            sys.exit(why)
        self.network = network
        self.network.spatial = True

    def __call__(self, result: Pixels, truth: Pixels, mask: Mask) -> float:
        """Return the map's mean over the mask.

        It is computed on a crop half as large again as the mask's box, of at most 512 pixels.
        """
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        my, mx = (y1 - y0) // 4 + 16, (x1 - x0) // 4 + 16
        part = slice(max(0, y0 - my), y1 + my), slice(max(0, x0 - mx), x1 + mx)
        shape = mask[part].shape
        size = scaled_size(shape, reduction(shape, 512), 32)
        pair = [resize(p[part].astype(np.float32) / 255, size) for p in (result, truth)]
        inside = resize(mask[part].astype(np.uint8), size) > 0
        x, y = (torch.from_numpy(p).permute(2, 0, 1)[None] for p in pair)
        with torch.inference_mode():
            error_map = self.network(x, y, normalize=True)[0, 0].numpy()
        return float(error_map[inside].mean())


def candidates(
    remover: ObjectRemover, rgb: Pixels, outcome: Outcome, category: str | None
) -> dict[str, Any]:
    """Compute every metric that might predict the error without the ground truth.

    The largest hole counts. ``signs`` are the features that pipeline/quality/verdict.py weighs; the
    others were tried and predict less, or add nothing.

    Args:
        remover: has the networks.
        rgb: the photo.
        outcome: of the removal, with a result.
        category: the class that was removed; None if the mask was given.
    """
    assert outcome.mask is not None
    assert outcome.result is not None
    hole_mask, result = outcome.mask, outcome.result
    holes = find_holes(hole_mask)
    i = int(np.argmax([h.share for h in holes]))
    hole, outcome_of_hole = holes[i], outcome.holes[i]
    assert outcome_of_hole.features is not None
    before, after = (
        remover.networks.segmenter.probabilities(rgb),
        remover.networks.segmenter.probabilities(result),
    )
    size = before.shape[2], before.shape[1]
    inside = cv2.resize(hole_mask.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0
    reach = 2 * max(2, round(0.1 * float(np.sqrt(inside.sum())))) + 1
    around = cv2.dilate(inside.astype(np.uint8), np.ones((reach, reach))).astype(bool) & ~inside
    variety, contrast = colours_around(rgb, hole, hole_mask)
    probe = outcome_of_hole.probe
    row: dict[str, Any] = {
        "signs": asdict(outcome_of_hole.features),
        "probe": None if probe is None else asdict(probe),
        "holes": len(holes),
        "route": outcome_of_hole.routing.route.value,
        "hole_share": outcome.hole_share,
        "residue": outcome.residue,
        "thing_after": float(1 - after[0][inside].mean()),
        "changed_class": float((after[1:].max(0)[inside] > 0.5).mean()),
        "thing_around": float(1 - before[0][around].mean()),
        "thing_around_after": float(1 - after[0][around].mean()),
        "smoothness": smoothness(result, hole, hole_mask),
        "variety_of_colours": variety,
        "contrast": contrast,
        "compact": float(hole.mask.mean()),
        "side": float(max(hole.box.w, hole.box.h) / max(rgb.shape[:2])),
    }
    if category is not None:
        removed, removed_after = (removed_probability(p, [category]) for p in (before, after))
        rim = cv2.morphologyEx(inside.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((7, 7))).astype(
            bool
        )
        row |= {
            "residue_mean": float(removed_after[inside].mean()),
            "unsure_rim": float((np.abs(removed[rim] - 0.5) < 0.35).mean()),
            "left_around": float(removed[around].mean()),
            "rival": float(before[1:][[c != category for c in CLASSES]].max(0)[inside].mean()),
        }
    return row


def smoothness(result: Pixels, hole: Hole, hole_mask: Mask) -> float | None:
    """Return the mean gradient inside the hole, without its rim, over that of the known ring."""
    reach = max(8, round(0.15 * max(hole.box.w, hole.box.h)))
    window = hole.box.grown(reach, hole_mask.shape)
    inner = hole_within(hole, window)
    grey = cv2.cvtColor(result[window.slices], cv2.COLOR_RGB2GRAY).astype(np.float32)
    gradient = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    deep = cv2.erode(inner.astype(np.uint8), np.ones((5, 5))).astype(bool)
    ring = cv2.erode((~hole_mask[window.slices]).astype(np.uint8), np.ones((5, 5))).astype(bool)
    return (
        float(gradient[deep].mean() / max(float(gradient[ring].mean()), 4.0))
        if deep.any() and ring.any()
        else None
    )


def colours_around(rgb: Pixels, hole: Hole, hole_mask: Mask) -> tuple[float, float]:
    """Return (variety, contrast) of the known ring around a hole, at 128 pixels for hole and ring.

    Variety is the spread of colours. Contrast is the same after a blur of 4 pixels: the difference
    between the hole's sides.
    """
    window = hole.box.grown(max(8, round(0.3 * max(hole.box.w, hole.box.h))), hole_mask.shape)
    scale = min(1.0, 128 / max(window.w, window.h))
    size = max(8, round(window.w * scale)), max(8, round(window.h * scale))
    known = (~hole_mask[window.slices]).astype(np.float32)
    sure = cv2.resize(known, size, interpolation=cv2.INTER_AREA) > 0.999
    picture = cv2.resize(
        rgb[window.slices].astype(np.float32) / 255, size, interpolation=cv2.INTER_AREA
    )
    if not sure.any():
        return float("nan"), float("nan")
    near = cv2.GaussianBlur(sure.astype(np.float32), (0, 0), 4)[..., None]
    blurred = cv2.GaussianBlur(picture * sure[..., None], (0, 0), 4) / np.maximum(near, 0.01)
    return float(picture[sure].std(0).mean()), float(blurred[sure].std(0).mean())


def keep_maps(path: Path, remover: ObjectRemover, item: Composite, outcome: Outcome) -> None:
    """Save the data for further metrics: pictures, hole, and the segmenter's maps in 8 bits."""
    assert outcome.result is not None
    assert outcome.mask is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {
        "rgb": item.rgb,
        "result": outcome.result,
        "truth": item.truth,
        "mask": outcome.mask,
        "object": item.object,
    }
    for name, picture in (("before", item.rgb), ("after", outcome.result)):
        probabilities = remover.networks.segmenter.probabilities(picture)
        maps = {
            f"{name}_removed": removed_probability(probabilities, [item.category]),
            f"{name}_ground": probabilities[0],
            f"{name}_rival": probabilities[1:].max(0),
        }
        arrays |= {key: (values * 255).astype(np.uint8) for key, values in maps.items()}
    np.savez_compressed(path, **arrays)


def run(args: argparse.Namespace) -> None:
    """Append a line per composite missing in the file, until ``count`` of them were cleaned."""
    rows = (
        [json.loads(line) for line in args.out.read_text().splitlines()]
        if args.out.exists()
        else []
    )
    done, cleaned = {row["name"] for row in rows}, sum("true_lpips" in row for row in rows)
    remover = ObjectRemover(Settings(segmenter="compact", offline=True, along=()))
    true_error = TrueError()

    def seen(rgb: Pixels, names: Sequence[str]) -> Mask:
        probabilities = remover.networks.segmenter.probabilities(rgb)
        height, width = rgb.shape[:2]
        return class_mask(removed_probability(probabilities, names), height, width, 0.5)

    for item in composites(args.data, args.set, seen):
        if cleaned >= args.count:
            return
        if item.name in done:
            continue
        number = int(item.name[:4])
        is_given, kind = number % 2 == 1, (None, KINDS[number // 4 % 4])[number // 2 % 2]
        case = planted(item, kind)
        if case is None:
            continue
        outcome, first = clean(remover, case, item.category, given=is_given, kind=kind)
        row: dict[str, Any] = {
            "name": item.name,
            "class": item.category,
            "masks": is_given,
            "planted": kind,
            "object_share": float(item.object.mean()),
            "object_seen": float(seen(case.rgb, [item.category])[case.whole].mean()),
            "status": outcome.status.value,
            "leftovers": [
                [*left.box.as_list(), left.why, left.share] for left in outcome.leftovers
            ],
            "left_outside": outcome.left_outside,
        }
        if outcome.mask is not None and outcome.mask.any():
            row |= missed(case, first, outcome)
        if outcome.result is not None and outcome.mask is not None:
            row |= candidates(remover, case.rgb, outcome, item.category)
            if args.pictures:
                keep_maps(args.pictures / f"{item.name}.npz", remover, item, outcome)
            row["reason"] = outcome.reason
            row["covered"] = float((outcome.mask & item.object).sum() / item.object.sum())
            row["true_lpips"] = true_error(outcome.result, item.truth, outcome.mask)
            row["true_lpips_all"] = true_error(
                outcome.result, item.truth, outcome.mask | item.object
            )
            cleaned += 1
            row["true_box"] = remover.error_in_holes(outcome, Photo(item.truth)).lpips
            row["object_lpips"] = true_error(item.rgb, item.truth, outcome.mask)
        with args.out.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(item.name, row["status"], f"{row.get('true_lpips', float('nan')):.3f}", flush=True)
        if args.pictures:
            args.pictures.mkdir(parents=True, exist_ok=True)
            shown = [case.rgb, marked(case, outcome, first), item.truth]
            cv2.imwrite(
                str(args.pictures / f"{item.name}.jpg"),
                cv2.cvtColor(np.concatenate(shown, 1), cv2.COLOR_RGB2BGR),
            )


def planted(item: Composite, kind: str | None) -> Planted | None:
    """Return the composite with a mask that is whole, or not; None if that is impossible."""
    if picture_of(Photo(item.rgb), None) is not None:
        return None  # the mask of a photo with margins would be that of a part
    if kind is None:
        return Planted(item.rgb, item.object, item.object)
    return plant(kind, item.rgb, item.object, np.random.default_rng(int(item.name[:4])))


def clean(
    remover: ObjectRemover, case: Planted, category: str, *, given: bool, kind: str | None
) -> tuple[Outcome, Mask]:
    """Clean a composite with a mask of its own, or by class.

    A mask that is not whole is given as a person gives it, or stands in for what is found.

    Returns:
        (the outcome, HW bool: the holes that the mask alone would have).
    """
    height, width = case.whole.shape
    mask = dilate(case.kept, 3) if given else None
    removal = Removal.from_settings(remover.settings, [] if given else [category], mask)
    first = case.whole
    found: AbstractContextManager[Any] = nullcontext()
    if mask is not None:
        first = widen_to_edge(case.rgb, mask)
    elif kind is not None:
        first = dilate(case.kept, auto_dilate(height, width))
        selection = Selection(first, find_holes(first), {category: float(case.kept.mean())})
        found = patch.object(remover_module, "select", lambda *_: selection)
    with found:
        outcome = remover.clean(Photo(case.rgb), removal)
    if given or kind is not None:
        return outcome, first
    return outcome, outcome.mask if outcome.mask is not None else first


def missed(case: Planted, first: Mask, outcome: Outcome) -> dict[str, Any]:
    """Say what the first holes miss of the object, and what those of the outcome miss."""
    assert outcome.mask is not None
    total = float(case.whole.sum())
    row: dict[str, Any] = {}
    for name, holes in (("first", first), ("last", outcome.mask)):
        left = case.whole & ~holes
        row[f"missed_{name}"] = float(left.sum()) / total
        row[f"visible_{name}"] = is_visible(left, case.whole)
    row["more"] = float((outcome.mask & ~first).sum()) / total
    row["false"] = float((outcome.mask & ~first & ~dilate(case.whole, 12)).sum()) / total
    return row


def marked(case: Planted, outcome: Outcome, first: Mask) -> Pixels:
    """Return the result with outlines and boxes.

    The first holes are outlined in yellow, the last ones in red; boxes mark what is left.
    """
    shown = (case.rgb if outcome.result is None else outcome.result).copy()
    for holes, colour in ((first, (255, 220, 0)), (outcome.mask, (255, 0, 0))):
        if holes is not None:
            lines, _ = cv2.findContours(
                holes.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            cv2.drawContours(shown, lines, -1, colour, 1)
    for left in outcome.leftovers:
        x, y, w, h = left.box.as_list()
        cv2.rectangle(shown, (x, y), (x + w, y + h), (0, 255, 255), 2)
    return shown


def read(path: Path) -> list[dict[str, Any]]:
    """Read the cleaned photos of a file, with all metrics on one level."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    print(
        f"{path}: {len(rows)} photos, {sum('true_lpips' not in r for r in rows)} of them unchanged"
    )
    flat = []
    for row in rows:
        if "true_lpips" in row:
            row["signs"] = {FIELDS.get(k, k): v for k, v in row["signs"].items()}
            probe = {f"probe_{k}": v for k, v in (row["probe"] or {}).items()}
            flat.append(
                {
                    **row,
                    **probe,
                    **{k: v for k, v in row["signs"].items() if k != "probe"},
                    "probe": row["signs"]["probe"],
                }
            )
    return flat


def column(rows: list[dict[str, Any]], name: str) -> np.ndarray:
    """Return one metric of all rows, NaN where it is unknown."""
    return np.array([np.nan if row.get(name) is None else float(row[name]) for row in rows])


def fit(args: argparse.Namespace) -> None:
    """Print ``WEIGHTS`` of pipeline/quality/verdict.py.

    They come from a ridge regression of log LPIPS on the features, over all photos, those with a
    planted leftover too: their true error is known like any other's. Unknown values count as the
    mean.
    """
    rows = read(args.file)
    names = args.features.split(",") if args.features else list(WEIGHTS)
    truth = np.log(column(rows, "true_lpips"))
    values, usual = [], []
    for name in names:
        x, least = column(rows, name), LEAST.get(name)
        x = x if least is None else np.log(np.maximum(x, least))
        usual.append(float(np.nanmean(x)))
        values.append(np.where(np.isnan(x), 0.0, x - usual[-1]))
    table = np.stack(values, 1)
    scale = table.std(0) + 1e-9

    def slopes(rows: np.ndarray) -> tuple[float, np.ndarray]:
        x, y = table[rows] / scale, truth[rows]
        penalty = args.ridge * np.eye(len(names))
        return float(y.mean()), np.linalg.solve(x.T @ x + penalty, x.T @ (y - y.mean())) / scale

    fold = np.arange(len(rows)) % 10
    unseen = np.zeros(len(rows))
    for k in range(10):
        base, slope = slopes(fold != k)
        unseen[fold == k] = base + table[fold == k] @ slope
    explained = 1 - float(((truth - unseen) ** 2).mean() / truth.var())
    print(
        f"cross-validated: {agreement(unseen, np.exp(truth), highest(unseen))}, "
        f"{explained:.1%} of the variance explained"
    )
    base, slope = slopes(fold >= 0)
    print(f"USUAL_ERROR = {base:.3f}")
    for name, u, w, s in zip(names, usual, slope, scale, strict=True):
        print(f'    "{name}": Weight({u:.3f}, {w:.3f}, …),  # {w * s:+.2f} per standard deviation')
    expected = np.exp(base + table @ slope)
    print(f"{FLAGGED:.0%} of them are expected above {np.quantile(expected, 1 - FLAGGED):.3f}")


def highest(expected: np.ndarray) -> np.ndarray:
    """Flag the highest third of the scores: two calibrations compare at equal shares of flags."""
    return expected > np.quantile(expected, 1 - FLAGGED)


def agreement(expected: np.ndarray, truth: np.ndarray, flagged: np.ndarray) -> str:
    """Describe how well an expected error agrees with the true one.

    Args:
        expected: the expected error of each photo.
        truth: the true error of each photo.
        flagged: whether each photo is for review.

    Returns:
        Spearman's correlation, and precision and recall of ``review`` for the worst fifth.
    """
    from scipy.stats import spearmanr

    worst = truth >= np.quantile(truth, 0.8)
    right = (
        float(truth[flagged].mean() / truth[~flagged].mean())
        if flagged.any() and not flagged.all()
        else float("nan")
    )
    precision = worst[flagged].mean() if flagged.any() else float("nan")
    return (
        f"rho {spearmanr(expected, truth)[0]:.2f}, review {flagged.mean():.0%} of all, "
        f"{flagged[worst].mean():.0%} of the worst fifth (precision {precision:.0%}), "
        f"their error {right:.2f} x the others'"
    )


def judge(args: argparse.Namespace) -> None:
    """Print how well each metric, the score and the status agree with the true error.

    For all photos, and by the mask's origin.
    """
    from scipy.stats import spearmanr

    rows = read(args.file)
    noticed(rows)
    for label, group in (
        ("all", rows),
        ("--class", [r for r in rows if not r["masks"]]),
        ("masks given", [r for r in rows if r["masks"]]),
    ):
        truth = column(group, "true_lpips")
        features = [
            QualityFeatures(**{k: r["signs"].get(k) for k in QualityFeatures.__dataclass_fields__})
            for r in group
        ]
        expected = np.array([expected_error(f) for f in features])
        blind = np.array(
            [expected_error(replace(f, probe=None, context_diversity=None)) for f in features]
        )
        review = np.array(
            [
                judge_photo(r["hole_share"], r["residue"], [outcome_of(f)])[0] is Status.REVIEW
                for f, r in zip(features, group, strict=True)
            ]
        )
        of_box = spearmanr(expected, column(group, "true_box"))[0]
        print(
            f"\n{label}: {len(group)} photos, true LPIPS {np.median(truth):.3f} "
            f"(a fifth above {np.quantile(truth, 0.8):.3f})"
        )
        print(f"  the verdict: {agreement(expected, truth, review)}")
        print(f"  the highest of the scores: {agreement(expected, truth, highest(expected))}")
        print(
            f"  score of --no-probe: rho {spearmanr(blind, truth)[0]:.2f}; "
            f"score against LPIPS of the hole's box: rho {of_box:.2f}"
        )
        ranks = correlations(group, truth)
        print("  " + ", ".join(f"{name} {rho:+.2f}" for name, rho in ranks))


def noticed(rows: list[dict[str, Any]]) -> None:
    """Print how many leftovers are noticed, and how many whole masks are said to have some.

    A leftover is noticed if the result is marked, or if its hole was widened so that nothing that
    is clearly visible is left. It counts if it is clearly visible, see
    ``benchmarks.quality.planted``. Of the objects that the segmenter sees in the composite at all
    (a tenth of their pixels) the figures stand apart: of the others it knows no class.
    """
    rows = [row for row in rows if "visible_first" in row]
    for seen_only in (False, True):
        some = [r for r in rows if not seen_only or r["object_seen"] >= 0.1]
        print("\nobjects that the segmenter sees:" if seen_only else "\nall objects:")
        for label, group in (
            *((kind, [r for r in some if r["planted"] == kind]) for kind in KINDS),
            ("planted, given", [r for r in some if r["planted"] and r["masks"]]),
            ("planted, found", [r for r in some if r["planted"] and not r["masks"]]),
            ("planted", [r for r in some if r["planted"]]),
            ("persons, planted", [r for r in some if r["planted"] and r["class"] == "person"]),
        ):
            group = [r for r in group if r["visible_first"]]
            mended = [r for r in group if not r["visible_last"]]
            flags = [r for r in group if r["visible_last"] and is_marked(r)]
            review = [r for r in group if r["visible_last"] and r["status"] == "review"]
            print(
                f"  {label:18s} {len(group):4d}: noticed {len(mended) + len(flags)} (mended "
                f"{len(mended)}, marked {len(flags)}); mended or for review "
                f"{len(mended) + len(review)}"
            )
        for label, group in (
            ("whole, given", [r for r in some if not r["planted"] and r["masks"]]),
            ("whole, found", [r for r in some if not r["planted"] and not r["masks"]]),
        ):
            group = [r for r in group if not r["visible_last"]]
            wide = [r for r in group if r["false"] > 0.02]
            print(
                f"  {label:18s} {len(group):4d}: marked {sum(map(is_marked, group))}, "
                f"widened where nothing of the object is {len(wide)}"
            )


def is_marked(row: dict[str, Any]) -> bool:
    """Whether leftovers are marked in a result."""
    return bool(row["leftovers"])


def correlations(rows: list[dict[str, Any]], truth: np.ndarray) -> list[tuple[str, float]]:
    """Return every metric's rank correlation with the true error, the strongest first."""
    from scipy.stats import spearmanr

    names = {
        key
        for row in rows
        for key, value in row.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    ranks = []
    for name in sorted(names):
        x = column(rows, name)
        known = ~np.isnan(x)
        if known.sum() > 20 and np.ptp(x[known]) > 0:
            ranks.append((name, float(spearmanr(x[known], truth[known])[0])))
    return sorted(ranks, key=lambda rank: -abs(rank[1]))


def outcome_of(features: QualityFeatures) -> HoleOutcome:
    """Return the outcome of a hole with these features, for the verdict."""
    routing, score = Routing(Route.FREE_FORM, ""), expected_error(features)
    return HoleOutcome(Box(0, 0, 1, 1), 0.0, routing, features.seam, None, features, score)


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = p.add_subparsers(required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--data", type=Path, required=True)
    runs.add_argument("--out", type=Path, required=True)
    runs.add_argument("--set", choices=tuple(SETS), required=True)
    runs.add_argument("--count", type=int, default=200)
    runs.add_argument("--pictures", type=Path)
    runs.set_defaults(verb=run)
    fits = verbs.add_parser("fit")
    fits.add_argument("file", type=Path)
    fits.add_argument(
        "--features",
        help="the features, separated by commas (default: those of pipeline/quality/verdict.py)",
    )
    fits.add_argument(
        "--ridge",
        type=float,
        default=10.0,
        help="penalty on standardised slopes, in photos (default 10)",
    )
    fits.set_defaults(verb=fit)
    judges = verbs.add_parser("judge")
    judges.add_argument("file", type=Path)
    judges.set_defaults(verb=judge)
    args = p.parse_args()
    args.verb(args)


if __name__ == "__main__":
    main()
