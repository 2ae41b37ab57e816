"""Own classes on a real case: thin wires and date stamps, composed onto photos.

``make`` composes them, with labels for ``train-inpainter segmenter``; ``measure`` tells the IoU of
a trained model on photos that it never saw, and ``docs/own-classes.md`` shows the whole way.

Run it from a checkout of the repository:

    python -m benchmarks.quality.own_classes make PHOTOS... --out composed/
    train-inpainter segmenter --images composed/images --labels composed/labels \
        --classes wire,date --run runs/wires
    python -m benchmarks.quality.own_classes measure runs/wires/model composed/held_out
    python -m benchmarks.quality.own_classes show runs/wires/model PHOTOS... --out sheet.jpg
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from remove_objects.pipeline.detect.own import OwnSegmenter, find_own, read_own
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.train.data.pictures import find_images, read_rgb

Picture = NDArray[np.uint8]
Coverage = NDArray[np.float32]

#: The classes, in the order of their labels 1, 2.
CLASSES = ("wire", "date")
#: How many of the photos have wires, and how many a date.
WIRES, DATES = 0.65, 0.55
#: Every photo of the last tenth of a folder is held out: neighbours in it may show one place.
HELD_OUT = 0.1
#: A pixel is of the class if so much of it is covered.
LABELLED = 0.3
#: Wires and digits are drawn at this multiple of the photo's size, and then averaged.
FINER = 3

#: The segments of a digit's seven, a to g, in a cell of width 1 and height 2.
_SEGMENTS = {
    "a": ((0, 0), (1, 0)),
    "b": ((1, 0), (1, 1)),
    "c": ((1, 1), (1, 2)),
    "d": ((0, 2), (1, 2)),
    "e": ((0, 1), (0, 2)),
    "f": ((0, 0), (0, 1)),
    "g": ((0, 1), (1, 1)),
}
_LIT = dict(
    zip(
        "0123456789",
        ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg"),
        strict=True,
    )
)
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
#: Orange, red, yellow and white, as cameras print them.
_COLOURS = ((255, 150, 50), (255, 110, 40), (250, 80, 50), (255, 220, 90), (250, 250, 245))


def with_wires(rgb: Picture, rng: np.random.Generator) -> tuple[Picture, Coverage]:
    """Hang wires over a photo: catenaries of 1 to 6 pixels, single ones and bundles.

    Args:
        rgb: HWC.
        rng: random state.

    Returns:
        (the photo with them, HW float32 in [0, 1]: how much of each pixel they cover)
    """
    covered = np.zeros(rgb.shape[:2], np.float32)
    picture = rgb.astype(np.float32)
    for _ in range(int(rng.integers(1, 5))):
        grey = float(rng.choice([rng.uniform(5, 60), rng.uniform(40, 130), rng.uniform(150, 225)]))
        colour = np.clip(grey + rng.normal(0, 5, 3), 0, 255).astype(np.float32)
        width = float(np.exp(rng.uniform(np.log(1), np.log(6)))) * max(rgb.shape[:2]) / 800
        width = min(6.0, max(1.0, width))
        wires = _bundle(rgb.shape[0], rgb.shape[1], rng)
        drawn, top = _drawn(wires, width, rgb.shape[0], rgb.shape[1])
        rows = slice(top, top + len(drawn))
        # A round wire shines here and there.
        light = 1 + 0.15 * np.sin(np.linspace(0, rng.uniform(2, 9), rgb.shape[1]))
        shade = np.clip(colour * light[None, :, None], 0, 255)
        picture[rows] += (shade - picture[rows]) * drawn[..., None]
        covered[rows] = np.maximum(covered[rows], drawn)
    return np.clip(picture, 0, 255).round().astype(np.uint8), covered


def _bundle(height: int, width: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """The points n2 (x, y) of the wires that hang between the same two places."""
    beyond = 0.05 * width
    if rng.random() < 0.8:  # from side to side, most in the upper part
        start = np.array([-beyond, rng.uniform(-0.1, 0.75) * height])
        end = np.array([width + beyond, rng.uniform(-0.1, 0.75) * height])
    else:  # steep ones, over the upper edge
        start = np.array([rng.uniform(0, 1) * width, -beyond])
        end = np.array([rng.uniform(0, 1) * width, rng.uniform(0.3, 1.1) * height])
    if rng.random() < 0.15:  # ends at a house
        end = start + (end - start) * rng.uniform(0.4, 0.9)
    many = int(rng.choice([1, 1, 2, 3, 4, 6]))
    gap = rng.uniform(0.008, 0.04) * height
    sag = rng.uniform(0, 0.12) * width
    lines = []
    for i in range(many):
        shift = np.array([0.0, i * gap])
        spread = np.array([0.0, i * gap * rng.uniform(0.5, 1.5)])
        lines.append(_catenary(start + shift, end + spread, sag * rng.uniform(0.9, 1.1)))
    return lines


def _catenary(
    start: NDArray[np.float64], end: NDArray[np.float64], sag: float
) -> NDArray[np.float64]:
    """The points n2 of a wire that hangs ``sag`` pixels below the straight line."""
    t = np.linspace(-1, 1, 64)
    a = 1.2
    hang = sag * (np.cosh(a) - np.cosh(a * t)) / (np.cosh(a) - 1)
    share = ((t + 1) / 2)[:, None]
    points: NDArray[np.float64] = start + share * (end - start)
    points[:, 1] += hang
    return points


def _drawn(
    lines: Sequence[NDArray[np.float64]], width: float, height: int, across: int
) -> tuple[Coverage, int]:
    """How much of each pixel lines of a width cover.

    Returns:
        (hw float32 in [0, 1] of the rows that they cross, the first of these rows)
    """
    rows = np.concatenate(lines)[:, 1]
    top = int(np.clip(rows.min() - width - 1, 0, height))
    bottom = int(np.clip(rows.max() + width + 2, top, height))
    if bottom == top:
        return np.zeros((0, across), np.float32), top
    fine = np.zeros(((bottom - top) * FINER, across * FINER), np.uint8)
    points = [np.round((line - (0, top)) * FINER).astype(np.int32) for line in lines]
    cv2.polylines(fine, points, False, 255, max(1, round(width * FINER)))
    small = cv2.resize(fine, (across, bottom - top), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / 255, top


def with_date(rgb: Picture, rng: np.random.Generator) -> tuple[Picture, Coverage]:
    """Print a date into a corner of a photo, by seven segments or in letters.

    Args:
        rgb: HWC.
        rng: random state.

    Returns:
        (the photo with it, HW float32 in [0, 1]: how much of each pixel it covers)
    """
    height, width = rgb.shape[:2]
    size = max(7.0, rng.uniform(0.022, 0.065) * min(height, width))
    by_segments = rng.random() < 0.6
    text = _date(rng, letters=not by_segments)
    mark = _by_segments(text, size, rng) if by_segments else _in_letters(text, size, rng)
    if mark.shape[1] > 0.9 * width:
        scale = 0.9 * width / mark.shape[1]
        mark = cv2.resize(mark, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    covered = np.zeros((height, width), np.float32)
    across, down = (rng.uniform(0.01, 0.07) * side for side in (width, height))
    right, bottom = rng.random() < 0.8, rng.random() < 0.85
    x = int(width - mark.shape[1] - across if right else across)
    y = int(height - mark.shape[0] - down if bottom else down)
    x, y = max(0, x), max(0, y)
    h, w = min(mark.shape[0], height - y), min(mark.shape[1], width - x)
    covered[y : y + h, x : x + w] = mark[:h, :w]
    colour = np.array(_COLOURS[int(rng.integers(len(_COLOURS)))], np.float32)
    colour = np.clip(colour + rng.normal(0, 8, 3).astype(np.float32), 0, 255)
    picture = rgb.astype(np.float32)
    if not by_segments and rng.random() < 0.4:  # a dark rim
        rim = cv2.dilate(covered, np.ones((3, 3), np.uint8))
        picture += (20 - picture) * rim[..., None]
        drawn = covered
        covered = rim
    else:
        drawn = covered
        if rng.random() < 0.6:  # film glows around its lamps
            glow = cv2.GaussianBlur(covered, (0, 0), max(0.8, size / 8))
            picture += (colour - picture) * (0.35 * glow)[..., None]
    picture += (colour - picture) * (rng.uniform(0.8, 1.0) * drawn)[..., None]
    return np.clip(picture, 0, 255).round().astype(np.uint8), covered


def _date(rng: np.random.Generator, *, letters: bool) -> str:
    """A date as cameras print it."""
    year, month, day = int(rng.integers(1985, 2016)), int(rng.integers(12)), rng.integers(1, 29)
    y, m, d = f"{year % 100:02d}", f"{month + 1:02d}", f"{day:02d}"
    time = f" {rng.integers(24):02d}:{rng.integers(60):02d}"
    forms = [f"'{y} {m} {d}", f"{m} {d} '{y}", f"{d} {m} '{y}", f"{y} {int(m)} {int(d)}"]
    forms += [f"{d}.{m}.{year}", f"{m}-{d}-{year}", f"{year}:{m}:{d}{time}", f"{d}.{m}.{y}{time}"]
    if letters:
        forms += [f"{year}/{m}/{d}", f"{m}/{d}/{year}{time}", f"{_MONTHS[month]} {d} {year}"]
        forms += [f"{d} {_MONTHS[month]} {y}", f"{year}-{m}-{d}{time}"]
    return forms[int(rng.integers(len(forms)))]


def _by_segments(text: str, size: float, rng: np.random.Generator) -> Coverage:
    """A text of digits, each ``size`` pixels high, as coverage hw."""
    cell_h = size * FINER
    cell_w, gap = cell_h * rng.uniform(0.42, 0.55), cell_h * rng.uniform(0.2, 0.35)
    thick = max(1, round(cell_h * rng.uniform(0.09, 0.16)))
    slant = rng.uniform(0, 0.18)
    margin = thick + slant * cell_h
    canvas = np.zeros(
        (int(cell_h + 2 * thick + 4), int(len(text) * (cell_w + gap) + 2 * margin)), np.uint8
    )

    def place(x: float, y: float) -> tuple[int, int]:
        return round(left + x * cell_w + slant * (cell_h - y * cell_h / 2)), round(
            thick + y * cell_h / 2
        )

    left = float(thick)
    for letter in text:
        for segment in _LIT.get(letter, ""):
            (x0, y0), (x1, y1) = _SEGMENTS[segment]
            short = 0.12  # segments do not touch
            dx, dy = short * (x1 - x0), short * (y1 - y0)
            cv2.line(canvas, place(x0 + dx, y0 + dy), place(x1 - dx, y1 - dy), 255, thick)
        if letter == "-":
            cv2.line(canvas, place(0.1, 1), place(0.9, 1), 255, thick)
        if letter == "'":
            cv2.line(canvas, place(0.6, 0), place(0.5, 0.45), 255, thick)
        for y in {".": (1.95,), ":": (0.6, 1.5)}.get(letter, ()):
            cv2.circle(canvas, place(0.4, y), max(1, thick * 2 // 3), 255, -1)
        left += (cell_w if letter not in "'.:" else 0.6 * cell_w) + gap
    return _smaller(canvas)


def _in_letters(text: str, size: float, rng: np.random.Generator) -> Coverage:
    """A text in a font, with capitals about ``size`` pixels high, as coverage hw."""
    if rng.random() < 0.5:
        font = ImageFont.load_default(size * FINER * 1.35)
        left, top, right, bottom = font.getbbox(text)
        picture = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
        ImageDraw.Draw(picture).text((4 - left, 4 - top), text, 255, font)
        return _smaller(np.asarray(picture))
    faces = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_PLAIN)
    face = faces[int(rng.integers(3))]
    thick = max(2, round(size * FINER * rng.uniform(0.08, 0.14)))
    scale = cv2.getFontScaleFromHeight(face, round(size * FINER), thick)
    (w, h), below = cv2.getTextSize(text, face, scale, thick)
    canvas = np.zeros((h + below + 2 * thick, w + 2 * thick), np.uint8)
    cv2.putText(canvas, text, (thick, h + thick), face, scale, 255, thick)
    return _smaller(canvas)


def _smaller(canvas: Picture) -> Coverage:
    """A drawing at ``FINER`` times the size, as coverage at the photo's size."""
    h, w = (max(1, round(side / FINER)) for side in canvas.shape)
    return cv2.resize(canvas, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32) / 255


