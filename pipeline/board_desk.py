"""The board without its page: what is opened, what is at work, and every action that a page or a program can ask for.

All in plain Python types, so that it is the same for a page, for a client of the HTTP interface and for a test. Painting is
``ObjectRemover``'s alone: the same networks, routes and figures as in a batch.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import board_run, images
from pipeline.board_photos import Item, Opened
from pipeline.board_save import Saved, save_result
from pipeline.board_session import Session
from pipeline.board_view import view_of
from pipeline.config import COMPARISONS, auto_dilate, resolve_classes
from pipeline.errors import RemoveObjectsError, UnreadableError, UsageError
from pipeline.journal import stamp
from pipeline.printable import printable
from pipeline.report import photo_entry
from pipeline.types import Box

if TYPE_CHECKING:
    from pipeline.run import ObjectRemover

#: Pixels of a photo or mask that comes through the page (one in the opened folder may have ``images.MAX_PIXELS``), and how many such
#: photos are kept.
UPLOAD_PIXELS, UPLOADS_KEPT = 100_000_000, 8
#: Photos held decoded at once; of the others that were edited only the mask is kept.
OPEN_AT_ONCE = 3


class CancelledError(RemoveObjectsError):
    """The person at the board did not want to wait for it."""


class Desk:
    """The board's whole state. Safe to use from several threads; one fill or segmentation runs at a time."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.items: dict[str, Item] = {item.key: item for item in opened.items}
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._laid_by: dict[str, tuple[tuple[int, int], bytes]] = {}
        self._lock = threading.RLock()
        self._remover: ObjectRemover | None = None
        self._working: str | None = None
        self._progress: tuple[float, str] = (0.0, "")
        self._stop = threading.Event()
        self._uploads = 0
        self._written_here: dict[Path, list[int] | None] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="mask-board-"))
        #: Where the server puts what comes through the page.
        self.uploads = self.folder / "uploads"

    def close(self) -> None:
        """Stop what is at work and forget what came through the page."""
        self._stop.set()
        shutil.rmtree(self.folder, ignore_errors=True)

    def photos(self) -> dict[str, Any]:
        """What is opened, and the list of photos in the order in which one walks through them."""
        with self._lock:
            items = list(self.items.values())
        return {
            "mode": self.opened.mode,
            "title": printable(self.opened.title),
            "output": None if self.opened.output is None else printable(str(self.opened.output)),
            "classes": list(self.opened.classes),
            "notes": [printable(n) for n in self.opened.notes],
            "photos": [_row(item) for item in items],
        }

    def find(self, photo: str) -> Item:
        """The item of a key, or of a name as the list shows it. Raises ``UsageError`` for anything else: a name is never a path."""
        with self._lock:
            if photo in self.items:
                return self.items[photo]
            named = [item for item in self.items.values() if photo in (item.name, printable(item.name))]
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
            session = Session.open(item, max_pixels=UPLOAD_PIXELS if uploaded else images.MAX_PIXELS)
            if (laid := self._laid_by.pop(item.key, None)) is not None and laid[0] == session.photo.size:
                bits = np.unpackbits(np.frombuffer(zlib.decompress(laid[1]), np.uint8), count=laid[0][0] * laid[0][1])
                session.editor.lay(bits.reshape(laid[0]).astype(bool))
            self._sessions[item.key] = session
            self._shrink()
            return session

    def open(self, photo: str) -> dict[str, Any]:
        """Everything a page needs to show a photo."""
        session = self.session(photo)
        height, width = session.photo.size
        entry = session.item.entry
        return {
            **_row(session.item),
            "width": width,
            "height": height,
            "notes": [printable(n) for n in session.notes],
            "auto_widen": auto_dilate(height, width),
            "file": printable(str(session.item.source)),
            "saves_to": None if session.item.target is None else printable(str(session.item.target)),
            "before": None if entry is None else {k: entry.get(k) for k in ("status", "reason", "score", "holes")},
            "report": session.report(),
            "compared": [] if session.filled is None else list(session.filled.outcome.compared),
            **session.state(),
        }

    def upload(self, path: Path, name: str) -> dict[str, Any]:
        """Open a photo that came through the page; its file is moved into the board's own folder.

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
        return self.open(key)

    def stroke(self, photo: str, points: list[list[float]], radius: float, erase: bool = False) -> dict[str, Any]:
        """Draw along a line, see ``MaskEditor.stroke``."""
        session = self.session(photo)
        with session.lock:
            session.editor.stroke(points, radius, erase=erase)
            return session.state()

    def edit(self, photo: str, action: str) -> dict[str, Any]:
        """``undo``, ``redo`` or ``clear``."""
        session = self.session(photo)
        actions = {"undo": session.editor.undo, "redo": session.editor.redo, "clear": session.editor.clear}
        if action not in actions:
            raise UsageError(f"the mask can be edited by {', '.join(actions)}; got '{action[:40]}'")
        with session.lock:
            actions[action]()
            return session.state()

    def widen(self, photo: str, radius: int) -> dict[str, Any]:
        """Widen the mask by so many pixels."""
        session = self.session(photo)
        with session.lock:
            session.editor.widen(int(radius))
            return session.state()

    def pick(self, photo: str, x: float, y: float, keep: bool = False) -> dict[str, Any]:
        """Drop, or keep alone, the connected object at a point; ``hit`` says whether there was one."""
        session = self.session(photo)
        with session.lock:
            hit = session.editor.pick(x, y, keep=keep)
            return {**session.state(), "hit": hit}

    def load_mask(self, photo: str, path: Path, how: str = "replace") -> dict[str, Any]:
        """Lay a mask file in: white = remove, of the photo's size or shape."""
        session = self.session(photo)
        mask = images.read_mask(path, session.photo.size, max_pixels=UPLOAD_PIXELS)
        with session.lock:
            session.editor.lay(mask, how)
            return session.state()

    def select_class(self, photo: str, classes: list[str], widen: int | None = None, how: str = "add") -> dict[str, Any]:
        """Segment the photo and lay in what was found of the classes, widened by so many pixels (None: as the batch does).

        ``found`` says how much of the photo it is, 0 to 1.
        """
        names = resolve_classes([str(c) for c in classes])
        if not names:
            raise UsageError("choose at least one class")
        session = self.session(photo)
        with self._work(session.item.key) as remover:
            remover.settings = replace(remover.settings, dilate=None if widen is None else int(widen))
            found = remover.clean(session.photo, names, dry_run=True, step=self._step)
        mask = found.mask if found.mask is not None else np.zeros(session.photo.size, bool)
        with session.lock:
            session.editor.lay(mask, how)
            session.classes = tuple(dict.fromkeys((*session.classes, *names)))
            return {**session.state(), "found": round(float(mask.mean()), 6)}

    def fill(self, photo: str, route: str = "auto", compare: bool = True, probe: bool = True) -> dict[str, Any]:
        """Fill the mask; blocks until it is done. The answer holds the report's row of it.

        Raises:
            UsageError: another photo is at work, or a route that there is not.
            CancelledError: by ``cancel``.
        """
        session = self.session(photo)
        with session.lock:
            mask, revision = session.editor.mask, session.editor.revision
        with self._work(session.item.key) as remover:
            remover.settings = replace(remover.settings, dilate=None, route=route, probe=probe, compare=COMPARISONS if compare else ())
            outcome = remover.clean(session.photo, session.classes or self.opened.classes, mask, step=self._step)
        with session.lock:
            session.take(outcome, mask, revision)
        return {**session.state(), "report": session.report(), "compared": list(outcome.compared)}

    def progress(self) -> dict[str, Any]:
        """What is at work: the photo's key (None for nothing), the share that is done, and the stage."""
        share, stage = self._progress
        return {"photo": self._working, "share": round(share, 3), "stage": stage, "stopping": self._stop.is_set()}

    def cancel(self) -> dict[str, Any]:
        """Stop what is at work before its next piece (a hole, a probe)."""
        self._stop.set()
        return self.progress()

    def save(self, photo: str, replace_existing: bool = False) -> dict[str, Any]:
        """Write result and mask; in a run's folder put them into its report and journal too, as ``reviewed``.

        Raises:
            UsageError: the mask is not filled as it stands, or the photo came through the page (then download it).
            UnwritableError: a file is in the way, or the disk refuses.
        """
        session = self.session(photo)
        item = session.item
        if item.target is None or item.mask_target is None or self.opened.output is None:
            raise UsageError("this photo came through the page: there is no folder to save to; download the result and the mask")
        with session.lock:
            filled = session.require_fill()
            output = self.opened.output
            _refuse_leaving(item.target, output)
            _refuse_leaving(item.mask_target, output)
            item.target.parent.mkdir(parents=True, exist_ok=True)
            item.mask_target.parent.mkdir(parents=True, exist_ok=True)

            def may_replace(path: Path) -> bool:
                if replace_existing or self._written_here.get(path, 0) == stamp(path):
                    return True
                return self.opened.mode == "run" and board_run.owns(output, item.name, path)

            saved = save_result(
                session.photo, item.source, filled.mask, filled.outcome, item.target, item.mask_target,
                lossless=self.opened.settings.lossless, may_replace=may_replace,
            )  # fmt: skip
            self._written_here[saved.path] = stamp(saved.path)
            entry = item.entry
            if self.opened.mode == "run":
                entry = self._put_in(item, saved)
            with self._lock:
                self.items[item.key] = session.item = replace(item, entry=entry, mask=saved.mask_path)
            session.saved = session.editor.revision
            return {**session.state(), **_row(session.item), "output": printable(str(saved.path)), "mask": printable(str(saved.mask_path))}

    def download(self, photo: str, what: str) -> tuple[Path, str]:
        """(a file of the board's own folder, the name to give it): the ``result`` in the photo's format, or the ``mask`` as PNG."""
        session = self.session(photo)
        name = PurePosixPath(session.item.name).name
        with session.lock:
            if what == "mask":
                path = self.folder / f"download-{session.item.key}-mask.png"
                images.write_mask(session.editor.mask, path)
                return path, f"{PurePosixPath(name).stem}-mask.png"
            if what != "result":
                raise UsageError("there are two things to download: result and mask")
            filled = session.require_fill()
            place = self.folder / f"download-{session.item.key}"
            saved = save_result(
                session.photo, session.item.source, filled.mask, filled.outcome, _named(place, name), place.with_suffix(".mask"),
                lossless=self.opened.settings.lossless, may_replace=lambda _: True,
            )  # fmt: skip
            return saved.path, name if saved.path.suffix != ".png" else f"{name.removesuffix('.png')}.png"

    def view(self, photo: str, layer: str, box: Box | None, width: int, height: int) -> bytes:
        """PNG of a layer or a part of it, see ``Session.layer`` and ``view_of``."""
        session = self.session(photo)
        rows, columns = session.photo.size
        return view_of(session.layer(layer), box or Box(0, 0, columns, rows), width, height)

    @contextmanager
    def _work(self, key: str) -> Iterator[ObjectRemover]:
        """The remover, for one at a time; its settings may be changed, because nothing else uses them meanwhile."""
        with self._lock:
            if self._working is not None:
                raise UsageError("another fill is at work: wait for it, or cancel it")
            self._working, self._progress = key, (0.0, "loading")
            self._stop.clear()
        try:
            if self._remover is None:
                from pipeline.run import ObjectRemover

                self._remover = ObjectRemover(self.opened.settings)
            self._step(0.0, "loading")
            yield self._remover
            self._step(1.0, "done")
        finally:
            with self._lock:
                self._working = None

    def _step(self, share: float, stage: str) -> None:
        if self._stop.is_set():
            raise CancelledError("cancelled: nothing was changed")
        self._progress = (share, stage)

    def _put_in(self, item: Item, saved: Saved) -> dict[str, Any]:
        assert self.opened.output is not None
        root = self.opened.output
        entry = {
            **photo_entry(
                item.name, saved.outcome, output=saved.path.relative_to(root).as_posix(), mask=saved.mask_path.relative_to(root).as_posix()
            ),
            "reviewed": True,
        }
        board_run.put_in(root, item.name, entry, saved.path)
        return entry

    def _shrink(self) -> None:
        """Let go of the photos that were looked at longest ago; an edited mask is kept, packed."""
        for key in list(self._sessions)[:-OPEN_AT_ONCE]:
            session = self._sessions[key]
            if key == self._working or key.startswith("u"):
                continue
            del self._sessions[key]
            if session.editor.revision and session.saved != session.editor.revision:
                mask = session.editor.mask
                self._laid_by[key] = (session.photo.size, zlib.compress(np.packbits(mask).tobytes(), 1))


def _row(item: Item) -> dict[str, Any]:
    entry = item.entry or {}
    return {
        "photo": item.key,
        "name": printable(item.name),
        "missing": None if item.missing is None else printable(item.missing),
        "status": entry.get("status"),
        "reason": None if entry.get("reason") is None else printable(str(entry["reason"])),
        "score": entry.get("score"),
        "reviewed": bool(entry.get("reviewed")),
        "needs_review": item.needs_review,
    }


def _named(place: Path, name: str) -> Path:
    """The suffix decides the format only where the photo came from no file; it is kept for the one who looks into the folder."""
    return place.with_suffix(PurePosixPath(name).suffix[:8] if name.isprintable() else "")


def _refuse_leaving(path: Path, folder: Path) -> None:
    if not path.parent.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{path.parent} is a link that leaves the output folder {folder}: remove it, then save again")
