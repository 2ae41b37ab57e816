"""One open photo: its pixels, its mask, and the last fill with the mask it was made from."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from .. import images
from ..batch import kept_mask
from ..batch.kept_mask import Kept
from ..config import auto_dilate
from ..errors import ChangedError, UnreadableError, UsageError
from ..report.entry import photo_entry
from ..storage.layout import is_plain
from ..storage.stamp import Stamp, is_unchanged, mark, stamp
from ..types import Layer, Mask, Outcome, Photo, Pixels
from .catalog import Item, is_inside
from .changed_pixels import changed_pixels
from .mask_editor import TAKEN, MaskEditor

if TYPE_CHECKING:
    from ..removal.clickable import Clickable
    from ..report.schema import Entry

#: Names of the layers that can be shown, besides the classical fills.
PHOTO, RESULT, MASK, HOLE, DRAFT = "photo", "result", "mask", "hole", "draft"

#: The stamp of a result's file, and its picture, HWC.
_Standing: TypeAlias = tuple[Stamp | None, Pixels]
_Read = TypeVar("_Read")


@dataclass(frozen=True, eq=False)
class Filled:
    """A fill.

    Attributes:
        outcome: its result and metrics.
        layers: those of the mask it was made from, HW uint8.
        version: that mask's version.
        number: counts the photo's fills from 1; the page uses it as the version of pictures.
        lent: what the journal's row says of the photos that it was filled from.
    """

    outcome: Outcome
    layers: NDArray[np.uint8]
    version: int
    number: int
    lent: Mapping[str, Any]

    @property
    def mask(self) -> Mask:
        """The mask it was made from, HW bool."""
        return self.layers != Layer.NONE


@dataclass(frozen=True, eq=False)
class Draft:
    """What was selected by clicks, before it is added to the mask.

    Attributes:
        mask: HW bool.
        number: counts the photo's drafts from 1; the page uses it as the version of pictures.
    """

    mask: Mask
    number: int


class Session:
    """Everything about one open photo.

    Methods may be called from several threads; hold ``lock`` to change the mask.

    Attributes:
        item: the photo's place in the catalog.
        photo: its pixels and metadata.
        notes: messages about the photo and its first mask.
        editor: the mask.
        opened_as: the mark of the photo's file when it was read; None for an uploaded photo.
        classes: the classes that were selected so far; the remover names them in its reasons.
        filled: the last fill, or None.
        settled: the version of the mask that is no draft: the first one, the one that was saved
            last, or the one that an undone decision brought back.
        saved: the mask's version that was saved last, or None.
        saved_fill: the number of the fill that was saved last, or None.
        max_pixels: the most pixels of the photo, its result and their masks.
        kept: HW bool, the pixels of objects that the run kept or a click took from the mask; None
            if there are none. Those that are in the mask all the same do not count.
        clickable: the objects that a click picks; None if nobody has looked for them yet.
        draft: what was selected by clicks and is not in the mask yet, or None.
    """

    def __init__(
        self,
        item: Item,
        photo: Photo,
        first: First,
        opened_as: Stamp | None = None,
        max_pixels: int = images.MAX_PIXELS,
    ) -> None:
        """Begin with a first mask; the other arguments are attributes."""
        self.item, self.photo, self.opened_as = item, photo, opened_as
        self.notes = (*photo.warnings, *first.notes)
        self.lock = threading.RLock()
        self.editor = MaskEditor(*photo.size, first.mask, first.layers)
        self.classes: tuple[str, ...] = ()
        self.filled: Filled | None = None
        self.settled = 0
        self.saved: int | None = None
        self.saved_fill: int | None = None
        self.max_pixels = max_pixels
        self.kept = first.kept
        self.clickable: tuple[Clickable, ...] | None = None
        self.draft: Draft | None = None
        self._standing = first.standing
        self._fills = self._drafts = 0

    @classmethod
    def open(cls, item: Item, *, max_pixels: int) -> Session:
        """Read the photo, and its first mask.

        That is the saved mask if it fits, or the one that the run kept for the board; without them,
        the pixels that the run's result changed.

        Raises:
            UnreadableError: the photo is missing, damaged, too large, not an image, or a link out
                of the opened folder.
            ChangedError: it changed while it was read.
        """
        if item.missing:
            raise UnreadableError(item.missing)
        # The mark is of the file before the reading, so a later change is never missed.
        opened_as = None if item.is_upload else mark(item.source)
        item.refuse_link()
        photo = images.read_photo(item.source, max_pixels=max_pixels)
        first = _first_mask(item, photo, max_pixels)
        session = cls(item, photo, first, opened_as, max_pixels)
        session.require_unchanged()
        return session

    def require_unchanged(self) -> None:
        """Refuse if the photo's file is no longer the one that was opened.

        Raises:
            ChangedError: it changed or is gone, so mask, fill and result belong to another photo.
            UnreadableError: it is a link out of the opened folder by now.
        """
        if self.item.is_upload:
            return
        self.item.refuse_link()
        if not is_unchanged(self.item.source, self.opened_as):
            raise ChangedError(f"{self.item.source}: changed since it was opened: open it again")

    def spared(self) -> Mask:
        """HW bool, what no click on anything selects: what stays by a decision of the user.

        That is objects that are kept and not in the mask, and what was taken away of a layer.
        """
        taken = self.editor.values >= TAKEN
        return taken if self.kept is None else taken | (self.kept & ~self.editor.mask)

    def toggle(self, chosen: Clickable) -> bool:
        """Add an object to the mask, or take it from it. Returns whether it was added."""
        box, own, hole = chosen.masks()
        reach = 2 * auto_dilate(*self.photo.size)
        added = self.editor.toggle(box, own, hole, self.spared()[box.slices], reach)
        if not added:
            kept = np.zeros(self.photo.size, bool) if self.kept is None else self.kept.copy()
            kept[box.slices] |= own
            self.kept = kept
        return added

    def record_draft(self, mask: Mask) -> Draft:
        """Keep what was selected by clicks, HW bool."""
        self._drafts += 1
        self.draft = Draft(mask, self._drafts)
        return self.draft

    def fill_is_current(self) -> bool:
        """Whether the mask is that of the last fill."""
        return self.filled is not None and self.filled.version == self.editor.version

    def is_draft(self) -> bool:
        """Whether a person changed the mask and did not save it."""
        return self.editor.version != self.settled

    def has_unsaved_work(self) -> bool:
        """Whether a mask or a fill was made that was not saved."""
        is_new = self.filled is not None and self.filled.number != self.saved_fill
        return is_new or self.is_draft()

    def is_unfilled(self) -> bool:
        """Whether a person changed the mask and did not fill it."""
        return self.is_draft() and not self.fill_is_current()

    def named_classes(self, mask: Mask) -> tuple[str, ...]:
        """Return the classes of what goes, as far as a person named or clicked them.

        Args:
            mask: HW bool, the pixels that go.
        """
        names = dict.fromkeys(self.classes)
        for each in self.clickable or ():
            box, own, _ = each.masks()
            if mask[box.slices][own].mean() > 0.5:
                names[each.found.category] = None
        return tuple(names)

    def record_fill(
        self,
        outcome: Outcome,
        layers: NDArray[np.uint8],
        version: int,
        lent: Mapping[str, Any],
    ) -> Filled:
        """Keep a finished fill.

        Args:
            outcome: of the fill.
            layers: of the mask that was filled, HW uint8.
            version: that mask's version.
            lent: see ``Filled``.
        """
        self._fills += 1
        if outcome.mask is not None:  # the fill knows a mask only
            outcome = replace(outcome, layers=images.layers_of(outcome.mask, layers))
        self.filled = Filled(outcome, layers, version, self._fills, lent)
        return self.filled

    def layer(self, name: str) -> Pixels | Mask:
        """Return a layer to show.

        Args:
            name: ``photo``, ``mask``, ``result``, ``hole`` (the mask that was filled), ``draft``
                (what was selected by clicks), or the method of a classical fill.

        Raises:
            UsageError: there is no such layer, or not yet.
        """
        if name == PHOTO:
            return self.photo.rgb
        if name == MASK:
            with self.lock:
                return self.editor.mask
        if name == DRAFT and (draft := self.draft) is not None:
            return draft.mask
        if self.filled is not None:
            outcome = self.filled.outcome
            if name == RESULT:
                return self.photo.rgb if outcome.result is None else outcome.result
            if name == HOLE:
                return self.filled.mask
            if name in outcome.compared:
                return outcome.compared[name]
        raise UsageError(f"this photo has no layer '{name[:40]}' yet")

    def read_mask(self, path: Path) -> Mask:
        """Read a mask that stands beside the result, HW bool, see ``images.read_mask``."""
        return images.read_mask(path, self.photo.size, max_pixels=self.max_pixels)

    def read_layers(self, mask: Path) -> NDArray[np.uint8] | None:
        """Return the layers beside a mask of this photo, HW uint8; None if none fit."""
        return _beside(images.read_layers, self.item, mask, self.photo)

    def picture_of_result(self, path: Path) -> Pixels:
        """Return the picture of a result's file, HWC; it is decoded again only if it changed.

        Raises:
            UnreadableError: it cannot be read.
        """
        if self._standing is None or self._standing[0] != stamp(path):
            self._standing = _picture_of_result(path, self.max_pixels)
        return self._standing[1]

    def state(self) -> dict[str, Any]:
        """Return what the page must know about the mask after every change."""
        with self.lock:
            layers = self.editor.shares()
            share = sum(each.share for each in layers)
            return {
                "revision": self.editor.revision,
                "share": round(share, 6),
                "is_empty": share == 0,
                "layers": [
                    {"name": layer.label, "share": round(share, 6), "taken": round(taken, 6)}
                    for layer, share, taken in layers
                ],
                "can_undo": self.editor.can_undo,
                "can_redo": self.editor.can_redo,
                "filled": None if self.filled is None else self.filled.number,
                "fill_is_current": self.fill_is_current(),
                "unfilled": self.is_unfilled(),
                "saved": self.saved == self.editor.version,
                "fill_is_saved": self.filled is not None and self.filled.number == self.saved_fill,
                "draft": None if self.draft is None else self.draft.number,
            }

    def report(self) -> Entry | None:
        """Return the last fill as a report's entry; None before the first fill."""
        if self.filled is None:
            return None
        return photo_entry(self.item.name, self.filled.outcome, output=None, mask=None)

    def require_fill(self) -> Filled:
        """Return the fill of the current mask.

        Raises:
            UsageError: nothing is filled yet, or the mask has changed since.
        """
        if self.filled is None:
            raise UsageError("nothing is filled yet: fill first, then save")
        if not self.fill_is_current():
            raise UsageError("the mask has changed since it was filled: fill again, then save")
        require_selection(self.filled.mask)
        return self.filled


