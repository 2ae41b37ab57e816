"""The child process that decodes photos for ``sandbox``, one at a time and within limits.

A decoder written in C that meets a hostile file may crash, run for hours or exhaust the memory. In
this process it harms nothing else: ``sandbox`` starts it, sees how it ends, and starts another.
"""

from __future__ import annotations

import contextlib
import os
import signal
import traceback
from pathlib import Path

from ..errors import UnreadableError
from ..system.memory import give_back
from .glance import glance_at
from .read import read_photo
from .wire import Answer, Request, receive_request, send

#: Seconds of processor time: for the header (read before a size is known), for the pixels at least,
#: and for each megapixel. A photo straight from a camera takes a hundredth of that.
OPEN_SECONDS, DECODE_SECONDS, SECONDS_PER_MEGAPIXEL = 30, 30, 1.0

#: Bytes of memory beyond what the process holds when it begins: at least, for each pixel (a 16-bit
#: picture with alpha that is turned upright takes 30), and copies of the file.
SPARE_BYTES, BYTES_PER_PIXEL, FILE_COPIES = 512 << 20, 40, 3


class Budget:
    """Limits on this process's time and memory, set again for each picture.

    Where the system has no such limits (Windows), only the parent's clock remains.
    """

    def __init__(self, file_bytes: int) -> None:
        self._memory = _used_bytes() + SPARE_BYTES + FILE_COPIES * file_bytes
        _limit_seconds(OPEN_SECONDS)
        _limit_bytes(self._memory)

    def opened(self, pixels: int) -> None:
        """Set the limits for decoding, once the header has given the number of ``pixels``."""
        _limit_seconds(DECODE_SECONDS + SECONDS_PER_MEGAPIXEL * pixels / 1e6)
        _limit_bytes(self._memory + BYTES_PER_PIXEL * pixels)


def _limit_seconds(seconds: float) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        spent = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(spent.ru_utime + spent.ru_stime + seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _limit_bytes(count: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (count, resource.RLIM_INFINITY))


def _used_bytes() -> int:
    """Return the size of this process's address space; 1 GB if the system does not report it."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 1 << 30


def answer(request: Request) -> Answer:
    """Decode one photo within a ``Budget``; every exception becomes the answer."""
    path, limit = Path(request.path), request.max_pixels
    try:
        budget = Budget(path.stat().st_size if path.is_file() else 0)
        if request.glance:
            return Answer("glance", glance_at(path, max_pixels=limit, opened=budget.opened))
        return Answer("photo", read_photo(path, max_pixels=limit, opened=budget.opened))
    except UnreadableError as error:
        return Answer("refused", str(error))
    except Exception as error:  # a bug of this program, but it still concerns this photo only
        return Answer("unforeseen", "".join(traceback.format_exception_only(error)).strip())


def main() -> None:
    """Serve requests until the standard input ends, which it does when the parent ends."""
    # The parent handles Ctrl-C; and a system short of memory should kill this process first.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # Whatever a decoder prints must not mix with the answers.
    with open(os.devnull, "r+b") as null:
        os.dup2(null.fileno(), 0)
        os.dup2(null.fileno(), 1)
    while True:
        try:
            request = receive_request(requests)
        except EOFError:
            return
        with contextlib.suppress(OSError):
            os.chdir(request.folder)  # the parent may have changed its folder since
        result = answer(request)
        _limit_bytes(_unlimited())
        try:
            send(result, answers)
        except BrokenPipeError:
            return
        del result
        give_back()


def _unlimited() -> int:
    try:
        import resource
    except ImportError:
        return -1
    return resource.RLIM_INFINITY


if __name__ == "__main__":
    main()
