"""The photos within reach: those of what was opened and those that came through the page; a few of them decoded, of the others the mask."""

from __future__ import annotations

import shutil
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np

from .. import images
from ..errors import UnreadableError, UsageError
from ..system.text import printable
from .catalog import Item
from .session import Session

#: Pixels of a photo or mask that comes through the page (one in the opened folder may have ``images.MAX_PIXELS``), and how many such
#: photos are kept.
UPLOAD_PIXELS, UPLOADS_KEPT = 100_000_000, 8
#: Photos held decoded at once; of the others that were edited only the mask is kept.
OPEN_AT_ONCE = 3


class SessionStore:
    """Items by their keys, and their sessions. Safe to use from several threads.

    ``busy`` gives the key of the photo that is at work, which is kept. ``folder`` is of this process alone, and goes with ``close``.
    """

    def __init__(self, items: tuple[Item, ...], busy: Callable[[], str | None]) -> None:
        self.items: dict[str, Item] = {item.key: item for item in items}
        self._busy = busy
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._laid_by: dict[str, tuple[tuple[int, int], bytes]] = {}
        self._lock = threading.RLock()
        self._uploads = 0
        self.folder = Path(tempfile.mkdtemp(prefix="mask-board-"))

    def close(self) -> None:
        """Forget what came through the page."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def listed(self) -> list[Item]:
        """In the order in which one walks through them."""
        with self._lock:
            return list(self.items.values())

    def replace(self, item: Item) -> None:
        """What is known of a photo has changed."""
        with self._lock:
            self.items[item.key] = item

    def find(self, photo: str) -> Item:
        """The item of a key, or of a name as the list shows it. Raises ``UsageError`` for anything else: a name is never a path."""
        with self._lock:
            if photo in self.items:
                return self.items[photo]
            named = [
                item for item in self.items.values() if photo in (item.name, printable(item.name))
            ]
        if len(named) != 1:
            raise UsageError(f"'{printable(photo[:80])}' is not one of the opened photos")
        return named[0]

    def session(self, photo: str) -> Session:
        """The photo, open; read from its file if need be."""
        item = self.find(photo)
        with self._lock:
            if item.key in self._sessions:
                self._sessions.move_to_end(item.key)
                return self._sessions[item.key]
            uploaded = item.source.is_relative_to(self.folder)
            session = Session.open(
                item, max_pixels=UPLOAD_PIXELS if uploaded else images.MAX_PIXELS
            )
            if (laid := self._laid_by.pop(item.key, None)) is not None and laid[
                0
            ] == session.photo.size:
                bits = np.unpackbits(
                    np.frombuffer(zlib.decompress(laid[1]), np.uint8), count=laid[0][0] * laid[0][1]
                )
                session.editor.apply_mask(bits.reshape(laid[0]).astype(bool))
            self._sessions[item.key] = session
            self._shrink()
            return session

    def add_upload(self, path: Path, name: str) -> str:
        """Open a photo that came through the page, and give its key; its file is moved into the board's own folder.

        Raises:
            UnreadableError: no picture, damaged, or too large.
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
            self.items[key] = item
            self._sessions[key] = session
            for old in [k for k in self.items if k.startswith("u")][:-UPLOADS_KEPT]:
                self.items.pop(old).source.unlink(missing_ok=True)
                self._sessions.pop(old, None)
            self._shrink()
        return key

    def _shrink(self) -> None:
        """Let go of the photos that were looked at longest ago; an edited mask is kept, packed."""
        for key in list(self._sessions)[:-OPEN_AT_ONCE]:
            session = self._sessions[key]
            if key == self._busy() or key.startswith("u"):
                continue
            del self._sessions[key]
            if session.editor.revision and session.saved != session.editor.revision:
                mask = session.editor.mask
                self._laid_by[key] = (
                    session.photo.size,
                    zlib.compress(np.packbits(mask).tobytes(), 1),
                )
