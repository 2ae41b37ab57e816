"""Judge a run by objects: how much of each it removes, and what else.

    python -m benchmarks.quality.objects --data DATA [--csv FILE] [--previews FOLDER]
    python -m benchmarks.quality.objects --photos FOLDER --instances FOLDER [--labels FOLDER]

The pipeline selects the hole of every photo as a run with ``--class`` does; nothing is filled.

*Labelled photos* (``segmentation/coco_val``, or ``--photos``): every object of the classes counts,
by its share of the photo, with the share of its pixels that lie in the hole. The four columns add
up to all objects; ``< 1 %`` is a part of the one before it. Beside the objects, an area is *false*
if it is removed and more than ``FAR`` rows or columns away from every pixel of the classes, by
instances or labels, and from every void pixel.

*Cut-outs* (``removal/objects``, ``removal/pairs``): the mask of a photo is one object. *missed* is
the share of its pixels outside the hole, *hole* the hole's area over the object's. Some photos show
further objects of the class, which count for the hole: prefer the median. The masks of the pairs
also hold the people's shadows and a tape that moved, so the figures of the pairs only compare.

Previews show the hole's contour in yellow, missed pixels in red and the false area in blue.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.segmenter import use
from remove_objects import __version__
from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.config import DEVICES, Settings, resolve_classes
from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.pixels import eight_bits
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.segmenter_names import NETWORKS
from remove_objects.pipeline.types import Mask, Photo, Pixels
from remove_objects.train.data.labelled import VOID
from remove_objects.train.data.pictures import find_images
from remove_objects.train.evaluation.edges import CLASSES

#: Bands of size, as shares of the photo: from the first, below the second. Smaller objects are in
#: the rows of ``--csv`` only.
BANDS = {"0.1-1 %": (0.001, 0.01), "1-5 %": (0.01, 0.05), "above 5 %": (0.05, 1.01)}
#: Rows or columns between an object and an area that is false; and the share of a photo above which
#: its false area counts.
FAR, MUCH = 12, 0.01
#: An instance's value is its class id times this, plus the number of the object.
INSTANCES_PER_CLASS = 1000
#: (photo, value) of instances in ``coco_val`` that are crowds, not people; they count as void. One
#: polygon joins many people, cars and umbrellas among them.
CROWDS = {
    ("000000000149", 15001),
    ("000000000257", 15001),
    ("000000000315", 15002),
    ("000000000357", 15001),
}
YELLOW, RED, BLUE = (255, 220, 0), (255, 0, 0), (0, 60, 255)


@dataclass(frozen=True, eq=False)
class Case:
    """A photo whose objects are known.

    Attributes:
        source: the name of its set.
        name: the name of the photo.
        photo: the photo.
        classes: names of the classes to remove.
        objects: HW int32, the value of the object at each pixel, 0 = none of the classes.
        allowed: HW bool, True where removing is no fault; None if labels name one object only.
    """

    source: str
    name: str
    photo: Photo
    classes: tuple[str, ...]
    objects: NDArray[np.int32]
    allowed: Mask | None = None


@dataclass(frozen=True)
class Row:
    """An object and the hole of its photo; a photo without objects has one row, ``object`` 0.

    Attributes:
        source: the name of the set.
        photo: the name of the photo.
        object: the value of the object in the instances.
        category: its class; of a cut-out the classes that were removed.
        share: its share of the photo, in [0, 1].
        covered: share of its pixels in the hole; None without an object.
        hole: of a cut-out, the hole's area over its own.
        false: the photo's false area, as a share of the photo; None for a cut-out.
    """

    source: str
    photo: str
    object: int
    category: str
    share: float
    covered: float | None
    hole: float | None
    false: float | None


def labelled_photos(
    photos: Path, instances: Path, labels: Path | None, classes: tuple[str, ...]
) -> Iterator[Case]:
    """Yield the photos of a set with instances.

    Args:
        photos: folder of photos.
        instances: folder of ``<stem>.png``, 16 bits: class id * 1000 + number, 0 = no object.
        labels: folder of ``<stem>.png`` with class ids, 255 = void; None if there are none.
        classes: names of the classes to remove.

    Raises:
        FileNotFoundError: the folder holds no photo.
        OSError: a file cannot be read.
        ValueError: a label is of another size or kind.
    """
    wanted = [CATEGORIES.index(c) for c in classes]
    name = photos.parent.name if photos.name == "images" else photos.name
    for file in find_images([photos]):
        photo = read_photo(file)
        values = read_label(instances / f"{file.stem}.png", photo.size)
        objects = np.where(np.isin(values // INSTANCES_PER_CLASS, wanted), values, 0)
        allowed = objects > 0
        if labels is not None:
            ids = read_label(labels / f"{file.stem}.png", photo.size)
            allowed |= np.isin(ids, [*wanted, VOID])
        objects[np.isin(objects, [value for stem, value in CROWDS if stem == file.stem])] = 0
        yield Case(name, file.stem, photo, classes, objects, allowed)


def read_label(file: Path, size: tuple[int, int]) -> NDArray[np.int32]:
    """Read class ids or instances of a photo of a size (height, width)."""
    label = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
    if label is None:
        raise OSError(f"{file}: not a readable label picture")
    if label.shape != size:
        raise ValueError(f"{file}: expected one channel of the photo's size {size}, {label.shape}")
    return label.astype(np.int32)


def videos(data: Path) -> Iterator[Case]:
    """Yield the photos of ``removal/objects``.

    Raises:
        KeyError: ``CLASSES`` lacks the classes of a photo.
    """
    folder = data / "removal" / "objects"
    for mask in sorted(folder.glob("*_mask.png")):
        stem = mask.stem.removesuffix("_mask")
        classes = CLASSES[stem.rpartition("_")[0]]
        yield cut_out("objects", stem, folder / f"{stem}.jpg", mask, classes)


def pairs(data: Path) -> Iterator[Case]:
    """Yield the photos of ``removal/pairs``."""
    folder = data / "removal" / "pairs"
    for photo in sorted(folder.glob("*_input.png")):
        stem = photo.stem.removesuffix("_input")
        yield cut_out("pairs", stem, photo, folder / f"{stem}_mask.png", ("person",))


def cut_out(source: str, name: str, photo: Path, mask: Path, classes: tuple[str, ...]) -> Case:
    """Read a photo with the mask of its object."""
    read = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    if read is None:
        raise OSError(f"{mask}: not a readable mask")
    return Case(source, name, read_photo(photo), classes, (read > 127).astype(np.int32))


def select(remover: ObjectRemover, case: Case) -> Mask:
    """Return the hole of a case: HW bool, True = filled by a run."""
    removal = Removal.from_settings(remover.settings, case.classes)
    return remover.select(case.photo, removal).hole_mask


def judge(case: Case, hole: Mask) -> list[Row]:
    """Compare a hole with the objects of its photo."""
    values, areas = np.unique(case.objects[case.objects > 0], return_counts=True)
    false = None if case.allowed is None else float(false_area(hole, case.allowed).mean())
    if not len(values):
        return [Row(case.source, case.name, 0, "", 0.0, None, None, false)]
    rows = []
    for value, area in zip(values, areas, strict=True):
        here = case.objects == value
        if case.allowed is None:
            category, ratio = "+".join(case.classes), hole.sum() / area
        else:
            category, ratio = CATEGORIES[value // INSTANCES_PER_CLASS], None
        rows.append(
            Row(
                case.source,
                case.name,
                int(value),
                category,
                float(here.mean()),
                float(hole[here].mean()),
                None if ratio is None else float(ratio),
                false,
            )
        )
    return rows


def false_area(hole: Mask, allowed: Mask) -> Mask:
    """Return the pixels of a hole that are more than ``FAR`` rows or columns from ``allowed``."""
    square = np.ones((2 * FAR + 1, 2 * FAR + 1), np.uint8)
    return hole & (cv2.dilate(allowed.astype(np.uint8), square) == 0)


def preview(case: Case, hole: Mask) -> Pixels:
    """Return the photo with the hole's contour, missed pixels and false area, RGB uint8."""
    picture = eight_bits(case.photo.rgb).copy()
    painted = [((case.objects > 0) & ~hole, RED)]
    if case.allowed is not None:
        painted.append((false_area(hole, case.allowed), BLUE))
    for where, colour in painted:
        picture[where] = picture[where] // 2 + np.array(colour, np.uint8) // 2
    contours, _ = cv2.findContours(hole.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, contours, -1, YELLOW, 1)
    return picture


