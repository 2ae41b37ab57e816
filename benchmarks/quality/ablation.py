"""Is a network worth its place? Each one against what anybody could put there instead.

    python -m benchmarks.quality.ablation --data DATA [--count 60] [--network KIND] [--csv FILE]

Every inpainting network fills the holes that are routed to it (the kinds of the table ``routing``),
and so does, in its place and with everything else unchanged,

- ``random``: the same network with random weights, initialised as a training begins;
- ``base``: its smooth base alone (``models/smooth_base.py``), where it has one;
- ``grey``: the mean of the known pixels of its window;
- for holes at the border, which two networks fill, also each of them without the other:
  ``partial-conv``, ``compression``.

``bound`` is no rival: for holes at the border it shows what a compression network could reach at
best, as it *reads the truth* and answers it at an eighth of the size.

*In use* is the fill as the program makes it, with the photo's texture; *alone* is what the networks
say, enlarged. The figures are LPIPS (SqueezeNet) of whole pictures, the network minus the best
of the others with its 95 % interval over the pictures (bootstrap), and their ratio.

A weight is accepted with this table in its card. ``--photos`` and ``--faces`` name other folders
below ``DATA`` than ``scenes/val`` and ``faces/val``, which are for telling, never for choosing:
choose with ``--photos scenes/rooms,scenes/street --faces faces/train``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from remove_objects.models.compression import CompressionNetwork
from remove_objects.models.smooth_base import smooth_base
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.inpaint import composite
from remove_objects.pipeline.inpaint.inpainters import Inpainters
from remove_objects.pipeline.inpaint.windows import EDGE_BLOCKS, edge_window, pad, resize_known
from remove_objects.pipeline.pixels import as_float
from remove_objects.pipeline.quality.lpips import Perceptual
from remove_objects.pipeline.types import Hole, Mask, Pixels, Route
from remove_objects.train.data.pictures import find_images, read_rgb, square
from remove_objects.train.evaluation.probes import fills
from remove_objects.train.experiments import results
from remove_objects.train.experiments.routing import FACE_SIDE, Kind, kinds
from remove_objects.train.tasks.partial_conv import lsuv_init

#: The networks by the route that uses them, and the values of a picture that each takes.
NETWORKS = {
    Route.FREE_FORM: ("partial-conv", (0.0, 1.0)),
    Route.FACE: ("skip-ce", (-1.0, 1.0)),
    Route.EDGE: ("compression", (-1.0, 1.0)),
}
#: The arm that ships, and the one that reads the truth.
SHIPPED, BOUND = "shipped", "bound"
#: The metrics of a row.
METRICS = {"use": "in use", "alone": "alone"}
#: Side in pixels of the scenes.
SCENE_SIDE = 256


class Grey(nn.Module):
    """Answers the mean of the known pixels, at the network's own size.

    Args:
        factor: by which the network's answer is smaller than its picture.
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """NCHW and N1HW -> NC(H/factor)(W/factor)."""
        known = torch.where(mask > 0, image, torch.zeros_like(image))
        mean = known.sum((2, 3), keepdim=True) / mask.sum((2, 3), keepdim=True).clamp(min=1)
        return mean.expand_as(image[..., :: self.factor, :: self.factor])


class Base(nn.Module):
    """Answers a network's smooth base, at the network's own size.

    Args:
        cell: side of the base's cells in pixels.
        middle: the value of a picture of which nothing is known.
        factor: by which the network's answer is smaller than its picture.
    """

    def __init__(self, cell: int, middle: float, factor: int) -> None:
        super().__init__()
        self.cell, self.middle, self.factor = cell, middle, factor

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """NCHW and N1HW -> NC(H/factor)(W/factor)."""
        return F.avg_pool2d(smooth_base(image, mask, self.cell, middle=self.middle), self.factor)