def composed(rgb: Picture, rng: np.random.Generator) -> tuple[Picture, Picture]:
    """A photo with wires, a date, both or neither.

    Returns:
        (HWC, HW labels: 0, or 1 + the place in ``CLASSES``)
    """
    label = np.zeros(rgb.shape[:2], np.uint8)
    adders: Sequence[tuple[float, Callable[..., tuple[Picture, Coverage]]]] = (
        (WIRES, with_wires),
        (DATES, with_date),
    )
    for number, (share, add) in enumerate(adders, 1):
        if rng.random() < share:
            rgb, covered = add(rgb, rng)
            label[covered >= LABELLED] = number
    return rgb, label


def make(folders: Sequence[Path], out: Path, seed: int = 0) -> tuple[int, int]:
    """Compose every photo of the folders once.

    Args:
        folders: of photos.
        out: gets ``images`` and ``labels`` to train on; ``held_out`` has both of other photos, and
            ``clean``, the photos as they were.
        seed: of what is composed.

    Returns:
        (photos to train on, held-out ones)
    """
    counts = [0, 0]
    for folder in folders:
        photos = find_images([folder])
        first = round(len(photos) * (1 - HELD_OUT))
        for number, path in enumerate(photos):
            held = number >= first
            rng = np.random.default_rng((seed, sum(counts)))
            photo = read_rgb(path)
            picture, label = composed(photo, rng)
            into = out / "held_out" if held else out
            name = f"{folder.name}-{path.stem}"
            _write(into / "images" / f"{name}.jpg", picture, int(rng.integers(82, 97)))
            _write(into / "labels" / f"{name}.png", label)
            if held:
                _write(into / "clean" / f"{name}.png", photo)
            counts[held] += 1
    return counts[0], counts[1]