def require_selection(mask: Mask) -> None:
    """Refuse an empty mask, HW bool: its fill is the photo itself, people and all.

    Raises:
        UsageError: nothing is selected.
    """
    if not mask.any():
        raise UsageError(
            "nothing is selected: draw, select a class or load a mask; to leave the photo as it "
            "is, use 'Accept as it is' or 'Restore the original'"
        )


class First(NamedTuple):
    """What a session begins with.

    Attributes:
        mask: HW bool; None for an empty one.
        layers: HW uint8, those of ``mask``; None if it is of objects.
        kept: HW bool, the objects that the run kept; None if none is known.
        notes: what the person must know of it.
        standing: the result, if the mask was made from it.
    """

    mask: Mask | None = None
    layers: NDArray[np.uint8] | None = None
    kept: Mask | None = None
    notes: tuple[str, ...] = ()
    standing: _Standing | None = None


def _first_mask(item: Item, photo: Photo, max_pixels: int) -> First:
    """Return the saved or kept mask, or what the run's result changed if there is none."""
    if (saved := item.saved_mask()) is not None:
        try:
            mask = images.read_mask(saved, photo.size, max_pixels=max_pixels)
            layers = _beside(images.read_layers, item, saved, photo)
            return First(mask, layers, _beside(images.read_kept, item, saved, photo))
        except UnreadableError as error:
            return First(notes=(f"the saved mask is not used: {error}",))
    if item.mask is not None or item.entry is None or not item.entry.get("holes"):
        return First()
    if (kept := kept_by_run(item, item.entry, photo.size)) is not None:
        return First(kept.layers != Layer.NONE, kept.layers, kept.kept)
    return _changed_by_result(item, item.entry, photo, max_pixels) or First(
        notes=("the run saved no mask of this photo (--save-masks): select by class or draw",)
    )


