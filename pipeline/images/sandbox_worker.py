"""The process that decodes: reads the names of pictures from its standard input and answers with the photos, one at a time, within limits.

A decoder written in C that meets a hostile file may crash, run for hours or ask for all memory there is. Here it takes nobody with it:
``pipeline.images.sandbox`` starts this process, sees how it ends, and starts another.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import traceback
from pathlib import Path
from typing import Any

from ..errors import UnreadableError
from .read import read_photo
from .wire import send

#: Seconds of processor time for the header and what is read before a size is known, and for the pixels: at least, and for each megapixel.
#: A photo straight from a camera takes a hundredth of that.
OPEN_SECONDS, DECODE_SECONDS, SECONDS_A_MEGAPIXEL = 30, 30, 1.0

#: Bytes of memory above what the process has when it begins: at least, for each pixel (a 16-bit picture with alpha that is turned upright
#: takes 30), and for each byte of the file.
SPARE_BYTES, BYTES_A_PIXEL, FILE_COPIES = 512 << 20, 40, 3


class Budget:
    """Limits on this process, set anew for each picture; where the system has none (Windows) they are left to the parent's clock."""

    def __init__(self, file_bytes: int) -> None:
        self._memory = _used_bytes() + SPARE_BYTES + FILE_COPIES * file_bytes
        _limit_seconds(OPEN_SECONDS)
        _limit_bytes(self._memory)

    def opened(self, pixels: int) -> None:
        """The header is read and says how many pixels there are."""
        _limit_seconds(DECODE_SECONDS + SECONDS_A_MEGAPIXEL * pixels / 1e6)
        _limit_bytes(self._memory + BYTES_A_PIXEL * pixels)


def _limit_seconds(seconds: float) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        spent = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(
            resource.RLIMIT_CPU,
            (int(spent.ru_utime + spent.ru_stime + seconds) + 1, resource.RLIM_INFINITY),
        )


def _limit_bytes(count: int) -> None:
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (count, resource.RLIM_INFINITY))


def _used_bytes() -> int:
    """Addresses that this process has taken; 1 GB where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 1 << 30


def answer(path: Path, max_pixels: int) -> tuple[str, Any]:
    """("photo", a ``Photo``), ("refused", why) or ("unforeseen", a traceback)."""
    try:
        budget = Budget(path.stat().st_size if path.is_file() else 0)
        return "photo", read_photo(path, max_pixels=max_pixels, opened=budget.opened)
    except UnreadableError as error:
        return "refused", str(error)
    except (
        Exception
    ) as error:  # any other is a fault of this program, and still of this one photo's
        return "unforeseen", "".join(traceback.format_exception_only(error)).strip()


def main() -> None:
    """Serve until the standard input ends, which it does when the parent does."""
    # The parent decides what Ctrl-C means; and of all processes this is the one that a system without memory should end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    # What a decoder prints must not stand among the answers.
    with open(os.devnull, "r+b") as nowhere:
        os.dup2(nowhere.fileno(), 0)
        os.dup2(nowhere.fileno(), 1)
    while True:
        try:
            path, here, max_pixels = pickle.load(requests)
        except EOFError:
            return
        with contextlib.suppress(OSError):
            os.chdir(here)  # the parent may have moved since
        kind, value = answer(Path(path), max_pixels)
        _limit_bytes(_unlimited())
        try:
            send((kind, value), answers)
        except BrokenPipeError:
            return
        del value


def _unlimited() -> int:
    try:
        import resource
    except ImportError:
        return -1
    return resource.RLIM_INFINITY


if __name__ == "__main__":
    main()
