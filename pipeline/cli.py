"""``remove-objects``: the command line. Only command lines turn errors into exit codes."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, NoReturn, TextIO

from .. import __version__
from ..models.categories import CLASSES
from ..models.kinds import KINDS
from .batch.settings import AUTO, ENGINES, SERIES, BatchSettings
from .config import (
    ALONG,
    COMPARISONS,
    DETAILS,
    DEVICES,
    LARGEST_MAX_PIXELS,
    MAX_PIXELS,
    METADATA,
    RAW_OUTPUTS,
    ROUTES,
    Settings,
    parse_keep,
    parse_weights,
)
from .errors import OutputError, PhotoError, RemoveObjectsError, UsageError
from .report.tolerance import tolerances
from .segmenter_names import NETWORKS, parse_segmenter
from .serve import options as serve_options
from .storage.layout import REPORT_PAGE
from .storage.location import Location, parse_location
from .system.completion import add_completion
from .system.messages import say_first, show_messages
from .system.signals import STOPPED_AT_ONCE, stop_on_signals
from .system.standard_streams import (
    drop_output,
    open_closed_errors,
    output_for_bytes,
    print_any_name,
    read_input,
)
from .system.text import printable, redacted, some, with_origins
from .watch import options as watch_options
from .web.address import add_address_options

if TYPE_CHECKING:
    from .batch.run import FolderResult
    from .report.baseline import Comparison

#: What makes a run fail: photos without a result, or photos to check too.
FAIL_ON = ("failed", "review")

#: The first argument that makes the command a watch, or a service.
WATCH, SERVE = "watch", "serve"
#: The PATH that is the standard input.
STANDARD_INPUT = "-"
#: Options that a photo from the standard input does not take.
_OF_FOLDERS = {
    "output": "--output",
    "save_masks": "--save-masks",
    "overwrite": "--overwrite",
    "add": "--add",
    "dry_run": "--dry-run",
    "preview": "--preview",
    "picks": "--picks",
    "exclude": "--exclude",
    "truth": "--truth",
    "baseline": "--baseline",
    "tolerances": "--tolerance",
    "compare": "--compare",
    "series": "--series",
    "json": "--json",
}

#: Options of an engine that a service does not have.
_OF_RAY = ("--engine", "--actors", "--gpus-per-actor")

EPILOG = f"""classes: {", ".join(CLASSES)}

exit codes:
  0    every photo has a result, to check or not
  1    a photo failed, got worse than the baseline, or was not processed (Ctrl-C once, a full disk);
       the one mask of --masks FILE has the shape of no photo;
       with --fail-on review: a photo is to check
  2    the call was wrong, or another run writes into the output folder
  130  stopped at once (Ctrl-C twice)
After 1 and 130 the same command resumes.

