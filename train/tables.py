"""``evaluate-inpainter TABLE``: the command line of the measurements."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

#: Tables of SPEC that a later version measures; named so that the command says so instead of pretending.
LATER = ("skip-ce-lpips", "partial-conv-metrics", "compression-similarity")


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser("evaluate-inpainter", description="Measure the inpainters on photos with known truth.")
    p.add_argument("table", choices=("probes", "segmentation", "pairs", *LATER))
    p.add_argument("--data", type=Path, required=True, help="data folder: scenes/val, faces/val, masks/irregular … below it")
    p.add_argument("--test", action="append", default=[], help="probes: which tests (default: all)")
    p.add_argument("--count", type=int, default=100, help="photos a test (default 100)")
    p.add_argument("--json", type=Path, help="write the figures here too")
    p.add_argument("--pictures", type=Path, help="write side-by-side pictures of the first 24 of each test here")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.table in LATER:
        print(f"evaluate-inpainter: the table '{args.table}' is not built yet; 'probes', 'segmentation' and 'pairs' are", file=sys.stderr)
        return 2
    from train import evaluate

    unknown = sorted(set(args.test) - set(evaluate.TESTS))
    if unknown:
        print(f"evaluate-inpainter: no test {', '.join(unknown)}; there are {', '.join(evaluate.TESTS)}", file=sys.stderr)
        return 2
    try:
        if args.table == "probes":
            table = evaluate.probes(args.data, args.test or list(evaluate.TESTS), count=args.count, keep=args.pictures)
            print(evaluate.render(table))
        elif args.table == "segmentation":
            from train.evaluate_segmentation import render, segmentation

            table = segmentation(args.data, count=args.count)
            print(render(table))
        else:
            from train.evaluate_pairs import pairs, render_pairs

            table = pairs(args.data, keep=args.pictures)
            print(render_pairs(table))
    except (FileNotFoundError, OSError) as error:
        print(f"evaluate-inpainter: {error}", file=sys.stderr)
        return 2
    if args.json:
        evaluate.save(table, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
