"""The options of ``remove-objects watch`` that a run does not have."""

from __future__ import annotations

import argparse
import math

#: By default, for how many seconds a photo must not have changed, and between two looks.
SETTLE, INTERVAL = 5.0, 2.0

#: Options of remove-objects that belong to a single run.
REFUSED = (
    *("--files-from", "--overwrite", "--add", "--preview", "--dry-run", "--baseline"),
    *("--tolerance", "--json", "--fail-on", "--engine", "--actors", "--gpus-per-actor"),
)

DESCRIPTION = """Clean the photos that arrive in a folder, until Ctrl-C or SIGTERM.

A photo is cleaned once its size and time have not changed for some seconds; unfinished downloads
and temporary files of synchronisation programs are left alone. The options are those of
remove-objects, without those that belong to a single run: --files-from, --overwrite, --add,
--preview, --dry-run, --baseline, --tolerance, --json, --fail-on, --engine ray, and a folder of
masks."""

EPILOG = """exit codes:
  0    stopped by Ctrl-C or SIGTERM; the photos in progress are finished, the report is written
  2    the call was wrong, or another watch or run has the output folder
  130  stopped at once (Ctrl-C twice)
The same command goes on from where it stopped. A folder whose own name is watch: ./watch"""


def add_watch_options(group: argparse._ArgumentGroup) -> None:
    """Add the options."""
    group.add_argument(
        "--settle",
        type=_seconds,
        default=SETTLE,
        metavar="SECONDS",
        help="clean a photo once it has not changed for so long (default 5); more for slow uploads",
    )
    group.add_argument(
        "--interval",
        type=_seconds,
        default=INTERVAL,
        metavar="SECONDS",
        help="time between two looks into the folder (default 2)",
    )


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0.1 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"0.1 to 86400 seconds, got '{text}'")
    return seconds