remove-objects watch FOLDER cleans what arrives in a folder; remove-objects serve cleans what other
programs send by HTTP; both have a --help. Folders with these names are ./watch and ./serve"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with a call without listing every option first.

    Attributes:
        said: the error that it said.
    """

    said = ""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.said = message
        self.exit(2, f"{self.prog}: {printable(message)}; see {self.prog} --help\n")


def parser() -> _Parser:
    """Return the parser of the command line."""
    p = _Parser(
        "remove-objects",
        usage="%(prog)s --class NAME [options] PATH ...",
        description="Remove people, cars, animals and other objects from photos and folders of "
        "photos, with a quality report on every photo.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        add_help=False,
    )
    p.add_argument_group("photos").add_argument(
        "paths",
        nargs="*",
        type=_input,
        metavar="PATH",
        help="photos, and folders (searched recursively); s3://bucket/folder too; - alone reads "
        "a photo from the standard input and writes the result to the standard output",
    )
    for title, add in (
        ("what is removed", _add_objects),
        ("which photos are cleaned", _add_photos),
        ("how holes are filled, and what a photo keeps", _add_picture),
        ("where results go, and which stay", _add_output),
        ("what the report measures", _add_report),
        ("how the machine is used", _add_machine),
        ("the command itself", _add_command),
    ):
        add(p.add_argument_group(title))
    p.set_defaults(settings_from={})
    return p


def _add_photos(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--files-from",
        metavar="FILE",
        help="clean the photos and folders that a file lists, a line each or separated by NUL; "
        "- is the standard input",
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="PATTERN",
        help="pass over files and folders, as a .gitignore does: 'raw/', '*_edited.jpg', "
        "'!keep.jpg'; repeatable",
    )
    group.add_argument(
        "--max-pixels",
        type=_pixels,
        default=MAX_PIXELS,
        metavar="N",
        help="the most pixels of a photo, such as 300M (default 200M); larger ones are refused, "
        "because they may be made to exhaust the memory",
    )


def _add_objects(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME,…",
        help="what to remove: person, car, dog … (all are named below), or 'all'; plurals and "
        "everyday words such as people, bike and TV are understood; repeatable",
    )
    group.add_argument(
        "--masks",
        type=_location,
        metavar="DIR|FILE",
        help="remove what your own masks mark, and nothing else: white removes, drawn on the photo "
        "as viewers show it (upright). DIR holds them under the photos' relative names (a.png, "
        "a.jpg.png, a_mask.png, a_mask001.png); FILE is for every photo of its shape "
        "(docs/masks.md)",
    )
    group.add_argument(
        "--segmenter",
        type=segmenter,
        default="auto",
        metavar="NAME|DIR,…",
        help=f"what finds the objects: {', '.join(NETWORKS)}; beside it, folders of your own "
        "models, whose classes --class then knows (docs/own-classes.md). auto (default): "
        "FCN-ResNet101 if its weights are available, else the bundled compact network",
    )
    group.add_argument(
        "--prefilter",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="run the compact segmenter first, and a slower one only on photos in which it sees "
        "a trace of the classes (default: with --segmenter auto only)",
    )
    group.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        metavar="P",
        help="least class probability of a removed pixel (default 0.5)",
    )
    group.add_argument(
        "--dilate",
        type=_dilate,
        default=None,
        metavar="auto|PIXELS",
        help="widen the mask by so many pixels (default auto: 1.2 %% of the longer side; your own "
        "masks to the edge of the object, as far as the picture shows it)",
    )
    group.add_argument(
        "--with",
        dest="along",
        type=along,
        default=ALONG,
        metavar="KIND,…|none",
        help=f"what goes along with a removed object (default {','.join(ALONG)}); none: the object "
        "alone",
    )
    group.add_argument(
        "--keep",
        type=_keep,
        default="none",
        metavar="main|faces|largest[:N]|none",
        help="who stays of the objects that are found: main, the people whom the photo is of; "
        "faces, who looks at the camera; the N largest; none (default)",
    )
    group.add_argument(
        "--min-size",
        type=float,
        default=0.0,
        metavar="SHARE",
        help="keep objects that take less than this share of the photo, such as 0.01 (default 0)",
    )
    group.add_argument(
        "--max-size",
        type=float,
        default=1.0,
        metavar="SHARE",
        help="keep objects that take more than this share of the photo (default 1)",
    )
    group.add_argument(
        "--preview",
        action="store_true",
        help="fill nothing; write preview.html, the page on which you pick each object that goes "
        "or stays, and save picks.json (docs/choosing.md)",
    )
    group.add_argument(
        "--picks",
        type=_location,
        metavar="FILE",
        help="remove and keep what picks.json says; objects that it does not name go or stay by "
        "the other options",
    )


def _add_picture(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--route", choices=ROUTES, default="auto", help="inpainter; auto chooses one for each hole"
    )
    add_weights(group)
    group.add_argument(
        "--detail",
        choices=DETAILS,
        default="texture",
        help="texture: copy texture from the same photo; none: only enlarge the network's output",
    )
    group.add_argument(
        "--series",
        choices=SERIES,
        help="auto (default): fill what a photo hides by what other photos of the same place show, "
        "if the folder has such; fixed: all photos of a folder are of a camera that did not move; "
        "off: by the photo alone (docs/series.md)",
    )
    group.add_argument(
        "--lossless", action="store_true", help="write PNG if the photo's own format is lossy"
    )
    group.add_argument(
        "--raw-output",
        choices=RAW_OUTPUTS,
        default="tiff",
        help="format of cleaned RAW photos (extra raw): tiff, 16 bits, as IMG_1.DNG.tif (default), "
        "or jpeg, as IMG_1.DNG.jpg",
    )
    group.add_argument(
        "--strip-metadata",
        action="store_true",
        help="drop GPS, dates, names, serial numbers and comments",
    )
    group.add_argument(
        "--keep-metadata",
        choices=METADATA,
        default="known",
        help="what a photo keeps in which something was removed. known: dates, camera, exposure, "
        "place, captions, rights, colour; all: maker notes and private data too, in which a "
        "picture of what was removed may survive (default known)",
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o",
        "--output",
        type=_location,
        metavar="DIR",
        help="folder for the results (default: cleaned/ beside the input)",
    )
    group.add_argument(
        "--save-masks",
        action="store_true",
        help="write each mask, and why each of its pixels goes, to masks/ in the output folder",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="process finished photos again, and replace other files in the output folder; what is "
        "replaced stays in its folder .remove-objects-replaced",
    )
    group.add_argument(
        "--add",
        action="store_true",
        help="remove the classes from the results of earlier runs too, and keep the rest of them",
    )
    group.add_argument("--dry-run", action="store_true", help="segment and report; write no photo")


def _add_report(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--compare",
        type=_comparisons,
        default=(),
        metavar="METHOD,…",
        help=f"also fill the holes by these methods, for the report: {', '.join(COMPARISONS)}",
    )
    group.add_argument(
        "--truth",
        type=_location,
        metavar="DIR",
        help="ground truth (the photos without the objects) by the same relative names, to "
        "report the error",
    )
    group.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="an earlier report.json: exit 1 if a metric got worse than its tolerance",
    )
    group.add_argument(
        "--tolerance",
        dest="tolerances",
        action="append",
        default=[],
        metavar="METRIC=VALUE",
        help="by how much a metric may get worse, in a photo (truth.psnr=0.5) or in the mean "
        "(mean.truth.psnr=0.2); repeatable",
    )
    group.add_argument(
        "--no-probe",
        action="store_true",
        help="skip the probe, which fills a known place of the photo: faster, less certain verdict",
    )


def _add_command(group: argparse._ArgumentGroup) -> None:
    group.add_argument("-h", "--help", action="help", help="print this text")
    group.add_argument("--version", action="version", version=f"remove-objects {__version__}")
    group.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    group.add_argument("-v", "--verbose", action="store_true", help="print a line for every photo")
    values = {"classes": (*CLASSES, "all"), "segmenter": NETWORKS}
    add_completion(group, values, _words, parser)
    add_no_settings(group)
    group.add_argument(
        "--json",
        action="store_true",
        help="print one line of JSON to the standard output, and everything else to standard error "
        "(docs/commandline.md)",
    )
    group.add_argument(
        "--fail-on",
        choices=FAIL_ON,
        default="failed",
        help="review: exit 1 also if a photo is to check, and nobody has looked at it at the mask "
        "board; failed (default): only if a photo failed",
    )


def add_weights(group: argparse._ArgumentGroup) -> None:
    """Add ``--weights``, which the mask board and ``evaluate-inpainter`` have too."""
    group.add_argument(
        "--weights",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="use your own weight of a network, a .safetensors that train-inpainter wrote: "
        f"{', '.join(KINDS)}; repeatable (docs/own-weights.md)",
    )


def add_no_settings(group: argparse._ArgumentGroup) -> None:
    """Add ``--no-settings``, which the mask board has too."""
    group.add_argument(
        "--no-settings",
        action="store_true",
        help="read no remove-objects.toml, neither beside the photos nor your own "
        "(docs/commandline.md)",
    )


def _add_machine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--device", choices=DEVICES, default="auto", help="device of the networks")
    group.add_argument(
        "--workers",
        type=_workers,
        default=2,
        metavar="N",
        help="photos processed concurrently (default 2); auto: one on each core, 8 at most",
    )
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="ray: use all machines of a Ray cluster (docs/scale.md)",
    )
    group.add_argument(
        "--actors",
        type=int,
        metavar="N",
        help="with --engine ray: processes with networks (default: one per core or GPU)",
    )
    group.add_argument(
        "--gpus-per-actor",
        type=float,
        metavar="X",
        help="with --engine ray: 0.5 lets two actors share a GPU (default: 1 if there are any)",
    )
    group.add_argument("--offline", action="store_true", help="never use the network")


def _words() -> dict[str, argparse.ArgumentParser]:
    """Return the parsers of the words that may be the first argument."""
    return {WATCH: watch_parser(), SERVE: serve_parser()}


def _hide(p: argparse.ArgumentParser, options: Collection[str]) -> None:
    """Leave options that the command refuses out of its ``--help`` and of what TAB offers."""
    for action in p._actions:
        if set(options) & {*action.option_strings, action.dest}:
            action.help = argparse.SUPPRESS


class _Ended(NamedTuple):
    """How a call ended: its exit code, and the error or the result that the code follows from."""

    code: int
    error: str = ""
    result: FolderResult | None = None
    comparison: Comparison | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command, and return its exit code; see ``EPILOG``."""
    open_closed_errors()
    print_any_name()
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == [WATCH]:
        return _watch(arguments[1:])
    if arguments[:1] == [SERVE]:
        return _serve(arguments[1:])
    command = parser()
    try:
        args = command.parse_args(arguments)
    except SystemExit as leaving:
        if leaving.code == 2 and "--json" in arguments and sys.stdout is not None:
            _write_summary(sys.stdout.buffer, _Ended(2, command.said))
        raise
    show_messages("remove-objects", quiet=args.quiet)
    if not args.json or sys.stdout is None:  # closed: nobody reads the line
        return _call(args, arguments).code
    with output_for_bytes() as output:
        ended = _call(args, arguments)
        if ended.code != STOPPED_AT_ONCE:
            _write_summary(output, ended)
    return ended.code


