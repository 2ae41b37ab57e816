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
from ..pipeline.errors import RemoveObjectsError, UsageError
from ..pipeline.system.cores import wait_asleep
from ..pipeline.system.messages import show_messages
from .request import DATASETS, named_datasets

if TYPE_CHECKING:
    from .experiments.request import TableRequest

#: The tests of ``probes``, see ``train.evaluation.probes.TESTS``.
TESTS = ("free-form-10-20", "free-form-40-50", "edge-25-35", "face-centre")
#: What is measured of ready networks: the bundled ones, or the user's.
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
        "--images",
        type=Path,
        action="append",
        default=[],
        help="probes: measure on your own photos, files or folders; papers' tables: train on these "
        "pictures (CelebA, Places2 …); repeats",
    )
    p.add_argument(
        "--count",
        type=int,
        help="most test pictures (all but pairs: 100 per test)",
    )
    measurement = p.add_argument_group(", ".join(MEASUREMENTS))
    measurement.add_argument(
        "--test",
        action="append",
        default=[],
        metavar="NAME",
        help="probes: which of "
        + ", ".join(TESTS)
        + " (default: all; of --images all but face-centre, which is for aligned faces); repeats",
    )
    measurement.add_argument(
        "--pairs",
        type=Path,
        metavar="DIR",
        help="pairs: your own, as NAME_input.*, NAME_mask.* and NAME_gt.*, or as files of one name "
        "in the folders input, mask and truth",
    )
    add_weights(measurement)
    measurement.add_argument("--json", type=Path, help="write the mean metrics to this file too")
    measurement.add_argument(
        "--csv",
        type=Path,
        metavar="FILE",
        help="probes, pairs: write the metrics of every picture to this file",
    )
    measurement.add_argument(
        "--pictures",
        type=Path,
        metavar="DIR",
        help="folder for pictures side by side, of the first 24 of each test: before, hole, "
        "results, truth",
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
    table.add_argument(
        "--size",
        type=int,
        help="side of the pictures in pixels; probes: of the centre squares, "
        "which the photos are reduced to (default: 256, of faces 128)",
    )
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
        if args.weights:
            print(
                "evaluate-inpainter: --weights belongs to what is measured of ready networks "
                f"({', '.join(MEASUREMENTS)})",
                file=sys.stderr,
            )
            return 2
        logging.basicConfig(level=logging.INFO, format="%(message)s")
        wait_asleep()
        return run_table(args.table, lambda: table_request(args, arguments))
    show_messages("evaluate-inpainter", once=True)
    try:
        _refuse(args)
        metrics, text = _measure(args)
        print(text)
        if args.json:
            from .evaluation.probes import save

            save(metrics, args.json)
    except (OSError, RemoveObjectsError) as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 2
    return 0


def _refuse(args: argparse.Namespace) -> None:
    """Refuse options that do not go together, and files that cannot be written at the end.

    Raises:
        UsageError: there are some.
    """
    table = args.table
    belongs = {
        "--dataset": (TABLES, bool(args.dataset or args.root)),
        "--images": (("probes", *TABLES), bool(args.images)),
        "--pairs": (("pairs",), args.pairs is not None),
        "--csv": (("probes", "pairs"), args.csv is not None),
        "--test": (("probes",), bool(args.test)),
        "--size": (("probes", *TABLES), args.size is not None),
    }
    for option, (tables, is_given) in belongs.items():
        if is_given and table not in tables:
            raise UsageError(f"{option} belongs to {', '.join(tables)}")
    if unknown := sorted(set(args.test) - set(TESTS)):
        raise UsageError(f"no test {', '.join(unknown)}; there are {', '.join(TESTS)}")
    own = {"probes": "--images PHOTOS", "pairs": "--pairs DIR"}
    if args.data is None and not args.images and args.pairs is None:
        remedy = f", or {own[table]} for your own" if table in own else ""
        raise UsageError(f"{table} needs --data{remedy}")
    if args.count is not None and args.count < 1:
        raise UsageError(f"--count: {args.count} pictures; expected 1 or more")
    if args.size is not None and not 64 <= args.size <= 4096:
        raise UsageError(f"--size: {args.size} pixels; expected 64 to 4096")
    for option, file in (("--json", args.json), ("--csv", args.csv)):
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            why = "is a folder" if file.is_dir() else "lies in no folder that exists"
            raise UsageError(f"{option} {file}: {why}; name a file")


def _measure(args: argparse.Namespace) -> tuple[Any, str]:
    """Make one of ``MEASUREMENTS``.

    Returns:
        (metrics for a JSON file, their table as text)
    """
    own = Settings(weights=parse_weights(args.weights)).own_weights
    count = 100 if args.count is None else args.count
    if args.table in ("probes", "pairs"):
        return _measure_pictures(args, own, count)
    module = importlib.import_module(f".evaluation.{args.table}", __package__)
    options = {"keep": args.pictures} if args.table in ("effects", "carried") else {}
    evaluate = getattr(module, f"evaluate_{args.table}")
    found = evaluate(args.data, count=count, weights=own, **options)
    metrics = module.as_json(found) if args.table == "carried" else found
    return metrics, module.render(found)


def _measure_pictures(args: argparse.Namespace, own: Any, count: int) -> tuple[Any, str]:
    """Make ``probes`` or ``pairs``, and write a row for each picture if that is wanted."""
    from .evaluation import pairs, probes
    from .evaluation.kept import means, write_rows

    metrics: dict[str, Any]
    if args.table == "probes":
        rows = probes.evaluate_probes(
            args.data,
            args.test,
            count=count,
            keep=args.pictures,
            weights=own,
            images=args.images,
            size=args.size,
        )
        metrics = probes.by_test(rows)
        text = probes.render(metrics)
    else:
        folder = args.pairs or args.data / "removal" / "pairs"
        rows = pairs.evaluate_pairs(
            pairs.find_pairs(folder)[: args.count],
            keep=args.pictures,
            weights=own,
            people=args.pairs is None,
        )
        metrics = means(rows)
        text = pairs.render_pairs(metrics)
    if args.csv is not None:
        write_rows(rows, args.csv)
    return metrics, text


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
    except (
        CheckpointError,
        ModuleNotFoundError,
        OSError,
        RemoveObjectsError,
        ValueError,
    ) as error:
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
