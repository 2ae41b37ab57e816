"""Show which faults the baselines of ``sample_images/`` detect.

It plants one fault, runs CI's check and prints its table.

    python -m tools.faults.baseline partial-conv=0.5     # noise on every kernel, in its standard
    deviations python -m tools.faults.baseline shift=6 --plain      # the mask moved by pixels;
    without texture python -m tools.faults.baseline noise=0.01 --seed 1  # no fault: ±1 level in
    this share of values

Other options, such as --tolerance, go to remove-objects. To imitate another processor, give
``none=0`` and set ``ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 MKL_CBWR=COMPATIBLE`` and
``OPENCV_CPU_DISABLE=AVX2,FMA3,AVX`` in the environment.
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import remove_objects.models.shipped
from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.models.compression import CompressionNetwork
from remove_objects.models.partial_conv_unet import PartialConvUNet
from remove_objects.models.skip_context_encoder import SkipContextEncoder
from remove_objects.pipeline import cli, images
from remove_objects.pipeline.detect import mask
from remove_objects.pipeline.types import Mask, Photo

ROOT = Path(__file__).resolve().parents[2]
NETWORKS = {
    "partial-conv": PartialConvUNet,
    "compression": CompressionNetwork,
    "skip-ce": SkipContextEncoder,
}


def main() -> int:
    """Plant the fault and return the check's exit code."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("fault", help=f"{', '.join(NETWORKS)}, shift, noise or none; '='; amount")
    p.add_argument(
        "--plain", action="store_true", help="without texture, against baseline-plain.json"
    )
    p.add_argument("--seed", type=int, default=0)
    args, more = p.parse_known_args()
    kind, _, amount = args.fault.partition("=")
    os.chdir(ROOT)
    builder = runpy.run_path("sample_images/build_baseline.py")
    name = "baseline-plain.json" if args.plain else "baseline.json"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TORCH_HOME"] = str(Path(folder, "cache"))
        if kind in NETWORKS:
            damage(kind, float(amount), Path(folder, "weights"), args.seed)
        elif kind == "shift":
            shift(int(amount))
        elif kind == "noise":
            noise(float(amount), args.seed)
        elif kind != "none":
            p.error(f"unknown fault '{kind}'")
        options = [
            *builder["OPTIONS"],
            *builder["BASELINES"][name],
            "--baseline",
            f"sample_images/{name}",
        ]
        return cli.main(
            [*options, *more, "--output", str(Path(folder, "cleaned")), "sample_images"]
        )


def damage(kind: str, amount: float, folder: Path, seed: int) -> None:
    """Replace a shipped network by one with noise on its kernels and a correct hash."""
    network, _ = remove_objects.models.shipped.load_shipped(kind, NETWORKS[kind])
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter += amount * parameter.std() * torch.randn_like(parameter)
    shutil.copytree(remove_objects.models.shipped.FOLDER, folder)
    path = save_weights(network, folder, kind)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    index[kind] |= {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))
    remove_objects.models.shipped.FOLDER = folder


def shift(pixels: int) -> None:
    """Move the dilated mask to the right."""
    dilate = mask.dilate

    def moved(objects: Mask, radius: int) -> Mask:
        return np.roll(dilate(objects, radius), pixels, axis=1)

    setattr(mask, "dilate", moved)  # noqa: B010 (mypy allows no assignment to a function)


def noise(share: float, seed: int) -> None:
    """Add -1, 0 or 1 level to a share of each photo's values; a grey photo stays grey.

    The ground truth is not changed.
    """
    read = images.read_photo

    def noisy(path: Path) -> Photo:
        photo = read(path)
        if ".truth" in path.parts:
            return photo
        rng = np.random.default_rng([seed, *path.name.encode()])
        shape = (*photo.size, 1 if path.suffix == ".png" else 3)
        levels = rng.integers(-1, 2, shape) * (rng.random(shape) < share)
        return replace(
            photo, rgb=(photo.rgb.astype(np.int32) + levels).clip(0, 255).astype(np.uint8)
        )

    setattr(images, "read_photo", noisy)  # noqa: B010 (as above)


if __name__ == "__main__":
    sys.exit(main())
