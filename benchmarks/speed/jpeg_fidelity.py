"""A JPEG with its own coefficients outside the hole against the same photo encoded anew: time, pixels that change, memory.

    python benchmarks/speed/jpeg_fidelity.py PHOTO… [--megapixels 48]

Both ways in one run, turn by turn; the hole is an ellipse of a tenth of the photo, filled with its own pixels from the other side. The
ratio of times is what carries to another machine. Memory is the largest sum of this process and its helper, seen every 20 ms in
``/proc`` (Linux).
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from pathlib import Path
from statistics import median

import numpy as np
from PIL import Image, JpegImagePlugin

from remove_objects.pipeline.images import WriteResult, read_photo, write_photo
from remove_objects.pipeline.images.dct import splice
from remove_objects.pipeline.types import Mask, Photo, Pixels


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument(
        "--megapixels", type=float, help="lay the photo beside itself until it is as large"
    )
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    print(
        "| photo | megapixels | seconds kept / anew | ratio | pixels changed outside | PSNR outside | peak MB |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as folder:
        for path in args.photos:
            source = (
                path if args.megapixels is None else enlarged(path, args.megapixels, Path(folder))
            )
            print(row(source, Path(folder), args.repeat), flush=True)


def enlarged(path: Path, megapixels: float, folder: Path) -> Path:
    """The photo tiled to a size, with its own tables and sampling."""
    with Image.open(path) as image:
        times = max(1, round((megapixels * 1e6 / (image.width * image.height)) ** 0.5 + 0.499))
        tiled = np.tile(np.asarray(image), (times, times, 1))
        share = (megapixels * 1e6 / (tiled.shape[0] * tiled.shape[1])) ** 0.5
        tiled = tiled[: int(tiled.shape[0] * share), : int(tiled.shape[1] * share)]
        target = folder / f"large-{path.name}"
        Image.fromarray(tiled).save(
            target,
            qtables=image.quantization,
            subsampling=max(0, JpegImagePlugin.get_sampling(image)),
        )  # type: ignore[attr-defined]
    return target


def row(source: Path, folder: Path, repeat: int) -> str:
    with Watch() as memory:
        photo = read_photo(source)
        rgb, hole = work(photo)
        kept: list[tuple[float, WriteResult]] = []
        anew: list[tuple[float, WriteResult]] = []
        timed(photo, rgb, hole, folder, with_library=True)  # starts the helper
        for _ in range(repeat):
            kept.append(timed(photo, rgb, hole, folder, with_library=True))
            anew.append(timed(photo, rgb, hole, folder, with_library=False))
    assert not kept[0][1].note, kept[0][1].note
    first, second = median(s for s, _ in kept), median(s for s, _ in anew)
    a, b = kept[0][1], anew[0][1]
    size = photo.size[0] * photo.size[1] / 1e6
    return (
        f"| {source.name} | {size:.1f} | {first:.2f} / {second:.2f} | {first / second:.2f} | {a.changed_outside:,} / {b.changed_outside:,} "
        f"| {a.psnr_outside or float('inf'):.1f} / {b.psnr_outside or float('inf'):.1f} dB | {memory.peak / 1e6:.0f} |"
    )


def work(photo: Photo) -> tuple[Pixels, Mask]:
    height, width = photo.size
    y, x = np.ogrid[:height, :width]
    hole = ((y - height / 2) / height) ** 2 + ((x - width / 2) / width) ** 2 < 0.1 / np.pi
    return np.where(hole[..., None], photo.rgb[:, ::-1], photo.rgb), hole


def timed(
    photo: Photo, rgb: Pixels, hole: Mask, folder: Path, *, with_library: bool
) -> tuple[float, WriteResult]:
    real = splice.importlib.util.find_spec
    if not with_library:
        splice.importlib.util.find_spec = lambda name: None  # type: ignore[assignment]
    begun = time.monotonic()
    try:
        result = write_photo(photo, rgb, hole, folder / "out.jpg")
    finally:
        splice.importlib.util.find_spec = real
    return time.monotonic() - begun, result


class Watch:
    """The largest memory of this process and its children together, in bytes."""

    def __enter__(self) -> Watch:
        self.peak, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
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
                    continue  # it has ended
            self.peak = max(self.peak, total)


if __name__ == "__main__":
    main()
