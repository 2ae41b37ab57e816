"""The board without its page: what is opened, what is at work, and every action that a page or a program can ask for.

All in plain Python types, so that it is the same for a page, for a client of the HTTP interface and for a test. Painting is
``ObjectRemover``'s alone: the same networks, routes and figures as in a batch.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from .. import images
from ..config import COMPARISONS, auto_dilate, resolve_classes
from ..errors import UsageError
from ..removal.request import Removal
from ..report import previews
from ..report.entry import photo_entry
from ..storage.stamp import stamp
from ..system import lock
from ..system.text import printable
from ..types import Box
from . import run_folder
from .catalog import Item, Opened
from .job import Job
from .render import view_of
from .save import Saved, save_result
from .session import Session
from .session_store import UPLOAD_PIXELS, SessionStore


class Board:
    """The board's whole state. Safe to use from several threads; one fill or segmentation runs at a time."""

    def __init__(self, opened: Opened) -> None:
        self.opened = opened
        self.job = Job(opened.settings)
        self.sessions = SessionStore(opened.items, lambda: self.job.photo)
        self._written_here: dict[Path, list[int] | None] = {}

    @property
    def folder(self) -> Path:
        """Of this process alone."""
        return self.sessions.folder

    @property
    def uploads(self) -> Path:
        """Where the server puts what comes through the page."""
        return self.sessions.folder / "uploads"

    def close(self) -> None:
        """Stop what is at work and forget what came through the page."""
        self.job.cancel()
        self.sessions.close()

    def photos(self) -> dict[str, Any]:
        """What is opened, and the list of photos in the order in which one walks through them."""
        return {
            "mode": self.opened.mode,
            "title": printable(self.opened.title),
            "output": None if self.opened.output is None else printable(str(self.opened.output)),
            "classes": list(self.opened.classes),
            "notes": [printable(n) for n in self.opened.notes],
            "photos": [_row(item) for item in self.sessions.listed()],
        }

    def open(self, photo: str) -> dict[str, Any]:
        """Everything a page needs to show a photo."""
        session = self.sessions.session(photo)
        height, width = session.photo.size
        entry = session.item.entry
        return {
            **_row(session.item),
            "width": width,
            "height": height,
            "notes": [printable(n) for n in session.notes],
            "auto_widen": auto_dilate(height, width),
            "file": printable(str(session.item.source)),
            "saves_to": None
            if session.item.target is None
            else printable(str(session.item.target)),
            "before": None
            if entry is None
            else {k: entry.get(k) for k in ("status", "reason", "score", "holes")},
            "report": session.report(),
            "compared": [] if session.filled is None else list(session.filled.outcome.compared),
            **session.state(),
        }

    def upload(self, path: Path, name: str) -> dict[str, Any]:
        """Open a photo that came through the page, see ``SessionStore.add_upload``."""
        return self.open(self.sessions.add_upload(path, name))

    def stroke(
        self, photo: str, points: list[list[float]], radius: float, erase: bool = False
    ) -> dict[str, Any]:
        """Draw along a line, see ``MaskEditor.stroke``."""
        session = self.sessions.session(photo)
        with session.lock:
            session.editor.stroke(points, radius, erase=erase)
            return session.state()

    def edit(self, photo: str, action: str) -> dict[str, Any]:
        """``undo``, ``redo`` or ``clear``."""
        session = self.sessions.session(photo)
        actions = {
            "undo": session.editor.undo,
            "redo": session.editor.redo,
            "clear": session.editor.clear,
        }
        if action not in actions:
            raise UsageError(f"the mask can be edited by {', '.join(actions)}; got '{action[:40]}'")
        with session.lock:
            actions[action]()
            return session.state()

    def widen(self, photo: str, radius: int) -> dict[str, Any]:
        """Widen the mask by so many pixels."""
        session = self.sessions.session(photo)
        with session.lock:
            session.editor.widen(int(radius))
            return session.state()

    def pick(self, photo: str, x: float, y: float, keep: bool = False) -> dict[str, Any]:
        """Drop, or keep alone, the connected object at a point; ``hit`` says whether there was one."""
        session = self.sessions.session(photo)
        with session.lock:
            hit = session.editor.pick(x, y, keep=keep)
            return {**session.state(), "hit": hit}

    def load_mask(self, photo: str, path: Path, how: str = "replace") -> dict[str, Any]:
        """Lay a mask file in: white = remove, of the photo's size or shape."""
        session = self.sessions.session(photo)
        mask = images.read_mask(path, session.photo.size, max_pixels=UPLOAD_PIXELS)
        with session.lock:
            session.editor.apply_mask(mask, how)
            return session.state()

    def select_class(
        self, photo: str, classes: list[str], widen: int | None = None, how: str = "add"
    ) -> dict[str, Any]:
        """Segment the photo and lay in what was found of the classes, widened by so many pixels (None: as the batch does).

        ``found`` says how much of the photo it is, 0 to 1.
        """
        names = resolve_classes([str(c) for c in classes])
        if not names:
            raise UsageError("choose at least one class")
        session = self.sessions.session(photo)
        with self.job.run(session.item.key) as remover:
            settings = replace(self.opened.settings, dilate=None if widen is None else int(widen))
            self.job.step(0.0, "segment")
            removal = Removal.from_settings(settings, names)
            mask = remover.select(session.photo, removal).hole_mask
        with session.lock:
            session.editor.apply_mask(mask, how)
            session.classes = tuple(dict.fromkeys((*session.classes, *names)))
            return {**session.state(), "found": round(float(mask.mean()), 6)}

    def fill(
        self, photo: str, route: str = "auto", compare: bool = True, probe: bool = True
    ) -> dict[str, Any]:
        """Fill the mask; blocks until it is done. The answer holds the report's row of it.

        Raises:
            UsageError: another photo is at work, or a route that there is not.
            CancelledError: by ``cancel``.
        """
        session = self.sessions.session(photo)
        with session.lock:
            mask, revision = session.editor.mask, session.editor.revision
        with self.job.run(session.item.key) as remover:
            settings = replace(
                self.opened.settings,
                dilate=None,
                route=route,
                probe=probe,
                compare=COMPARISONS if compare else (),
            )
            removal = Removal.from_settings(settings, session.classes or self.opened.classes, mask)
            outcome = remover.clean(session.photo, removal, progress=self.job.step)
        with session.lock:
            session.record_fill(outcome, mask, revision)
        return {**session.state(), "report": session.report(), "compared": list(outcome.compared)}

    def progress(self) -> dict[str, Any]:
        """See ``Job.progress``."""
        return self.job.progress()

    def cancel(self) -> dict[str, Any]:
        """Stop what is at work before its next piece."""
        self.job.cancel()
        return self.job.progress()

    def save(self, photo: str, replace_existing: bool = False) -> dict[str, Any]:
        """Write result and mask; in a run's folder put them into its report and journal too, as ``reviewed``.

        Raises:
            UsageError: the mask is not filled as it stands, the photo came through the page (then download it), or a run is writing there.
            UnwritableError: a file is in the way, or the disk refuses.
        """
        session = self.sessions.session(photo)
        item = session.item
        if item.target is None or item.mask_target is None or self.opened.output is None:
            raise UsageError(
                "this photo came through the page: there is no folder to save to; download the result and the mask"
            )
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
                return self.opened.mode == "run" and run_folder.owns(output, item.name, path)

            with lock.folder_lock(output):
                saved = save_result(
                    session.photo,
                    filled.mask,
                    filled.outcome,
                    item.target,
                    item.mask_target,
                    options=self._save_options(),
                    may_replace=may_replace,
                )
                self._written_here[saved.path] = stamp(saved.path)
                entry = (
                    self._update_run(session, saved) if self.opened.mode == "run" else item.entry
                )
            session.item = replace(item, entry=entry, mask=saved.mask_path)
            self.sessions.replace(session.item)
            session.saved = session.editor.revision
            return {
                **session.state(),
                **_row(session.item),
                "output": printable(str(saved.path)),
                "mask": printable(str(saved.mask_path)),
            }

    def download(self, photo: str, what: str) -> tuple[Path, str]:
        """(a file of the board's own folder, the name to give it): the ``result`` in the photo's format, or the ``mask`` as PNG."""
        session = self.sessions.session(photo)
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
                session.photo,
                filled.mask,
                filled.outcome,
                _named(place, name),
                place.with_suffix(".mask"),
                options=self._save_options(),
                may_replace=lambda _: True,
            )
            return (
                saved.path,
                name if saved.path.suffix != ".png" else f"{name.removesuffix('.png')}.png",
            )

    def view(self, photo: str, layer: str, box: Box | None, width: int, height: int) -> bytes:
        """PNG of a layer or a part of it, see ``Session.layer`` and ``view_of``."""
        session = self.sessions.session(photo)
        rows, columns = session.photo.size
        return view_of(session.layer(layer), box or Box(0, 0, columns, rows), width, height)

    def _save_options(self) -> images.SaveOptions:
        settings = self.opened.settings
        return images.SaveOptions(settings.lossless, settings.strip_metadata)

    def _update_run(self, session: Session, saved: Saved) -> dict[str, Any]:
        assert self.opened.output is not None
        root, item = self.opened.output, session.item
        previews.discard(root, item.name)
        previews.write(root, item.name, session.photo, saved.outcome)
        entry = {
            **photo_entry(
                item.name,
                saved.outcome,
                output=saved.path.relative_to(root).as_posix(),
                mask=saved.mask_path.relative_to(root).as_posix(),
            ),
            "reviewed": True,
        }
        run_folder.update_run(root, item.name, entry, saved.path)
        return entry


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
        raise UsageError(
            f"{path.parent} is a link that leaves the output folder {folder}: remove it, then save again"
        )