def _call(args: argparse.Namespace, arguments: Sequence[str]) -> _Ended:
    """Do what the arguments say, and print the results."""
    try:
        if STANDARD_INPUT in args.paths:
            return _Ended(_run_in_pipe(args, arguments))
        result, comparison = _run(args, arguments)
    except RemoveObjectsError as error:
        return _Ended(1 if isinstance(error, PhotoError) else 2, _told(error, args))
    except KeyboardInterrupt:  # before any work began
        print("remove-objects: stopped", file=sys.stderr)
        return _Ended(STOPPED_AT_ONCE)
    waiting = _count_waiting(result) if args.fail_on == "review" else 0
    if waiting:  # it is said before the last lines, which are what to do next
        photos = "photo" if waiting == 1 else "photos"
        print(f"remove-objects: {waiting} {photos} to check (--fail-on review)", file=sys.stderr)
    try:
        _print_result(result, comparison, args, arguments)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:  # a full disk, a reader that is gone; the report has it all
        drop_output()
        print(f"remove-objects: the summary is not printed ({error.strerror})", file=sys.stderr)
    failed = any(photo["status"] == "failed" for photo in result.photos)
    bad = result.stopped or failed or result.mask_fits_none or waiting
    return _Ended(1 if bad or (comparison and comparison.worse) else 0, "", result, comparison)


