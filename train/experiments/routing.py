"""``routing``: every kind of hole through every inpainter that ships. Does each route of ``pipeline.inpaint.route`` win where it claims to?"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
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
from ..data.pictures import find_images, read_rgb, square
from ..evaluation.probes import classical, errors
from ..evaluation.probes import fills as route_fills
from . import figures, results
from .request import Call
from .results import Claim, Row

FIGURES = ("lpips", "psnr", "hole_l1", "hole_psnr")
CLASSICAL = "navier-stokes"
FACE_SIDE = 128


@dataclass(frozen=True)
class Kind:
    """One kind of hole, on ``scenes`` or ``faces``; ``route``: where the rule sends it."""

    name: str
    folder: str
    route: Route
    hole: Callable[[int, np.random.Generator], Mask]


def kinds(data: Path | None) -> list[Kind]:
    """The kinds of holes; objects' shapes where the data folder has labels to take them from."""
    found = [
        Kind("edge", "scenes", Route.EDGE, holes.edge),
        Kind("free-form-10-20", "scenes", Route.FREE_FORM, holes.FreeForm(0.1, 0.2)),
        Kind("free-form-40-50", "scenes", Route.FREE_FORM, holes.FreeForm(0.4, 0.5)),
        Kind("face-square", "faces", Route.FACE, partial(holes.rectangle, centred=True)),
        Kind("face-strokes", "faces", Route.FACE, holes.FreeForm(0.1, 0.25)),
        # The rule asks for the border first: on a portrait a strip goes by the edge route, whatever is on it.
        Kind("edge-of-face", "faces", Route.EDGE, holes.edge),
    ]
    labels = None if data is None else data / "segmentation" / "voc_train" / "labels"
    if labels is not None and labels.is_dir():
        found.insert(3, Kind("objects", "scenes", Route.FREE_FORM, holes.ObjectShapes([labels])))
    return found


def run(call: Call) -> str:
    """Fill every kind of hole by every route, with the photo's texture and by the network alone; returns the tables in plain text."""
    inpainters = Inpainters(torch.device("cpu"))
    perceptual = Perceptual(torch.device("cpu"), offline=False)
    rows: dict[str, list[Row]] = {}
    found_kinds = kinds(call.data)
    config: dict[str, Any] = {
        "lpips": perceptual.missing or "squeeze",
        "count": call.count,
        "size": call.size,
        "route": {},
        "pictures": {},
    }
    for kind in found_kinds:
        files = test_files(call, kind.folder)
        config["route"][kind.name], config["pictures"][kind.name] = kind.route.value, len(files)
        for filler, own in _kept(
            call.folder / f"{kind.name}.json",
            call,
            partial(_measure, inpainters, perceptual, kind, files, call),
        ).items():
            rows[f"{kind.name} | {filler}"] = own
    config["weights"] = {name: digest[:8] for name, digest in sorted(inpainters.weights.items())}
    claims = [_claim(kind, rows) for kind in found_kinds]
    arms = {name: {"figures": results.means(own)} for name, own in rows.items()}
    results.write(
        call.folder,
        table="routing",
        command=call.command,
        config=config,
        arms=arms,
        rows=rows,
        claims=claims,
    )
    _plot(call.folder / "lpips.png", rows, found_kinds)
    tables = []
    for kind, claim in zip(found_kinds, claims, strict=True):
        of_kind = {
            name.split(" | ")[1]: s["figures"]
            for name, s in arms.items()
            if name.startswith(kind.name + " | ")
        }
        tables.append(
            f"{kind.name} (routed: {kind.route.value})\n"
            + results.render(of_kind, FIGURES, [claim])
        )
    return "\n\n".join(tables)


def test_files(call: Call, folder: str) -> list[Path]:
    """The first ``count`` test pictures of ``scenes`` or ``faces``; the call's own test folder stands for scenes."""
    if call.test and folder == "scenes":
        return find_images(call.test)[: call.count]
    if call.data is None:
        raise FileNotFoundError("no pictures are named; use --data or --quick")
    return find_images([call.data / folder / "val"])[: call.count]