def kept_by_run(item: Item, entry: Entry, size: tuple[int, int]) -> Kept | None:
    """Return the layers that a run without saved masks kept of a photo; None if it kept none."""
    return None if item.kept_mask is None else kept_mask.read(item.kept_mask, entry, size)


def _beside(
    read: Callable[[Path, tuple[int, int]], _Read], item: Item, mask: Path, photo: Photo
) -> _Read | None:
    """Return what is read from the layers beside a mask; None if there are none that fit."""
    path = item.layers_of(mask)
    if path is None or not path.is_file():
        return None
    try:
        return read(path, photo.size)
    except UnreadableError:
        return None


def _changed_by_result(item: Item, entry: Entry, photo: Photo, max_pixels: int) -> First | None:
    """Return the pixels that the run's result changed; None if they cannot be told."""
    name = entry.get("output")
    if item.output is None or not isinstance(name, str) or not is_plain(name):
        return None
    path = item.output / name
    if not path.is_file() or not is_inside(path, item.output.resolve()):
        return None
    try:
        standing = _picture_of_result(path, max_pixels)
        boxes = [[int(value) for value in hole["box"]] for hole in entry["holes"]]
        rgb = standing[1]
        if rgb.shape != photo.rgb.shape or rgb.dtype != photo.rgb.dtype:
            return None
        changed = changed_pixels(photo.rgb, rgb, boxes)
    except (UnreadableError, KeyError, TypeError, ValueError):  # of a damaged report
        return None
    note = "the run saved no mask of this photo: this one is what its result changed"
    return First(changed, notes=(note,), standing=standing) if changed.any() else None


def _picture_of_result(path: Path, max_pixels: int) -> _Standing:
    before = stamp(path)  # of the file before the reading, so a later change is never missed
    return before, images.read_photo(path, max_pixels=max_pixels).rgb
