"""Texture against the networks' plain answer and OpenCV's classical ones, on moved object shapes and on true pairs.

    python benchmarks/quality/detail.py --data DATA [--count 40] [--sheet DIR]
    python benchmarks/quality/detail.py --data DATA --large
    python benchmarks/quality/detail.py --data DATA --bounds

``objects``: photos of ``scenes/val`` at their own size under the object shapes of ``removal/objects``, scaled to 4-15 % of the photo;
``at-512``: half as many, on photos cut to 512 x 512; ``large``: half as many, of 30-50 %. ``pairs``: ``removal/pairs``, the same place
without its people. LPIPS (SqueezeNet) and PSNR are of the whole composite; ``sharpness`` is the gradient energy inside the hole over that
of a ring around it (1 = alike), the median over all holes; ``seconds`` a photo, the median; ``texture`` is all of our way, ``of it
copying`` what it takes without the network.

``--large`` instead takes the photos of ``large`` with a hole of 5 % and of 10 %, and says seconds and peak memory.

``--bounds`` asks how far a better network could bring the texture: the pairs and objects filled with texture that is led by the truth
itself, and with the truth itself, blurred by 1 and by 2 pixels (standard deviation).

SHIFTMAP and FSR_FAST are measured where OpenCV has ``xphoto``: pip install opencv-contrib-python in an environment of its own.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from remove_objects.pipeline.inpaint.classical import METHODS
from remove_objects.pipeline.inpaint.inpainters import Fill, Inpainters
from remove_objects.pipeline.inpaint.windows import masked_window
from remove_objects.pipeline.pixels import as_float
from remove_objects.pipeline.quality.lpips import lpips_network
from remove_objects.pipeline.types import Hole, Mask, Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.evaluation.probes import Filler, classical, ours, square


@dataclass(frozen=True, eq=False)
class Case:
    """A photo, its hole, and the truth under it."""

    name: str
    rgb: Pixels
    hole: Mask
    truth: Pixels


def objects(
    data: Path, count: int, low: float = 0.04, high: float = 0.15, size: int = 0
) -> Iterator[Case]:
    """Object shapes at random places of the test photos (``size``: cut to such squares); the same for the same data."""
    rng = np.random.default_rng(3)
    shapes = sorted((data / "removal" / "objects").glob("*_mask.png"))
    photos = find_images([data / "scenes" / "val"])
    for i in range(count):
        path = photos[i * 7 % len(photos)]
        rgb = square(read_rgb(path), size) if size else read_rgb(path)
        yield Case(
            path.stem,
            rgb,
            placed(read_rgb(shapes[i % len(shapes)])[..., 0] > 127, rgb.shape[:2], rng, low, high),
            rgb,
        )


def placed(
    shape: Mask, size: tuple[int, ...], rng: np.random.Generator, low: float, high: float
) -> Mask:
    """A silhouette as a hole of a picture of ``size``: scaled to between ``low`` and ``high`` of it, as far as its sides allow."""
    rows, columns = np.flatnonzero(shape.any(1)), np.flatnonzero(shape.any(0))
    shape = shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = size
    most = 0.8 if high < 0.3 else 0.95
    scale = min(
        float(np.sqrt(rng.uniform(low, high) * h * w / shape.sum())),
        most * h / shape.shape[0],
        most * w / shape.shape[1],
    )
    small = cv2.resize(
        shape.astype(np.uint8), None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST
    ).astype(bool)
    free = (1 - most) / 4
    y, x = (
        int(rng.integers(free * s, s - n - free * s + 1))
        for s, n in zip((h, w), small.shape, strict=True)
    )
    hole = np.zeros((h, w), bool)
    hole[y : y + small.shape[0], x : x + small.shape[1]] = small
    return hole


def pairs(data: Path) -> Iterator[Case]:
    """Light and passers-by differ between the two pictures: outside the hole the truth is the photo."""
    for path in sorted((data / "removal" / "pairs").glob("*_input.png")):
        stem = path.name.removesuffix("_input.png")
        rgb, truth = read_rgb(path), read_rgb(path.with_name(f"{stem}_gt.png"))
        hole = read_rgb(path.with_name(f"{stem}_mask.png"))[..., 0] > 127
        yield Case(stem, rgb, hole, np.where(hole[..., None], truth, rgb))


def xphoto(method: int) -> Filler:
    """OpenCV-contrib's answers, which want the known pixels marked."""

    def fill(rgb: Pixels, hole: Mask) -> Pixels:
        lab, known = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab), (~hole).astype(np.uint8) * 255
        result = np.zeros_like(rgb)
        if method == cv2.xphoto.INPAINT_SHIFTMAP:
            cv2.xphoto.inpaint(lab, known, result, method)
            result = cv2.cvtColor(result, cv2.COLOR_Lab2RGB)
        else:
            cv2.xphoto.inpaint(rgb, known, result, method)
        return np.where(hole[..., None], result, rgb)

    return fill


