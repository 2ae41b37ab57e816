"""``remove-objects``: the command line. The only place that turns errors into exit codes."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..models.categories import CLASSES
from .batch.settings import ENGINES, BatchSettings
from .config import COMPARISONS, DETAILS, DEVICES, ROUTES, SEGMENTERS, Settings
from .errors import OutputError, RemoveObjectsError, UsageError
from .report.tolerance import tolerances
from .storage.location import Location, parse_location
from .system.signals import STOPPED_AT_ONCE, stop_on_signals
from .system.text import printable, redacted

if TYPE_CHECKING:
    from .report.schema import Entry

EPILOG = f"""classes: {", ".join(CLASSES)}

exit codes: 0 all fine, 1 some photo failed, is worse than the baseline, or was not begun (Ctrl-C once, a full disk), 2 the call itself was
wrong or another run writes into the output, 130 stopped at once (Ctrl-C twice). After 1 and 130 the same command goes on."""


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "remove-objects",
        description="Remove people, cars, dogs … from photos and folders of photos, with a report on every one.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "paths",
        nargs="+",
        type=_place,
        metavar="PATH",
        help="photos, and folders (searched through); s3://bucket/folder too",
    )
    p.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME",
        help="what to remove; repeat, or 'all'",
    )
    p.add_argument(
        "-o",
        "--output",
        type=_place,
        metavar="DIR",
        help="where results go (default: cleaned/ beside the input)",
    )
    p.add_argument(
        "--masks",
        type=_place,
        metavar="DIR",
        help="your own masks by the same relative name, white = remove; nothing is segmented",
    )
    p.add_argument(
        "--save-masks", action="store_true", help="write each mask to masks/ in the output folder"
    )
    p.add_argument(
        "--segmenter",
        choices=SEGMENTERS,
        default="auto",
        help="auto: FCN-ResNet101 where its weights can be had, else compact",
    )
    p.add_argument(
        "--prefilter", action=argparse.BooleanOptionalAction, default=True,
        help="let the compact segmenter look first; fcn_resnet101 sees only photos in which it finds a trace (default: yes)",
    )  # fmt: skip
    p.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="least probability of a removed pixel (default 0.5)",
    )
    p.add_argument(
        "--dilate",
        type=_dilate,
        default=None,
        metavar="auto|PIXELS",
        help="how far the mask is widened (default: 1.2 %% of the longer side)",
    )
    p.add_argument(
        "--route", choices=ROUTES, default="auto", help="which inpainter; auto decides hole by hole"
    )
    p.add_argument(
        "--detail",
        choices=DETAILS,
        default="texture",
        help="none: the networks' plain answer, enlarged",
    )
    p.add_argument("--device", choices=DEVICES, default="auto")
    p.add_argument(
        "--workers",
        type=_workers,
        default=2,
        metavar="N",
        help="photos at work at once (default 2)",
    )
    p.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="ray: work on all machines of a Ray cluster (docs/scale.md)",
    )
    p.add_argument(
        "--actors",
        type=int,
        metavar="N",
        help="with --engine ray: processes that hold the networks (default: one a core or GPU)",
    )
    p.add_argument(
        "--gpus-per-actor",
        type=float,
        metavar="X",
        help="with --engine ray: 0.5 lets two share one (default: 1 where there are any)",
    )
    p.add_argument(
        "--overwrite",
        action="store_true",
        help="do finished photos again, and replace files that are in the way",
    )
    p.add_argument("--dry-run", action="store_true", help="segment and report; write no photo")
    p.add_argument(
        "--lossless", action="store_true", help="write PNG where the photo's own format is lossy"
    )
    p.add_argument(
        "--strip-metadata",
        action="store_true",
        help="write no GPS, dates, names, serial numbers, comments",
    )
    p.add_argument(
        "--compare",
        type=_comparisons,
        default=(),
        metavar="METHOD,…",
        help=f"fill the same holes these ways too: {', '.join(COMPARISONS)}",
    )
    p.add_argument(
        "--truth",
        type=_place,
        metavar="DIR",
        help="the pictures without the objects, by the same relative name: the report says the error",
    )
    p.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="an earlier report.json: exit 1 where a figure got worse than its tolerance",
    )
    p.add_argument(
        "--tolerance", dest="tolerances", action="append", default=[], metavar="FIGURE=VALUE",
        help="what a figure may get worse by, in a photo (truth.psnr=0.5) or in the mean (mean.truth.psnr=0.2); repeat",
    )  # fmt: skip
    p.add_argument(
        "--no-probe",
        action="store_true",
        help="leave out the probe: faster, and the report knows less",
    )
    p.add_argument("--offline", action="store_true", help="never touch the network")
    p.add_argument("-q", "--quiet", action="store_true", help="errors only")
    p.add_argument("-v", "--verbose", action="store_true", help="a line for every photo")
    p.add_argument("--version", action="version", version=f"remove-objects {__version__}")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code, see ``EPILOG``."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.ERROR if args.quiet else logging.WARNING,
        format="remove-objects: %(message)s",
        force=True,
    )
    try:
        settings = Settings(
            segmenter=args.segmenter, threshold=args.threshold, dilate=args.dilate, route=args.route, detail=args.detail,
            device=args.device, probe=not args.no_probe, lossless=args.lossless, offline=args.offline, compare=args.compare,
            prefilter=args.prefilter, strip_metadata=args.strip_metadata,
        )  # fmt: skip
        batch = BatchSettings(
            classes=tuple(args.classes), output=args.output, masks=args.masks, truth=args.truth, save_masks=args.save_masks,
            workers=args.workers, overwrite=args.overwrite, dry_run=args.dry_run,
            engine=args.engine, actors=args.actors, gpus_per_actor=args.gpus_per_actor,
        )  # fmt: skip
        allowed = tolerances(args.tolerances)
        if args.tolerances and args.baseline is None:
            raise UsageError(
                "--tolerance says how far from --baseline FILE a figure may be; give that too"
            )
        with (
            stop_on_signals() as stop,
            _Progress(quiet=args.quiet, verbose=args.verbose) as progress,
        ):
            from .batch.run import remove_folder
            from .report.baseline import compare, load_baseline
            from .report.terminal import baseline_table, run_summary

            baseline = None if args.baseline is None else load_baseline(args.baseline)
            command = shlex.join(["remove-objects", *map(redacted, arguments)])
            result = remove_folder(
                args.paths, settings, batch, command=command, progress=progress, stop=stop
            )
    except RemoveObjectsError as error:
        print(f"remove-objects: {error}", file=sys.stderr)
        return 1 if isinstance(error, OutputError) else 2
    except KeyboardInterrupt:  # before anything was begun
        print("remove-objects: stopped", file=sys.stderr)
        return STOPPED_AT_ONCE
    counts = {
        s: sum(p["status"] == s for p in result.photos)
        for s in ("ok", "review", "unchanged", "skipped", "failed")
    }
    report = result.written()
    comparison = None if baseline is None or result.stopped else compare(report, baseline, allowed)
    if not args.quiet:
        print(run_summary(report["run"], report["photos"]))
    if comparison is not None and (comparison.worse or not args.quiet):
        print(
            baseline_table(comparison, str(args.baseline)),
            file=sys.stderr if args.quiet else sys.stdout,
        )
    if not args.quiet:
        print(", ".join(f"{n} {s}" for s, n in counts.items() if n) + f"; report: {result.report}")
    for photo in result.photos:
        if photo["status"] == "failed":
            print(
                f"failed: {printable(photo['input'])}: {printable(photo['error'] or '')}",
                file=sys.stderr,
            )
    if result.stopped:
        print(f"remove-objects: {printable(result.stopped)}", file=sys.stderr)
    return 1 if result.stopped or counts["failed"] or (comparison and comparison.worse) else 0


class _Progress:
    """A bar over photos with the counts so far; with ``verbose`` a line for each photo."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self.quiet, self.verbose = quiet, verbose
        self.bar: Any = None
        self.counts: dict[str, int] = {}

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.close()

    def __call__(self, total: int, entry: Entry | None) -> None:
        from tqdm import tqdm

        if self.bar is None:
            self.bar = tqdm(
                total=total, unit="photo", disable=self.quiet or None, dynamic_ncols=True
            )
        if entry is None:
            return
        self.counts[entry["status"]] = self.counts.get(entry["status"], 0) + 1
        self.bar.update()
        self.bar.set_postfix(
            {**self.counts, "last": printable(entry["input"])[-24:]}, refresh=False
        )
        if self.verbose:
            from .report.terminal import photo_line

            self.bar.write(photo_line(entry))


def _place(text: str) -> Location:
    try:
        return parse_location(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _dilate(text: str) -> int | None:
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'auto' or a number of pixels, got '{text}'") from None


def _comparisons(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t.strip() for t in text.split(",") if t.strip()))


def _workers(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError(f"1 to 256 photos at once, got '{text}'")
    return number


if __name__ == "__main__":
    sys.exit(main())