def _write(path: Path, picture: Picture, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=quality)


def measure(model: Path, folder: Path, threshold: float = 0.5) -> dict[str, float]:
    """IoU of each class over all photos of a folder, as a cleaning finds it, without widening.

    Args:
        model: folder of a trained model.
        folder: has ``images`` and ``labels``.
        threshold: probability from which a pixel is of a class.
    """
    segmenter = OwnSegmenter(read_own(model), torch.device("cpu"))
    shared = dict.fromkeys(CLASSES, 0)
    united = dict.fromkeys(CLASSES, 0)
    for path in find_images([folder / "images"]):
        label = np.asarray(Image.open(folder / "labels" / f"{path.stem}.png"))
        found = find_own([segmenter], read_rgb(path), CLASSES, threshold)
        for number, name in enumerate(CLASSES, 1):
            truth, mask = label == number, found.masks[name]
            shared[name] += int((truth & mask).sum())
            united[name] += int((truth | mask).sum())
    return {name: shared[name] / max(1, united[name]) for name in CLASSES}


def show(model: Path, photos: Sequence[Path], out: Path, seed: int) -> None:
    """Write a sheet: photos with what was composed, what the model finds, and what is cleaned."""
    remover = ObjectRemover(segmenter=f"compact,{model}", offline=True)
    rows = []
    for number, path in enumerate(photos):
        rng = np.random.default_rng((seed, number))
        rgb = read_rgb(path)
        scale = 640 / max(rgb.shape[:2])
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        rgb, _ = with_wires(rgb, rng)
        rgb, _ = with_date(rgb, rng)
        cleaned, outcome = remover.remove(rgb, CLASSES)
        marked = rgb.copy()
        if outcome.mask is not None:
            marked[outcome.mask] = (255, 0, 160)
        rows.append(np.hstack([_fitted(each) for each in (rgb, marked, cleaned)]))
    out.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.vstack(rows)).save(out, quality=86)


