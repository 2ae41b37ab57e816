"""Measure what photos of one place cost: each is filled from the others, against each by itself.

    python -m benchmarks.speed.series                      # 5 photos of each of 3 places
    python -m benchmarks.speed.series --places 1 --strangers 0 --turns 1   # a quick look

The photos have 2 megapixels: places and people of the sample pictures, enlarged, each time as
another hand holds the camera. Each photo of a place has the others as neighbours. Runs with
``--series auto`` and ``--series off`` alternate in one process, one photo at a time, after one that
does not count. ``strangers`` are unrelated photos whose names count on, so that each has to be
compared with those near it: the cost of a folder without a series. Peak memory is that of the
command in a process of its own. Seconds are told by the clock and of the processor. Compare only
numbers of the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from benchmarks.speed.pipeline import ROOT, SIZES, resident_mb
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import plan_run
from remove_objects.pipeline.batch.series import SeriesFinder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.types import Pixels

SAMPLES = ROOT / "sample_images"
HEIGHT, WIDTH = SIZES["2mp"]
PLACES = ("mural", "brick_wall", "launch_pad")
#: Photos of a place: each has the others as neighbours.
SHOTS = 5
SETTINGS = Settings(segmenter="compact", offline=True, probe=False)


def read(path: Path) -> Pixels:
    """Return a picture as RGB."""
    picture = cv2.imread(str(path))
    assert picture is not None, path
    return np.ascontiguousarray(picture[..., ::-1])


def write(path: Path, rgb: Pixels) -> None:
    """Write a JPEG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])


def enlarged(rgb: Pixels) -> Pixels:
    """Return a picture at 2 megapixels."""
    return cv2.resize(rgb, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)


def person() -> tuple[Pixels, np.ndarray]:
    """Return somebody of the sample pictures, HWC and HW1 in [0, 1], half as tall as a photo."""
    rgb = read(SAMPLES / "photographer.png")
    outline = read(SAMPLES / ".cutouts" / "photographer.png")[..., :1]
    y, x = np.nonzero(outline[..., 0])
    part = slice(y.min(), y.max() + 1), slice(x.min(), x.max() + 1)
    scale = 0.5 * HEIGHT / (part[0].stop - part[0].start)
    size = round(scale * (part[1].stop - part[1].start)), HEIGHT // 2
    colours, alpha = (cv2.resize(one[part], size) for one in (rgb, outline))
    return colours, alpha[..., None].astype(np.float32) / 255


def series(folder: Path, place: str) -> None:
    """Write photos of a place through which somebody walks."""
    rng = np.random.default_rng(len(place))
    whole, (colours, alpha) = enlarged(read(SAMPLES / ".truth" / f"{place}.jpg")), person()
    height, width = alpha.shape[:2]
    for number in range(SHOTS):
        move = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), rng.uniform(-1, 1), 1.02)
        move[:, 2] += rng.uniform(-20, 20, 2)
        rgb = cv2.warpAffine(whole, move, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT_101)
        rgb = (rgb * rng.uniform(0.9, 1.05)).clip(0, 255).astype(np.uint8)
        x, y = 40 + number * (WIDTH - width - 80) // (SHOTS - 1), HEIGHT - height - 60
        at = slice(y, y + height), slice(x, x + width)
        rgb[at] = (alpha * colours + (1 - alpha) * rgb[at]).round().astype(np.uint8)
        write(folder / f"IMG_{number:04}.jpg", rgb)


