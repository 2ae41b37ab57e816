"""Compare texture with the networks' plain output and with OpenCV's classical methods.

    python -m benchmarks.quality.detail --data DATA [--count 40] [--sheet DIR]
    python -m benchmarks.quality.detail --data DATA --large
    python -m benchmarks.quality.detail --data DATA --bounds

The sets of photos and holes are:

- ``objects``: photos of ``scenes/val`` at their own size with the object shapes of
  ``removal/objects``, scaled to 4-15 % of the photo;
- ``at-512``: half as many, on photos cropped to 512 x 512;
- ``large``: half as many, with holes of 30-50 %;
- ``pairs``: ``removal/pairs``, photos of the same place with and without people.

LPIPS (SqueezeNet) and PSNR are measured on the whole composite. ``sharpness`` is the gradient
energy inside the hole over that of a ring around it (1 = equal), the median over all holes.
``seconds`` is the median per photo; ``texture`` is the whole fill, ``of it copying`` is its share
without the network.

``--large`` fills a hole of 5 % and one of 10 % in each photo of ``large`` instead, and prints
seconds and peak memory.

``--bounds`` measures how much a better network could improve the texture: it fills the pairs and
objects with texture that the ground truth guides, and with the ground truth itself, blurred by 1
and by 2 pixels (standard deviation).

SHIFTMAP and FSR_FAST are measured if OpenCV has ``xphoto``: install opencv-contrib-python in a
separate environment.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator, Sequence
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
from remove_objects.pipeline.types import Box, Face, Hole, Mask, Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb, square
from remove_objects.train.evaluation.probes import Filler, classical, ours

#: OpenCV-contrib's module, or None.
XPHOTO: Any = getattr(cv2, "xphoto", None)


@dataclass(frozen=True, eq=False)
class Case:
    """A photo, its hole mask and its ground truth."""

    name: str
    rgb: Pixels
    hole: Mask
    truth: Pixels


def objects(
    data: Path, count: int, low: float = 0.04, high: float = 0.15, size: int = 0
) -> Iterator[Case]:
    """Put object shapes at random places of the test photos; the same ones for the same data.

    Args:
        data: the data folder.
        count: number of cases.
        low: smallest share of the photo.
        high: largest share of the photo.
        size: side in pixels of the square that each photo is cropped to; 0 = no crop.
    """
    rng = np.random.default_rng(3)
    shapes = sorted((data / "removal" / "objects").glob("*_mask.png"))
    photos = find_images([data / "scenes" / "val"])
    for i in range(count):
        path = photos[i * 7 % len(photos)]
        rgb = square(read_rgb(path), size) if size else read_rgb(path)
        shape = read_rgb(shapes[i % len(shapes)])[..., 0] > 127
        yield Case(path.stem, rgb, placed(shape, rgb.shape[:2], rng, low, high), rgb)


def placed(
    shape: Mask, size: tuple[int, ...], rng: np.random.Generator, low: float, high: float
) -> Mask:
    """Make a hole mask from a silhouette.

    Args:
        shape: HW bool, the silhouette.
        size: (height, width) of the picture.
        rng: draws scale and place.
        low: smallest share of the picture.
        high: largest share of the picture, if its sides allow it.
    """
    shape = shape[Box.bounding(shape).slices]
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
        int(rng.integers(int(free * s), int(s - n - free * s + 1)))
        for s, n in zip((h, w), small.shape, strict=True)
    )
    hole = np.zeros((h, w), bool)
    hole[y : y + small.shape[0], x : x + small.shape[1]] = small
    return hole


def pairs(data: Path) -> Iterator[Case]:
    """Read the pairs.

    Light and passers-by differ between the two photos, so outside the hole the input is the ground
    truth.
    """
    for path in sorted((data / "removal" / "pairs").glob("*_input.png")):
        stem = path.name.removesuffix("_input.png")
        rgb, truth = read_rgb(path), read_rgb(path.with_name(f"{stem}_gt.png"))
        hole = read_rgb(path.with_name(f"{stem}_mask.png"))[..., 0] > 127
        yield Case(stem, rgb, hole, np.where(hole[..., None], truth, rgb))


def xphoto(method: int) -> Filler:
    """Return a filler of OpenCV-contrib, whose mask marks the known pixels."""

    def fill(rgb: Pixels, hole: Mask) -> Pixels:
        lab, known = cv2.cvtColor(rgb, cv2.COLOR_RGB2Lab), (~hole).astype(np.uint8) * 255
        result = np.zeros_like(rgb)
        if method == XPHOTO.INPAINT_SHIFTMAP:
            XPHOTO.inpaint(lab, known, result, method)
            result = cv2.cvtColor(result, cv2.COLOR_Lab2RGB)
        else:
            XPHOTO.inpaint(rgb, known, result, method)
        return np.where(hole[..., None], result, rgb)

    return fill


def contrib() -> dict[str, Filler]:
    """Return SHIFTMAP and FSR_FAST if this OpenCV has them."""
    if XPHOTO is None:
        return {}
    return {
        "shiftmap": xphoto(XPHOTO.INPAINT_SHIFTMAP),
        "fsr_fast": xphoto(XPHOTO.INPAINT_FSR_FAST),
    }


def timed(inpainters: Inpainters, seconds: list[float]) -> Inpainters:
    """Make the inpainters append the time for copying texture to ``seconds``, hole by hole."""
    with_texture = inpainters.with_texture

    def measured(*args: Any, **options: Any) -> Any:
        begun = time.perf_counter()
        fill = with_texture(*args, **options)
        seconds.append(time.perf_counter() - begun)
        return fill

    inpainters.with_texture = measured  # type: ignore[method-assign]
    return inpainters


def sharpness(picture: Pixels, hole: Mask) -> float:
    """Return the mean gradient inside the hole, without its rim, over that of a ring around it."""
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
    """Fill a hole of 5 % and one of 10 % at the same place of each large photo.

    The first photo is filled twice: the first time warms up.
    """
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
            megapixels = rgb.shape[0] * rgb.shape[1] / 1e6
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(
                f"{path.name:26}{megapixels:6.1f} MP  {a:.1%} {first:6.2f} s  "
                f"{b:.1%} {second:6.2f} s ({second / first:.2f} x)  peak {peak:.2f} GB",
                flush=True,
            )


class GuidedByTruth(Inpainters):
    """Texture guided by the ground truth under the hole, as a perfect network would guide it."""

    truth: Pixels

    def fill(
        self, rgb: Pixels, hole_mask: Mask, hole: Hole, route: Route, faces: Sequence[Face] = ()
    ) -> Fill:
        """Fill a hole like the network, with texture that the ground truth guides."""
        fill = super().fill(rgb, hole_mask, hole, route, faces)
        guide, _ = masked_window(self.truth, np.zeros_like(hole_mask), fill.crop)
        window = masked_window(rgb, hole_mask, fill.crop)
        return self.with_texture(fill.crop, *window, fill.prediction, as_float(guide))


def bounds(sets: dict[str, Iterator[Case]], lpips: Any) -> None:
    """Print LPIPS and PSNR with the ground truth as the guide, and of the blurred ground truth."""
    guided = GuidedByTruth(torch.device("cpu"))
    guided_fill = ours(guided, Route.FREE_FORM)
    fill = ours(Inpainters(torch.device("cpu")), Route.FREE_FORM)
    for name, cases in sets.items():
        rows: dict[str, list[tuple[float, float]]] = {}
        for case in cases:
            blank = np.where(case.hole[..., None], 128, case.rgb).astype(np.uint8)
            guided.truth = case.truth
            results = {
                "texture": fill(blank, case.hole),
                "guided by truth": guided_fill(blank, case.hole),
            }
            for pixels in (1, 2):
                blurred = cv2.GaussianBlur(case.truth, (0, 0), pixels)
                result = np.where(case.hole[..., None], blurred, case.rgb)
                results[f"truth, {pixels} px blur"] = result
            for method, result in results.items():
                rows.setdefault(method, []).append(error(result, case.truth, lpips))
        for method, r in rows.items():
            print(
                f"{name:9}{method:20}{np.mean(r, 0)[0]:8.4f}{np.mean(r, 0)[1]:8.2f}{len(r):5}",
                flush=True,
            )


def error(result: Pixels, truth: Pixels, lpips: Any) -> tuple[float, float]:
    """Return (LPIPS, PSNR in dB) of a whole picture."""
    both = [
        torch.from_numpy(x.astype(np.float32) / 255).permute(2, 0, 1)[None] for x in (result, truth)
    ]
    with torch.inference_mode():
        distance = float(lpips(*both, normalize=True))
    return distance, -10 * np.log10(max(float((both[0] - both[1]).pow(2).mean()), 1e-12))


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--count", type=int, default=40, help="moved objects (default 40)")
    p.add_argument("--sheet", type=Path, help="folder for sheets of hole, each method and truth")
    p.add_argument(
        "--large", action="store_true", help="measure time and memory on the photos of 'large'"
    )
    p.add_argument("--bounds", action="store_true", help="measure a perfect guide")
    args = p.parse_args()
    if args.large:
        return large(args.data)
    lpips, why = lpips_network(offline=True)
    if lpips is None:
        sys.exit(why)
    if args.bounds:
        return bounds({"pairs": pairs(args.data), "objects": objects(args.data, args.count)}, lpips)
    return compare(args.data, args.count, args.sheet, lpips)


def compare(data: Path, count: int, sheets: Path | None, lpips: Any) -> None:
    """Print every method's metrics on every set."""
    copying: list[float] = []
    fillers = {
        "texture": ours(timed(Inpainters(torch.device("cpu")), copying), Route.FREE_FORM),
        "plain": ours(Inpainters(torch.device("cpu"), detail=False), Route.FREE_FORM),
        **{method: classical(method) for method in METHODS},
        **contrib(),
    }
    print(f"{'set':9}{'method':15}{'LPIPS':>8}{'PSNR':>8}{'sharpness':>11}{'seconds':>9}{'n':>5}")
    sets = {
        "objects": objects(data, count),
        "at-512": objects(data, max(1, count // 2), size=512),
        "large": objects(data, max(1, count // 2), 0.3, 0.5),
        "pairs": pairs(data),
    }
    for name, cases in sets.items():
        copying.clear()
        rows: dict[str, list[tuple[float, ...]]] = {}
        for case in cases:
            blank = np.where(case.hole[..., None], 128, case.rgb).astype(np.uint8)
            shown: list[Pixels] = [blank]
            for method, fill in fillers.items():
                begun = time.perf_counter()
                result = fill(blank, case.hole)
                seconds = time.perf_counter() - begun
                rows.setdefault(method, []).append(
                    (*error(result, case.truth, lpips), sharpness(result, case.hole), seconds)
                )
                shown.append(result)
            if sheets:
                sheets.mkdir(parents=True, exist_ok=True)
                sheet = cv2.cvtColor(
                    np.concatenate([*shown, case.truth], axis=1), cv2.COLOR_RGB2BGR
                )
                cv2.imwrite(str(sheets / f"{name}-{case.name}.png"), sheet)
        for method, r in rows.items():
            lp, psnr, sharp, seconds = np.array(r).T
            print(
                f"{name:9}{method:15}{lp.mean():8.4f}{psnr.mean():8.2f}"
                f"{np.median(sharp):11.2f}{np.median(seconds):9.3f}{len(r):5}",
                flush=True,
            )
        print(f"{name:9}of it copying{np.median(copying):38.3f}{len(copying):5}", flush=True)


if __name__ == "__main__":
    main()
