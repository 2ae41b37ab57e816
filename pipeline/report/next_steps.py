"""What comes after a run: the commands that open its page and mend its photos."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from ..segmenter_names import without_files
from ..storage.layout import REPORT_PAGE
from ..storage.location import Location
from ..system.shell import in_shell
from ..system.text import printable, redacted
from .summary import to_review

if TYPE_CHECKING:
    from .schema import Entry, RunEntry

#: The file that the page of a preview saves.
PICKS = "picks.json"
#: Options of which no abbreviation is shorter than this.
_SHORTEST = {"--preview": "--prev", "--dry-run": "--dr"}


def next_steps(
    report: Location,
    run: RunEntry,
    photos: Sequence[Entry],
    arguments: Sequence[str],
    *,
    preview: Location | None = None,
    stopped: bool = False,
) -> list[str]:
    """What to do next: a sentence and, indented below it, the command that does it.

    Args:
        report: the location of ``report.json``.
        run: the report's ``run``.
        photos: the entries of this run's photos.
        arguments: of the command line.
        preview: the location of ``preview.html``, if the run made it.
        stopped: whether the run ended early.
    """
    if preview is not None:
        picking = _replaced(arguments, "--preview", ["--picks", PICKS])
        return [
            *_opening("Pick who goes and who stays, and save your picks", preview),
            *_command("Then clean by them", picking, f"--picks {PICKS} instead of --preview"),
        ]
    page = report.with_name(REPORT_PAGE)
    if stopped:
        return [
            *_opening("What is done so far, worst first", page),
            *_command("Go on from here", arguments, ""),
        ]
    if run["settings"].get("dry_run"):
        steps = _opening("What would go, photo by photo", page)
        if any(photo["holes"] for photo in photos):
            cleaning = _replaced(arguments, "--dry-run", [])
            steps += _command("Clean them", cleaning, "without --dry-run")
        return steps
    return [
        *_opening("Every photo before and after, worst first", page),
        *_mending(report.parent, run, len(to_review(photos)), own_networks(run, arguments)),
    ]


def own_networks(run: RunEntry, arguments: Sequence[str]) -> list[str]:
    """The options that name the user's own networks, which the mask board needs too.

    The board opens no file that a report names.

    Args:
        run: the report's ``run``; its segmenter has whole paths.
        arguments: of the command line.
    """
    words: list[str] = []
    for option, following in pairwise([*arguments, ""]):
        name, is_pair, value = option.partition("=")
        if len(name) > len("--w") and "--weights".startswith(name):
            words += ["--weights", value if is_pair else following]
    named = run.get("settings", {}).get("segmenter")
    if isinstance(named, str) and named != without_files(named):
        words += ["--segmenter", named]
    return words


def _mending(
    output: Location | None, run: RunEntry, waiting: int, networks: Sequence[str]
) -> list[str]:
    """How to check and mend photos, if any are to check and the mask board can open them."""
    if not waiting:
        return []
    what = "Check and mend " + ("1 photo" if waiting == 1 else f"{waiting} photos")
    if isinstance(output, Path) and any(os.path.exists(each) for each in run.get("inputs", [])):
        return [f"{what} in the browser:", f"  {board_command(output, networks)}"]
    results = near(output) if isinstance(output, Path) else "RESULTS"
    return [
        f"{what} with a copy on this machine, because the mask board opens no bucket:",
        f"  {in_shell([*_board(), *networks, '--input', 'PHOTOS', results])}",
    ]


def board_command(output: Path, networks: Sequence[str] = (), *, anywhere: bool = False) -> str:
    """Return the command that opens the mask board on a run's output folder.

    Args:
        output: the folder.
        networks: the run's ``own_networks``.
        anywhere: whether the command has to work in any folder, and not in the current one alone.
    """
    folder = os.path.abspath(output) if anywhere else near(output)
    return in_shell([*_board(), *(_anywhere(networks) if anywhere else networks), folder])


def _anywhere(networks: Sequence[str]) -> list[str]:
    """The same options with whole paths."""
    words = list(networks)
    for number, option in enumerate(networks[:-1]):
        if option == "--weights":
            kind, _, file = networks[number + 1].partition("=")
            words[number + 1] = f"{kind}={os.path.abspath(os.path.expanduser(file))}"
    return words


def _board() -> list[str]:
    return _program("mask-board", "remove_objects.pipeline.board.cli")


def _opening(what: str, page: Location) -> list[str]:
    """How to open a page in the browser; its place where no command is sure to."""
    if not isinstance(page, Path):
        return [f"{what}: {printable(str(page))}"]
    opener = _opener()
    if opener is None:
        return [f"{what}, in any browser:", f"  {printable(str(page.absolute()))}"]
    return [f"{what}:", f"  {in_shell([opener, near(page)])}"]


def _opener() -> str | None:
    """The program of this system that opens a page in the browser; None without one."""
    if sys.platform == "darwin":
        return "open"
    if os.name == "nt":
        return "explorer"
    if shutil.which("wslview"):
        return "wslview"
    has_screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return "xdg-open" if has_screen and shutil.which("xdg-open") else None


def _command(what: str, arguments: Sequence[str] | None, changed: str) -> list[str]:
    """A call of this command; in words if its arguments do not say all of it."""
    if arguments is None:
        return [f"{what}: the same command, {changed}"]
    words = [*_program("remove-objects", "remove_objects"), *map(redacted, arguments)]
    return [f"{what}:", f"  {in_shell(words)}"]


def _replaced(arguments: Sequence[str], option: str, new: list[str]) -> list[str] | None:
    """The arguments with others in place of an option; None if they do not hold it."""
    given = [
        number
        for number, word in enumerate(arguments)
        if word.startswith(_SHORTEST[option]) and option.startswith(word)
    ]
    if not given:
        return None
    kept = [word for number, word in enumerate(arguments) if number not in given]
    return [*kept[: given[0]], *new, *kept[given[0] :]]


def _program(name: str, module: str) -> list[str]:
    """How the shell finds a command of ours."""
    return [name] if shutil.which(name) else [sys.executable, "-m", module]


def near(path: Path) -> str:
    """A path as it is typed: relative to the current folder where that is shorter."""
    absolute = os.path.abspath(path)
    try:
        relative = os.path.relpath(absolute)
    except (OSError, ValueError):  # the folder is gone; another drive
        return absolute
    if relative.startswith("-"):
        relative = os.path.join(os.curdir, relative)
    return min(relative, absolute, key=len)
