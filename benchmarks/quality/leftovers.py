"""Tell whether leftovers are noticed, on photos whose objects are known.

    python -m benchmarks.quality.leftovers run --photos FOLDER --instances FOLDER --out FILE.jsonl
    python -m benchmarks.quality.leftovers fit FILE.jsonl
    python -m benchmarks.quality.leftovers judge FILE.jsonl

``run`` takes the largest object of a class that people remove and all others of the class, and
fills four holes of each photo: the one that a run with ``--class`` makes, the given mask of all of
them, and two masks that miss a part (``benchmarks.quality.planted``) or one of them, given and
found. It keeps what ``pipeline.detect.leftovers`` measures at each place that may be a leftover.
Nothing is widened or filled again, so the figures are of the first look.

A place is right if most of it is a part of the class that the hole misses. *noticed* counts holes
of which something clearly visible is missed and a right place is marked; *marked by mistake* counts
holes that miss nothing visible and are marked. Labels are never whole: of the places that count as
mistakes about half show something that the labels lack, such as shoes or people in a crowd.

``fit`` computes ``SLOPES`` and ``BASE`` of ``pipeline.detect.leftovers``: logistic regression on
the places, cross-validated by photo, and a base with which ``--mistakes`` of the whole holes are
marked; then those of ``pipeline.detect.regions``, which mark ``--more`` of the other whole holes.
Run it again after the compact segmenter's weight has changed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from benchmarks.quality.objects import INSTANCES_PER_CLASS, read_label
from benchmarks.quality.planted import is_visible, plant
from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.config import Settings, auto_dilate
from remove_objects.pipeline.detect import leftovers, regions
from remove_objects.pipeline.detect.edge import widen_to_edge
from remove_objects.pipeline.detect.leftovers import Left, Traits, similar
from remove_objects.pipeline.detect.mask import dilate, find_holes
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.removal.completeness import Completeness
from remove_objects.pipeline.removal.filling import PhotoFiller
from remove_objects.pipeline.removal.picture import picture_of
from remove_objects.pipeline.removal.progress import Stages, no_progress
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import Selection, select
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Mask, Photo, Pixels
from remove_objects.train.data.labelled import VOID
from remove_objects.train.data.pictures import find_images

#: Classes that people remove. Labels of furniture and plants differ too much from set to set.
REMOVED = (
    *("person", "bird", "cat", "cow", "dog", "horse", "sheep"),
    *("aeroplane", "bicycle", "boat", "bus", "car", "motorbike", "train"),
)
#: Share of the photo of all objects of the class, and least share of the largest.
SHARES, LARGEST = (0.004, 0.35), 0.003
#: Parts that are left of the largest object, one photo after the other; of every third photo with
#: two objects one of them is left instead.
PARTS = ("end", "blob", "strip", "end")
#: Share of a place that the hole must miss for it to be right; share of void that spoils a place.
RIGHT, SPOILT = 0.4, 0.3
FOLDS = 8
#: What measures each kind of place.
MODULES = {"places": leftovers, "regions": regions}


def cases(
    photo: Photo, values: np.ndarray, number: int
) -> Iterator[tuple[str, str, bool, Mask, Mask]]:
    """Yield (kind, class, whether given, HW bool kept, HW bool whole) of a photo.

    Args:
        photo: the photo.
        values: HW, its instances.
        number: the photo's, which decides what is left.
    """
    objects = {int(v): values == v for v in np.unique(values) if v >= INSTANCES_PER_CLASS}
    by_class: dict[str, list[Mask]] = {}
    for value, mask in objects.items():
        by_class.setdefault(CATEGORIES[value // INSTANCES_PER_CLASS], []).append(mask)
    usable = [
        (float(max(m.mean() for m in masks)), name)
        for name, masks in by_class.items()
        if name in REMOVED and SHARES[0] < sum(m.mean() for m in masks) < SHARES[1]
    ]
    if not usable or max(usable)[0] < LARGEST:
        return
    name = max(usable)[1]
    masks = sorted(by_class[name], key=lambda m: -int(m.sum()))
    whole: Mask = np.any(masks, 0)
    rng = np.random.default_rng(number)
    others = [m for m in masks if m.sum() > max(400, 0.15 * masks[0].sum())]
    kind = PARTS[number % len(PARTS)]
    if len(others) > 1 and number % 3 == 0:
        kind, kept = "second", whole & ~others[int(rng.integers(len(others)))]
    else:
        part = plant(kind, photo.rgb, masks[0], rng)
        assert part is not None
        kept = whole & ~(masks[0] & ~part.kept)
    yield "real", name, False, whole, whole
    yield "whole", name, True, whole, whole
    yield kind, name, True, kept, whole
    yield kind, name, False, kept, whole


def first_holes(
    rgb: Pixels, kind: str, removal: Removal, kept: Mask, remover: ObjectRemover
) -> Mask:
    """Return the holes HW of a case before anybody looks whether they are whole."""
    if kind == "real":
        return select(rgb, removal, remover.networks).hole_mask
    if removal.mask is not None:
        return widen_to_edge(rgb, removal.mask)
    return dilate(kept, auto_dilate(*kept.shape))


def fill(rgb: Pixels, holes: Mask, removal: Removal, remover: ObjectRemover) -> Pixels:
    """Return the photo with its holes filled."""
    filler = PhotoFiller(rgb, removal, remover.networks, [], None)
    return filler.fill(Selection(holes, find_holes(holes)), Stages(no_progress)).filler.result


def run(args: argparse.Namespace) -> None:
    """Write a line per hole."""
    remover = ObjectRemover(Settings(segmenter="compact", offline=True, along=(), probe=False))
    with args.out.open("w", encoding="utf-8") as out:
        for number, file in enumerate(find_images([args.photos])):
            photo = read_photo(file)
            values = read_label(args.instances / f"{file.stem}.png", photo.size)
            void = np.zeros(photo.size, bool)
            if args.labels is not None:
                void = read_label(args.labels / f"{file.stem}.png", photo.size) == VOID
            if picture_of(photo, None) is not None:
                continue
            for kind, name, given, kept, whole in cases(photo, values, number):
                alike = [CATEGORIES.index(c) for c in similar([name])]
                spoilt = void | np.isin(values // INSTANCES_PER_CLASS, alike)
                row = look(remover, photo.rgb, kind, name, given, kept, whole, spoilt)
                if row is not None:
                    out.write(json.dumps({"photo": file.stem, **row}) + "\n")
            out.flush()
            print(file.stem, flush=True)


def look(
    remover: ObjectRemover,
    rgb: Pixels,
    kind: str,
    name: str,
    given: bool,
    kept: Mask,
    whole: Mask,
    spoilt: Mask,
) -> dict[str, Any] | None:
    """Return what is measured at each place of a case; None without a hole."""
    removal = Removal.from_settings(
        remover.settings, [] if given else [name], dilate(kept, 3) if given else None
    )
    holes = first_holes(rgb, kind, removal, kept, remover)
    if not holes.any() or holes.mean() > 0.5:
        return None
    completeness = Completeness(rgb, removal, remover.networks)
    selection = Selection(holes, find_holes(holes))
    missed = whole & ~holes
    with patch.object(regions, "BASE", 1e3):
        of_regions = completeness.regions(selection)
    with patch.object(leftovers, "BASE", 1e3), patch.object(regions, "BASE", -1e3):
        seen = completeness.on_result(selection, fill(rgb, holes, removal, remover))
    as_if_alone = Completeness(rgb, replace(removal, classes=()), remover.networks)

    def measured(places: list[Left]) -> list[dict[str, Any]]:
        return [
            {
                "traits": left.traits._asdict(),
                "box": left.box.as_list(),
                "missed": float(missed[left.box.slices][left.mask].mean()),
                "kept": bool(given and as_if_alone.is_kept(left, selection)),
            }
            for left in places
            if isinstance(left.traits, Traits | regions.Traits)
            and spoilt[left.box.slices][left.mask].mean() <= SPOILT
        ]

    share, _ = completeness.colours(selection, selection.hole_mask)
    return {
        "kind": kind,
        "class": name,
        "given": given,
        "classes": completeness.classes(selection),
        "visible": bool(is_visible(missed, whole)),
        "missed": float(missed.sum() / whole.sum()),
        "fill": any(not left.fillable for left in seen.left),
        "left_outside": share,
        "places": measured(seen.left),
        "regions": measured(of_regions),
    }


class Places:
    """All places of a file as arrays: traits, whether right, and the row and fold of each.

    Args:
        rows: from ``run``.
        kind: ``places``, which the segmenter sees, or ``regions``.
    """

    def __init__(self, rows: list[dict[str, Any]], kind: str) -> None:
        photos = sorted({row["photo"] for row in rows})
        each = [(i, place) for i, row in enumerate(rows) for place in row[kind]]
        self.names = MODULES[kind].SLOPES
        self.traits = np.array([[p["traits"][n] for n in self.names] for _, p in each], float)
        self.right = np.array([p["missed"] > RIGHT for _, p in each])
        self.row = np.array([i for i, _ in each])
        self.fold = np.array([photos.index(rows[i]["photo"]) % FOLDS for i in self.row])
        self.kept = np.array([p["kept"] for _, p in each])
        self.rows, self.kind = rows, kind

    def own(self) -> np.ndarray:
        """How sure the program is of each."""
        module = MODULES[self.kind]
        return np.array(
            [
                module.Traits(**{n: p["traits"][n] for n in self.names}).sureness()
                for row in self.rows
                for p in row[self.kind]
            ]
        )

    def unseen(self) -> np.ndarray:
        """How sure figures are of each that do not know its photo."""
        sureness = np.zeros(len(self.right))
        for fold in range(FOLDS):
            rest, here = self.fold != fold, self.fold == fold
            slopes = regression(self.traits[rest], self.right[rest])
            sureness[here] = self.traits[here] @ slopes[:-1] + slopes[-1]
        return sureness

    def surest(self, sureness: np.ndarray, right: bool, counted: bool = False) -> np.ndarray:
        """The highest sureness of the right places of each row, or of the wrong ones.

        Args:
            sureness: of each place.
            right: which places.
            counted: only those that the verdict counts.
        """
        highest = np.full(len(self.rows), -np.inf)
        chosen = (self.right == right) & ~(self.kept & counted)
        np.maximum.at(highest, self.row[chosen], sureness[chosen])
        return highest


def regression(traits: np.ndarray, right: np.ndarray, ridge: float = 3.0) -> np.ndarray:
    """Logistic regression by Newton's method: the slope of each trait, and the base."""
    mean, scale = traits.mean(0), traits.std(0) + 1e-6
    table = np.c_[(traits - mean) / scale, np.ones(len(traits))]
    penalty = np.r_[np.full(traits.shape[1], ridge), 1e-6]
    slopes = np.zeros(table.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-table @ slopes))
        gradient = table.T @ (p - right) + penalty * slopes
        curvature = (table * (p * (1 - p))[:, None]).T @ table + np.diag(penalty)
        slopes -= np.linalg.solve(curvature, gradient)
    own = slopes[:-1] / scale
    return np.r_[own, slopes[-1] - (mean * own).sum()]


