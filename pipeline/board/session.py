"""One photo on the board: its pixels, the mask under the hand, and the last fill, which knows the mask it was made from."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from .. import images
from ..errors import UnreadableError, UsageError
from ..report.entry import photo_entry
from ..types import Mask, Outcome, Photo, Pixels
from .catalog import Item
from .mask_editor import MaskEditor

#: Names of what can be looked at besides the classical fills.
PHOTO, RESULT, MASK, HOLE = "photo", "result", "mask", "hole"


@dataclass(frozen=True, eq=False)
class Filled:
    """A fill, the mask it was made from, and that mask's revision."""

    outcome: Outcome
    mask: Mask
    revision: int
    number: int


class Session:
    """Everything about one open photo. Methods may be called from several threads; what changes the mask holds ``lock``."""

    def __init__(
        self, item: Item, photo: Photo, start: Mask | None, notes: tuple[str, ...] = ()
    ) -> None:
        self.item, self.photo = item, photo
        self.notes = (*photo.warnings, *notes)
        self.lock = threading.RLock()
        self.editor = MaskEditor(*photo.size, start)
        self.classes: tuple[str, ...] = ()
        self.filled: Filled | None = None
        self.saved: int | None = None
        self._fills = 0

    @classmethod
    def open(cls, item: Item, *, max_pixels: int) -> Session:
        """Read the photo, and the mask that was saved for it, if it fits.

        Raises:
            UnreadableError: no picture, damaged, too large, or not to be opened at all.
        """
        if item.missing:
            raise UnreadableError(item.missing)
        photo = images.read_photo(item.source, max_pixels=max_pixels)
        notes: tuple[str, ...] = ()
        start = None
        if item.mask is None and item.entry is not None and item.entry.get("holes"):
            notes = ("the run saved no mask of it (--save-masks does): select by class, or draw",)
        if item.mask is not None and item.mask.is_file():
            try:
                start = images.read_mask(item.mask, photo.size, max_pixels=max_pixels)
            except UnreadableError as error:
                notes = (f"the saved mask is not used: {error}",)
        return cls(item, photo, start, notes)

    def fill_is_current(self) -> bool:
        """Whether the mask is still the one that was filled."""
        return self.filled is not None and self.filled.revision == self.editor.revision

    def record_fill(self, outcome: Outcome, mask: Mask, revision: int) -> Filled:
        """A fill is done."""
        self._fills += 1
        self.filled = Filled(outcome, mask, revision, self._fills)
        return self.filled

    def layer(self, name: str) -> Pixels | Mask:
        """A picture to look at: ``photo``, ``mask``, ``result``, ``hole`` (the mask that was filled), or a classical fill by its method.

        Raises:
            UsageError: there is none of that name (yet).
        """
        if name == PHOTO:
            return self.photo.rgb
        if name == MASK:
            with self.lock:
                return self.editor.mask
        if self.filled is not None:
            outcome = self.filled.outcome
            if name == RESULT:
                return self.photo.rgb if outcome.result is None else outcome.result
            if name == HOLE:
                return self.filled.mask
            if name in outcome.compared:
                return outcome.compared[name]
        raise UsageError(f"there is no picture '{name[:40]}' of this photo yet")

    def state(self) -> dict[str, Any]:
        """What a page must know of the mask, after every change."""
        with self.lock:
            return {
                "revision": self.editor.revision,
                "share": round(self.editor.share(), 6),
                "can_undo": self.editor.can_undo,
                "can_redo": self.editor.can_redo,
                "filled": None if self.filled is None else self.filled.number,
                "fill_is_current": self.fill_is_current(),
                "saved": self.saved == self.editor.revision,
            }

    def report(self) -> dict[str, Any] | None:
        """The last fill in the shape of a report's row; None before the first."""
        if self.filled is None:
            return None
        return photo_entry(self.item.name, self.filled.outcome, output=None, mask=None)

    def require_fill(self) -> Filled:
        """The fill of the mask as it stands. Raises ``UsageError`` where there is none."""
        if self.filled is None:
            raise UsageError("nothing is filled yet: fill first, then save")
        if not self.fill_is_current():
            raise UsageError("the mask has changed since it was filled: fill again, then save")
        return self.filled