def _told(error: RemoveObjectsError, args: argparse.Namespace) -> str:
    """Print an error, and return its message.

    Of options that nobody typed it names the settings file that set them.
    """
    message = with_origins(str(error), args.settings_from)
    print(f"remove-objects: {printable(message)}", file=sys.stderr)
    return message


def _command_line(arguments: Sequence[str]) -> str:
    """Return the command line for the report, without passwords."""
    return shlex.join(["remove-objects", *map(redacted, arguments)])


def _count_waiting(result: FolderResult) -> int:
    """Return how many photos a person has yet to look at."""
    from .report.summary import to_review

    return len(to_review(result.photos))


def _write_summary(output: BinaryIO, ended: _Ended) -> None:
    """Write the line of ``--json``."""
    from .report.summary import of_photos, without_result

    summary = without_result(ended.code, ended.error)
    if result := ended.result:
        summary = of_photos(result.photos)
        summary |= {
            "exit_code": ended.code,
            "output": _address(result.report.parent),
            "report": _address(result.report),
            "page": _address(result.report.with_name(REPORT_PAGE)),
            "preview": _address(result.preview),
            "stopped": result.stopped,
            "seconds": result.run["seconds"],
            "warnings": result.warnings,
        }
        if found := ended.comparison:
            summary["baseline"] = {"worse": len(found.worse), "better": len(found.better)}
    try:
        # ASCII: a name that is no valid Unicode is escaped, and any locale can read it.
        output.write(f"{json.dumps(summary)}\n".encode("ascii"))
        output.flush()
    except OSError as error:
        print(f"remove-objects: --json is not written ({error.strerror})", file=sys.stderr)