def _fitted(rgb: Picture) -> Picture:
    """The picture at the size of a sheet's cell."""
    return np.asarray(cv2.resize(rgb, (420, 315), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    """Compose photos, measure a model on them, or show what it does."""
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    commands = p.add_subparsers(dest="command", required=True)
    maker = commands.add_parser("make", help="compose wires and dates onto photos")
    maker.add_argument("photos", type=Path, nargs="+", metavar="PHOTOS")
    maker.add_argument("--out", type=Path, required=True)
    maker.add_argument("--seed", type=int, default=0)
    measurer = commands.add_parser("measure", help="tell the IoU of a model")
    measurer.add_argument("model", type=Path)
    measurer.add_argument("folder", type=Path)
    shower = commands.add_parser("show", help="write a sheet of photos before and after")
    shower.add_argument("model", type=Path)
    shower.add_argument("photos", type=Path, nargs="+")
    shower.add_argument("--out", type=Path, required=True)
    shower.add_argument("--seed", type=int, default=0)
    args = p.parse_args()
    if args.command == "measure":
        print(*(f"{name} {iou:.3f}" for name, iou in measure(args.model, args.folder).items()))
        return
    if args.command == "show":
        show(args.model, args.photos, args.out, args.seed)
        return
    trained, held_out = make(args.photos, args.out, args.seed)
    print(f"{trained} photos to train on and {held_out} held-out ones in {args.out}")


if __name__ == "__main__":
    main()
