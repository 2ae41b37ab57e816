"""``preview.html``: the page on which a person picks who goes and who stays, before the run.

Like the report's page it is one file that opens from the disk and trusts no file name; it saves
``picks.json`` (``pipeline.report.picks``). Photos are read one after the other while it is written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..storage.layout import PREVIEW_PAGE
from ..system.atomic import Placement, atomic_write
from ..system.rights import shared_rights
from ..types import Status
from . import choice, html, previews
from .entry_metrics import reported_reason
from .picks import VERSION, pick_settings

if TYPE_CHECKING:
    from .schema import Entry, RunEntry


def write_preview(folder: Path, run: RunEntry, photos: Sequence[Entry]) -> Path:
    """Write the page atomically, with at most the rights that all its pictures share.

    Args:
        folder: the output folder, which holds the files of ``previews.write_choice``.
        run: as in ``report.json``.
        photos: the entries of this run, in any order; the page has them in that of their names.

    Returns:
        The page.

    Raises:
        UnwritableError: the disk's errors.
    """
    from markupsafe import Markup

    rows = sorted(photos, key=lambda entry: entry["input"])
    sizes, rights, shown, lost = 0, [], [], []
    weights: dict[str, str] = {}
    for entry in rows:
        files = previews.find(folder, entry["input"], previews.CHOICE_KINDS)
        found = None if len(files) < len(previews.CHOICE_KINDS) else choice.read(files["objects"])
        if found is not None and found["objects"]:
            weights |= found["weights"]
            sizes += files["choice"].stat().st_size
            rights += [files["choice"], files["objects"]]
            shown.append(entry)
        elif found is None and entry["status"] != Status.FAILED.value:
            lost.append(entry["input"])
    told = {*lost, *(entry["input"] for entry in shown)}
    embed = sizes <= html.EMBEDDED_BYTES
    refer = html.data_uri if embed else partial(html.relative, folder)
    style, script = html.text_of("base.css", "preview.css"), html.text_of("preview.js")
    settings = run["settings"]
    picked_by = pick_settings(
        settings["classes"], settings["segmenter"], settings["threshold"], weights
    )
    page = html.template("preview.html.j2").generate(
        run=run,
        count=len(rows),
        photos=_views(folder, shown, refer),
        shown=len(shown),
        lost=lost,
        others=[
            (entry["input"], reported_reason(entry)) for entry in rows if entry["input"] not in told
        ],
        header=_ascii({"picks_version": VERSION, "settings": picked_by}),
        command=_next_command(run["command"]),
        style=Markup(style),
        script=Markup(script),
        policy=html.policy(style, script, embed),
        embedded=embed,
    )
    path = folder / PREVIEW_PAGE
    placement = Placement(within=folder, rights=shared_rights(rights))
    with atomic_write(path, placement=placement) as file:
        for piece in page:
            file.write(piece.encode("utf-8"))
    return path


def _views(
    folder: Path, shown: Sequence[Entry], refer: Callable[[Path], str]
) -> Iterator[dict[str, Any]]:
    """Yield what the template shows of each photo; a file that vanished meanwhile is left out."""
    for entry in shown:
        files = previews.find(folder, entry["input"], previews.CHOICE_KINDS)
        found = choice.read(files["objects"]) if "objects" in files else None
        if found is None or "choice" not in files:
            continue
        above, _, base = entry["input"].rpartition("/")
        yield {
            "name": _ascii(entry["input"]),
            "folder": f"{above}/" if above else "",
            "base": base,
            "size": _ascii(found["size"]),
            "width": found["picture"][0],
            "height": found["picture"][1],
            "source": refer(files["choice"]),
            "objects": [
                {
                    "number": one["number"],
                    "class": one["class"],
                    "box": _ascii(one["box"]),
                    "removed": one["removed"],
                    "why": one["why"],
                    "path": "".join(map(_path, one["outlines"])),
                    "middle": one["middle"],
                }
                for one in found["objects"]
            ],
            "warnings": entry["warnings"],
        }


def _path(outline: Sequence[int]) -> str:
    """An outline as a closed path of SVG."""
    return f"M{' '.join(map(str, outline))}Z"


def _ascii(value: Any) -> str:
    """JSON of ASCII characters, which holds a name's broken bytes too."""
    return json.dumps(value)


def _next_command(command: str) -> str:
    """The command that uses the picks; empty if it is not known."""
    told, count = re.subn(r" --preview(?= |$)", " --picks picks.json", command)
    return told if count == 1 else ""
