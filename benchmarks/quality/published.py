"""Compare fills with those that another project publishes for its own pictures and holes.

    python -m benchmarks.quality.published FOLDER [--route face] [--holes white] [--sheet DIR]

FOLDER holds ``images/``, ``masks/`` and ``results/NAME/``, with the same file names up to their
endings, as the ``examples`` of MI-GAN's repository (Sargsyan et al. 2023) do. LPIPS (SqueezeNet)
and PSNR are of the whole composite against the picture, of this program, of each published result,
and of Navier-Stokes. No such picture is trained on, nor used to choose anything.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.quality.ablation import lpips
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.types import Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb
from remove_objects.train.evaluation.probes import Filler, classical, ours


def beside(folder: Path, name: str) -> Path:
    """The file of a folder with a name, whatever its ending.

    Raises:
        FileNotFoundError: there is none.
    """
    for path in sorted(folder.glob(f"{name}.*")):
        return path
    raise FileNotFoundError(f"{folder}: no file {name}.*; each picture needs one")


def psnr(ours: Pixels, truth: Pixels) -> float:
    """In dB, of two HWC uint8 pictures."""
    error = np.square(ours.astype(np.float64) - truth).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def main() -> None:
    """Run the command."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("folder", type=Path, help="with images/, masks/ and results/NAME/")
    p.add_argument("--route", choices=["free-form", "face"], default="free-form")
    p.add_argument("--holes", choices=["black", "white"], default="black", help="in the masks")
    p.add_argument("--sheet", type=Path, help="write hole, fills and truth here")
    args = p.parse_args()
    distance = lpips()
    fillers: dict[str, Filler] = {
        "ours": ours(Inpainters(torch.device("cpu")), Route(args.route)),
        "navier-stokes": classical("navier-stokes"),
    }
    others = sorted(f for f in (args.folder / "results").iterdir() if f.is_dir())
    names = [*fillers, *(f.name for f in others)]
    rows, shares = [], []
    for path in find_images([args.folder / "images"]):
        rgb = read_rgb(path)
        mask = read_rgb(beside(args.folder / "masks", path.stem))[..., 0]
        hole = (mask < 128) == (args.holes == "black")
        blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
        results = [fill(blank, hole) for fill in fillers.values()]
        for folder in others:
            theirs = read_rgb(beside(folder, path.stem))
            results.append(np.where(hole[..., None], theirs, rgb))
        rows.append([(distance(r, rgb), psnr(r, rgb)) for r in results])
        shares.append(hole.mean())
        if args.sheet:
            args.sheet.mkdir(parents=True, exist_ok=True)
            sheet = np.hstack([blank, *results, rgb])[..., ::-1]
            cv2.imwrite(str(args.sheet / f"{path.stem}.png"), sheet)
    table = np.array(rows)
    print(f"{len(table)} pictures, holes of {np.mean(shares):.0%} in the mean")
    for k, name in enumerate(names):
        print(f"{name:14s} LPIPS {table[:, k, 0].mean():.3f}, PSNR {table[:, k, 1].mean():.2f} dB")


if __name__ == "__main__":
    main()
