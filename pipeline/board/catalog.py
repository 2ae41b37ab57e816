"""What the board has opened: a list of photos, each with its file, the mask to begin with, and where its result goes.

The page knows a photo by its ``key``, a name that means nothing outside this list: no request holds a path, so none can point elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from ..batch import scan
from ..config import Settings
from ..storage.location import local_path

Mode = Literal["empty", "photo", "folder", "run"]


@dataclass(frozen=True)
class Item:
    """One photo of the list.

    ``name``: relative to the opened folder, as in the report. ``missing``: why it cannot be opened, in words, or None. ``mask``: the
    saved mask to begin with. ``target``, ``mask_target``: where result and mask go, None for a photo that came through the page.
    ``entry``: its row of the run's report.
    """

    key: str
    name: str
    source: Path
    target: Path | None = None
    mask_target: Path | None = None
    mask: Path | None = None
    entry: dict[str, Any] | None = None
    missing: str | None = None

    @property
    def needs_review(self) -> bool:
        """Marked ``review`` by the run, and by no person since."""
        return (
            self.entry is not None
            and self.entry["status"] == "review"
            and not self.entry.get("reviewed")
        )


@dataclass(frozen=True)
class Opened:
    """The list, in the order in which one walks through it; ``settings`` and ``classes`` are the run's, or the program's own."""

    mode: Mode
    title: str
    items: tuple[Item, ...] = ()
    output: Path | None = None
    settings: Settings = field(default_factory=Settings)
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def open_photos(path: Path, output: Path | None, settings: Settings) -> Opened:
    """One photo, or a folder of them (searched through, as ``remove-objects`` does).

    Results go to ``output``, by default ``cleaned`` beside what was opened; a mask that was saved there is what one begins with.

    Raises:
        UsageError: nothing there, no photo in it, or an output that would overwrite an input.
    """
    plan = scan.plan_run([path], output, lossless=settings.lossless)
    root = (path if path.is_dir() else path.parent).resolve()
    items = []
    for i, job in enumerate(plan.photos):
        source, mask = local_path(job.source), local_path(job.mask_target)
        items.append(
            Item(
                key=f"p{i}",
                name=str(job.relative),
                source=source,
                target=local_path(job.target),
                mask_target=mask,
                mask=mask if mask.is_file() else None,
                missing=None
                if is_inside(source, root)
                else "this is a link to a file outside the opened folder: it is not opened",
            )
        )
    mode: Mode = "folder" if path.is_dir() else "photo"
    return Opened(
        mode,
        path.name or str(path.resolve()),
        tuple(items),
        local_path(plan.output),
        settings,
        notes=plan.notes,
    )


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path, followed through every link, lies in ``folder`` (which is resolved)."""
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):
        return False


def is_plain(name: str) -> bool:
    """Whether a name out of a report is one that a run writes: relative, and going nowhere but down."""
    path = PurePosixPath(name)
    parts: Sequence[str] = path.parts
    return (
        bool(parts)
        and not path.is_absolute()
        and ".." not in parts
        and "\0" not in name
        and "\\" not in name
        and ":" not in parts[0]
    )
