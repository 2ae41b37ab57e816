"""Reading a picture in a process of its own, so that no file can take the program with it.

A file that crashes its decoder, stalls it, or makes it ask for more memory than its pixels need is an ``UnreadableError`` like any other
damaged one. The processes are started when they are first needed, one for each thread that reads at the same time, and kept.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import threading
from pathlib import Path
from typing import Any

from ..errors import UnreadableError
from ..system.helper_pool import Helper, Helpers, NoHelperError, end
from ..types import Photo
from . import read as image_read
from .read import MAX_PIXELS
from .wire import receive

log = logging.getLogger(__name__)

#: Seconds by the clock after which a decoder is ended whatever it does: for a disk that hangs. Its own limits are on processor time, which
#: a busy or sleeping machine does not use up.
PATIENCE = 900.0


def read_photo(path: Path, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """As ``image_read.read_photo``, in a process of its own and within limits of memory and time.

    Raises:
        UnreadableError: for the same reasons, and where the decoder crashed or went beyond its limits.
    """
    late = threading.Event()
    try:
        with _decoders.lent() as decoder:
            try:
                kind, value = _ask(decoder, path, max_pixels, late)
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                end(decoder)
                raise UnreadableError(
                    f"{path}: {_epitaph(decoder.returncode, late=late.is_set())}"
                ) from error
    except NoHelperError as error:
        if error.first:
            log.warning(
                "pictures are decoded without a process of their own, which cannot be started (%s)",
                error,
            )
        return image_read.read_photo(path, max_pixels=max_pixels)
    if kind == "refused":
        raise UnreadableError(value)
    if kind == "unforeseen":
        raise UnreadableError(
            f"{path}: cannot be decoded, for a reason that nobody foresaw ({value}); export it again, and report this"
        )
    return value  # type: ignore[no-any-return]


def _ask(decoder: Helper, path: Path, max_pixels: int, late: threading.Event) -> tuple[str, Any]:
    """Raises ``EOFError`` or ``OSError`` where the process ended instead of answering; ``late`` is set where it was out of patience."""
    assert decoder.stdin is not None
    assert decoder.stdout is not None

    def give_up() -> None:
        late.set()
        decoder.kill()

    with contextlib.suppress(ImportError, OSError, AttributeError):
        import fcntl

        fcntl.fcntl(
            decoder.stdout, fcntl.F_SETPIPE_SZ, 1 << 20
        )  # fewer changes between the processes
    clock = threading.Timer(PATIENCE, give_up)
    clock.daemon = True
    clock.start()
    try:
        pickle.dump((str(path), _here(), max_pixels), decoder.stdin)
        decoder.stdin.flush()
        answer: tuple[str, Any] = receive(decoder.stdout)  # type: ignore[arg-type]
        return answer
    finally:
        clock.cancel()


def _epitaph(code: int | None, *, late: bool) -> str:
    """What to tell of a photo whose decoder has ended."""
    remedy = "the file is damaged, or made to do this: export it again or leave it out"
    if late:
        return f"no answer from its decoder within {PATIENCE:.0f} s; is its disk or network still there?"
    if code == -getattr(signal, "SIGXCPU", 0):
        return f"its decoder took far longer than a picture of its size needs; {remedy}"
    how = (
        f"by {signal.Signals(-code).name}"
        if code is not None and code < 0
        else f"with exit code {code}"
    )
    return f"its decoder was ended {how}; {remedy}"


def _here() -> str:
    """The folder that relative names start from; empty where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


_decoders = Helpers("sandbox_worker")
