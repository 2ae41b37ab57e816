"""The photos that the board has opened: each with its file, its first mask and its targets.

The page knows a photo by its ``key``, which means nothing outside this list. No request holds a
path, so no request can name another file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from ..batch import scan
from ..batch.journal import Journal
from ..batch.names import layers_name
from ..batch.sources import KnownPhotos
from ..config import MAX_PIXELS, Settings
from ..errors import UnreadableError
from ..report.ranking import waits
from ..storage.location import local_path
from ..system.confined import is_link

if TYPE_CHECKING:
    from ..report.schema import Entry

Mode = Literal["empty", "photo", "folder", "run"]


@dataclass(frozen=True)
class Item:
    """One photo of the list.

    Attributes:
        key: its name in requests.
        name: its path relative to the opened folder, as in the report.
        source: its file.
        target: the file of its result; None for an uploaded photo that was not saved.
        mask_target: the file of its mask; likewise.
        mask: the saved mask to start from, if there is one.
        kept_mask: the file in which a run without saved masks may have kept the photo's.
        root: the opened folder, resolved: no link may lead the photo out of it. None for an
            uploaded photo, which lies in the board's own folder.
        output: the folder of the results; None for an uploaded photo that was not saved.
        entry: its entry in the run's report, if a run was opened.
        missing: why it cannot be opened, or None.
    """

    key: str
    name: str
    source: Path
    target: Path | None = None
    mask_target: Path | None = None
    mask: Path | None = None
    kept_mask: Path | None = None
    entry: Entry | None = None
    missing: str | None = None
    root: Path | None = None
    output: Path | None = None

    @property
    def needs_review(self) -> bool:
        """Whether a person is to check it, by the run's report."""
        return self.entry is not None and waits(self.entry)

    @property
    def is_upload(self) -> bool:
        """Whether the photo was sent through the page."""
        return self.root is None

    def mask_is_inside(self) -> bool:
        """Whether the saved mask lies in the output folder, with every link followed."""
        return (
            self.mask is not None
            and self.output is not None
            and is_inside(self.mask, self.output.resolve())
        )

    def saved_mask(self) -> Path | None:
        """Return the saved mask if it stands in the output folder."""
        is_there = self.mask is not None and self.mask.is_file() and self.mask_is_inside()
        return self.mask if is_there else None

    def layers_of(self, mask: Path) -> Path | None:
        """Return the file of the layers beside a mask of this photo; None if no one may read it.

        A link may lead anywhere.
        """
        path = layers_beside(mask)
        if self.output is None or is_link(path) or not is_inside(path, self.output.resolve()):
            return None
        return path

    def is_linked_away(self) -> bool:
        """Whether a link leads the photo out of the opened folder; one may appear at any time."""
        return self.root is not None and not is_inside(self.source, self.root)

    def refuse_link(self) -> None:
        """Refuse a link that leads out of the opened folder.

        Raises:
            UnreadableError: the photo's file is such a link.
        """
        if self.is_linked_away():
            raise UnreadableError(linked_away(self.source))


@dataclass(frozen=True)
class Opened:
    """Everything that the board has opened.

    Attributes:
        mode: a single photo, a folder, a run's output folder, or nothing.
        title: the name to show.
        items: the photos, in the order in which the page walks through them.
        output: the folder of the results; None if there is none.
        inputs: the folder of a run's inputs, if the user named it.
        settings: the run's settings with those of the command line, or the latter alone.
        given: the settings of the command line.
        classes: the run's classes; empty if no run is opened.
        series: how the run found photos of one place (``batch.settings.SERIES``); ``auto`` if no
            run is opened.
        given_series: the same of the command line, which decides; None if it said nothing.
        notes: messages about what was left out.
        settings_from: options that settings files set, by the files' addresses.
        max_pixels: the most pixels of a photo: the run's limit.
        is_behind: whether a run's journal knows what its report does not tell yet.
    """

    mode: Mode
    title: str
    items: tuple[Item, ...] = ()
    output: Path | None = None
    inputs: Path | None = None
    settings: Settings = field(default_factory=Settings)
    given: Settings = field(default_factory=Settings)
    classes: tuple[str, ...] = ()
    series: str = "auto"
    given_series: str | None = None
    notes: tuple[str, ...] = ()
    settings_from: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    max_pixels: int = MAX_PIXELS
    is_behind: bool = False


def open_photos(path: Path, output: Path | None, settings: Settings) -> Opened:
    """Open one photo, or a folder of photos with its subfolders, as ``remove-objects`` does.

    A mask that was saved in the output folder is the photo's first mask.

    Args:
        path: the photo or folder.
        output: the folder of the results; None for ``cleaned`` beside ``path``.
        settings: how to segment, fill and save.

    Raises:
        UsageError: nothing is there, it holds no photo, or a result would overwrite an input.
    """
    plan = scan.plan_run(
        [path],
        output,
        lossless=settings.lossless,
        raw_output=settings.raw_output,
        known=lambda folder: KnownPhotos.of(Journal(local_path(folder)).rows),
    )
    root = (path if path.is_dir() else path.parent).resolve()
    items = []
    for i, planned in enumerate(plan.photos):
        source, mask = local_path(planned.source), local_path(planned.mask_target)
        items.append(
            Item(
                key=f"p{i}",
                name=str(planned.relative),
                source=source,
                target=local_path(planned.target),
                mask_target=mask,
                mask=mask if mask.is_file() else None,
                missing=None if is_inside(source, root) else linked_away(source),
                root=root,
                output=local_path(plan.output),
            )
        )
    return Opened(
        mode="folder" if path.is_dir() else "photo",
        title=path.name or str(path.resolve()),
        items=tuple(items),
        output=local_path(plan.output),
        settings=settings,
        given=settings,
        notes=plan.notes,
    )


def layers_beside(mask: Path) -> Path:
    """Return the file of a mask's layers."""
    return mask.with_name(layers_name(PurePosixPath(mask.name)).name)


def linked_away(path: Path) -> str:
    """Return the message about a photo that is a link out of the opened folder."""
    return f"{path} is a link to a file outside the opened folder: it is not opened"


def is_inside(path: Path, folder: Path) -> bool:
    """Whether ``path``, with every link followed, lies in ``folder``, which is resolved already."""
    try:
        return path.resolve().is_relative_to(folder)
    except (OSError, RuntimeError):
        return False