class Blocks(nn.Module):
    """The partial-convolution U-Net's means of blocks, in the compression network's place.

    Args:
        network: the U-Net.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """N3HW in [-1, 1] and N1HW -> N3(H/8)(W/8)."""
        h, w = image.shape[-2:]
        beyond = 0, -w % 128, 0, -h % 128
        answer = self.network(F.pad(image / 2 + 0.5, beyond), F.pad(mask, beyond))[..., :h, :w]
        return F.avg_pool2d(answer.clamp(0, 1), CompressionNetwork.multiple) * 2 - 1


class Enlarged(nn.Module):
    """The compression network's answer, enlarged, in the U-Net's place.

    Args:
        network: the compression network.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """N3HW in [0, 1] and N1HW -> N3HW."""
        answer = self.network(image * 2 - 1, mask) / 2 + 0.5
        return F.interpolate(answer, size=image.shape[-2:], mode="bilinear", align_corners=False)


class Truth(nn.Module):
    """Reads the truth: the bound of the compression network, an eighth of the true window."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = torch.zeros(1, 3, 1, 1)

    def show(self, rgb: Pixels, hole: Hole) -> None:
        """Let it see the photo, HWC, before it is asked for the hole."""
        box = edge_window(hole, *rgb.shape[:2])
        # The route's blocks, the last of which reach over the window.
        block = max(1, -(-max(box.w, box.h) // EDGE_BLOCKS))
        h, w = -(-box.h // block), -(-box.w // block)
        padded = pad(rgb[box.slices], np.ones((box.h, box.w), bool), h * block, w * block)
        small, _ = resize_known(*padded, h, w)
        self.answer = torch.from_numpy(small).permute(2, 0, 1)[None] * 2 - 1

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """N3HW and N1HW -> N3(H/8)(W/8) in [-1, 1]; what lies beyond the window repeats its rim."""
        h, w = (s // CompressionNetwork.multiple for s in image.shape[-2:])
        beyond = 0, w - self.answer.shape[-1], 0, h - self.answer.shape[-2]
        return F.pad(self.answer, beyond, mode="replicate")


class Replaced(Inpainters):
    """The program's inpainters, with other networks in the place of some.

    Args:
        shipped: the networks.
        others: by the kind of the one that is replaced; they take and give what that one does.
    """

    def __init__(self, shipped: Inpainters, others: Mapping[str, nn.Module]) -> None:
        super().__init__(shipped.device, detail=shipped.detail)
        self._shipped, self.others = shipped, others

    def network(self, kind: str) -> Any:
        """As in ``Inpainters``."""
        return self.others[kind] if kind in self.others else self._shipped.network(kind)

    def show(self, rgb: Pixels, hole: Hole) -> None:
        """Let the bound see the photo, HWC, before it fills the hole."""
        for network in self.others.values():
            for part in network.modules():
                if isinstance(part, Truth):
                    part.show(rgb, hole)


def untrained(shipped: nn.Module, pictures: Tensor, masks: Tensor, *, seed: int = 0) -> nn.Module:
    """A network like ``shipped`` with random weights, as its training begins.

    Args:
        shipped: its class and configuration are taken.
        pictures: N3HW as the network takes them; the U-Net's first layers are scaled by them.
        masks: N1HW, 1 = known.
        seed: of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network: Any = type(shipped)(shipped.config)  # type: ignore[call-arg]
    if hasattr(network, "decoders"):  # partial-conv's first outputs are far too large otherwise
        lsuv_init(network, pictures, masks)
    return network.eval()  # type: ignore[no-any-return]


