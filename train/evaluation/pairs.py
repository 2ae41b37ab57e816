"""``evaluate-inpainter pairs``: removal with true ground truth.

Each pair of ``removal/pairs`` shows the same place with and without the people.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...pipeline.config import GivenWeights, Settings
from ...pipeline.inpaint.classical import METHODS
from ...pipeline.quality.lpips import Perceptual
from ...pipeline.quality.metrics import inside_errors
from ...pipeline.remover import ObjectRemover
from ...pipeline.types import Mask, Pixels
from ..data.pictures import read_rgb
from .probes import classical, means


def read_pairs(data: Path) -> Iterator[tuple[str, Pixels, Pixels, Mask]]:
    """Read every pair.

    Yields:
        (name, photo, the same place without the people, the people's given mask).

    Raises:
        FileNotFoundError: there are none.
    """
    folder = data / "removal" / "pairs"
    stems = sorted(p.name.removesuffix("_input.png") for p in folder.glob("*_input.png"))
    if not stems:
        raise FileNotFoundError(f"{folder}: no *_input.png found")
    for stem in stems:
        rgb, truth, mask = (
            read_rgb(folder / f"{stem}_{kind}.png") for kind in ("input", "gt", "mask")
        )
        yield stem, rgb, truth, mask[..., 0] > 127


def evaluate_pairs(data: Path, *, keep: Path | None, weights: GivenWeights = ()) -> dict[str, Any]:
    """Mean metrics inside the given masks: the pipeline, Navier-Stokes and Telea.

    The pipeline runs with the given masks, with which nothing goes along, and with ``--class
    person``. In the latter case the
    holes are the segmenter's, but the metrics still count the *given* masks, so that a person
    who was not removed counts.

    Args:
        data: data folder.
        keep: folder for the pictures side by side, or None.
        weights: the user's own, which replace bundled ones.
    """
    settings = Settings(segmenter="compact", offline=True, probe=False, weights=weights)
    remover, alone = ObjectRemover(settings), ObjectRemover(replace(settings, along=()))
    perceptual = Perceptual(remover.networks.device, offline=True)
    rows: dict[str, list[tuple[float, ...]]] = {}
    for stem, rgb, truth, hole in read_pairs(data):
        results = {
            "ours, masks given": alone.remove(rgb, hole=hole).image,
            "ours, --class person": remover.remove(rgb, classes=["person"]).image,
            **{
                method: classical(method)(np.where(hole[..., None], 0, rgb).astype(np.uint8), hole)
                for method in METHODS
            },
        }
        for name, result in results.items():
            filled, expected = result.astype(np.float32) / 255, truth.astype(np.float32) / 255
            # Light and passers-by differ between the two pictures: outside the hole both get the
            # ground truth's pixels.
            filled = np.where(hole[..., None], filled, expected)
            l1, psnr, ssim = inside_errors(filled, expected, hole)
            lpips = perceptual.distance(filled, expected)
            rows.setdefault(name, []).append(
                (float("nan") if lpips is None else lpips, psnr, l1, ssim)
            )
        if keep is not None:
            keep.mkdir(parents=True, exist_ok=True)
            sheet = np.concatenate([rgb, *results.values(), truth], axis=1)
            cv2.imwrite(str(keep / f"{stem}.png"), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    names = ("lpips", "hole_psnr", "hole_l1", "hole_ssim")
    return means(names, rows)


def render_pairs(table: dict[str, Any]) -> str:
    """The metrics as a text table."""
    lines = [f"{'filler':24}{'LPIPS':>8}{'hole PSNR':>11}{'hole L1':>9}{'hole SSIM':>11}{'n':>4}"]
    for name, r in table.items():
        lines.append(
            f"{name:24}{r['lpips']:8.4f}{r['hole_psnr']:11.2f}{r['hole_l1']:9.4f}"
            f"{r['hole_ssim']:11.3f}{r['count']:4}"
        )
    return "\n".join(lines)
