"""``evaluate-inpainter probes``: any inpainter on photos with known ground truth.

A hole is cut into a photo, filled by the pipeline's code and by OpenCV's classical methods, and
compared with the original. LPIPS (SqueezeNet) and PSNR are of the whole composite; ``hole``
metrics are over the hole's pixels alone. The photos are a test's own, or the user's.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ...pipeline.config import GivenWeights, Settings
from ...pipeline.detect import mask
from ...pipeline.errors import UnreadableError
from ...pipeline.images import read_photo
from ...pipeline.images.suffixes import is_readable
from ...pipeline.inpaint import composite
from ...pipeline.inpaint.classical import METHODS, paint
from ...pipeline.inpaint.inpainters import Fill, Inpainters
from ...pipeline.pixels import eight_bits, resize, scaled_size
from ...pipeline.quality.lpips import Perceptual
from ...pipeline.quality.metrics import inside_errors
from ...pipeline.system.text import printable
from ...pipeline.types import Box, FloatArray, Hole, Mask, Pixels, Route
from ..data import holes as hole_kinds
from ..data.pictures import read_rgb, square
from .kept import Row, keep_sheet, means, with_hole

log = logging.getLogger(__name__)

#: So many sheets of a test are kept.
SHEETS = 24

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
        drawn: the hole generator without a data folder.
        of_any_photo: whether it means something on photos of any kind, and not on faces alone.
    """

    name: str
    folder: str
    size: int
    route: Route
    holes: Callable[[Path], hole_kinds.HoleGenerator]
    drawn: hole_kinds.HoleGenerator
    of_any_photo: bool = True


def _irregular(low: float, high: float) -> Callable[[Path], hole_kinds.HoleGenerator]:
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


_CENTRE = partial(hole_kinds.rectangle, centred=True)