def arms(shipped: Inpainters, kind: Kind, pictures: Tensor, masks: Tensor) -> dict[str, Replaced]:
    """What fills holes of a kind, by name, ``SHIPPED`` first.

    Args:
        shipped: the networks.
        kind: of the holes.
        pictures: N3HW in [0, 1] with holes in ``masks``, from which random weights are scaled.
        masks: N1HW, 1 = known.
    """
    name, (low, high) = NETWORKS[kind.route]
    network = shipped.network(name)
    found: dict[str, dict[str, nn.Module]] = {
        SHIPPED: {},
        "random": {name: untrained(network, pictures * (high - low) + low, masks)},
    }
    factor = CompressionNetwork.multiple if isinstance(network, CompressionNetwork) else 1
    if getattr(network.config, "base", 0):
        found["base"] = {name: Base(network.config.base, (low + high) / 2, factor)}
    found["grey"] = {name: Grey(factor)}
    if kind.route is Route.EDGE:
        truth = Truth()
        found["partial-conv"] = {name: Blocks(shipped.network("partial-conv"))}
        found["compression"] = {"partial-conv": Enlarged(network)}
        found[BOUND] = {name: truth, "partial-conv": Enlarged(truth)}
    return {arm: Replaced(shipped, others) for arm, others in found.items()}


def measure(
    shipped: Inpainters,
    kind: Kind,
    files: Sequence[Path],
    distance: Callable[[Pixels, Pixels], float],
    *,
    size: int = SCENE_SIDE,
    seed: int = 0,
) -> dict[str, list[results.Row]]:
    """Fill a hole of a kind in every picture by every arm.

    Args:
        shipped: the networks.
        kind: of the holes.
        files: the pictures.
        distance: of two pictures HWC uint8, such as LPIPS.
        size: side in pixels of the scenes' centre squares.
        seed: of the holes.

    Returns:
        Rows by arm, one per picture: its name, and ``METRICS``.
    """
    side = FACE_SIDE if kind.folder == "faces" else size
    rng = np.random.default_rng(seed)
    cases = [(file, square(read_rgb(file), side), kind.hole(side, rng)) for file in files]
    of_kind = arms(shipped, kind, *_batch(cases[:8]))
    rows: dict[str, list[results.Row]] = {name: [] for name in of_kind}
    for file, rgb, hole in cases:
        blank = np.where(hole[..., None], 128, rgb).astype(np.uint8)
        for name, arm in of_kind.items():
            arm.show(rgb, find_holes(hole)[0])
            filled = filled_by(arm, kind, blank, hole)
            values = {m: distance(p, rgb) for m, p in zip(METRICS, filled, strict=True)}
            rows[name].append({"picture": file.name, **values})
    return rows


def filled_by(
    inpainters: Inpainters, kind: Kind, blank: Pixels, hole: Mask
) -> tuple[Pixels, Pixels]:
    """The picture as in use, and with the network alone.

    Args:
        inpainters: the networks of an arm.
        kind: of the hole.
        blank: HWC without ground truth under the hole.
        hole: HW.
    """
    used, plain = blank.copy(), blank.copy()
    framed = kind.folder == "faces" and kind.route is Route.FACE
    for one, fill in fills(inpainters, kind.route, blank, hole, framed=framed):
        composite.blend_into(used, fill.rgb, fill.window, one, hole)
        composite.blend_into(plain, fill.upsampled, fill.window, one, hole)
    return used, plain