def fit(args: argparse.Namespace) -> None:
    """Print ``SLOPES`` and ``BASE``, and what such figures notice of photos they do not know."""
    rows = read(args.file)
    whole = np.array([not row["visible"] for row in rows])
    places, of_regions = (Places(rows, kind) for kind in MODULES)
    unseen = places.unseen()
    for mistakes in (1 / 15, 1 / 10, args.mistakes):
        least = base_for(places, unseen, mistakes, whole)
        print(f"\nat {mistakes:.1%} mistakes, cross-validated:")
        table([(places, unseen - least)])
    sure = places, unseen - base_for(places, unseen, args.mistakes, whole)
    other = whole & (places.surest(sure[1], right=False) < 0)
    unseen = of_regions.unseen()
    for mistakes in (1 / 100, 1 / 25, 1 / 12, args.more):
        least = base_for(of_regions, unseen, mistakes, other)
        print(f"\nthe same, and regions at {mistakes:.1%} more:")
        table([sure, (of_regions, unseen - least)])
    for each, mistakes, among in (
        (places, args.mistakes, whole),
        (of_regions, args.more, other),
    ):
        slopes = regression(each.traits, each.right)
        sureness = each.traits @ slopes[:-1]
        print(f"\n{MODULES[each.kind].__name__}:\nSLOPES = {{")
        for name, slope in zip(each.names, slopes, strict=False):
            print(f'    "{name}": {slope:.3f},')
        print(f"}}\nBASE = {-base_for(each, sureness, mistakes, among):.3f}")