def _cases(kind: Kind, files: Sequence[Path], size: int) -> Iterator[tuple[Path, Pixels, Mask]]:
    rng = np.random.default_rng(0)
    for file in files:
        side = FACE_SIDE if kind.folder == "faces" else size
        yield file, square(read_rgb(file), side), kind.hole(side, rng)


def _measure(
    inpainters: Inpainters, perceptual: Perceptual, kind: Kind, files: Sequence[Path], call: Call
) -> dict[str, list[Row]]:  # fmt: skip
    """Rows by filler; the first six pictures as a grid."""
    rows: dict[str, list[Row]] = {}
    shown: dict[str, list[Pixels]] = {}
    for n, (file, rgb, hole) in enumerate(_cases(kind, files, call.size)):
        blank = np.where(hole[..., None], 128, rgb).astype(
            np.uint8
        )  # what a filler sees holds nothing of the truth under the hole
        answers = fills(inpainters, kind, blank, hole)
        for name, result in answers.items():
            if (result[~hole] != rgb[~hole]).any():
                raise AssertionError(f"{name} changed pixels outside the hole of {file}")
            rows.setdefault(name, []).append(
                {"picture": file.name, **errors(result, rgb, hole, perceptual)}
            )
        if n < 6:
            for name, picture in {"input": blank, **answers, "truth": rgb}.items():
                shown.setdefault(name, []).append(picture)
    tensors = {
        name: torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / 255
        for name, found in shown.items()
    }
    figures.grid(call.folder / f"{kind.name}.jpg", tensors)
    return rows


def fills(inpainters: Inpainters, kind: Kind, blank: Pixels, hole: Mask) -> dict[str, Pixels]:
    """The picture filled by every route, as in use and (``plain``) by the network alone, and by Navier-Stokes."""
    found: dict[str, Pixels] = {}
    for route in Route:
        used, plain = blank.copy(), blank.copy()
        framed = route is Route.FACE and kind.folder == "faces"
        for part, fill in route_fills(inpainters, route, blank, hole, framed=framed):
            composite.blend_into(used, fill.rgb, fill.window, part, hole)
            composite.blend_into(plain, fill.upsampled, fill.window, part, hole)
        found[route.value], found[f"{route.value} plain"] = used, plain
    found[CLASSICAL] = classical(CLASSICAL)(blank, hole)
    return found


def _kept(
    path: Path, call: Call, measure: Callable[[], dict[str, list[Row]]]
) -> dict[str, list[Row]]:
    """What an earlier call with the same weights and numbers found, else ``measure``'s rows, kept for the next call."""
    from ...models.shipped import FOLDER

    recipe = {
        "count": call.count,
        "size": call.size,
        "index": (FOLDER / "index.json").read_text(encoding="utf-8"),
    }
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        if kept["recipe"] == recipe:
            return {
                name: [{k: float("nan") if v is None else v for k, v in r.items()} for r in own]
                for name, own in kept["rows"].items()
            }
    rows = measure()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results.plain({"recipe": recipe, "rows": rows})), encoding="utf-8")
    return rows


def _claim(kind: Kind, rows: dict[str, list[Row]]) -> Claim:
    """Whether the kind's own route has a lower LPIPS than each of the others, picture by picture."""
    own = rows[f"{kind.name} | {kind.route.value}"]
    found = {
        r.value: results.difference(own, rows[f"{kind.name} | {r.value}"], "lpips")
        for r in Route
        if r is not kind.route
    }
    against = "; ".join(f"against {name} {difference}" for name, difference in found.items())
    claim = f"Holes of the kind {kind.name} are best filled by the {kind.route.value} route."
    return results.below(claim, found.values(), f"LPIPS, own minus other: {against}.")


def _plot(path: Path, rows: dict[str, list[Row]], found: Sequence[Kind]) -> None:
    fillers = list(dict.fromkeys(name.split(" | ")[1] for name in rows))
    bars = {f: [results.means(rows[f"{k.name} | {f}"])["lpips"] for k in found] for f in fillers}
    figures.bars(path, [k.name for k in found], bars, "LPIPS (SqueezeNet)")