def render(rows: Mapping[str, Mapping[str, Sequence[results.Row]]]) -> str:
    """The means by kind of hole, and the network against the best of the others, in Markdown."""
    names = list(dict.fromkeys(arm for of_kind in rows.values() for arm in of_kind))
    titles = [*names, f"{SHIPPED} − best other", "ratio"]
    lines = []
    for metric, title in METRICS.items():
        lines += [
            f"| {title} | " + " | ".join(titles) + " |",
            "| --- " * (1 + len(titles)) + "|",
        ]
        for kind, of_kind in rows.items():
            means = {arm: float(results.column(r, metric).mean()) for arm, r in of_kind.items()}
            cells = [f"{means[arm]:.4f}" if arm in means else "" for arm in names]
            best = best_other(means)
            against = results.difference(of_kind[SHIPPED], of_kind[best], metric)
            cells += [
                f"{against.mean:+.4f} [{against.low:+.4f}, {against.high:+.4f}] ({best})",
                f"{means[SHIPPED] / means[best]:.2f}",
            ]
            lines.append(f"| {kind} ({against.n}) | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def best_other(means: Mapping[str, float]) -> str:
    """The arm with the lowest mean but the network itself and the bound."""
    others = {arm: mean for arm, mean in means.items() if arm not in (SHIPPED, BOUND)}
    return min(others, key=lambda arm: others[arm])


def save(rows: Mapping[str, Mapping[str, Sequence[results.Row]]], path: Path) -> None:
    """Write a row of CSV per kind of hole, arm and picture."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["kind", "arm", "picture", *METRICS])
        for kind, of_kind in rows.items():
            for arm, pictures in of_kind.items():
                writer.writerows(
                    [kind, arm, row["picture"], *(f"{row[m]:.5f}" for m in METRICS)]
                    for row in pictures
                )


def spread(files: Sequence[Path], count: int) -> list[Path]:
    """``count`` of the files, evenly spaced; all if there are fewer."""
    count = min(count, len(files))
    return [files[i * len(files) // count] for i in range(count)]


def pictures_of(data: Path, folders: str, count: int) -> list[Path]:
    """``count`` pictures of folders below the data folder, the same number of each.

    Args:
        data: the data folder.
        folders: with commas between them.
        count: of the pictures in all.
    """
    names = folders.split(",")
    return [
        file
        for name in names
        for file in spread(find_images([data / name]), -(-count // len(names)))
    ][:count]


def lpips() -> Callable[[Pixels, Pixels], float]:
    """LPIPS of two pictures HWC uint8.

    Raises:
        SystemExit: its backbone is not here and cannot be downloaded.
    """
    perceptual = Perceptual(torch.device("cpu"), offline=False)
    if perceptual.missing:
        raise SystemExit(perceptual.missing)

    def distance(result: Pixels, truth: Pixels) -> float:
        return float(perceptual.distance(as_float(result), as_float(truth)))  # type: ignore[arg-type]

    return distance


def main() -> None:
    """Print the table, and write the rows if a file is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--count", type=int, default=60, help="pictures of each kind (60)")
    parser.add_argument("--network", choices=[name for name, _ in NETWORKS.values()])
    parser.add_argument("--photos", default="scenes/val", help="folders below DATA, with commas")
    parser.add_argument("--faces", default="faces/val", help="folders below DATA, with commas")
    parser.add_argument("--seed", type=int, default=0, help="of the holes (0)")
    parser.add_argument("--csv", type=Path, help="write a row per picture")
    options = parser.parse_args()
    shipped, distance = Inpainters(torch.device("cpu")), lpips()
    rows = {}
    for kind in kinds(options.data):
        if options.network in (None, NETWORKS[kind.route][0]):
            folders = options.faces if kind.folder == "faces" else options.photos
            files = pictures_of(options.data, folders, options.count)
            rows[kind.name] = measure(shipped, kind, files, distance, seed=options.seed)
            print(f"{kind.name}: {NETWORKS[kind.route][0]}", flush=True)
    print(", ".join(f"{kind} {digest[:8]}" for kind, digest in sorted(shipped.weights.items())))
    print(render(rows))
    if options.csv:
        save(rows, options.csv)


def _batch(cases: Sequence[tuple[Path, Pixels, Mask]]) -> tuple[Tensor, Tensor]:
    """(N3HW in [0, 1], 0 under the holes; N1HW, 1 = known)."""
    known = torch.from_numpy(np.stack([~hole for *_, hole in cases]))[:, None].float()
    pictures = torch.from_numpy(np.stack([rgb for _, rgb, _ in cases])).permute(0, 3, 1, 2) / 255
    return pictures * known, known


if __name__ == "__main__":
    main()