def base_for(places: Places, sureness: np.ndarray, mistakes: float, among: np.ndarray) -> float:
    """The sureness that the wrong places of so many of some rows reach."""
    highest = np.sort(places.surest(sureness, right=False)[among])
    return float(highest[min(len(highest) - 1, int(np.ceil((1 - mistakes) * len(highest))))])


def judge(args: argparse.Namespace) -> None:
    """Print what the program's own figures notice."""
    rows = read(args.file)
    table([(each, each.own()) for each in (Places(rows, kind) for kind in MODULES)])


Marks = list[np.ndarray]


def table(looks: list[tuple[Places, np.ndarray]]) -> None:
    """Print how many leftovers are noticed, and how many whole holes are marked."""

    def marks(counted: bool) -> Marks:
        return [
            np.any([p.surest(s, side, counted) >= 0 for p, s in looks], axis=0)
            for side in (True, False)
        ]

    named, review = marks(counted=False), marks(counted=True)
    rows = looks[0][0].rows

    def line(label: str, chosen: list[bool], of: Marks = named) -> None:
        right, wrong = of
        here = np.array(chosen)
        visible = np.array([row["visible"] for row in rows])
        print(
            f"  {label:18s} noticed {right[here & visible].sum():3d} of {(here & visible).sum():3d}"
            f"; marked by mistake {wrong[here & ~visible].sum():3d} of {(here & ~visible).sum():3d}"
        )

    for kind in ("real", "whole", "end", "blob", "strip", "second"):
        line(kind, [row["kind"] == kind for row in rows])
    line("planted", [row["kind"] not in ("real", "whole") for row in rows])
    line("given", [row["given"] and row["kind"] != "whole" for row in rows])
    for kind in ("whole", "end", "blob", "strip", "second"):
        line(f"{kind}, for review", [row["given"] and row["kind"] == kind for row in rows], review)
    line("all", [True for _ in rows])


def read(path: Path) -> list[dict[str, Any]]:
    """Read the holes of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    verbs = p.add_subparsers(required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("--photos", type=Path, required=True)
    runs.add_argument("--instances", type=Path, required=True, help="as benchmarks.quality.objects")
    runs.add_argument("--labels", type=Path, help="class ids, 255 = void")
    runs.add_argument("--out", type=Path, required=True)
    runs.set_defaults(verb=run)
    fits = verbs.add_parser("fit")
    fits.add_argument("file", type=Path)
    fits.add_argument("--mistakes", type=float, default=0.17, help="share of marked whole holes")
    fits.add_argument("--more", type=float, default=0.02, help="share marked for regions alone")
    fits.set_defaults(verb=fit)
    judges = verbs.add_parser("judge")
    judges.add_argument("file", type=Path)
    judges.set_defaults(verb=judge)
    args = p.parse_args()
    args.verb(args)


if __name__ == "__main__":
    main()
