"""``evaluate-inpainter TABLE``: the command line of the measurements. ``--help`` loads no torch."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..pipeline.cli import add_weights
from ..pipeline.config import Settings, parse_weights
from ..pipeline.errors import RemoveObjectsError
from .request import DATASETS, named_datasets

if TYPE_CHECKING:
    from .experiments.request import TableRequest

#: What is measured of the shipped networks.
MEASUREMENTS = ("probes", "segmentation", "edges", "pairs", "effects", "carried")
#: The papers' tables. The module of the same name in ``train.experiments`` trains and measures
#: each.
TABLES = ("skip-ce-lpips", "partial-conv-metrics", "compression-similarity", "routing")


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    p = argparse.ArgumentParser(
        "evaluate-inpainter",
        description="Measure the networks on photos with known ground truth: probes, "
        "segmentation, edges, pairs, effects, carried things. Or reproduce a paper's table: its "
        "networks are trained alike, measured and compared (docs/experiments.md); after a stop the "
        "same command resumes.",
    )
    p.add_argument("--version", action="version", version=f"evaluate-inpainter {__version__}")
    p.add_argument("table", choices=(*MEASUREMENTS, *TABLES))
    p.add_argument(
        "--data", type=Path, help="data folder, with scenes/val, faces/val, masks/irregular …"
    )
    p.add_argument(
        "--count",
        type=int,
        help="most test pictures (all but pairs: 100 per test)",
    )
    measurement = p.add_argument_group(", ".join(MEASUREMENTS))
    measurement.add_argument(
        "--test", action="append", default=[], help="probes: which tests (default: all)"
    )
    add_weights(measurement)
    measurement.add_argument("--json", type=Path, help="write the metrics to this file too")
    measurement.add_argument(
        "--pictures",
        type=Path,
        help="folder for side-by-side pictures of the first 24 of each test",
    )
    table = p.add_argument_group("the papers' tables")
    table.add_argument(
        "--quick",
        action="store_true",
        help="try the table in minutes on generated pictures; its results mean nothing",
    )
    table.add_argument(
        "--scale",
        choices=("paper", "cpu"),
        default="cpu",
        help="the papers' lengths and widths, or some for two CPU cores (default: cpu)",
    )
    table.add_argument(
        "--run", type=Path, help="folder for checkpoints and results (default: runs/TABLE)"
    )
    table.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        help="train on these pictures (CelebA, Places2 …); repeats",
    )
    table.add_argument(
        "--test-images",
        type=Path,
        action="append",
        default=[],
        help="test on these (default: 15 %% of --images); repeats",
    )
    table.add_argument(
        "--dataset",
        choices=DATASETS,
        action="append",
        default=[],
        help="train and test on this set's own parts, found below --root as its archives unpack; "
        "repeats, for compression-similarity and routing: one of faces, one of scenes",
    )
    table.add_argument(
        "--root",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="folder of --dataset; one for all, or one for each",
    )
    table.add_argument(
        "--labels",
        type=Path,
        help="faces: CSV of file,age,gender,race (default: DATA/faces/labels.csv if it exists)",
    )
    table.add_argument(
        "--features", help="perceptual and style losses: vgg16, squeezenet, a .pth file, or none"
    )
    table.add_argument(
        "--classifier",
        type=Path,
        help="compression-similarity: .npz or .safetensors of the classifier",
    )
    table.add_argument("--seeds", type=int, help="train every arm this many times (default: 1)")
    table.add_argument(
        "--only",
        action="append",
        help="train the arms of this name or pattern and stop, so that several processes may share "
        "a folder; repeats",
    )
    table.add_argument("--steps", type=int, help="steps of every arm")
    table.add_argument("--batch", type=int, help="pictures per step")
    table.add_argument("--points", type=int, help="measurements during the training")
    table.add_argument("--width", type=int, help="channels; the papers have 64")
    table.add_argument("--size", type=int, help="side of the pictures in pixels")
    table.add_argument(
        "--minutes", type=float, help="stop after this time; the same command resumes"
    )
    table.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"))
    table.add_argument("--precision", help="32-true (default), bf16-mixed or 16-mixed")
    table.add_argument("--workers", type=int, help="processes that decode pictures (default: none)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, or run a table; returns the exit code (2 = the user's mistake)."""
    arguments = sys.argv[1:] if argv is None else argv
    args = parser().parse_args(arguments)
    if args.table in TABLES:
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        return run_table(args.table, lambda: table_request(args, arguments))
    if args.dataset or args.root:
        print(f"evaluate-inpainter: --dataset belongs to {', '.join(TABLES)}", file=sys.stderr)
        return 2
    if args.data is None:
        print(f"evaluate-inpainter: {args.table} needs --data", file=sys.stderr)
        return 2
    count = 100 if args.count is None else args.count
    return measure(
        args.table, args.data, args.test, count, args.pictures, args.json, weights=args.weights
    )