def percent(part: NDArray[np.bool_]) -> str:
    """Return the share of True, of which there may be none at all."""
    return f"{part.mean():.0%}" if part.size else "-"


def labelled_table(source: str, rows: Sequence[Row]) -> str:
    """Return the table of a labelled set: objects by size, then the false area."""
    lines = [
        f"{source:12}{'objects':>8}{'>= 99 %':>9}{'90-99 %':>9}{'10-90 %':>9}{'< 10 %':>8}"
        f"{'< 1 %':>7}"
    ]
    for band, (least, most) in BANDS.items():
        c = np.array(
            [r.covered for r in rows if r.covered is not None and least <= r.share < most], float
        )
        lines.append(
            f"{band:12}{len(c):8}{percent(c >= 0.99):>9}{percent((c > 0.9) & (c < 0.99)):>9}"
            f"{percent((c >= 0.1) & (c <= 0.9)):>9}{percent(c < 0.1):>8}{percent(c < 0.01):>7}"
        )
    false = np.array(list({r.photo: r.false for r in rows}.values()), float)
    lines.append(
        f"more than {MUCH:.0%} of a photo removed by mistake: {percent(false > MUCH)} of "
        f"{len(false)} photos; mean {false.mean():.2%}"
    )
    return "\n".join(lines)