def _address(place: Location | None) -> str | None:
    """Return a place as another program finds it: an absolute path or an address."""
    return None if place is None else str(place.absolute() if isinstance(place, Path) else place)


def watch_parser() -> argparse.ArgumentParser:
    """Return the parser of ``remove-objects watch``."""
    p = parser()
    p.prog, p.usage = f"remove-objects {WATCH}", "%(prog)s FOLDER --class NAME -o DIR [options]"
    p.description, p.epilog = watch_options.DESCRIPTION, watch_options.EPILOG
    watch_options.add_watch_options(p.add_argument_group("watch"))
    _hide(p, watch_options.REFUSED)
    folder = next(action for action in p._actions if action.dest == "paths")
    folder.metavar, folder.help = "FOLDER", "the folder in which photos arrive"
    return p


def _watch(arguments: Sequence[str]) -> int:
    """Clean what arrives in a folder until a signal; returns the exit code."""
    args = watch_parser().parse_args(arguments)
    show_messages("remove-objects", quiet=args.quiet, once=True)
    try:
        with stop_on_signals() as stop:
            folder = _watched(args)
            if not args.quiet:
                say_first("remove-objects", f"getting ready to watch {folder}")
            from .report.terminal import counted, photo_line
            from .watch.watch import Times, Watch

            _take_settings(args, arguments, [folder], watch_parser)
            watch = Watch(
                folder,
                _settings(args),
                _batch_settings(args),
                times=Times(args.settle, args.interval),
                command=_command_line([WATCH, *arguments]),
                settings_from=args.settings_from,
                tell=lambda text: _say(args, f"remove-objects: {printable(text)}", sys.stderr),
                cleaned=lambda entry: _say(args, photo_line(entry), sys.stdout),
            )
            where = f"{printable(str(watch.folder))}; results: {printable(str(watch.output))}"
            _say(args, f"watching {where}  (Ctrl-C to stop)", sys.stdout)
            watch.run(stop)
    except RemoveObjectsError as error:
        _told(error, args)
        return 2
    except KeyboardInterrupt:  # before any work began
        print("remove-objects: stopped", file=sys.stderr)
        return STOPPED_AT_ONCE
    _say(args, f"stopped; this watch cleaned: {counted(watch.counts) or 'no photo'}", sys.stdout)
    return 0


def serve_parser() -> argparse.ArgumentParser:
    """Return the parser of ``remove-objects serve``."""
    p = parser()
    p.prog, p.usage = f"remove-objects {SERVE}", "%(prog)s [options]"
    p.description, p.epilog = serve_options.DESCRIPTION, serve_options.EPILOG
    add_address_options(p.add_argument_group("serve"), serve_options.PORT)
    _hide(p, {"paths", "--files-from", "--masks", *_OF_FOLDERS.values(), *_OF_RAY})
    return p