def measure(
    table: str,
    data: Path,
    tests: Sequence[str],
    count: int,
    pictures: Path | None,
    json: Path | None,
    *,
    weights: Sequence[str] = (),
) -> int:
    """Make one of ``MEASUREMENTS`` and print the metrics.

    Args:
        table: which.
        data: data folder.
        tests: names of the probes; empty = all.
        count: most pictures per test.
        pictures: folder for side-by-side pictures, or None.
        json: file for the metrics, or None.
        weights: the user's own, as ``--weights`` gives them.

    Returns:
        The exit code.
    """
    from .evaluation import probes

    unknown = sorted(set(tests) - set(probes.TESTS))
    if unknown:
        print(
            f"evaluate-inpainter: no test {', '.join(unknown)}; "
            f"there are {', '.join(probes.TESTS)}",
            file=sys.stderr,
        )
        return 2
    try:
        own = Settings(weights=parse_weights(weights)).own_weights
        if table == "probes":
            metrics = probes.evaluate_probes(
                data, tests or list(probes.TESTS), count=count, keep=pictures, weights=own
            )
            print(probes.render(metrics))
        elif table == "segmentation":
            from .evaluation import segmentation

            metrics = segmentation.evaluate_segmentation(data, count=count, weights=own)
            print(segmentation.render(metrics))
        elif table == "edges":
            from .evaluation import edges

            metrics = edges.evaluate_edges(data, count=count, weights=own)
            print(edges.render(metrics))
        elif table == "effects":
            from .evaluation import effects

            metrics = effects.evaluate_effects(data, count=count, weights=own, keep=pictures)
            print(effects.render(metrics))
        elif table == "carried":
            from .evaluation import carried

            rows = carried.evaluate_carried(data, count=count, weights=own, keep=pictures)
            metrics = carried.as_json(rows)
            print(carried.render(rows))
        else:
            from .evaluation import pairs

            metrics = pairs.evaluate_pairs(data, keep=pictures, weights=own)
            print(pairs.render_pairs(metrics))
    except (OSError, RemoveObjectsError) as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 2
    if json:
        probes.save(metrics, json)
    return 0


def run_table(table: str, request: Callable[[], TableRequest]) -> int:
    """Run one of the papers' tables and print it.

    Args:
        table: one of ``TABLES``.
        request: makes its request, which may fail for lack of pictures.

    Returns:
        The exit code; a stop before the end is not an error: 0.
    """
    from ..models.checkpoint import CheckpointError
    from . import engine
    from .experiments.runs import UnfinishedError

    module = f".experiments.{table.replace('-', '_')}"
    try:
        print(importlib.import_module(module, __package__).run(request()))
    except UnfinishedError as error:
        print(f"evaluate-inpainter: {error}")
    except (CheckpointError, ModuleNotFoundError, OSError, ValueError) as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 2
    except engine.NonFiniteLossError as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 1
    return 0


def table_request(args: argparse.Namespace, arguments: Sequence[str]) -> TableRequest:
    """The request of a table: its scale with the changes of the command line.

    With ``--quick`` it trains and tests on generated pictures.
    """
    from .experiments.budgets import BUDGET_OPTIONS, scale
    from .experiments.request import TableRequest
    from .experiments.toy_data import generate

    folder = args.run or Path("runs") / args.table
    data = generate(folder / "generated") if args.quick else args.data
    changes: dict[str, Any] = {name: getattr(args, name) for name in BUDGET_OPTIONS}
    scaled = scale(
        args.table,
        "quick" if args.quick else args.scale,
        seeds=None if args.seeds is None else tuple(range(args.seeds)),
        only=None if args.only is None else tuple(args.only),
        **changes,
    )
    labels = args.labels
    own_pictures = args.images or args.dataset
    if labels is None and data is not None and not own_pictures:
        default = data / "faces" / "labels.csv"
        labels = default if default.exists() else None
    shown = (Path(a).name if "/" in a else a for a in arguments)
    return TableRequest(
        folder=folder,
        budget=scaled.budget,
        data=data,
        images=tuple(args.images),
        test=tuple(args.test_images),
        datasets=named_datasets(args.dataset, args.root, [*args.images, *args.test_images]),
        count=scaled.count,
        width=scaled.width,
        size=scaled.size,
        labels=labels,
        features=args.features or ("random" if args.quick else "vgg16"),
        perceptual_crop=scaled.perceptual_crop,
        gated_width=scaled.gated_width,
        classifier=args.classifier or (Path("random") if args.quick else None),
        command=" ".join(["evaluate-inpainter", *shown]),
    )


if __name__ == "__main__":
    sys.exit(main())
