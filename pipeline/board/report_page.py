"""The report's page, served beside the board's own: it leads from each photo to the board.

The page is made anew from the report, so that it is of this version and up to date, whatever stands
in the output folder. Its pictures and the photos' own files are named by the request as the page
names them, and only compared.
"""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path

from ..errors import UsageError
from ..report import previews
from ..report.page import render_html
from ..report.page_view import Places
from ..report.schema import is_entry
from ..storage.layout import OWN, PREVIEWS, REPORT_PAGE, is_plain
from ..system.confined import is_link
from ..system.text import printable
from .catalog import Item, Opened, is_inside, layers_beside
from .run_folder import load_report

#: Where the board serves the page; its pictures lie below, as on the disk.
PREFIX = "/report/"
#: The previews, and the masks that a run keeps for the board.
_FILES = re.compile(
    rf"{re.escape(PREVIEWS)}/[0-9a-f]{{20}}-[a-z-]+\.(?:jpeg|webp)"
    rf"|{re.escape(OWN)}/[0-9a-f]{{20}}\.png"
)
#: A photo's own files: ``file/result?photo=NAME``.
_OF_PHOTO = re.compile("file/(original|result|mask|layers)")
#: All paths, for the guard.
PATHS = rf"{PREFIX}(?:{re.escape(REPORT_PAGE)}|{_FILES.pattern}|{_OF_PHOTO.pattern})"


def page(opened: Opened, items: list[Item]) -> str:
    """Return the page of the opened run.

    Args:
        opened: what the board has opened.
        items: its photos, with their entries as they are now.

    Raises:
        UsageError: no run is opened, or its report cannot be read.
    """
    output = _output(opened)
    if output is None:
        raise UsageError("only a run's output folder has a report")
    run = load_report(output)["run"]
    items = [item for item in items if not item.is_upload]
    entries = [item.entry for item in items if item.entry is not None and is_entry(item.entry)]
    pictures = previews.find_all(output, [entry["input"] for entry in entries])
    sources = {item.name: str(item.source.absolute()) for item in items if not item.missing}
    pieces = render_html(
        output,
        run,
        entries,
        lambda entry: pictures[entry["input"]],
        Places(output, sources),
        may_embed=False,
    )
    try:
        return "".join(pieces)
    except Exception as error:  # Jinja raises whatever a forged or damaged report leads to
        raise UsageError(f"the report cannot be shown: {error}") from error


def find(opened: Opened, items: list[Item], path: str, photo: str) -> Path | None:
    """Return a file that the page shows; None if there is none, or if a link leads away.

    Args:
        opened: what the board has opened.
        items: its photos.
        path: the path below ``PREFIX``.
        photo: the photo's name as the page shows it, for its own files.
    """
    output = _output(opened)
    if output is None:
        return None
    if _FILES.fullmatch(path):
        return _inside(output / path, output)
    found = _OF_PHOTO.fullmatch(path)
    of_run = (each for each in items if not each.is_upload)
    item = next((each for each in of_run if printable(each.name) == photo), None)
    if found is None or item is None:
        return None
    if found[1] == "original":
        is_there = not item.missing and not item.is_linked_away() and item.source.is_file()
        return item.source if is_there else None
    return _inside(_of_run(item, found[1], output), output)


def _output(opened: Opened) -> Path | None:
    return opened.output.resolve() if opened.mode == "run" and opened.output else None


def _of_run(item: Item, kind: str, output: Path) -> Path | None:
    if kind == "result":
        name = None if item.entry is None else item.entry.get("output")
        return output / name if isinstance(name, str) and is_plain(name) else None
    return item.mask if kind == "mask" or item.mask is None else layers_beside(item.mask)


def _inside(file: Path | None, output: Path) -> Path | None:
    """Return a file of the output folder, unless it is a link or reached by one."""
    if file is None or is_link(file) or not is_inside(file, output) or not file.is_file():
        return None
    return file


def media_type(file: Path) -> str:
    """The type of a picture. Nothing else is shown: a page would run with the board's rights."""
    kind = mimetypes.guess_type(file.name)[0] or ""
    is_picture = kind.startswith("image/") and "svg" not in kind
    return kind if is_picture else "application/octet-stream"
