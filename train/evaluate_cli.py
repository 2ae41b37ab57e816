"""``evaluate-inpainter TABLE``: the command line of the measurements."""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .. import __version__

#: The papers' tables: each is trained and measured by the module of its name in ``train.experiments``.
EXPERIMENTS = ("skip-ce-lpips", "partial-conv-metrics", "compression-similarity", "routing")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "evaluate-inpainter",
        description="Measure the inpainters on photos with known truth: probes, segmentation, pairs. Or run a paper's table again: "
        "its networks are trained alike, judged and compared (docs/experiments.md); the same command goes on after a stop.",
    )
    p.add_argument("--version", action="version", version=f"evaluate-inpainter {__version__}")
    p.add_argument("table", choices=("probes", "segmentation", "pairs", *EXPERIMENTS))
    p.add_argument(
        "--data", type=Path, help="data folder: scenes/val, faces/val, masks/irregular … below it"
    )
    p.add_argument(
        "--count", type=int, help="test pictures at most (probes, segmentation: 100 a test)"
    )
    own = p.add_argument_group("probes, segmentation, pairs")
    own.add_argument(
        "--test", action="append", default=[], help="probes: which tests (default: all)"
    )
    own.add_argument("--json", type=Path, help="write the figures here too")
    own.add_argument(
        "--pictures",
        type=Path,
        help="write side-by-side pictures of the first 24 of each test here",
    )
    run = p.add_argument_group("the papers' tables")
    run.add_argument(
        "--quick",
        action="store_true",
        help="minutes, on generated pictures, to see that it runs; its figures say nothing",
    )
    run.add_argument(
        "--scale",
        choices=("paper", "cpu"),
        default="cpu",
        help="the papers' lengths and widths, or two cores' (default: cpu)",
    )
    run.add_argument(
        "--run", type=Path, help="folder for checkpoints and results (default: runs/TABLE)"
    )
    run.add_argument(
        "--images",
        type=Path,
        action="append",
        default=[],
        help="train on these pictures (CelebA, Places2 …); repeats",
    )
    run.add_argument(
        "--test-images",
        type=Path,
        action="append",
        default=[],
        help="test with these (default: 15 %% of --images); repeats",
    )
    run.add_argument(
        "--labels",
        type=Path,
        help="faces: CSV of file,age,gender,race (default: DATA/faces/labels.csv where it is)",
    )
    run.add_argument(
        "--features", help="perceptual and style losses: vgg16, squeezenet, a .pth file, or none"
    )
    run.add_argument(
        "--classifier",
        type=Path,
        help="compression-similarity: .npz or .safetensors of the network that names what is seen",
    )
    run.add_argument("--seeds", type=int, help="train every arm this many times (default 1)")
    run.add_argument(
        "--only",
        action="append",
        help="train these arms and stop: several processes may share a folder; a pattern; repeats",
    )
    run.add_argument("--steps", type=int, help="of every arm")
    run.add_argument("--batch", type=int, help="pictures a step")
    run.add_argument("--points", type=int, help="figures along the way")
    run.add_argument("--width", type=int, help="channels; 64 is the papers'")
    run.add_argument("--size", type=int, help="side of the pictures in pixels")
    run.add_argument("--minutes", type=float, help="stop after this time; the same command goes on")
    run.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"))
    run.add_argument("--precision", help="32-true (default), bf16-mixed or 16-mixed")
    run.add_argument("--workers", type=int, help="processes that decode pictures (default: none)")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.table in EXPERIMENTS:
        return experiment(args, sys.argv[1:] if argv is None else argv)
    if args.data is None:
        print(f"evaluate-inpainter: {args.table} needs --data", file=sys.stderr)
        return 2
    return measurement(args)


def measurement(args: argparse.Namespace) -> int:
    """probes, segmentation or pairs: prints the table; returns the exit code."""
    from .evaluation import probes

    unknown = sorted(set(args.test) - set(probes.TESTS))
    if unknown:
        print(
            f"evaluate-inpainter: no test {', '.join(unknown)}; there are {', '.join(probes.TESTS)}",
            file=sys.stderr,
        )
        return 2
    count = 100 if args.count is None else args.count
    try:
        if args.table == "probes":
            table = probes.probes(
                args.data, args.test or list(probes.TESTS), count=count, keep=args.pictures
            )
            print(probes.render(table))
        elif args.table == "segmentation":
            from .evaluation.segmentation import render, segmentation

            table = segmentation(args.data, count=count)
            print(render(table))
        else:
            from .evaluation.pairs import pairs, render_pairs

            table = pairs(args.data, keep=args.pictures)
            print(render_pairs(table))
    except (FileNotFoundError, OSError) as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 2
    if args.json:
        probes.save(table, args.json)
    return 0


def experiment(args: argparse.Namespace, argv: Sequence[str]) -> int:
    """One of the papers' tables: prints it; returns the exit code (a stop before the end is none of the user's mistakes: 0)."""
    from ..models.checkpoint import CheckpointError
    from . import engine
    from .experiments.runs import UnfinishedError

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        print(
            importlib.import_module(
                f".experiments.{args.table.replace('-', '_')}", __package__
            ).run(make_call(args, argv))
        )
    except UnfinishedError as error:
        print(f"evaluate-inpainter: {error}")
    except (CheckpointError, ModuleNotFoundError, OSError, ValueError) as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 2
    except engine.NonFiniteLossError as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 1
    return 0


def make_call(args: argparse.Namespace, argv: Sequence[str]) -> Any:
    """The table's ``Call``: its scale with what the command line changes; with ``--quick`` on pictures that it draws."""
    from .experiments.budgets import scale
    from .experiments.request import Call
    from .experiments.toy_data import generate

    folder = args.run or Path("runs") / args.table
    data = generate(folder / "generated") if args.quick else args.data
    seeds = None if args.seeds is None else tuple(range(args.seeds))
    only = None if args.only is None else tuple(args.only)
    names = (
        "steps",
        "batch",
        "points",
        "minutes",
        "device",
        "precision",
        "workers",
        "width",
        "count",
        "size",
    )
    found = scale(
        args.table,
        "quick" if args.quick else args.scale,
        seeds=seeds,
        only=only,
        **{n: getattr(args, n) for n in names},
    )
    labels = args.labels
    if (
        labels is None
        and data is not None
        and not args.images
        and (data / "faces" / "labels.csv").exists()
    ):
        labels = data / "faces" / "labels.csv"
    return Call(
        folder=folder,
        budget=found.budget,
        data=data,
        images=tuple(args.images),
        test=tuple(args.test_images),
        count=found.count,
        width=found.width,
        size=found.size,
        labels=labels,
        features=args.features or ("random" if args.quick else "vgg16"),
        look=found.look,
        classifier=args.classifier or (Path("random") if args.quick else None),
        command=" ".join(["evaluate-inpainter", *(Path(a).name if "/" in a else a for a in argv)]),
    )


if __name__ == "__main__":
    sys.exit(main())
