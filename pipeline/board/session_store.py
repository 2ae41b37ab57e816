"""Keep the open photos: those of the opened folder or run, and those uploaded through the page.

Only a few are held decoded; of the others an edited mask is kept, compressed.
"""

from __future__ import annotations

import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ..errors import ChangedError, UnreadableError, UnwritableError, UsageError
from ..storage.stamp import Stamp, content_hash, is_unchanged
from ..system.text import printable
from ..web.uploads import UPLOAD_PIXELS, TemporaryFolder, no_room_for_uploads
from .bit_planes import BitPlanes
from .catalog import Item
from .session import Session

#: How many uploaded photos are kept.
UPLOADS_KEPT = 8
#: How many photos are held decoded at once.
OPEN_AT_ONCE = 3
#: Said of a photo whose file became another one.
DRAFT_IS_GONE = "its file has changed, so the mask that was drawn and not saved is gone"


class SessionStore:
    """Items by their keys, and their sessions. Safe to use from several threads.

    Attributes:
        items: every photo by its key, in the order of the list.
    """

    def __init__(
        self, items: tuple[Item, ...], busy: Callable[[], str | None], max_pixels: int
    ) -> None:
        """Begin with the items of a catalog.

        Args:
            items: the opened photos, in the order of the list.
            busy: returns the key of the photo that is being processed; its session is kept.
            max_pixels: the most pixels of an opened photo; an uploaded one has its own limit.
        """
        self.items: dict[str, Item] = {item.key: item for item in items}
        self._busy, self._max_pixels = busy, max_pixels
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._packed: dict[str, BitPlanes] = {}
        self._opened_as: dict[str, Stamp | None] = {}
        self._lock = threading.RLock()
        self._uploads = 0
        self._temporary = TemporaryFolder()

    @property
    def folder(self) -> Path:
        """A temporary folder of this process alone; ``close`` removes it.

        Raises:
            UnwritableError: it was cleared away, and cannot be made anew.
        """
        try:
            self._temporary.ensure()
        except OSError as error:
            raise UnwritableError(no_room_for_uploads(error)) from error
        return self._temporary.path

    def close(self) -> None:
        """Delete the uploaded photos."""
        self._temporary.remove()

    def listed(self) -> list[Item]:
        """Return the items in the order in which the page walks through them."""
        with self._lock:
            return list(self.items.values())

    def replace(self, item: Item) -> None:
        """Replace the item with the same key."""
        with self._lock:
            self.items[item.key] = item

    def update(self, items: Iterable[Item]) -> None:
        """Take over newer items of the same names, under the keys that the page knows.

        Photos that are not among them stay; new ones follow at the end of the list.
        """
        with self._lock:
            keys = {item.name: key for key, item in self.items.items() if not item.is_upload}
            for newer in items:
                key = keys.get(newer.name) or f"p{len(self.items)}"
                item = self.items[key] = replace(newer, key=key)
                session = self._sessions.get(key)
                if session is None:
                    continue
                if session.item.source == item.source:
                    session.item = item
                else:
                    self._forget(key)

    def _forget(self, key: str) -> None:
        """Drop what belongs to the file that a photo was before."""
        for kept in (self._sessions, self._packed, self._opened_as):
            kept.pop(key, None)

    def find(self, photo: str) -> Item:
        """Return the item with this key, or with this name as the list shows it.

        A name is never used as a path.

        Raises:
            UsageError: no item, or more than one, has that name.
        """
        with self._lock:
            if photo in self.items:
                return self.items[photo]
            matches = [
                item for item in self.items.values() if photo in (item.name, printable(item.name))
            ]
        # A dropped photo may have the name of an opened one.
        matches = [item for item in matches if not item.is_upload] or matches
        if len(matches) != 1:
            raise UsageError(f"'{printable(photo[:80])}' is not one of the opened photos")
        return matches[0]

    def reopen(self, photo: str) -> Session:
        """Return the photo's session, a new one if its file changed since it was opened.

        Then the old mask and fill, which belong to another photo, are dropped.

        Raises:
            UsageError, UnreadableError, ChangedError: see ``session``.
        """
        item = self.find(photo)
        with self._lock:
            opened_as = self._opened_as.get(item.key)
            # A file that is missing may come back; its mask waits for it.
            if opened_as and item.source.exists() and not is_unchanged(item.source, opened_as):
                was_draft = item.key in self.drafts()
                self._forget(item.key)
                session = self.session(photo)
                if was_draft:
                    session.notes = (*session.notes, DRAFT_IS_GONE)
            return self.session(photo)

    def session(self, photo: str) -> Session:
        """Return the photo's session; read its file if it is not open.

        Raises:
            UsageError: see ``find``.
            UnreadableError: see ``Session.open``.
            ChangedError: the photo was opened before, and its file is another one by now.
        """
        item = self.find(photo)
        with self._lock:
            if item.key in self._sessions:
                self._sessions.move_to_end(item.key)
                return self._sessions[item.key]
            session = Session.open(
                item, max_pixels=UPLOAD_PIXELS if item.is_upload else self._max_pixels
            )
            before = self._opened_as.setdefault(item.key, session.opened_as)
            if content_hash(before) != content_hash(session.opened_as):
                raise ChangedError(f"{item.source}: changed since it was opened: open it again")
            packed = self._packed.pop(item.key, None)
            if packed is not None and packed.size == session.photo.size:
                session.editor.restore(packed.unpack())
            self._sessions[item.key] = session
            self._close_oldest()
            return session

    def drafts(self) -> set[str]:
        """Return the keys of the photos whose masks were changed and not saved."""
        with self._lock:
            edited = {key for key, each in self._sessions.items() if each.is_draft()}
            return edited | set(self._packed)

    def add_upload(self, path: Path, name: str) -> str:
        """Move an uploaded file into the store's own folder and open it.

        Args:
            path: the uploaded file.
            name: its name on the sender's side, which is shown and never used as a path.

        Returns:
            The photo's key.

        Raises:
            UnreadableError: the file is not an image, damaged, or too large.
        """
        with self._lock:
            self._uploads += 1
            key = f"u{self._uploads}"
        kept = self.folder / f"{key}{PurePosixPath(name).suffix[:8] if name.isprintable() else ''}"
        shutil.move(path, kept)
        item = Item(key, PurePosixPath(name.replace("\\", "/")).name or "photo", kept)
        try:
            session = Session.open(item, max_pixels=UPLOAD_PIXELS)
        except UnreadableError as error:
            kept.unlink(missing_ok=True)
            raise UnreadableError(str(error).replace(str(kept), item.name)) from error
        with self._lock:
            session.notes = (*session.notes, *self._drop_uploads())
            self.items[key] = item
            self._sessions[key] = session
            self._close_oldest()
        return key

    def _drop_uploads(self) -> list[str]:
        """Make room for one more upload: those go first on which no work would be lost.

        Returns:
            What to say of work that is lost.
        """
        uploads = [key for key, item in self.items.items() if item.is_upload]
        surplus = max(0, len(uploads) + 1 - UPLOADS_KEPT)
        notes = []
        for key in sorted(uploads, key=lambda key: self._sessions[key].has_unsaved_work())[
            :surplus
        ]:
            item, session = self.items.pop(key), self._sessions.pop(key)
            item.source.unlink(missing_ok=True)
            if session.has_unsaved_work():
                notes.append(
                    f"{item.name} made room for it, with a mask that was not saved: the board "
                    f"keeps the last {UPLOADS_KEPT} dropped photos"
                )
        return notes

    def _close_oldest(self) -> None:
        """Close the sessions that were used longest ago; keep an edited, unsaved mask packed."""
        for key in list(self._sessions)[:-OPEN_AT_ONCE]:
            session = self._sessions[key]
            if key == self._busy() or self.items[key].is_upload:
                continue
            del self._sessions[key]
            if session.is_draft():
                self._packed[key] = BitPlanes.pack(session.editor.values)
