"""Where the photos are that a run cleaned."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ..batch.journal import Journal
from ..batch.sources import is_another
from ..errors import UsageError
from ..storage.layout import is_plain
from ..storage.stamp import is_unchanged
from ..system.atomic import exists, is_file
from .catalog import is_inside, linked_away

if TYPE_CHECKING:
    from ..batch.journal import JournalRow
    from ..report.schema import Report, RunEntry


def input_folders(folder: Path, report: Report) -> list[Path]:
    """Return the folders and files that may hold a run's inputs, most likely first.

    These are the inputs that the report records, relative to the working directory, to the output
    folder's parent and to the output folder. If none of them exists: the folder beside the output
    that holds most of the photos' names, or the output's own parent (for single photos).

    Args:
        folder: the run's output folder.
        report: its report.

    Raises:
        UsageError: the report records no existing input, and two folders hold equally many names.
    """
    recorded = [
        path
        for name in _recorded_inputs(report["run"])
        for base in (Path(), folder.parent, folder)
        if exists(path := base / name)
    ]
    if recorded:
        return list(dict.fromkeys(path.resolve() for path in recorded))
    names = [p["input"] for p in report["photos"] if is_plain(p["input"])]
    best = _folders_with_most(names, folder.resolve())
    if len(best) > 1:
        raise UsageError(
            f"{' and '.join(str(path) for path in best)} hold photos of the report's names: "
            "say which one was cleaned with --input DIR"
        )
    return best


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the inputs of a run may be.

    Attributes:
        folder: the run's output folder.
        candidates: folders and files that may hold them, most likely first.
        journal: knows the file of each photo, except that of version 0.1.0.
        given: whether the user named the candidate.
    """

    folder: Path
    candidates: list[Path]
    journal: Journal
    given: bool

    def locate(self, name: str) -> tuple[Path, Path, str | None]:
        """Find an input's file.

        Returns:
            (the file, the folder that it must not leave by a link, None), or (where it should be,
            that folder, why it is not opened).
        """
        row = self.journal.rows.get(name)
        recorded = None if row is None or self.given else row.get("source_mark")
        edited = None
        for path, base in self._places(name, row):
            if not is_file(path) or is_inside(path, self.folder.resolve()):
                continue
            root = base.resolve()
            if not is_inside(path, root):
                return path, root, linked_away(path)
            if not recorded or is_unchanged(path, recorded):
                return path, root, None
            if row is not None and row.get("source") == str(path) and not is_another(path, row):
                edited = path, root
        if edited is not None:
            return *edited, None
        searched = ", ".join(str(path) for path in self.candidates)
        return (
            Path(name),
            Path(),
            f"the photo {name} was not found in {searched or f'the folders beside {self.folder}'}; "
            "say where the photos are with --input DIR",
        )

    def _places(self, name: str, row: JournalRow | None) -> Iterator[tuple[Path, Path]]:
        """Yield the files that may be the photo, with the folders that they must not leave."""
        source = None if row is None else row.get("source")
        if isinstance(source, str) and not self.given and "\0" not in source:
            path = Path(source)
            # Of the parts that file and name have in common, the base has none.
            pairs = zip(reversed(path.parts), reversed(PurePosixPath(name).parts), strict=False)
            common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            yield path, path.parents[max(0, common - 1)]
        for base in self.candidates:
            if base.is_dir():
                yield base / name, base
            elif base.name == name:
                yield base, base.parent


def _recorded_inputs(run: RunEntry) -> list[str]:
    """Return the paths that the run was given; reports of version 0.1.0 hold only its command."""
    inputs = run.get("inputs")
    if isinstance(inputs, list):
        return [name for name in inputs if isinstance(name, str) and "\0" not in name]
    return _command_inputs(str(run.get("command") or ""))


def _command_inputs(command: str) -> list[str]:
    """Return the PATH arguments of a recorded ``remove-objects`` command, if it still parses."""
    try:
        words = shlex.split(command)
    except ValueError:
        return []
    if words[:1] != ["remove-objects"]:
        return []
    from ..cli import parser  # only old reports need it

    # Another version's command may not parse any more: neither exit nor print because of it.
    quiet = StringIO()
    with redirect_stdout(quiet), redirect_stderr(quiet), suppress(SystemExit):
        return [str(path) for path in parser().parse_args(words[1:]).paths]
    return []


def _folders_with_most(names: list[str], output: Path) -> list[Path]:
    """Return the folders near ``output`` that hold the most of ``names``: its parent or siblings.

    Several folders are returned if they hold equally many, none if none of them holds any.
    """
    parent = output.parent
    try:
        siblings = [
            path
            for path in sorted(parent.iterdir())
            if path.is_dir() and not path.name.startswith(".") and path != output
        ]
    except OSError:
        siblings = []
    counts = {path: sum(is_file(path / name) for name in names) for path in (parent, *siblings)}
    most = max(counts.values())
    return [path for path, count in counts.items() if count and count == most]
