"""The engine of a Ray cluster: actors hold the networks and do the photos, rows come back to the driver, which alone writes them down.

Ray Data hands out one photo at a time, a few where there are very many, so that is what a dead actor costs: another does them again. Ray
would do so for ever; a photo that took ``TRIES`` actors with it (too large for the memory) becomes an entry with status ``failed``.
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

#: Actors that one photo may take down with it.
TRIES = 3
#: Portions at most that Ray Data has to keep: with 20 000 it hands out a third as many a second as with 2 000.
PORTIONS = 2000


class RayActors:
    """As many actors as ``batch.actors`` says, each with its share of the cluster's cores and GPUs."""

    def __init__(
        self, settings: Settings, batch: BatchSettings, classes: tuple[str, ...], output: Output
    ) -> None:
        self.settings, self.batch, self.classes, self.output = settings, batch, classes, output
        require_ray()  # said before any work
        self._weights: dict[str, str] = {}
        self._warnings: dict[str, None] = {}
        self._devices: dict[str, None] = {}

    def run(
        self, tasks: Iterable[Task], record: Record, stop: Stop
    ) -> Generator[Entry, None, None]:
        """Entries as they are done. Told to stop, or where a worker raises, no photo is begun any more and those at work are finished.

        Raises:
            UsageError: Ray is not installed or cannot be reached, or the cluster has less than was asked for.
            WeightsError, OutputError: as a worker raised it.
            ClusterError: the actors could not be started, or something failed in them that is no photo's fault.
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
                        row, facts = outcome
                        self._note(facts)
                        if (
                            waiting.pop(name, None) is not None
                        ):  # should Ray ever bring one twice, the first has been written down
                            yield record(row)
                    # Halted, the rest comes back at once, not begun. It is waited for: threads of Ray Data that still run when the
                    # connection is closed end this process on the spot, without a report.
        if error is not None:
            raise error

    def facts(self) -> Facts:
        return Facts(
            self._weights, tuple(self._warnings), ", ".join(self._devices) or self.settings.device
        )

    def _outcomes(
        self, ray: Any, tasks: list[Task], attempts: Any
    ) -> Generator[tuple[str, Any], None, None]:
        """The name of each photo in the order in which they are done, with (row, facts), an error that ends the run, or None: not begun."""
        each = share(ray.cluster_resources(), self.settings, self.batch)
        data = ray.data.from_items(
            [{"task": pickle.dumps(task)} for task in tasks],
            override_num_blocks=min(len(tasks), PORTIONS),
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
            # The next portion waits at its actor: fetched only when one is done, it left the actors idle for a seventh of the time.
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
                    yield pickle.loads(
                        content
                    )  # an actor's own answer, through the cluster's memory; never a file's content
        except ray.exceptions.RayError as error:
            raise ClusterError(
                f"the Ray cluster could not do the work; is remove-objects installed on each machine? {error}"
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
    """Gives what ends the run before its time, and listens for ``stop`` beside the block, which waits for the cluster."""
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
    """One process of the cluster, with its own networks."""

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
        self.worker, self.attempts, self.halted = (
            Worker(ObjectRemover(settings), batch, classes, output),
            attempts,
            False,
        )

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        import ray

        task: Task = pickle.loads(row["task"])
        tries = 0 if self.halted else ray.get(self.attempts.begin.remote(task.name))
        if not tries:
            self.halted = True
            return {"outcome": pickle.dumps((task.name, None))}
        if tries > TRIES:
            self.attempts.survive.remote(task.name)
            reason = f"each of the {TRIES} workers that tried it was killed, probably for want of memory; try fewer --actors"
            done = {
                "input": task.name,
                "identity": task.identity(task.stamps()),
                "written": task.written,
                "mask_written": task.mask_written,
                "entry": failed_entry(task.name, reason),
            }
            return {"outcome": pickle.dumps((task.name, (done, self.worker.facts())))}
        try:
            outcome: Any = (self.worker(task), self.worker.facts())
        except RemoveObjectsError as error:
            outcome = error
        self.attempts.survive.remote(task.name)
        return {"outcome": pickle.dumps((task.name, outcome))}


class Attempts:
    """How often each photo was begun and not ended, and whether any may still be. It lives longer than the actors that it counts for."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()
        self.halted = False

    def halt(self) -> None:
        """From now on no photo is begun."""
        self.halted = True

    def begin(self, name: str) -> int:
        """The number of this try; 0 where none is to be begun."""
        if self.halted:
            return 0
        self.begun[name] += 1
        return self.begun[name]

    def survive(self, name: str) -> None:
        """A photo of a portion that is done again, because of another one in it, has taken nobody with it."""
        self.begun.pop(name, None)
