"""Read a photo in a child process, so that no file can crash this one.

A file that crashes its decoder, stalls it, or makes it ask for more memory than its pixels need
raises ``UnreadableError``, like any other damaged file. The child processes (``sandbox_worker``)
are started on demand, one per thread that reads at the same time, and reused.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import threading
from pathlib import Path
from typing import Any, cast

from ..errors import UnreadableError
from ..system.subprocess_pool import NoWorkerError, SubprocessPool, Worker, end
from ..types import Photo
from . import read, sandbox_worker
from .glance import Glance, glance_at
from .read import MAX_PIXELS
from .wire import Answer, Request, receive, send_request

log = logging.getLogger(__name__)

#: Seconds of wall time after which a decoder is killed, for a disk that hangs. The decoder's own
#: limits are in processor time, which does not pass while a machine is busy or asleep.
PATIENCE = 900.0


def read_photo(path: Path, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """Read a photo like ``read.read_photo``, in a child process with limits on memory and time.

    Args:
        path: the file.
        max_pixels: the limit on the picture's size, checked before anything is decoded.

    Raises:
        UnreadableError: for the same reasons, and if the decoder crashes or exceeds its limits.
    """
    value = _decoded(path, max_pixels, glance=False)
    return read.read_photo(path, max_pixels=max_pixels) if value is None else cast(Photo, value)


def read_glance(path: Path, *, max_pixels: int = MAX_PIXELS) -> Glance:
    """Glance at a photo like ``glance.glance_at``, in a child process as ``read_photo``.

    Raises:
        UnreadableError: for the same reasons.
    """
    value = _decoded(path, max_pixels, glance=True)
    return glance_at(path, max_pixels=max_pixels) if value is None else cast(Glance, value)


def _decoded(path: Path, max_pixels: int, *, glance: bool) -> Any:
    """What a child process decodes; None if there is none, and this process has to."""
    late = threading.Event()
    try:
        with _decoders.borrow() as decoder:
            request = Request(str(path), _current_folder(), max_pixels, glance)
            try:
                answer = _ask(decoder, request, late)
            except (EOFError, OSError, pickle.UnpicklingError) as error:
                end(decoder)
                reason = _cause_of_death(decoder.returncode, late=late.is_set())
                raise UnreadableError(f"{path}: {reason}") from error
    except NoWorkerError as error:
        if error.first:
            log.warning(
                "photos are decoded in this process, because no child process can be started (%s)",
                error,
            )
        return None
    if answer.kind == "refused":
        raise UnreadableError(answer.value)
    if answer.kind == "unforeseen":
        raise UnreadableError(
            f"{path}: cannot be decoded, because of an unexpected error ({answer.value}); "
            "export it again, and report this"
        )
    return answer.value


def _ask(decoder: Worker, request: Request, late: threading.Event) -> Answer:
    """Send one request and wait for its answer.

    Sets ``late`` if the decoder is killed for exceeding ``PATIENCE``.

    Raises:
        EOFError, OSError: if the process ends instead of answering.
    """
    assert decoder.stdin is not None
    assert decoder.stdout is not None

    def give_up() -> None:
        late.set()
        decoder.kill()

    with contextlib.suppress(ImportError, OSError, AttributeError):
        import fcntl

        # A larger pipe means fewer switches between the processes.
        fcntl.fcntl(decoder.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)
    clock = threading.Timer(PATIENCE, give_up)
    clock.daemon = True
    clock.start()
    try:
        send_request(request, decoder.stdin)
        return receive(decoder.stdout)
    finally:
        clock.cancel()


def _cause_of_death(code: int | None, *, late: bool) -> str:
    """Explain to the user how a decoder ended, by its exit code or because it was ``late``."""
    remedy = "the file is damaged, or made to do this: export it again or leave it out"
    if late:
        return (
            f"no answer from its decoder within {PATIENCE:.0f} s; "
            "is its disk or network still there?"
        )
    if code == -getattr(signal, "SIGXCPU", 0):
        return f"its decoder took far longer than a picture of its size needs; {remedy}"
    if code is not None and code < 0:
        return f"its decoder was ended by {signal.Signals(-code).name}; {remedy}"
    return f"its decoder was ended with exit code {code}; {remedy}"


def _current_folder() -> str:
    """Return the folder that relative paths start from, or "" if it no longer exists."""
    try:
        return os.getcwd()
    except OSError:
        return ""


_decoders = SubprocessPool(sandbox_worker.main)