def _serve(arguments: Sequence[str]) -> int:
    """Clean photos that arrive by HTTP until a signal; returns the exit code."""
    args = serve_parser().parse_args(arguments)
    show_messages("remove-objects", once=True)
    try:
        given = [*_of_folders(args), *(["--masks"] if args.masks is not None else [])]
        if args.paths or args.files_from is not None:
            raise UsageError(
                f"remove-objects {SERVE} takes no photos or folders: they come by HTTP; a folder "
                f"whose own name is {SERVE} is ./{SERVE}"
            )
        if given:
            raise UsageError(f"{given[0]} belongs to a folder; leave it out with {SERVE}")
        if not args.quiet:
            say_first("remove-objects", "getting ready to serve")
        from .serve.command import serve

        _take_settings(args, arguments, (), serve_parser)
        serve(_settings(args), _batch_settings(args), args.host, args.port, args.settings_from)
    except RemoveObjectsError as error:
        _told(error, args)
        return 2
    except KeyboardInterrupt:  # before it served
        print("remove-objects: stopped", file=sys.stderr)
    return 0


def _of_folders(args: argparse.Namespace) -> list[str]:
    """Return the given options that only a folder of results has."""
    given = [option for name, option in _OF_FOLDERS.items() if getattr(args, name)]
    return [*given, f"--engine {args.engine}"] if args.engine != "local" else given


def _watched(args: argparse.Namespace) -> Path:
    """Return the folder to watch."""
    given = {
        "--files-from": args.files_from is not None,
        "--baseline": args.baseline is not None,
        "--tolerance": bool(args.tolerances),
        "--json": args.json,
        "--fail-on": args.fail_on != FAIL_ON[0],
    }
    if option := next((option for option, is_given in given.items() if is_given), None):
        raise UsageError(f"{option} belongs to a single run; leave it out with {WATCH}")
    if len(args.paths) != 1 or args.paths[0] == STANDARD_INPUT:
        raise UsageError(
            f"remove-objects {WATCH} takes one folder, got {len(args.paths) or 'none'}: "
            f"remove-objects {WATCH} FOLDER --class person -o DIR; a folder whose own name is "
            f"{WATCH} is ./{WATCH}"
        )
    (folder,) = args.paths
    if not isinstance(folder, Path):
        raise UsageError(f"{folder}: watch takes a folder of this machine, or a mounted share")
    return folder


def _say(args: argparse.Namespace, text: str, stream: TextIO | None) -> None:
    """Print a line at once; a reader that is gone, or a full disk, does not end the work."""
    if args.quiet or stream is None:
        return
    try:
        print(text, file=stream, flush=True)
    except OSError:
        drop_output()


def _run(
    args: argparse.Namespace, arguments: Sequence[str]
) -> tuple[FolderResult, Comparison | None]:
    """Clean the photos; returns (the result, its comparison with a baseline if there is one)."""
    allowed = tolerances(args.tolerances)
    if args.tolerances and args.baseline is None:
        raise UsageError("--tolerance belongs to --baseline FILE; give that too")
    listed = _listed(args.files_from)
    if not args.paths and not listed:
        raise UsageError("no input was given: name a photo or a folder, or a list by --files-from")
    if not args.quiet:
        say_first("remove-objects", f"looking for photos in {some([*map(str, _places(args))])}")
    _take_settings(args, arguments, [*args.paths, *listed], parser)
    settings, batch = _settings(args), _batch_settings(args)
    from .report.progress import Progress

    with stop_on_signals() as stop, Progress(quiet=args.quiet, verbose=args.verbose) as progress:
        from .batch.run import remove_folder
        from .report.baseline import compare, load_baseline

        baseline = None if args.baseline is None else load_baseline(args.baseline)
        result = remove_folder(
            args.paths,
            settings,
            batch,
            listed=listed,
            command=_command_line(arguments),
            settings_from=args.settings_from,
            progress=progress,
            stop=stop,
        )
    if baseline is None or result.stopped:
        return result, None
    return result, compare(result.of_this_run(), baseline, allowed)


def _places(args: argparse.Namespace) -> list[Location | str]:
    """Return where the photos are, as the user named it."""
    return [*args.paths, *([] if args.files_from is None else [f"the list {args.files_from}"])]


