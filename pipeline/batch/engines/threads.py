"""The engine of one machine: a pool of threads around one set of networks, which never holds more photos than it needs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cv2

from ...system.signals import Stop
from ..worker import Facts, Task, Worker

if TYPE_CHECKING:
    from ...report.schema import Entry

#: Writes down a finished photo's row, and gives its entry.
Record = Callable[[dict[str, Any]], "Entry"]


class Threads:
    """``count`` photos at work at once."""

    def __init__(self, worker: Worker, count: int) -> None:
        self.worker, self.count = worker, max(1, count)
        worker.remover.networks.device  # noqa: B018 (an impossible device is the caller's mistake, and said before any work)

    def run(
        self, tasks: Iterable[Task], record: Record, stop: Stop
    ) -> Generator[Entry, None, None]:
        """Entries as they are done. At most ``count`` photos are in memory at a time; closed early, it waits for those and records them.

        Told to stop, or where one raises what no photo can do without, it begins no more, finishes those at work, and then raises that.
        """
        todo = list(tasks)
        waiting = iter(todo)
        error: BaseException | None = None
        with shared_cores(min(self.count, len(todo))), ThreadPoolExecutor(self.count) as pool:
            running: set[Future[Entry]] = set()
            try:
                while True:
                    while (
                        len(running) < self.count
                        and error is None
                        and not stop()
                        and (task := next(waiting, None))
                    ):
                        running.add(pool.submit(lambda task: record(self.worker(task)), task))
                    if not running:
                        break
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        if (raised := future.exception()) is None:
                            yield future.result()
                        error = error or raised
            finally:
                for future in running:
                    future.cancel()
        if error is not None:
            raise error

    def facts(self) -> Facts:
        return self.worker.facts()


@contextmanager
def shared_cores(at_once: int) -> Iterator[None]:
    """Torch's and OpenCV's threads divided among the photos that are at work at once; as they were, afterwards.

    Left alone each photo's operations ask for every core, and wait for each other. A photo on one core keeps it busy between its
    operations too.
    """
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    share = max(1, before[0] // max(1, at_once))
    use_threads(share, share)
    try:
        yield
    finally:
        use_threads(*before)


def use_threads(of_torch: int, of_opencv: int) -> None:
    """How many threads one operation of torch, and one of OpenCV, may take in this process."""
    import torch

    torch.set_num_threads(of_torch)
    cv2.setNumThreads(of_opencv)