TESTS = {
    "free-form-10-20": Test(
        "free-form-10-20",
        "scenes/val",
        256,
        Route.FREE_FORM,
        _irregular(0.10, 0.20),
        hole_kinds.FreeForm(0.10, 0.20),
    ),
    "free-form-40-50": Test(
        "free-form-40-50",
        "scenes/val",
        256,
        Route.FREE_FORM,
        _irregular(0.40, 0.50),
        hole_kinds.FreeForm(0.40, 0.50),
    ),
    "edge-25-35": Test(
        "edge-25-35", "scenes/val", 256, Route.EDGE, lambda _: hole_kinds.edge, hole_kinds.edge
    ),
    "face-centre": Test(
        "face-centre",
        "faces/val",
        128,
        Route.FACE,
        lambda _: _CENTRE,
        _CENTRE,
        of_any_photo=False,
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


def own_cases(
    test: Test, photos: Iterable[tuple[Path, NDArray[np.uint8]]], data: Path | None, seed: int = 0
) -> Iterator[tuple[Path, Pixels, Mask]]:
    """The user's photos with the test's holes.

    Args:
        test: see ``Test``.
        photos: (file, HWC uint8 RGB).
        data: data folder with the test's masks; None draws holes of the same shares.
        seed: of the holes, which depend on nothing else.

    Yields:
        (file, HWC uint8 RGB, HW bool hole), the photo's centre square at the test's size.
    """
    generate = test.drawn if data is None else test.holes(data)
    rng = np.random.default_rng(seed)
    for file, rgb in photos:
        yield file, square(rgb, test.size), generate(test.size, rng)


def own_photos(places: Sequence[Path], without: Path | None = None) -> list[Path]:
    """The user's photos: the files, and those below the folders.

    Args:
        places: files and folders.
        without: a folder of which no file counts: that of an earlier call's sheets.

    Raises:
        FileNotFoundError: a place is missing, or holds no photo.
    """
    found: list[Path] = []
    for place in places:
        if not place.exists():
            raise FileNotFoundError(f"{place}: no such file or folder of photos")
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        photos = [
            file
            for file in files
            if file.is_file() and is_readable(file.name) and not _is_hidden(file, place)
            if without is None or without.resolve() not in file.resolve().parents
        ]
        if not photos:
            left_out = "" if without is None else f" outside {without}, where pictures are written"
            raise FileNotFoundError(f"{place}: no photos found{left_out}")
        found += photos
    return list(dict.fromkeys(found))


def _is_hidden(file: Path, place: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(place).parts)


def _decoded(files: Sequence[Path], count: int, size: int) -> list[tuple[Path, NDArray[np.uint8]]]:
    """The first ``count`` photos that can be read; others are named and left out.

    Args:
        files: the photos.
        count: most of them.
        size: side in pixels of the largest test.

    Raises:
        UnreadableError: none can be read.
    """
    photos: list[tuple[Path, NDArray[np.uint8]]] = []
    last: UnreadableError | None = None
    for file in files:
        if len(photos) == count:
            break
        try:
            # Small enough to stay in memory for all tests.
            photos.append((file, _reduced(eight_bits(read_photo(file).rgb), size)))
        except UnreadableError as error:
            last = error
            log.warning("left out: %s", printable(str(error)))
    if last is not None and not photos:
        raise last
    return photos


def _reduced(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """A photo with a shorter side of at most four times the largest test's ``size``."""
    scale = min(1.0, 4 * size / min(rgb.shape[:2]))
    return resize(rgb, scaled_size(rgb.shape, scale), cv2.INTER_AREA) if scale < 1 else rgb


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
    test: str,
) -> list[Row]:
    """A row for each picture and filler.

    Args:
        fillers: by name.
        items: (file, HWC RGB, HW hole).
        perceptual: LPIPS.
        keep: folder for PNGs with photo, hole, every filler's result and ground truth side by side.
        test: its name.

    Raises:
        AssertionError: a filler changed a pixel outside the hole.
    """
    rows: list[Row] = []
    for n, (file, rgb, hole) in enumerate(items):
        blank = with_hole(rgb, hole)  # a filler's input has no ground truth under the hole
        shown: dict[str, Pixels] = {"before": rgb, "hole": blank}
        for name, fill in fillers.items():
            begun = time.perf_counter()
            result = fill(blank, hole)
            seconds = time.perf_counter() - begun
            if (result[~hole] != rgb[~hole]).any():
                raise AssertionError(f"{name} changed pixels outside the hole of {file}")
            metrics = errors(result, rgb, hole, perceptual) | {"seconds": seconds}
            rows.append(Row(test, str(file), name, float(hole.mean()), metrics))
            shown[name] = result
        if n < SHEETS:
            captions = [*shown, "truth"]
            keep_sheet(keep, f"{n:03d}_{file.stem}", [*shown.values(), rgb], captions)
    return rows


def evaluate_probes(
    data: Path | None,
    names: Sequence[str] = (),
    *,
    count: int,
    keep: Path | None,
    offline: bool = False,
    weights: GivenWeights = (),
    images: Sequence[Path] = (),
    size: int | None = None,
) -> list[Row]:
    """Run the named tests: ours, Navier-Stokes and Telea on the same holes.

    Args:
        data: data folder; None draws the holes, and needs ``images``.
        names: keys of ``TESTS``; none for all, or with ``images`` for all that are no faces'.
        count: most photos per test.
        keep: folder for the pictures side by side, or None.
        offline: never download LPIPS.
        weights: the user's own, which replace bundled ones.
        images: photos and folders of photos instead of the tests' own.
        size: side in pixels of the centre squares; None for each test's own.

    Returns:
        A row for each picture and filler of each test.

    Raises:
        FileNotFoundError: there are no photos, or no masks.
        UnreadableError: none of the user's photos can be read.
        WeightsError: a weight does not fit.
    """
    import torch

    device = torch.device("cpu")
    inpainters = Inpainters(device, weights=Settings(weights=weights).own_weights)
    largest = size or max(test.size for test in TESTS.values())
    photos = _decoded(own_photos(images, keep), count, largest) if images else []
    perceptual = Perceptual(device, offline=offline)
    if perceptual.missing:
        print(perceptual.missing)
    rows: list[Row] = []
    every = [n for n, test in TESTS.items() if test.of_any_photo or not images]
    for name in dict.fromkeys(names) or every:
        test = TESTS[name] if size is None else replace(TESTS[name], size=size)
        fillers: dict[str, Filler] = {
            "ours": ours(inpainters, test.route),
            **{method: classical(method) for method in METHODS},
        }
        if images:
            items = own_cases(test, photos, data)
        elif data is not None:
            items = cases(test, data, count)
        else:
            raise FileNotFoundError(f"no photos for {name}: name a data folder, or your own photos")
        folder = keep / name if keep else None
        rows += measure(fillers, items, perceptual, folder, name)
    return rows


def by_test(rows: Sequence[Row]) -> dict[str, Any]:
    """Mean metrics by test and filler, and each test's ratio of ours to Navier-Stokes in LPIPS."""
    table: dict[str, Any] = {}
    for test in dict.fromkeys(row.test for row in rows):
        table[test] = means([row for row in rows if row.test == test])
        table[test]["lpips_over_navier_stokes"] = round(
            table[test]["ours"]["lpips"] / table[test]["navier-stokes"]["lpips"], 3
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
        if (ratio := rows["lpips_over_navier_stokes"]) == ratio:
            lines.append(f"{test:18}ours / navier-stokes LPIPS: {ratio}")
    return "\n".join(lines)


def save(table: dict[str, Any], path: Path) -> None:
    """Write the metrics as JSON, with null where one is unavailable."""
    path.write_text(json.dumps(_known(table), indent=1) + "\n", encoding="utf-8")


def _known(value: Any) -> Any:
    """A value with None instead of NaN, of which JSON knows nothing."""
    if isinstance(value, dict):
        return {key: _known(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_known(each) for each in value]
    return None if isinstance(value, float) and value != value else value