def _take_settings(
    args: argparse.Namespace,
    arguments: Sequence[str],
    places: Sequence[Location],
    command: Callable[[], argparse.ArgumentParser],
) -> None:
    """Put into ``args`` what settings files say, and tell of it.

    Args:
        args: the parsed command line; ``settings_from`` gets what was taken from which file.
        arguments: the command line.
        places: the given photos and folders; none in a pipe.
        command: makes a parser of the command line.

    Raises:
        UsageError: a file cannot be read, or says what it may not.
    """
    from . import settings_file

    without = () if places else [option.removeprefix("--") for option in _OF_FOLDERS.values()]
    args.settings_from = settings_file.take(args, arguments, command, parser(), places, without)


def _run_in_pipe(args: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Clean one photo from the standard input to the standard output; returns the exit code.

    Raises:
        PhotoError: there is no result, and nothing was written.
    """
    _refuse_in_pipe(args)
    _take_settings(args, arguments, (), parser)
    settings, batch = _settings(args), _batch_settings(args)
    with stop_on_signals() as stop, output_for_bytes() as output:
        from .batch.stream import clean_bytes, most_bytes

        cleaned = clean_bytes(read_input(most_bytes(batch)), settings, batch, stop)
        try:
            output.write(cleaned.content)
            output.flush()
        except OSError as error:
            raise OutputError(
                f"the standard output cannot be written ({error.strerror})"
            ) from error
    if not args.quiet and (args.verbose or cleaned.status != "ok"):
        from .types import Status

        text = printable(f"{Status(cleaned.status).words}: {cleaned.reason}")
        print(f"remove-objects: {text}", file=sys.stderr)
    for warning in () if args.quiet else cleaned.warnings:
        print(f"remove-objects: {printable(warning)}", file=sys.stderr)
    return 1 if args.fail_on == cleaned.status == "review" else 0


def _refuse_in_pipe(args: argparse.Namespace) -> None:
    """Refuse what a photo from the standard input cannot have: a folder, a report, a name."""
    if len(args.paths) > 1 or args.files_from is not None:
        raise UsageError("- stands alone: it reads one photo; name files and folders without it")
    if given := _of_folders(args):
        raise UsageError(f"{given[0]} belongs to a folder of results; leave it out with -")
    for stream, what in ((sys.stdin, "input"), (sys.stdout, "output")):
        if stream is None or stream.isatty():
            state = "closed" if stream is None else "a terminal"
            raise UsageError(
                f"the standard {what} is {state}; redirect it: "
                "remove-objects --class person - < a.jpg > b.jpg"
            )


def _listed(name: str | None) -> list[Location]:
    """Return the photos and folders of the list of ``--files-from``."""
    if name is None:
        return []
    from .batch.file_list import read_list
    from .images.suffixes import SUFFIXES

    if Path(name).suffix.lower() in SUFFIXES:
        raise UsageError(f"--files-from {name}: a photo, and no list; give it without --files-from")

    if name == "-" and sys.stdin is None:
        raise UsageError("--files-from -: the standard input is closed; give the list to it")
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise UsageError(f"--files-from {name}: cannot be read ({error.strerror})") from error
    listed = [parse_location(entry) for entry in read_list(content)]
    if not listed:
        raise UsageError(f"--files-from {name}: the list names no file")
    return listed


def _settings(args: argparse.Namespace) -> Settings:
    return Settings(
        segmenter=args.segmenter,
        threshold=args.threshold,
        dilate=args.dilate,
        along=args.along,
        keep=args.keep,
        min_size=args.min_size,
        max_size=args.max_size,
        route=args.route,
        detail=args.detail,
        device=args.device,
        probe=not args.no_probe,
        lossless=args.lossless,
        offline=args.offline,
        compare=args.compare,
        prefilter=args.prefilter,
        strip_metadata=args.strip_metadata,
        keep_metadata=args.keep_metadata,
        raw_output=args.raw_output,
        weights=parse_weights(args.weights),
    )


def _batch_settings(args: argparse.Namespace) -> BatchSettings:
    return BatchSettings(
        classes=tuple(args.classes),
        output=args.output,
        masks=args.masks,
        picks=args.picks,
        preview=args.preview,
        max_pixels=args.max_pixels,
        truth=args.truth,
        exclude=tuple(args.exclude),
        # With - there is no other photo.
        series="off" if STANDARD_INPUT in args.paths else args.series or "auto",
        save_masks=args.save_masks,
        workers=args.workers,
        overwrite=args.overwrite,
        add=args.add,
        dry_run=args.dry_run,
        engine=args.engine,
        actors=args.actors,
        gpus_per_actor=args.gpus_per_actor,
    )


def _print_result(
    result: FolderResult,
    comparison: Comparison | None,
    args: argparse.Namespace,
    arguments: Sequence[str],
) -> None:
    """Print the summary, the comparison, to stderr the failures, and last what to do next."""
    from .report.entry_metrics import told_of
    from .report.next_steps import next_steps
    from .report.terminal import baseline_table, counted, run_summary

    report = result.of_this_run()
    if not args.quiet:
        is_terminal = sys.stdout is not None and sys.stdout.isatty()
        width = shutil.get_terminal_size().columns if is_terminal else None
        print(run_summary(report["run"], report["photos"], weights=args.verbose, width=width))
    if comparison is not None and (comparison.worse or not args.quiet):
        print(
            baseline_table(comparison, str(args.baseline)),
            file=sys.stderr if args.quiet else sys.stdout,
        )
    for photo in result.photos:
        if photo["status"] == "failed":
            failure = printable(f"{photo['input']}: {told_of(photo)}")
            print(f"failed: {failure}", file=sys.stderr)
    if result.stopped:
        print(f"remove-objects: {printable(result.stopped)}", file=sys.stderr)
    if args.quiet:
        return
    print(counted(Counter(photo["status"] for photo in result.photos)) or "no photos")
    if result.others:
        photos = "photo" if len(result.others) == 1 else "photos"
        print(f"the report also tells of {len(result.others)} {photos} of earlier runs")
    steps = next_steps(
        result.report,
        result.run,
        result.photos,
        arguments,
        preview=result.preview,
        stopped=result.stopped is not None,
    )
    print("\n".join(steps))


def _input(text: str) -> Location | str:
    return text if text == STANDARD_INPUT else _location(text)


def _location(text: str) -> Location:
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


def _keep(text: str) -> str:
    try:
        parse_keep(text)
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def segmenter(text: str) -> str:
    """Read the value of ``--segmenter``, also of ``mask-board``.

    Raises:
        argparse.ArgumentTypeError: it names an unknown network, or no folder.
    """
    try:
        return parse_segmenter(text).text
    except UsageError as error:
        raise argparse.ArgumentTypeError(str(error).removeprefix("segmenter: ")) from None


def along(text: str) -> tuple[str, ...]:
    """Read the value of ``--with``, also of ``mask-board``.

    Raises:
        argparse.ArgumentTypeError: it names nothing, or ``none`` beside a kind.
    """
    names = _comparisons(text)
    if names == ("none",):
        return ()
    if not names or "none" in names:
        kinds = ", ".join(ALONG)
        raise argparse.ArgumentTypeError(f"one or more of {kinds}, or none alone; got '{text}'")
    return names


def _comparisons(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t.strip() for t in text.split(",") if t.strip()))


def _pixels(text: str) -> int:
    """Read a number of pixels: ``300000000``, ``300M`` or ``300MP``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(M|MP|)", text.replace(",", "").strip().upper())
    number = float(found[1]) * (1_000_000 if found[2] else 1) if found else 0
    if not 1 <= number <= LARGEST_MAX_PIXELS:
        raise argparse.ArgumentTypeError(
            f"a number of pixels up to 1000M, such as 300M, got '{text}'"
        )
    return round(number)


def _workers(text: str) -> int | str:
    if text == AUTO:
        return text
    try:
        number = int(text)
    except ValueError:
        number = 0
    if not 1 <= number <= 256:
        raise argparse.ArgumentTypeError(f"1 to 256 photos at once, or {AUTO}, got '{text}'")
    return number


if __name__ == "__main__":
    sys.exit(main())
