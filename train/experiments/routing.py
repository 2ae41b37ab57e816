"""``routing``: every kind of hole filled by every shipped inpainter.

It tests whether each route of ``pipeline.inpaint.route`` is the best one for its holes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...pipeline.inpaint import composite
from ...pipeline.inpaint.inpainters import Inpainters
from ...pipeline.quality.lpips import Perceptual
from ...pipeline.types import Mask, Pixels, Route
from ..data import holes
from ..data.datasets import KINDS
from ..data.pictures import find_images, read_rgb, square
from ..evaluation.probes import classical, errors
from ..evaluation.probes import fills as route_fills
from . import plots, results
from .request import TableRequest, pictures
from .results import Claim, Row

#: The metrics of the printed table.
METRICS = ("lpips", "psnr", "hole_l1", "hole_psnr")
CLASSICAL = "navier-stokes"
#: Side in pixels of the faces.
FACE_SIDE = 128


@dataclass(frozen=True)
class Kind:
    """One kind of hole.

    Attributes:
        name: for the table.
        folder: ``scenes`` or ``faces``.
        route: to which the routing rule sends it.
        hole: draws it.
    """

    name: str
    folder: str
    route: Route
    hole: Callable[[int, np.random.Generator], Mask]


def kinds(data: Path | None) -> list[Kind]:
    """The kinds of holes; objects' shapes only if the data folder has labels."""
    all_kinds = [
        Kind("edge", "scenes", Route.EDGE, holes.edge),
        Kind("free-form-10-20", "scenes", Route.FREE_FORM, holes.FreeForm(0.1, 0.2)),
        Kind("free-form-40-50", "scenes", Route.FREE_FORM, holes.FreeForm(0.4, 0.5)),
        Kind("face-square", "faces", Route.FACE, partial(holes.rectangle, centred=True)),
        Kind("face-strokes", "faces", Route.FACE, holes.FreeForm(0.1, 0.25)),
        Kind("edge-of-face", "faces", Route.FACE, holes.edge),
    ]
    labels = None if data is None else data / "segmentation" / "voc_train" / "labels"
    if labels is not None and labels.is_dir():
        objects = Kind("objects", "scenes", Route.FREE_FORM, holes.ObjectShapes([labels]))
        all_kinds.insert(3, objects)
    return all_kinds


def run(request: TableRequest) -> str:
    """Fill every kind of hole by every route, with and without texture; returns the text tables."""
    inpainters = Inpainters(torch.device("cpu"))
    perceptual = Perceptual(torch.device("cpu"), offline=False)
    rows: dict[str, list[Row]] = {}
    all_kinds = kinds(request.data)
    config: dict[str, Any] = {
        "lpips": perceptual.missing or "squeeze",
        "count": request.count,
        "size": request.size,
        "route": {},
        "pictures": {},
    }
    of_folder = {name: test_files(request, name) for name in ("scenes", "faces")}
    for kind in all_kinds:
        files = of_folder[kind.folder]
        config["route"][kind.name], config["pictures"][kind.name] = kind.route.value, len(files)
        for filler, filler_rows in _cached(
            request.folder / f"{kind.name}.json",
            request,
            files,
            partial(_measure, inpainters, perceptual, kind, files, request),
        ).items():
            rows[f"{kind.name} | {filler}"] = filler_rows
    config["weights"] = {name: digest[:8] for name, digest in sorted(inpainters.weights.items())}
    claims = [_claim(kind, rows) for kind in all_kinds]
    arms = {name: {"figures": results.means(arm_rows)} for name, arm_rows in rows.items()}
    results.write(
        request.folder,
        table="routing",
        command=request.command,
        config=config,
        arms=arms,
        rows=rows,
        claims=claims,
    )
    _plot(request.folder / "lpips.png", rows, all_kinds)
    tables = []
    for kind, claim in zip(all_kinds, claims, strict=True):
        of_kind = {
            name.split(" | ")[1]: s["figures"]
            for name, s in arms.items()
            if name.startswith(kind.name + " | ")
        }
        tables.append(
            f"{kind.name} (routed: {kind.route.value})\n"
            + results.render(of_kind, METRICS, [claim])
        )
    return "\n\n".join(tables)


def test_files(request: TableRequest, folder: str) -> list[Path]:
    """The first ``count`` test pictures of ``scenes`` or ``faces``.

    The request's own test folder replaces ``scenes``, its datasets replace those of their kinds.

    Raises:
        FileNotFoundError: there are no pictures.
    """
    for name, root in request.datasets:
        if KINDS[name] == folder:
            return pictures(replace(request, datasets=((name, root),)), folder).test
    if request.test and folder == "scenes":
        return find_images(request.test)[: request.count]
    if request.data is None:
        raise FileNotFoundError("no pictures are named; use --data or --quick")
    return find_images([request.data / folder / "val"])[: request.count]


