"""The engine of one machine: a pool of threads that share one set of networks."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING

import cv2

from ...system.signals import Stop
from ..worker import Facts, Task, Worker

if TYPE_CHECKING:
    from ...report.schema import Entry
    from ..journal import JournalRow

#: Records a finished photo's row, and returns its entry.
Record = Callable[["JournalRow"], "Entry"]


class Threads:
    """Processes ``count`` photos concurrently."""

    def __init__(self, worker: Worker, count: int) -> None:
        self.worker, self.count = worker, max(1, count)
        # An impossible device is the caller's mistake, and raises before any work.
        worker.remover.networks.device  # noqa: B018

    def run(
        self, tasks: Iterable[Task], record: Record, stop: Stop
    ) -> Generator[Entry, None, None]:
        """Yield entries as the photos finish. At most ``count`` photos are in memory at a time.

        After a request to stop, or after an error that every photo would meet, no further photo
        begins; those in progress finish, and then the error is raised. If the generator is closed
        early, it waits for the photos in progress and records them.
        """
        all_tasks = list(tasks)
        waiting = iter(all_tasks)
        error: BaseException | None = None
        with shared_cores(min(self.count, len(all_tasks))), ThreadPoolExecutor(self.count) as pool:
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
        """Return the facts about the worker so far."""
        return self.worker.facts()


@contextmanager
def shared_cores(concurrent: int) -> Iterator[None]:
    """Divide torch's and OpenCV's threads among the concurrent photos, and restore them afterwards.

    Otherwise each photo's operations would request every core and wait for each other. A photo on
    one core keeps that core busy between its operations too.
    """
    import torch

    before = torch.get_num_threads(), cv2.getNumThreads()
    share = max(1, before[0] // max(1, concurrent))
    use_threads(share, share)
    try:
        yield
    finally:
        use_threads(*before)


def use_threads(of_torch: int, of_opencv: int) -> None:
    """Set how many threads one operation of torch, and one of OpenCV, uses in this process."""
    import torch

    torch.set_num_threads(of_torch)
    cv2.setNumThreads(of_opencv)