def cut_out_table(source: str, rows: Sequence[Row]) -> str:
    """Return the table of a set of cut-outs."""
    missed = np.array([1 - (r.covered or 0.0) for r in rows])
    hole = np.array([r.hole for r in rows], float)
    return (
        f"{source}, {len(rows)} photos: missed median {np.median(missed):.1%}, "
        f"mean {missed.mean():.1%}; hole median {np.median(hole):.2f}, mean {hole.mean():.2f}"
    )


def report(rows: Sequence[Row]) -> str:
    """Return the tables of all sets, in the order of the rows."""
    by_source: dict[str, list[Row]] = {}
    for row in rows:
        by_source.setdefault(row.source, []).append(row)
    return "\n\n".join(
        cut_out_table(source, of_it) if of_it[0].false is None else labelled_table(source, of_it)
        for source, of_it in by_source.items()
    )


def write_rows(file: Path, rows: Iterable[Row]) -> None:
    """Write one line an object; what is unknown stays empty."""
    with open(file, "w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, [f.name for f in fields(Row)])
        writer.writeheader()
        for row in rows:
            writer.writerow(
                {k: f"{v:.5f}" if isinstance(v, float) else v for k, v in asdict(row).items()}
            )


def measure(remover: ObjectRemover, sets: Iterable[Case], previews: Path | None) -> Iterator[Row]:
    """Select the hole of every case, judge it, and save its preview."""
    for case in sets:
        hole = select(remover, case)
        yield from judge(case, hole)
        if previews is not None:
            previews.mkdir(parents=True, exist_ok=True)
            file = previews / f"{case.source}-{case.name}.png"
            cv2.imwrite(str(file), cv2.cvtColor(preview(case, hole), cv2.COLOR_RGB2BGR))


def cases(args: argparse.Namespace) -> Iterator[Case]:
    """Yield the cases of every set that the command names, ``--count`` of each at most."""
    classes = resolve_classes(args.classes or ["person"])
    sets: list[Iterator[Case]] = []
    if args.photos is not None:
        sets.append(labelled_photos(args.photos, args.instances, args.labels, classes))
    if args.data is not None:
        coco = args.data / "segmentation" / "coco_val"
        folders = (coco / "images", coco / "instances", coco / "labels")
        sets += [labelled_photos(*folders, classes), videos(args.data), pairs(args.data)]
    for each in sets:
        yield from islice(each, args.count)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--data", type=Path, help="the data folder: coco_val, objects and pairs")
    p.add_argument("--photos", type=Path, help="another set: its photos")
    p.add_argument("--instances", type=Path, help="its instances, 16-bit PNG")
    p.add_argument("--labels", type=Path, help="its class ids, 255 = void (default: instances)")
    p.add_argument(
        "--class",
        dest="classes",
        action="append",
        metavar="NAME",
        help="class of the labelled photos, repeats (default person); cut-outs have their own",
    )
    p.add_argument("--segmenter", choices=NETWORKS, default="compact")
    p.add_argument(
        "--weights", type=Path, help="another weight, or training run, of the compact segmenter"
    )
    p.add_argument("--threshold", type=float, default=Settings.threshold)
    p.add_argument("--dilate", type=int, metavar="PIXELS", help="(default: auto, as a run)")
    p.add_argument("--device", choices=DEVICES, default="cpu")
    p.add_argument("--count", type=int, help="photos of a set, at most")
    p.add_argument("--csv", type=Path, help="write a line for each object")
    p.add_argument("--previews", type=Path, help="folder for the pictures")
    args = p.parse_args(argv)
    if (args.photos is None) != (args.instances is None):
        p.error("--photos and --instances belong together; give both")
    if args.data is None and args.photos is None:
        p.error("nothing to measure; give --data, or --photos and --instances")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark, and return its exit code."""
    args = parse(argv)
    remover = ObjectRemover(
        Settings(
            segmenter=args.segmenter,
            threshold=args.threshold,
            dilate=args.dilate,
            device=args.device,
            offline=True,
            along=(),  # what goes along is no part of the labelled objects
        )
    )
    segmenter = remover.networks.segmenter
    if args.weights is not None:
        if not isinstance(segmenter, CompactSegmenterAdapter):
            sys.exit("--weights are those of the compact segmenter; give --segmenter compact")
        use(segmenter, args.weights)
    rows = list(measure(remover, cases(args), args.previews))
    print(f"version {__version__}, {args.weights or segmenter.name}\n\n{report(rows)}")
    if args.csv is not None:
        write_rows(args.csv, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