def _cases(kind: Kind, files: Sequence[Path], size: int) -> Iterator[tuple[Path, Pixels, Mask]]:
    """(file, HWC RGB, HW hole) of each picture; the holes come from a fixed seed."""
    rng = np.random.default_rng(0)
    for file in files:
        side = FACE_SIDE if kind.folder == "faces" else size
        yield file, square(read_rgb(file), side), kind.hole(side, rng)


def _measure(
    inpainters: Inpainters,
    perceptual: Perceptual,
    kind: Kind,
    files: Sequence[Path],
    request: TableRequest,
) -> dict[str, list[Row]]:
    """Rows by filler; writes the first six pictures as a grid."""
    rows: dict[str, list[Row]] = {}
    shown: dict[str, list[Pixels]] = {}
    for n, (file, rgb, hole) in enumerate(_cases(kind, files, request.size)):
        # A filler's input has no ground truth under the hole.
        blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
        filled = fills(inpainters, kind, blank, hole)
        for name, result in filled.items():
            if (result[~hole] != rgb[~hole]).any():
                raise AssertionError(f"{name} changed pixels outside the hole of {file}")
            rows.setdefault(name, []).append(
                {"picture": file.name, **errors(result, rgb, hole, perceptual)}
            )
        if n < 6:
            for name, picture in {"input": blank, **filled, "truth": rgb}.items():
                shown.setdefault(name, []).append(picture)
    tensors = {
        name: torch.from_numpy(np.stack(rows_shown)).permute(0, 3, 1, 2) / 255
        for name, rows_shown in shown.items()
    }
    plots.grid(request.folder / f"{kind.name}.jpg", tensors)
    return rows


def fills(inpainters: Inpainters, kind: Kind, blank: Pixels, hole: Mask) -> dict[str, Pixels]:
    """The picture filled by every route and by Navier-Stokes.

    Args:
        inpainters: the shipped networks.
        kind: of the hole.
        blank: HWC RGB without ground truth under the hole.
        hole: HW.

    Returns:
        By route: as in use, and (``plain``) by the network alone.
    """
    filled: dict[str, Pixels] = {}
    for route in Route:
        used, plain = blank.copy(), blank.copy()
        framed = route is Route.FACE and kind.folder == "faces"
        for one, fill in route_fills(inpainters, route, blank, hole, framed=framed):
            composite.blend_into(used, fill.rgb, fill.window, one, hole)
            composite.blend_into(plain, fill.upsampled, fill.window, one, hole)
        filled[route.value], filled[f"{route.value} plain"] = used, plain
    filled[CLASSICAL] = classical(CLASSICAL)(blank, hole)
    return filled


def _cached(
    path: Path,
    request: TableRequest,
    files: Sequence[Path],
    measure: Callable[[], dict[str, list[Row]]],
) -> dict[str, list[Row]]:
    """The rows of an earlier call with the same pictures, weights and numbers, else ``measure``'s.

    Pictures are compared by name.
    """
    from ...models.shipped import FOLDER

    recipe = {
        "count": request.count,
        "size": request.size,
        "pictures": [file.name for file in files],
        "index": (FOLDER / "index.json").read_text(encoding="utf-8"),
    }
    if path.exists():
        cached = json.loads(path.read_text(encoding="utf-8"))
        if cached["recipe"] == recipe:
            return {
                name: [{k: float("nan") if v is None else v for k, v in r.items()} for r in rows]
                for name, rows in cached["rows"].items()
            }
    rows = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.plain({"recipe": recipe, "rows": rows})), encoding="utf-8")
    return rows


def _claim(kind: Kind, rows: dict[str, list[Row]]) -> Claim:
    """Whether the kind's own route has a lower LPIPS than each other, picture by picture."""
    routed = rows[f"{kind.name} | {kind.route.value}"]
    differences = {
        r.value: results.difference(routed, rows[f"{kind.name} | {r.value}"], "lpips")
        for r in Route
        if r is not kind.route
    }
    against = "; ".join(f"against {name} {difference}" for name, difference in differences.items())
    claim = f"Holes of the kind {kind.name} are best filled by the {kind.route.value} route."
    return results.below(claim, differences.values(), f"LPIPS, own minus other: {against}.")


def _plot(path: Path, rows: dict[str, list[Row]], all_kinds: Sequence[Kind]) -> None:
    """Bars of every filler's LPIPS for every kind."""
    fillers = list(dict.fromkeys(name.split(" | ")[1] for name in rows))
    bars = {
        f: [results.means(rows[f"{k.name} | {f}"])["lpips"] for k in all_kinds] for f in fillers
    }
    plots.bars(path, [k.name for k in all_kinds], bars, "LPIPS (SqueezeNet)")
