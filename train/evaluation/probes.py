"""``evaluate-inpainter probes``: any inpainter on photos with known ground truth.

A hole is cut into a photo, filled by the pipeline's code and by OpenCV's classical methods, and
compared with the original. LPIPS (SqueezeNet) and PSNR are of the whole composite; ``hole``
metrics are over the hole's pixels alone.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...pipeline.config import GivenWeights, Settings
from ...pipeline.detect import mask
from ...pipeline.inpaint import composite
from ...pipeline.inpaint.classical import METHODS, paint
from ...pipeline.inpaint.inpainters import Fill, Inpainters
from ...pipeline.quality.lpips import Perceptual
from ...pipeline.quality.metrics import inside_errors
from ...pipeline.types import Box, FloatArray, Hole, Mask, Pixels, Route
from ..data import holes as hole_kinds
from ..data.pictures import read_rgb, square

#: (HWC RGB, HW hole mask) -> HWC RGB with the hole filled.
Filler = Callable[[Pixels, Mask], Pixels]


@dataclass(frozen=True)
class Test:
    """One test: which photos, which holes, which of our inpainters.

    Attributes:
        name: on the command line.
        folder: of the photos, below the data folder.
        size: side in pixels of the centre squares.
        route: of our inpainter.
        holes: makes the hole generator from the data folder.
    """

    name: str
    folder: str
    size: int
    route: Route
    holes: Callable[[Path], Callable[[int, np.random.Generator], Mask]]


def _irregular(
    low: float, high: float
) -> Callable[[Path], Callable[[int, np.random.Generator], Mask]]:
    """Masks of the band ``low`` to ``high`` of the data folder.

    They are neither cropped nor rotated, so that the hole's share is the band's.
    """

    def make(data: Path) -> Callable[[int, np.random.Generator], Mask]:
        files = sorted((data / "masks" / "irregular").glob(f"r{round(low * 100):02d}_*.png"))
        if not files:
            raise FileNotFoundError(
                f"{data / 'masks' / 'irregular'}: no masks r{round(low * 100):02d}_*.png"
            )

        def generate(size: int, rng: np.random.Generator) -> Mask:
            grey = cv2.imread(str(files[int(rng.integers(len(files)))]), cv2.IMREAD_GRAYSCALE)
            assert grey is not None
            return cv2.resize(grey, (size, size), interpolation=cv2.INTER_NEAREST) > 127  # type: ignore[return-value]

        return generate

    return make


TESTS = {
    "free-form-10-20": Test(
        "free-form-10-20", "scenes/val", 256, Route.FREE_FORM, _irregular(0.10, 0.20)
    ),
    "free-form-40-50": Test(
        "free-form-40-50", "scenes/val", 256, Route.FREE_FORM, _irregular(0.40, 0.50)
    ),
    "edge-25-35": Test("edge-25-35", "scenes/val", 256, Route.EDGE, lambda _: hole_kinds.edge),
    "face-centre": Test(
        "face-centre",
        "faces/val",
        128,
        Route.FACE,
        lambda _: partial(hole_kinds.rectangle, centred=True),
    ),
}


def cases(test: Test, data: Path, count: int, seed: int = 0) -> Iterator[tuple[Path, Pixels, Mask]]:
    """The test's first ``count`` photos with their holes.

    Args:
        test: see ``Test``.
        data: data folder.
        count: most photos.
        seed: of the holes, which depend on nothing else.

    Yields:
        (file, HWC uint8 RGB, HW bool hole).

    Raises:
        FileNotFoundError: there are no photos.
    """
    files = sorted(
        p for p in (data / test.folder).rglob("*") if p.suffix.lower() in {".jpg", ".jpeg", ".png"}
    )[:count]
    if not files:
        raise FileNotFoundError(f"{data / test.folder}: no photos found")
    generate = test.holes(data)
    rng = np.random.default_rng(seed)
    for file in files:
        yield file, square(read_rgb(file), test.size), generate(test.size, rng)


def classical(method: str) -> Filler:
    """A method of ``pipeline.inpaint.classical.METHODS`` on the whole picture."""
    return lambda rgb, hole: paint(rgb, hole, method)  # type: ignore[arg-type]


def ours(
    inpainters: Inpainters,
    route: Route,
    choose: Callable[[Fill], FloatArray] = lambda fill: fill.rgb,
) -> Filler:
    """The pipeline's way for a given route: holes, window, network, composite.

    Args:
        inpainters: the networks.
        route: of every hole.
        choose: which result of a fill is pasted, HWC in [0, 1].
    """

    def fill(rgb: Pixels, hole_mask: Mask) -> Pixels:
        result = rgb.copy()
        for hole, filled in fills(inpainters, route, rgb, hole_mask, framed=route is Route.FACE):
            composite.blend_into(result, choose(filled), filled.window, hole, hole_mask)
        return result

    return fill


def fills(
    inpainters: Inpainters, route: Route, rgb: Pixels, hole_mask: Mask, *, framed: bool
) -> Iterator[tuple[Hole, Fill]]:
    """Each hole of the mask with its fill by a given route.

    Args:
        inpainters: the networks.
        route: of every hole.
        rgb: HWC.
        hole_mask: HW.
        framed: whether the picture is an aligned face, which fills the face network's frame.
    """
    for hole in mask.find_holes(hole_mask):
        if framed:
            yield hole, inpainters.face_frame(rgb, hole_mask, Box.full(rgb.shape))
        else:
            yield hole, inpainters.fill(rgb, hole_mask, hole, route)


def errors(result: Pixels, rgb: Pixels, hole: Mask, perceptual: Perceptual) -> dict[str, float]:
    """The metrics of one result.

    Returns:
        LPIPS (NaN if unavailable) and PSNR in dB of the whole composite; L1, PSNR and SSIM over
        the hole.
    """
    filled, truth = result.astype(np.float32) / 255, rgb.astype(np.float32) / 255
    mse = float(((filled - truth) ** 2).mean())
    l1, hole_psnr, hole_ssim = inside_errors(filled, truth, hole)
    lpips = perceptual.distance(filled, truth)
    return {
        "lpips": float("nan") if lpips is None else lpips,
        "psnr": -10 * float(np.log10(max(mse, 1e-12))),
        "hole_l1": l1,
        "hole_psnr": hole_psnr,
        "hole_ssim": hole_ssim,
    }


def measure(
    fillers: dict[str, Filler],
    items: Iterator[tuple[Path, Pixels, Mask]],
    perceptual: Perceptual,
    keep: Path | None,
) -> dict[str, Any]:
    """Mean metrics by filler.

    Args:
        fillers: by name.
        items: (file, HWC RGB, HW hole).
        perceptual: LPIPS.
        keep: folder for PNGs with hole, every filler's result and ground truth side by side.

    Raises:
        AssertionError: a filler changed a pixel outside the hole.
    """
    rows: dict[str, list[tuple[float, ...]]] = {name: [] for name in fillers}
    for n, (file, rgb, hole) in enumerate(items):
        shown: list[Pixels] = [np.where(hole[..., None], 128, rgb).astype(np.uint8)]
        blank = shown[0].copy()  # a filler's input has no ground truth under the hole
        for name, fill in fillers.items():
            begun = time.perf_counter()
            result = fill(blank, hole)
            seconds = time.perf_counter() - begun
            if (result[~hole] != rgb[~hole]).any():
                raise AssertionError(f"{name} changed pixels outside the hole of {file}")
            rows[name].append((*errors(result, rgb, hole, perceptual).values(), seconds))
            shown.append(result)
        if keep is not None and n < 24:
            keep.mkdir(parents=True, exist_ok=True)
            sheet = np.concatenate([*shown, rgb], axis=1)
            cv2.imwrite(str(keep / f"{n:03d}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    names = ("lpips", "psnr", "hole_l1", "hole_psnr", "hole_ssim", "seconds")
    return means(names, rows)


def means(
    names: Sequence[str], rows: dict[str, list[tuple[float, ...]]]
) -> dict[str, dict[str, float]]:
    """For each filler the mean of every metric over its rows, and the ``count`` of rows."""
    return {
        name: dict(zip(names, (round(float(v), 4) for v in np.mean(r, 0)), strict=True))
        | {"count": len(r)}
        for name, r in rows.items()
    }


def evaluate_probes(
    data: Path,
    names: Sequence[str],
    *,
    count: int,
    keep: Path | None,
    offline: bool = True,
    weights: GivenWeights = (),
) -> dict[str, Any]:
    """Run the named tests: ours, Navier-Stokes and Telea on the same holes.

    Args:
        data: data folder.
        names: keys of ``TESTS``.
        count: most photos per test.
        keep: folder for the pictures side by side, or None.
        offline: never download LPIPS.
        weights: the user's own, which replace bundled ones.

    Returns:
        Mean metrics by test and filler.
    """
    import torch

    device = torch.device("cpu")
    inpainters = Inpainters(device, weights=Settings(weights=weights).own_weights)
    perceptual = Perceptual(device, offline=offline)
    if perceptual.missing:
        print(perceptual.missing)
    table: dict[str, Any] = {}
    for name in names:
        test = TESTS[name]
        fillers: dict[str, Filler] = {
            "ours": ours(inpainters, test.route),
            **{method: classical(method) for method in METHODS},
        }
        table[name] = measure(
            fillers, cases(test, data, count), perceptual, keep / name if keep else None
        )
        table[name]["lpips_over_navier_stokes"] = round(
            table[name]["ours"]["lpips"] / table[name]["navier-stokes"]["lpips"], 3
        )
    return table


def render(table: dict[str, Any]) -> str:
    """The metrics as a text table."""
    lines = [
        f"{'test':18}{'filler':15}{'LPIPS':>8}{'PSNR':>8}{'hole L1':>9}"
        f"{'hole PSNR':>11}{'s/hole':>8}{'n':>5}"
    ]
    for test, rows in table.items():
        for name, r in rows.items():
            if isinstance(r, dict):
                lines.append(
                    f"{test:18}{name:15}{r['lpips']:8.4f}{r['psnr']:8.2f}{r['hole_l1']:9.4f}"
                    f"{r['hole_psnr']:11.2f}{r['seconds']:8.3f}{r['count']:5}"
                )
        lines.append(f"{test:18}ours / navier-stokes LPIPS: {rows['lpips_over_navier_stokes']}")
    return "\n".join(lines)


def save(table: dict[str, Any], path: Path) -> None:
    """Write the metrics as JSON."""
    path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
