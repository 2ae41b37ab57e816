"""The service's state: loaded networks, and the latest results, each under a key.

One photo is cleaned at a time, because the networks use every core; a few requests wait for it.
Results lie in a temporary folder of this process alone, which does not outlive it.
"""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, ClassVar

from ..batch.run import refuse_vain
from ..batch.settings import BatchSettings
from ..batch.stream import clean_bytes, suffix_of
from ..config import Settings, resolve_classes
from ..errors import RemoveObjectsError, UnwritableError, UsageError
from ..remover import ObjectRemover
from ..system.text import printable
from ..web.uploads import UPLOAD_PIXELS, TemporaryFolder, no_room_for_uploads

#: How many requests wait while one photo is cleaned; another one is turned away.
WAITING = 8
#: How many results are kept at most, and for how many seconds.
KEPT, KEPT_SECONDS = 8, 600.0


class BusyError(RemoveObjectsError):
    """Too many photos wait already."""

    code: ClassVar[str] = "busy"


class UnknownError(RemoveObjectsError):
    """There is no result under this key, or not any more."""

    code: ClassVar[str] = "unknown"


@dataclass(frozen=True)
class Cleaned:
    """A cleaned photo.

    Attributes:
        photo: the key of the result.
        name: the photo's name on the sender's side.
        status: ok, review (a person should look at it) or unchanged (nothing was found).
        reason: why it has this status.
        warnings: what else to know.
        result: path of the result, in the photo's own format.
        mask: path of the mask, a PNG, white where something was removed; null if nothing was.
        outcome: the photo's entry of a report.json, see docs/quality-report.md.
    """

    photo: str
    name: str
    status: str
    reason: str
    warnings: list[str]
    result: str
    mask: str | None
    outcome: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A result that is kept for a while, its folder, and when it was made."""

    cleaned: Cleaned
    folder: Path
    made: float


class Service:
    """Cleans photos, and keeps the latest results. Several threads may call it.

    Attributes:
        uploads: a folder for uploaded files, which holds none: bodies wait nameless beside it.
        settings_from: options that settings files set.
        ensure_folder: makes the temporary folder anew if somebody cleared it away.
    """

    def __init__(
        self,
        settings: Settings,
        batch: BatchSettings,
        clock: Callable[[], float] = time.monotonic,
        *,
        settings_from: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Check the call; the networks load with the first photo.

        Args:
            settings: the settings of the picture.
            batch: of the folder's settings those that concern single photos; ``classes`` are
                removed where a request names nothing.
            clock: tells how old a result is.
            settings_from: options that settings files set, by the files' addresses, for messages.

        Raises:
            UsageError: the settings cannot work.
        """
        if classes := resolve_classes(batch.classes, settings.known_classes):
            refuse_vain(settings, batch, classes)
        self.settings, self.settings_from = settings, settings_from or {}
        self._batch = replace(
            batch,
            save_masks=True,
            series="off",
            workers=1,
            max_pixels=min(batch.max_pixels, UPLOAD_PIXELS),
        )
        self._remover = ObjectRemover(settings)
        self._folder, self._clock = TemporaryFolder(), clock
        self.uploads = self._folder.path / "uploads"
        self.uploads.mkdir()
        self.ensure_folder = self._folder.ensure
        self._results: OrderedDict[str, _Kept] = OrderedDict()
        self._lock, self._working = threading.Lock(), threading.Lock()
        self._ends = threading.Event()
        self._places = threading.Semaphore(WAITING + 1)

    def end(self) -> None:
        """Begin with no further photo: those that wait are turned away."""
        self._ends.set()

    def is_busy(self) -> bool:
        """Whether a photo is in progress."""
        return self._working.locked()

    def close(self) -> None:
        """Delete all results; while a photo is in progress, they go when the process ends."""
        if self._working.acquire(blocking=False):
            self._folder.remove()
            self._working.release()

    def clean(
        self, photo: BinaryIO, name: str, classes: Sequence[str], mask: BinaryIO | None = None
    ) -> Cleaned:
        """Clean a photo, and keep its result for a while.

        Args:
            photo: its file.
            name: its name on the sender's side.
            classes: what to remove; empty for the service's own.
            mask: its own mask, which alone says what goes; None for none.

        Raises:
            BusyError: too many photos wait.
            UsageError: there is nothing to remove, or an unknown class.
            UnreadableError: the photo or its mask cannot be read.
            UnwritableError: the disk of temporary files refuses, for example because it is full.
        """
        names = resolve_classes(classes, self.settings.known_classes)
        batch = self._batch if not names else replace(self._batch, classes=names)
        if mask is not None:
            batch = replace(batch, classes=names)
        elif not batch.classes:
            raise UsageError(
                "name what to remove: the field class, such as class=person, or a file mask"
            )
        with self._turn():
            key = secrets.token_hex(8)
            folder = self._folder.path / key
            try:
                self._folder.ensure()
                folder.mkdir()
                kept = self._clean(photo.read(), name, batch, mask, key, folder)
            except OSError as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise UnwritableError(no_room_for_uploads(error)) from error
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._keep(kept)
            return kept.cleaned

    def _clean(
        self,
        content: bytes,
        name: str,
        batch: BatchSettings,
        mask: BinaryIO | None,
        key: str,
        folder: Path,
    ) -> _Kept:
        shown = printable(PurePosixPath(name.replace("\\", "/")).name) or "photo"
        if mask is not None:
            own = folder / "own-mask.png"
            own.write_bytes(mask.read())
            batch = replace(batch, masks=own)
        made = clean_bytes(
            content, self.settings, batch, remover=self._remover, shown=shown, within=folder
        )
        (folder / "result").write_bytes(made.content)
        if made.mask is not None:
            (folder / "mask").write_bytes(made.mask)
        result = f"/photos/{key}/result"
        removed = None if made.mask is None else f"/photos/{key}/mask"
        reason, warnings = made.reason, list(made.warnings)
        outcome: dict[str, Any] = {**made.entry, "input": shown, "output": result, "mask": removed}
        outcome |= {"reason": reason, "warnings": warnings}
        file_name = f"{PurePosixPath(shown).stem}{suffix_of(made.content)}"
        cleaned = Cleaned(key, file_name, made.status, reason, warnings, result, removed, outcome)
        return _Kept(cleaned, folder, self._clock())

    def found(self, key: str) -> Cleaned:
        """Return what is known of a result.

        Raises:
            UnknownError: there is none under this key.
        """
        return self._kept(key).cleaned

    def file(self, key: str, what: str) -> tuple[bytes, str]:
        """Return the bytes of a ``result`` or ``mask``, and the name for its file.

        Raises:
            UnknownError: there is none under this key.
        """
        kept = self._kept(key)
        try:
            content = (kept.folder / what).read_bytes()
        except OSError:
            raise UnknownError(f"photo {key}: has no {what}") from None
        stem = PurePosixPath(kept.cleaned.name).stem
        return content, f"{stem}-mask.png" if what == "mask" else kept.cleaned.name

    def forget(self, key: str) -> None:
        """Delete a result.

        Raises:
            UnknownError: there is none under this key.
        """
        self._kept(key)
        with self._lock:
            self._drop(key)

    def _kept(self, key: str) -> _Kept:
        with self._lock:
            self._drop_old()
            if key not in self._results:
                raise UnknownError(
                    f"photo {printable(key)}: no such result, or not any more; the latest "
                    f"{KEPT} are kept for {KEPT_SECONDS / 60:.0f} minutes"
                )
            return self._results[key]

    def _keep(self, kept: _Kept) -> None:
        with self._lock:
            self._results[kept.cleaned.photo] = kept
            self._drop_old()

    def _drop_old(self) -> None:
        limit = self._clock() - KEPT_SECONDS
        for key, kept in list(self._results.items()):
            if len(self._results) > KEPT or kept.made < limit:
                self._drop(key)

    def _drop(self, key: str) -> None:
        if (kept := self._results.pop(key, None)) is not None:
            shutil.rmtree(kept.folder, ignore_errors=True)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until no other photo is in progress.

        Raises:
            BusyError: too many wait, or the service ends.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{WAITING} photos wait already; send this one again later")
        try:
            with self._working:
                if self._ends.is_set():
                    raise BusyError("the service ends; send the photo again later")
                yield
        finally:
            self._places.release()
