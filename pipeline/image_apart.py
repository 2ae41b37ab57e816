"""Reading a picture in a process of its own, so that no file can take the program with it.

A file that crashes its decoder, stalls it, or makes it ask for more memory than its pixels need is an ``UnreadableError`` like any other
damaged one. The processes are started when they are first needed, one for each thread that reads at the same time, and kept.
"""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from pipeline import image_read
from pipeline.errors import UnreadableError
from pipeline.image_read import MAX_PIXELS
from pipeline.types import Photo

log = logging.getLogger(__name__)

#: Seconds by the clock after which a decoder is ended whatever it does: for a disk that hangs. Its own limits are on processor time, which
#: a busy or sleeping machine does not use up.
PATIENCE = 900.0
_START = "import sys; sys.path[:] = sys.argv[1:]; from pipeline.image_decoder import main; main()"


def read_photo(path: Path, *, max_pixels: int = MAX_PIXELS) -> Photo:
    """As ``image_read.read_photo``, in a process of its own and within limits of memory and time.

    Raises:
        UnreadableError: for the same reasons, and where the decoder crashed or went beyond its limits.
    """
    decoder = _pool.take()
    if decoder is None:
        return image_read.read_photo(path, max_pixels=max_pixels)
    answered = False
    try:
        kind, value = decoder.ask(path, max_pixels)
        answered = True
    except (EOFError, OSError, pickle.UnpicklingError) as error:
        raise UnreadableError(f"{path}: {decoder.epitaph()}") from error
    finally:
        # Also where Ctrl-C came in between: half an answer is still in the pipe.
        _pool.give_back(decoder) if answered else decoder.end()
    if kind == "refused":
        raise UnreadableError(value)
    if kind == "unforeseen":
        raise UnreadableError(f"{path}: cannot be decoded, for a reason that nobody foresaw ({value}); export it again, and report this")
    return value  # type: ignore[no-any-return]


class _Decoder:
    """One process; used by one thread at a time."""

    def __init__(self) -> None:
        here = [entry or os.getcwd() for entry in sys.path]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _START, *here], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.late = False
        with contextlib.suppress(ImportError, OSError, AttributeError):
            import fcntl

            assert self.process.stdout is not None
            fcntl.fcntl(self.process.stdout, fcntl.F_SETPIPE_SZ, 1 << 20)  # fewer changes between the processes

    def ask(self, path: Path, max_pixels: int) -> tuple[str, Any]:
        """Raises ``EOFError`` or ``OSError`` where the process ended instead of answering."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        clock = threading.Timer(PATIENCE, self._give_up)
        clock.daemon = True
        clock.start()
        try:
            pickle.dump((str(path), _here(), max_pixels), self.process.stdin)
            self.process.stdin.flush()
            answer: tuple[str, Any] = receive(self.process.stdout)  # type: ignore[arg-type]
            return answer
        finally:
            clock.cancel()

    def _give_up(self) -> None:
        self.late = True
        self.process.kill()

    def epitaph(self) -> str:
        """What to tell of a photo whose decoder has ended."""
        self.end()
        code = self.process.returncode
        remedy = "the file is damaged, or made to do this: export it again or leave it out"
        if self.late:
            return f"no answer from its decoder within {PATIENCE:.0f} s; is its disk or network still there?"
        if code == -getattr(signal, "SIGXCPU", 0):
            return f"its decoder took far longer than a picture of its size needs; {remedy}"
        how = f"by {signal.Signals(-code).name}" if code is not None and code < 0 else f"with exit code {code}"
        return f"its decoder was ended {how}; {remedy}"

    def end(self) -> None:
        """Close the pipes, at which the process ends by itself; one that is at work is ended."""
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class _Pool:
    """Decoders that wait for work."""

    def __init__(self) -> None:
        self._idle: list[_Decoder] = []
        self._lock = threading.Lock()
        self._warned = False

    def take(self) -> _Decoder | None:
        """An idle one or a new one; None where no process can be started."""
        with self._lock:
            while self._idle:
                decoder = self._idle.pop()
                if decoder.process.poll() is None:
                    return decoder
                decoder.end()
        try:
            return _Decoder()
        except OSError as error:
            if not self._warned:
                log.warning("pictures are decoded without a process of their own, which cannot be started (%s)", error)
            self._warned = True
            return None

    def give_back(self, decoder: _Decoder) -> None:
        with self._lock:
            self._idle.append(decoder)

    def close(self) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().end()

    def forget(self) -> None:
        """In a forked child: the processes are the parent's, and so are the pipes."""
        _inherited.extend(self._idle)
        self._idle, self._lock = [], threading.Lock()


def _here() -> str:
    """The folder that relative names start from; empty where it is gone."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def receive(stream: BinaryIO) -> Any:
    """What ``image_decoder.send`` sent, its arrays in memory of their own. Raises ``EOFError`` where it ends too early."""
    length, sizes = pickle.load(stream)
    head = _exactly(stream, length)
    return pickle.loads(head, buffers=[_exactly(stream, size) for size in sizes])


def _exactly(stream: BinaryIO, count: int) -> Any:
    found = np.empty(count, np.uint8)
    view, at = found.data, 0
    while at < count:
        got = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the decoder ended within an answer")
        at += got
    return found


_inherited: list[_Decoder] = []
_pool = _Pool()
atexit.register(_pool.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.forget)
