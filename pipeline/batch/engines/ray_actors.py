"""The engine of a Ray cluster: actors hold the networks and process the photos.

The rows come back to the driver, which alone records them. Ray Data hands out blocks of one photo,
or of a few if there are very many. A dead actor costs its block: Ray gives it to another actor, and
would do so for ever. So a photo that killed ``TRIES`` actors (too large for the memory) becomes an
entry with status ``failed``.
"""

from __future__ import annotations

import logging
import pickle
import threading
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ...config import Settings
from ...errors import ClusterError, RemoveObjectsError
from ...system.signals import Stop
from ..output.protocol import Output
from ..settings import BatchSettings
from ..worker import Facts, Task, Worker, failed_entry
from .ray_cluster import cluster, require_ray, share
from .threads import Record

if TYPE_CHECKING:
    from ...report.schema import Entry

log = logging.getLogger(__name__)

#: Actors that one photo may kill.
TRIES = 3
#: Largest number of Ray Data's blocks. With 20,000 it hands out a third as many per second as with
#: 2,000.
BLOCKS = 2000


class RayActors:
    """Runs ``batch.actors`` actors, each with its share of the cluster's cores and GPUs."""

    def __init__(
        self, settings: Settings, batch: BatchSettings, classes: tuple[str, ...], output: Output
    ) -> None:
        self.settings, self.batch, self.classes, self.output = settings, batch, classes, output
        require_ray()  # fails before any work
        self._weights: dict[str, str] = {}
        self._warnings: dict[str, None] = {}
        self._devices: dict[str, None] = {}

    def run(
        self, tasks: Iterable[Task], record: Record, stop: Stop
    ) -> Generator[Entry, None, None]:
        """Yield entries as the photos finish.

        After a request to stop, or after a worker's error, no further photo begins and those in
        progress finish.

        Raises:
            UsageError: Ray is not installed or cannot be reached, or the cluster has fewer
                resources than requested.
            WeightsError, OutputError: as a worker raised it.
            ClusterError: the actors could not start, or failed for a reason that is not a photo's.
        """
        waiting = {task.name: task for task in tasks}
        if not waiting:
            return
        error: RemoveObjectsError | None = None
        with cluster() as ray:
            attempts = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=-1)(
                Attempts
            ).remote()
            with _halting(ray, attempts, stop) as halt:
                for name, outcome in self._outcomes(ray, list(waiting.values()), attempts):
                    if isinstance(outcome, RemoveObjectsError):
                        error = error or outcome
                        halt()
                    elif outcome is not None:
                        row, facts, faults = outcome
                        self._note(facts)
                        # What an actor logs is lost in a file on its machine.
                        for fault in faults:
                            log.error("%s", fault)
                        # If Ray delivers a photo twice, only the first row is recorded.
                        if waiting.pop(name, None) is not None:
                            yield record(row)
                    # After a halt the remaining photos come back at once, unprocessed. The loop
                    # waits for them: if the connection closes while threads of Ray Data still run,
                    # they end this process immediately, without a report.
        if error is not None:
            raise error

    def facts(self) -> Facts:
        """Return the facts about all actors so far."""
        return Facts(
            self._weights, tuple(self._warnings), ", ".join(self._devices) or self.settings.device
        )

    def _outcomes(
        self, ray: Any, tasks: list[Task], attempts: Any
    ) -> Generator[tuple[str, Any], None, None]:
        """Yield photos as they finish.

        Yields:
            (name, outcome): the outcome is (row, facts, tracebacks of faults), an error that ends
            the run, or None for a photo that was not begun.
        """
        each = share(ray.cluster_resources(), self.settings, self.batch)
        data = ray.data.from_items(
            [{"task": pickle.dumps(task)} for task in tasks],
            override_num_blocks=min(len(tasks), BLOCKS),
        ).map(
            CleaningActor,
            fn_constructor_args=(
                self.settings,
                self.batch,
                self.classes,
                self.output,
                each.threads,
                attempts,
            ),
            # The next block waits at its actor. When it was fetched only after the previous one,
            # the actors were idle for a seventh of the time.
            compute=ray.data.ActorPoolStrategy(
                size=min(each.actors, len(tasks)), max_tasks_in_flight_per_actor=2
            ),
            num_cpus=each.cpus,
            num_gpus=each.gpus or None,
        )
        try:
            for batch in data.iter_batches(
                batch_size=None, prefetch_batches=0, batch_format="pyarrow"
            ):
                for content in batch.column("outcome").to_pylist():
                    # An actor's own answer through the cluster's memory, never a file's content.
                    yield pickle.loads(content)
        except ray.exceptions.RayError as error:
            raise ClusterError(
                "the Ray cluster could not do the work; "
                f"is remove-objects installed on each machine? {error}"
            ) from error

    def _note(self, facts: Facts) -> None:
        self._weights |= facts.weights
        self._devices[facts.device] = None
        for warning in facts.warnings:
            if warning not in self._warnings:
                self._warnings[warning] = None
                log.warning("%s", warning)