def strangers(folder: Path, count: int) -> None:
    """Write unrelated photos, each a part of a sample picture, whose names count on."""
    paths = [path for path in sorted(SAMPLES.iterdir()) if path.suffix in (".jpg", ".png")]
    pictures = [read(path) for path in paths]
    for number in range(count):
        rgb = pictures[number % len(pictures)]
        row, column = divmod(number // len(pictures) % 4, 2)
        h, w = rgb.shape[0] // 2, rgb.shape[1] // 2
        part: Pixels = rgb[row * h : (row + 1) * h, column * w : (column + 1) * w].copy()
        write(folder / f"IMG_{number:04}.jpg", enlarged(part))


class Run(NamedTuple):
    """A run: its entries, its seconds, and the processor's."""

    entries: list[dict[str, Any]]
    seconds: float
    processor: float


def clean(folder: Path, way: str) -> Run:
    """Clean a folder."""
    output = folder.with_name(f"{folder.name}-{way}")
    shutil.rmtree(output, ignore_errors=True)
    batch = BatchSettings(classes=("person",), output=output, workers=1, series=way)
    begun = processor_seconds()
    result = remove_folder([folder], SETTINGS, batch)
    spent = processor_seconds() - begun
    return Run([dict(each) for each in result.photos], result.run["seconds"], spent)


def processor_seconds() -> float:
    """Return the processor time of this process and its living helpers so far (Linux).

    On a machine with other work it says more than the clock.
    """
    pids, ticks = [os.getpid()], 0
    for each in pids:  # the list grows during the loop
        proc = Path("/proc") / str(each)
        try:
            fields = (proc / "stat").read_text().rpartition(")")[2].split()
            pids += [
                int(child)
                for task in (proc / "task").iterdir()
                for child in (task / "children").read_text().split()
            ]
        except OSError:  # the process has ended
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def lent(entries: list[dict[str, Any]]) -> float:
    """Return the mean share of the holes that comes from other photos."""
    holes = [hole for entry in entries for hole in entry["holes"]]
    total = sum(hole["share"] for hole in holes)
    return sum(h["share"] * sum(h.get("borrowed", {}).values()) for h in holes) / total


def peak_mb(folder: Path, way: str) -> float:
    """Return the peak memory of the command."""
    output = folder.with_name(f"{folder.name}-{way}-memory")
    command = [sys.executable, "-m", "remove_objects.pipeline.cli", "--class", "person"]
    command += ["--segmenter", "compact", "--offline", "--no-probe", "--workers", "1"]
    process = subprocess.Popen(
        [*command, "--series", way, "-o", str(output), str(folder)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = 0.0
    while process.poll() is None:
        peak = max(peak, resident_mb(process.pid))
        time.sleep(0.1)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"remove-objects ended with {process.returncode}; see {output}")
    return peak


def of_series(folder: Path, places: int, turns: int) -> dict[str, Any]:
    """Measure photos of one place."""
    found: dict[str, Any] = {}
    for place in PLACES[:places]:
        photos = folder / place
        series(photos, place)
        clean(photos, "off")
        runs: dict[str, list[Run]] = {"off": [], "auto": []}
        for _ in range(turns):
            for way, each in runs.items():
                each.append(clean(photos, way))
        found[place] = {"lent": lent(runs["auto"][-1].entries)}
        for clock in ("seconds", "processor"):
            alone, together = (
                statistics.median(getattr(run, clock) / SHOTS for run in runs[way])
                for way in ("off", "auto")
            )
            found[place][clock] = {
                "alone": alone,
                "extra": together - alone,
                "ratio": together / alone,
            }
        found[place]["peak_mb"] = {way: peak_mb(photos, way) for way in runs}
    return found


def of_strangers(folder: Path, count: int) -> dict[str, Any]:
    """Measure a folder without a series: the search for neighbours, and the whole run."""
    photos = folder / "strangers"
    strangers(photos, count)
    total = clean(photos, "off").seconds
    plan = plan_run([photos], folder / "out")
    begun = time.perf_counter()
    finder = SeriesFinder(plan.photos, BatchSettings(classes=("person",)))
    found = sum(len(finder.neighbours(photo)) for photo in plan.photos)
    spent = time.perf_counter() - begun
    return {
        "photos": count,
        "run": total,
        "search": spent,
        "share": spent / total,
        "neighbours": found,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--places", type=int, default=len(PLACES))
    parser.add_argument("--strangers", type=int, default=32)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    result: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        result["series"] = of_series(folder, args.places, args.turns)
        for place, row in result["series"].items():
            print(f"{place}, {SHOTS - 1} neighbours, which lent {row['lent']:.0%} of the holes")
            for clock in ("seconds", "processor"):
                each = row[clock]
                print(
                    f"  {clock:10} a photo: alone {each['alone']:.2f}, extra {each['extra']:+.2f}, "
                    f"ratio {each['ratio']:.2f}"
                )
            print("  peak MB:", {way: round(mb) for way, mb in row["peak_mb"].items()}, flush=True)
        if args.strangers:
            row = result["strangers"] = of_strangers(folder, args.strangers)
            print(
                f"{row['photos']} unrelated photos: search {row['search']:.2f} s of a run of "
                f"{row['run']:.1f} s ({row['share']:.1%}), {row['neighbours']} neighbours"
            )
    if args.json:
        args.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
