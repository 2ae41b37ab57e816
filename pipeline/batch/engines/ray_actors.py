"""The engine of a Ray cluster: actors hold the networks and process the photos.

The driver gives each actor one photo at a time; the rows come back to it, and it alone records
them. A dead actor costs its photo, which another one gets. A photo that killed ``TRIES`` actors
(too large for the memory) becomes an entry with status ``failed``.

Ray Data would hand the photos out too, but starts three actors of its own, is imported by each
process, and its loop in the driver never rests: of the 11 seconds until the first photo it took a
third.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Generator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from ...config import Settings
from ...errors import ClusterError, RemoveObjectsError
from ...system.signals import Stop
from ..output.protocol import Output
from ..settings import BatchSettings
from ..worker import Facts, Task, Worker, failed_entry
from .ray_cluster import Share, cluster, require_ray, share
from .threads import Record

if TYPE_CHECKING:
    from ...report.schema import Entry
    from ..journal import JournalRow

log = logging.getLogger(__name__)

#: Actors that one photo may kill, and that may fail to start one after the other.
TRIES = 3
#: Seconds after which the driver sees that the run was asked to stop.
_WAIT = 0.2


class Cleaned(NamedTuple):
    """What an actor answers about a photo.

    Attributes:
        row: the photo's row of the journal.
        facts: about the actor so far.
        faults: tracebacks of faults of this program.
    """

    row: JournalRow
    facts: Facts
    faults: tuple[str, ...]


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
        waiting = list(tasks)
        if not waiting:
            return
        error: RemoveObjectsError | None = None
        with cluster() as ray:
            each = share(ray.cluster_resources(), self.settings, self.batch)
            given = self.settings, self.batch, self.classes, self.output, each.threads
            pool = _Pool(ray, each, ray.put(given), waiting)
            for outcome in pool.outcomes(stop):
                if isinstance(outcome, RemoveObjectsError):
                    error = error or outcome
                    pool.halt()
                else:
                    self._note(outcome.facts)
                    # What an actor logs is lost in a file on its machine.
                    for fault in outcome.faults:
                        log.error("%s", fault)
                    yield record(outcome.row)
        if error is not None:
            raise error

    def facts(self) -> Facts:
        """Return the facts about all actors so far."""
        return Facts(
            self._weights, tuple(self._warnings), ", ".join(self._devices) or self.settings.device
        )

    def _note(self, facts: Facts) -> None:
        self._weights |= facts.weights
        if facts.device:
            self._devices[facts.device] = None
        for warning in facts.warnings:
            if warning not in self._warnings:
                self._warnings[warning] = None
                log.warning("%s", warning)


class _Pool:
    """The actors, and which photo each of them has.

    Args:
        ray: the module, connected to a cluster.
        each: what each actor gets.
        given: Ray's reference to the other arguments of ``CleaningActor``.
        tasks: the photos.
    """

    def __init__(self, ray: Any, each: Share, given: Any, tasks: list[Task]) -> None:
        self._ray, self._given, self._waiting = ray, given, deque(tasks)
        self._actor = ray.remote(CleaningActor).options(
            num_cpus=each.cpus, num_gpus=each.gpus or None, max_restarts=0, max_task_retries=0
        )
        #: By the reference to an answer: the actor, and its photo; None while the actor starts.
        self._running: dict[Any, tuple[Any, Task | None]] = {}
        self._killed: Counter[str] = Counter()
        self._failed_starts, self._halted = 0, False
        for _ in range(min(each.actors, len(tasks))):
            self._start()

    def halt(self) -> None:
        """Let no further photo begin."""
        self._halted = True

    def outcomes(self, stop: Stop) -> Iterator[Cleaned | RemoveObjectsError]:
        """Yield the photos as they finish, or an error that every photo would meet.

        Raises:
            ClusterError: the actors cannot start, or an answer is lost.
        """
        while self._is_working():
            done, _ = self._ray.wait(list(self._running), timeout=_WAIT)
            if stop():
                self.halt()
            for answer in done:
                actor, task = self._running.pop(answer)
                outcome = self._outcome(answer, actor, task)
                if outcome is not None:
                    yield outcome

    def _is_working(self) -> bool:
        """Whether any photo is in progress, or can still begin."""
        is_left = bool(self._waiting) and not self._halted
        return is_left or any(task is not None for _, task in self._running.values())

    def _outcome(
        self, answer: Any, actor: Any, task: Task | None
    ) -> Cleaned | RemoveObjectsError | None:
        """What has come of a photo, or of a start; the actor gets the next photo."""
        errors = self._ray.exceptions
        try:
            outcome: Cleaned | RemoveObjectsError | None = self._ray.get(answer)
        except errors.RayTaskError as error:
            raise ClusterError(f"the Ray cluster could not do the work: {error}") from error
        except errors.RayError as error:
            if task is None:
                self._failed_starts += 1
                if self._failed_starts >= TRIES:
                    raise ClusterError(
                        "the Ray cluster could not do the work; "
                        f"is remove-objects installed on each machine? {error}"
                    ) from error
            outcome = None if task is None else self._killed_by(task)
            if self._waiting and not self._halted:
                self._start()
            return outcome
        self._failed_starts = 0
        is_error = isinstance(outcome, RemoveObjectsError)
        if self._waiting and not self._halted and not is_error:
            following = self._waiting.popleft()
            self._running[actor.clean.remote(following)] = actor, following
        return outcome

    def _start(self) -> None:
        actor = self._actor.remote(self._given)
        self._running[actor.ready.remote()] = actor, None

    def _killed_by(self, task: Task) -> Cleaned | None:
        """Give a photo whose actor died to another one; the photo's entry if it killed so many."""
        self._killed[task.name] += 1
        if self._killed[task.name] < TRIES:
            self._waiting.append(task)
            return None
        reason = (
            f"each of the {TRIES} workers that tried it was killed, "
            "probably for want of memory; try fewer --actors"
        )
        row: Any = {
            **task.begun_row(),
            **task.earlier_files(),
            "entry": failed_entry(task.name, reason),
        }
        return Cleaned(row, Facts({}, (), ""), ())


class CleaningActor:
    """A process of the cluster with its own networks.

    Args:
        given: settings, settings of the folder, classes, output, and the number of threads.
    """

    def __init__(self, given: tuple[Settings, BatchSettings, tuple[str, ...], Output, int]) -> None:
        from ...remover import ObjectRemover
        from .threads import use_threads

        settings, batch, classes, output, threads = given
        use_threads(threads, threads)
        self.faults: list[str] = []
        self.refused: RemoveObjectsError | None = None
        try:
            # An own model, say, lies on the driver's machine and not on this one: raised here, that
            # would be an actor that died, for whatever reason.
            _ = settings.known_classes
            remover = ObjectRemover(settings)
        except RemoveObjectsError as error:
            self.refused = error
        else:
            self.worker = Worker(remover, batch, classes, output, self.faults.append)

    def ready(self) -> RemoveObjectsError | None:
        """Answer once the actor has started: None, or the error that every photo would meet."""
        return self.refused

    def clean(self, task: Task) -> Cleaned | RemoveObjectsError:
        """Process one photo; an error that every photo would meet is returned."""
        self.faults.clear()
        try:
            return Cleaned(self.worker(task), self.worker.facts(), tuple(self.faults))
        except RemoveObjectsError as error:
            return error