@contextmanager
def _halting(ray: Any, attempts: Any, stop: Stop) -> Iterator[Callable[[], None]]:
    """Yield a function that ends the run early, and call it when ``stop`` is requested.

    A thread listens for the request, because the block waits for the cluster.
    """
    ended = threading.Event()

    def halt() -> None:
        ray.get(attempts.halt.remote())

    def listen() -> None:
        while not ended.is_set():
            if stop.wait(0.2):
                halt()
                return

    thread = threading.Thread(target=listen, name="stop", daemon=True)
    thread.start()
    try:
        yield halt
    finally:
        ended.set()
        thread.join()


class CleaningActor:
    """A process of the cluster with its own networks."""

    def __init__(
        self,
        settings: Settings,
        batch: BatchSettings,
        classes: tuple[str, ...],
        output: Output,
        threads: int,
        attempts: Any,
    ) -> None:
        from ...remover import ObjectRemover
        from .threads import use_threads

        use_threads(threads, threads)
        self.faults: list[str] = []
        self.worker = Worker(ObjectRemover(settings), batch, classes, output, self.faults.append)
        self.attempts, self.halted = attempts, False

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Process one photo; see ``RayActors._outcomes`` for the outcome."""
        import ray

        task: Task = pickle.loads(row["task"])
        tries = 0 if self.halted else ray.get(self.attempts.begin.remote(task.name))
        if not tries:
            self.halted = True
            return {"outcome": pickle.dumps((task.name, None))}
        if tries > TRIES:
            self.attempts.survive.remote(task.name)
            reason = (
                f"each of the {TRIES} workers that tried it was killed, "
                "probably for want of memory; try fewer --actors"
            )
            journal_row = {
                **task.begun_row(),
                **task.earlier_files(),
                "entry": failed_entry(task.name, reason),
            }
            return {"outcome": pickle.dumps((task.name, (journal_row, self.worker.facts(), ())))}
        self.faults.clear()
        try:
            outcome: Any = (self.worker(task), self.worker.facts(), tuple(self.faults))
        except RemoveObjectsError as error:
            outcome = error
        self.attempts.survive.remote(task.name)
        return {"outcome": pickle.dumps((task.name, outcome))}


class Attempts:
    """Counts how often each photo was begun and not ended; outlives the actors that it serves.

    Attributes:
        begun: attempts by photo.
        halted: whether no further photo may begin.
    """

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.halted = False

    def halt(self) -> None:
        """Let no further photo begin."""
        self.halted = True

    def begin(self, name: str) -> int:
        """Return the number of this attempt, or 0 if the photo may not begin."""
        if self.halted:
            return 0
        self.begun[name] += 1
        return self.begun[name]

    def survive(self, name: str) -> None:
        """Clear the count: the photo finished.

        If its block is retried because of another photo, this one is not to blame.
        """
        self.begun.pop(name, None)
