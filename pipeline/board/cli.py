"""The command ``mask-board``: a local web page to draw a mask, fill it, compare and save."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ... import __version__
from ..batch.settings import SERIES
from ..cli import add_no_settings, add_weights, along, segmenter
from ..cli import parser as parser_of_runs
from ..config import ALONG, DEVICES, METADATA, Settings, parse_weights
from ..errors import RemoveObjectsError, UsageError
from ..segmenter_names import NETWORKS
from ..system.completion import add_completion
from ..system.messages import say_first, show_messages
from ..system.text import printable, some, with_origins
from ..web.address import add_address_options
from ..web.listening import interrupted_by_signals, listen, serve_app

if TYPE_CHECKING:
    from ..settings_file import Taken
    from .board import Board
    from .catalog import Opened

#: The usual port.
PORT = 7860
#: The most photos whose drafts are named when the board ends.
DRAFTS_NAMED = 5


def parser() -> argparse.ArgumentParser:
    """Return the command's argument parser."""
    p = argparse.ArgumentParser(
        "mask-board",
        usage="%(prog)s [options] [PATH]",
        description="A local web page to draw a mask by hand, fill it, compare and save. "
        "Opened on the output folder of a remove-objects run, it walks through the photos to "
        "check, worst first, and saves your results into the run.",
        epilog="Nothing leaves this machine, and the opened photos are never changed. "
        "docs/mask-board.md lists the keys and the HTTP interface.",
        add_help=False,
    )
    p.add_argument_group("photos").add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a photo, a folder, or a run's output folder (default: choose in the page)",
    )
    files = p.add_argument_group("which photos, and where results go")
    files.add_argument(
        "--input",
        type=Path,
        metavar="DIR",
        help="the folder that a run cleaned, if the board does not find it",
    )
    files.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="where results go (default: cleaned/ beside PATH; a run's own folder; without PATH, "
        "photos from the page can only be downloaded)",
    )
    select = p.add_argument_group("what is selected and filled")
    select.add_argument(
        "--segmenter",
        type=segmenter,
        metavar="NAME|DIR,…",
        help="for 'Select by class' (default: the run's, or auto)",
    )
    select.add_argument(
        "--with",
        dest="along",
        type=along,
        metavar="KIND,…|none",
        help="for 'Select by class': what goes along with a selected object (default: as the run "
        f"said, or {','.join(ALONG)}); none: the object alone",
    )
    select.add_argument(
        "--series",
        choices=SERIES,
        help="whether photos of one place fill each other's holes, as in a run (default: the run's,"
        " or auto)",
    )
    add_weights(select)
    save = p.add_argument_group("what a saved photo keeps")
    save.add_argument(
        "--lossless", action="store_true", help="write PNG where the photo's own format is lossy"
    )
    save.add_argument(
        "--strip-metadata",
        action="store_true",
        help="save photos without GPS, dates, names, serial numbers",
    )
    save.add_argument(
        "--keep-metadata",
        choices=METADATA,
        default="known",
        help="known: dates, camera, exposure, place, captions, rights, colour; all: private data "
        "too, in which a picture of what was removed may survive (default: the run's, or known)",
    )
    page = p.add_argument_group("the page")
    page.add_argument("--open", action="store_true", help="open the page in the default browser")
    add_address_options(page, PORT)
    machine = p.add_argument_group("how the machine is used")
    machine.add_argument("--device", choices=DEVICES, default="auto", help="device of the networks")
    machine.add_argument(
        "--offline", action="store_true", help="never use the network, not even for weights"
    )
    other = p.add_argument_group("other")
    other.add_argument("-h", "--help", action="help", help="print this text")
    other.add_argument("--version", action="version", version=f"mask-board {__version__}")
    add_no_settings(other)
    p.set_defaults(settings_from={})
    add_completion(other, {"segmenter": NETWORKS})
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the board until Ctrl-C, SIGTERM or SIGHUP.

    Returns:
        The exit code: 0, or 2 if the command was used wrongly.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    args = parser().parse_args(arguments)
    show_messages("mask-board")
    say_first("mask-board", "starting" if args.path is None else f"opening {args.path}")
    board = None
    with interrupted_by_signals():
        try:
            from .board import Board

            args.settings_from = _take_settings(args, arguments)
            opened = replace(open_path(args), settings_from=args.settings_from)
            board = Board(opened)
            serve(board, args.host, args.port, browser=args.open)
        except RemoveObjectsError as error:
            message = with_origins(str(error), args.settings_from)
            print(f"mask-board: {printable(message)}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            pass
        finally:
            if board is not None:
                _tell_drafts(board.drafts())
                board.close()
    return 0


def _tell_drafts(names: list[str]) -> None:
    """Say which masks end with the board."""
    if not names:
        return
    print(
        "mask-board: masks that were changed and not saved are gone with it: "
        f"{some(names, DRAFTS_NAMED)}",
        file=sys.stderr,
    )


def _take_settings(args: argparse.Namespace, arguments: Sequence[str]) -> Taken:
    """Put into ``args`` what settings files say, and tell of it.

    A run has its own settings: of files, only the machine's count then.

    Returns:
        What was taken, by file.

    Raises:
        UsageError: a file cannot be read, or says what it may not.
    """
    from .. import settings_file
    from .run_folder import is_run

    path: Path | None = args.path
    of_run = path is not None and is_run(path)
    return settings_file.take(
        args,
        arguments,
        parser,
        parser_of_runs(),
        [] if path is None or of_run else [path],
        set(settings_file.KEYS) - {"device", "offline"} if of_run else (),
    )


def open_path(args: argparse.Namespace) -> Opened:
    """Open the photo, folder or run that the arguments name.

    Raises:
        UsageError: it cannot be opened, or the arguments contradict each other.
    """
    from . import run_folder
    from .catalog import Opened, open_photos
    from .run_settings import combined, networks_note

    path: Path | None = args.path
    if args.input is not None and (path is None or not run_folder.is_run(path)):
        raise UsageError(
            "--input goes with the output folder of a remove-objects run, one with a report.json"
        )
    settings = Settings(
        segmenter=args.segmenter or "auto",
        along=ALONG if args.along is None else args.along,
        device=args.device,
        lossless=args.lossless,
        offline=args.offline,
        strip_metadata=args.strip_metadata,
        keep_metadata=args.keep_metadata,
        weights=parse_weights(args.weights),
    )
    if path is None:
        if args.output is not None and args.output.exists() and not args.output.is_dir():
            raise UsageError(f"--output {args.output}: is a file; results go into a folder")
        return Opened("empty", "", output=args.output, settings=settings)
    if not run_folder.is_run(path):
        return replace(open_photos(path, args.output, settings), given_series=args.series)
    if args.output is not None:
        raise UsageError(
            "results of a run are saved into its own folder: leave out --output, "
            "or open the input folder instead"
        )
    opened = run_folder.open_run(path, args.input, args.segmenter or "auto")
    both = replace(
        combined(opened.settings, settings),
        segmenter=args.segmenter or opened.settings.segmenter,
        prefilter=None if args.segmenter else opened.settings.prefilter,
        along=opened.settings.along if args.along is None else args.along,
    )
    note = networks_note(run_folder.load_report(path)["run"], settings)
    notes = (*opened.notes, *([note] if note else []))
    return replace(opened, settings=both, given=settings, given_series=args.series, notes=notes)


def serve(board: Board, host: str, port: int | None, *, browser: bool = False) -> None:
    """Listen until the process is interrupted.

    Args:
        board: the state to serve.
        host: the address to listen at.
        port: the port; None for the usual one or the next free one.
        browser: open the page in the default browser.

    Raises:
        UsageError: the address is not available, or Gradio is not installed.
    """
    from .server import build

    app = build(board, host)

    def begun(address: str) -> None:
        if browser:
            import webbrowser

            webbrowser.open(address)

    serve_app(
        app,
        listen(host, port, PORT),
        host,
        "mask-board",
        risk="see the opened photos and change their masks",
        begun=begun,
    )


if __name__ == "__main__":
    sys.exit(main())