def contrib() -> dict[str, Filler]:
    """SHIFTMAP and FSR_FAST, where this OpenCV has them."""
    if not hasattr(cv2, "xphoto"):
        return {}
    return {
        "shiftmap": xphoto(cv2.xphoto.INPAINT_SHIFTMAP),
        "fsr_fast": xphoto(cv2.xphoto.INPAINT_FSR_FAST),
    }


def timed(inpainters: Inpainters, seconds: list[float]) -> Inpainters:
    """The same inpainters; what copying texture takes is added to ``seconds``, hole by hole."""
    detailed = inpainters.with_texture

    def measured(*args: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        found = detailed(*args, **options)
        seconds.append(time.perf_counter() - begun)
        return found

    inpainters.with_texture = measured  # type: ignore[method-assign]
    return inpainters


def sharpness(picture: Pixels, hole: Mask) -> float:
    """Mean gradient magnitude inside the hole (its rim left out) over that of a ring as wide as the hole is deep, at least 8 pixels."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gradient = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
    inside = cv2.erode(hole.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    around = cv2.dilate(hole.astype(np.uint8), np.ones((33, 33), np.uint8)).astype(bool)
    around &= ~cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
    return (
        float(gradient[inside].mean() / max(float(gradient[around].mean()), 1e-3))
        if inside.any()
        else 1.0
    )


def large(data: Path) -> None:
    """One hole of 5 % and one of 10 % at the same place of each large photo; the first photo, twice, warms up."""
    fill = ours(Inpainters(torch.device("cpu")), Route.FREE_FORM)
    shape = read_rgb(min((data / "removal" / "objects").glob("*_mask.png")))[..., 0] > 127
    photos = find_images([data / "large"])
    for i, path in enumerate([photos[0], *photos]):
        rgb, taken = read_rgb(path), []
        for share in (0.05, 0.1):
            hole = placed(shape, rgb.shape[:2], np.random.default_rng(1), share, share)
            begun = time.perf_counter()
            fill(rgb, hole)
            taken.append((hole.mean(), time.perf_counter() - begun))
        if i:
            (a, first), (b, second) = taken
            print(
                f"{path.name:26}{rgb.shape[0] * rgb.shape[1] / 1e6:6.1f} MP  {a:.1%} {first:6.2f} s  {b:.1%} {second:6.2f} s "
                f"({second / first:.2f} x)  peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB",
                flush=True,
            )


class LedByTruth(Inpainters):
    """Texture whose guide is the truth under the hole: what the best of all networks could make of it. For ``--bounds`` alone."""

    truth: Pixels

    def _free_form(self, rgb: Pixels, unknown: Mask, hole: Hole) -> Fill:
        found = super()._free_form(rgb, unknown, hole)
        guide, _ = masked_window(self.truth, np.zeros_like(unknown), found.crop)
        return self.with_texture(
            found.crop, *masked_window(rgb, unknown, found.crop), found.prediction, as_float(guide)
        )


def bounds(sets: dict[str, Iterator[Case]], lpips: Any) -> None:
    """LPIPS and PSNR with the truth as the guide, and of the truth blurred."""
    led = LedByTruth(torch.device("cpu"))
    fill, led_fill = (
        ours(Inpainters(torch.device("cpu")), Route.FREE_FORM),
        ours(led, Route.FREE_FORM),
    )
    for name, cases in sets.items():
        rows: dict[str, list[tuple[float, float]]] = {}
        for case in cases:
            blank = np.where(case.hole[..., None], 128, case.rgb).astype(np.uint8)
            led.truth = case.truth
            answers = {
                "texture": fill(blank, case.hole),
                "led by the truth": led_fill(blank, case.hole),
            }
            for pixels in (1, 2):
                blurred = cv2.GaussianBlur(case.truth, (0, 0), pixels)
                answers[f"truth, {pixels} px blur"] = np.where(
                    case.hole[..., None], blurred, case.rgb
                )
            for method, result in answers.items():
                rows.setdefault(method, []).append(error(result, case.truth, lpips))
        for method, r in rows.items():
            print(
                f"{name:9}{method:20}{np.mean(r, 0)[0]:8.4f}{np.mean(r, 0)[1]:8.2f}{len(r):5}",
                flush=True,
            )


def error(result: Pixels, truth: Pixels, lpips: Any) -> tuple[float, float]:
    """(LPIPS, PSNR in dB) of a whole picture."""
    both = [
        torch.from_numpy(x.astype(np.float32) / 255).permute(2, 0, 1)[None] for x in (result, truth)
    ]
    with torch.inference_mode():
        distance = float(lpips(*both, normalize=True))
    return distance, -10 * np.log10(max(float((both[0] - both[1]).pow(2).mean()), 1e-12))


def main() -> None:
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--count", type=int, default=40, help="moved objects (default 40)")
    p.add_argument("--sheet", type=Path, help="write hole, each method and truth side by side here")
    p.add_argument(
        "--large", action="store_true", help="seconds and memory on the photos of the folder large"
    )
    p.add_argument("--bounds", action="store_true", help="what a perfect guide would bring")
    args = p.parse_args()
    if args.large:
        return large(args.data)
    lpips, why = lpips_network(offline=True)
    if lpips is None:
        sys.exit(why)
    if args.bounds:
        return bounds({"pairs": pairs(args.data), "objects": objects(args.data, args.count)}, lpips)
    copying: list[float] = []
    fillers = {
        "texture": ours(timed(Inpainters(torch.device("cpu")), copying), Route.FREE_FORM),
        "plain": ours(Inpainters(torch.device("cpu"), detail=False), Route.FREE_FORM),
        **{method: classical(method) for method in METHODS},
        **contrib(),
    }
    print(f"{'set':9}{'method':15}{'LPIPS':>8}{'PSNR':>8}{'sharpness':>11}{'seconds':>9}{'n':>5}")
    sets = {
        "objects": objects(args.data, args.count),
        "at-512": objects(args.data, max(1, args.count // 2), size=512),
        "large": objects(args.data, max(1, args.count // 2), 0.3, 0.5),
        "pairs": pairs(args.data),
    }
    for name, cases in sets.items():
        copying.clear()
        rows: dict[str, list[tuple[float, ...]]] = {}
        for case in cases:
            blank = np.where(case.hole[..., None], 128, case.rgb).astype(np.uint8)
            shown = [blank]
            for method, fill in fillers.items():
                begun = time.perf_counter()
                result = fill(blank, case.hole)
                seconds = time.perf_counter() - begun
                rows.setdefault(method, []).append(
                    (*error(result, case.truth, lpips), sharpness(result, case.hole), seconds)
                )
                shown.append(result)
            if args.sheet:
                args.sheet.mkdir(parents=True, exist_ok=True)
                sheet = np.concatenate([*shown, case.truth], axis=1)
                cv2.imwrite(
                    str(args.sheet / f"{name}-{case.name}.png"),
                    cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR),
                )
        for method, r in rows.items():
            lp, psnr, sharp, seconds = np.array(r).T
            print(
                f"{name:9}{method:15}{lp.mean():8.4f}{psnr.mean():8.2f}{np.median(sharp):11.2f}{np.median(seconds):9.3f}{len(r):5}",
                flush=True,
            )
        print(f"{name:9}of it copying{np.median(copying):38.3f}{len(copying):5}", flush=True)


if __name__ == "__main__":
    main()
