"""Compare JPEGs that keep their coefficients outside the hole with re-encoded ones.

    python -m benchmarks.speed.jpeg_fidelity PHOTO… [--megapixels 48]

Prints time, changed pixels and memory. Both ways alternate in one run; the hole is an ellipse of a
tenth of the photo, filled with pixels from its other side. Only the ratio of times applies to other
machines. Memory is the largest sum of this process and its helper, sampled every 20 ms in ``/proc``
(Linux).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from unittest import mock

import numpy as np
from PIL import Image, JpegImagePlugin

from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from remove_objects.pipeline.types import Mask, Photo, Pixels


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--megapixels", type=float, help="tile the photo until it has this size")
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    print(
        "| photo | megapixels | seconds kept / re-encoded | ratio "
        "| pixels changed outside | PSNR outside | peak MB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for path in args.photos:
            source = (
                path if args.megapixels is None else enlarged(path, args.megapixels, Path(folder))
            )
            print(row(source, Path(folder), args.repeat), flush=True)


def enlarged(path: Path, megapixels: float, folder: Path) -> Path:
    """Tile a photo to a size, with its own tables and sampling, and write it into a folder."""
    with Image.open(path) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        times = max(1, round((megapixels * 1e6 / (image.width * image.height)) ** 0.5 + 0.499))
        tiled = np.tile(np.asarray(image), (times, times, 1))
        share = (megapixels * 1e6 / (tiled.shape[0] * tiled.shape[1])) ** 0.5
        tiled = tiled[: int(tiled.shape[0] * share), : int(tiled.shape[1] * share)]
        target = folder / f"large-{path.name}"
        Image.fromarray(tiled).save(
            target,
            qtables=image.quantization,
            subsampling=max(0, JpegImagePlugin.get_sampling(image)),
        )
    return target


def row(source: Path, folder: Path, repeat: int) -> str:
    """Measure a photo and return its row of the table."""
    with Watch() as memory:
        photo = read_photo(source)
        rgb, hole = work(photo)
        kept: list[tuple[float, WriteResult]] = []
        encoded: list[tuple[float, WriteResult]] = []
        timed(photo, rgb, hole, folder, with_library=True)  # starts the helper
        for _ in range(repeat):
            kept.append(timed(photo, rgb, hole, folder, with_library=True))
            encoded.append(timed(photo, rgb, hole, folder, with_library=False))
    assert not kept[0][1].note, kept[0][1].note
    first, second = median(s for s, _ in kept), median(s for s, _ in encoded)
    a, b = kept[0][1], encoded[0][1]
    size = photo.size[0] * photo.size[1] / 1e6
    psnr = [result.psnr_outside or float("inf") for result in (a, b)]
    return (
        f"| {source.name} | {size:.1f} | {first:.2f} / {second:.2f} | {first / second:.2f} "
        f"| {a.changed_outside:,} / {b.changed_outside:,} "
        f"| {psnr[0]:.1f} / {psnr[1]:.1f} dB | {memory.peak / 1e6:.0f} |"
    )


def work(photo: Photo) -> tuple[Pixels, Mask]:
    """Return the photo with a filled ellipse, and the ellipse's mask."""
    height, width = photo.size
    y, x = np.ogrid[:height, :width]
    hole = ((y - height / 2) / height) ** 2 + ((x - width / 2) / width) ** 2 < 0.1 / np.pi
    return np.where(hole[..., None], photo.rgb[:, ::-1], photo.rgb), hole


def timed(
    photo: Photo, rgb: Pixels, hole: Mask, folder: Path, *, with_library: bool
) -> tuple[float, WriteResult]:
    """Write a photo with or without jpeglib: (seconds, result)."""
    missing = mock.patch("importlib.util.find_spec", return_value=None)
    with nullcontext() if with_library else missing:
        begun = time.monotonic()
        result = write_photo(photo, rgb, hole, folder / "out.jpg")
        return time.monotonic() - begun, result


class Watch:
    """Measures the largest memory of this process and its children together, in bytes."""

    def __enter__(self) -> Watch:
        self.peak, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _measure(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self._over.wait(0.02):
            total = 0
            children = " ".join(
                file.read_text() for file in Path("/proc/self/task").glob("*/children")
            ).split()
            for process in ("self", *children):
                try:
                    total += int(Path("/proc", process, "statm").read_text().split()[1]) * page
                except OSError:
                    continue  # the process has ended
            self.peak = max(self.peak, total)


if __name__ == "__main__":
    main()
