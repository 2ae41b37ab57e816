"""A run whose caller takes the photos one by one, as they are finished."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Unpack

from ..config import Settings
from ..errors import OutputError, UsageError
from ..storage.location import AnyPath, Location
from ..system.signals import Stop, stop_on_first_interrupt
from ..system.subprocess_pool import end_idle
from .call import Call
from .run import Begun, FolderResult, run_steps
from .settings import BatchSettings, FolderOptions

if TYPE_CHECKING:
    from ..report.schema import Entry


def iter_folder(
    inputs: AnyPath | Iterable[AnyPath],
    settings: Settings | None = None,
    batch: BatchSettings | None = None,
    *,
    classes: str | Iterable[str] | None = None,
    output: AnyPath | None = None,
    listed: AnyPath | Iterable[AnyPath] = (),
    command: str = "",
    **options: Unpack[FolderOptions],
) -> FolderRun:
    """Clean files and folders as ``remove_folder`` does, and give each photo when it is finished.

    The call itself plans the run and locks the output folder.

    Args:
        inputs: see ``remove_folder``, as for all others.
        settings: the settings of the picture.
        batch: the settings of the folder.
        classes: the class to remove, or several.
        output: the output folder.
        listed: further files and folders, of which some may be missing.
        command: text that the report quotes as its command.
        options: any fields of ``Settings`` and ``BatchSettings``.

    Raises:
        UsageError, WeightsError, ClusterError, TypeError: as ``remove_folder``.
    """
    call = Call.of(
        "iter_folder()",
        inputs,
        settings,
        batch,
        classes=classes,
        output=output,
        listed=listed,
        command=command,
        options=options,
    )
    return FolderRun(call)


class FolderRun:
    """A run over a folder: an iterator over the photos' entries, and a context manager.

    Photos are cleaned while the caller works with those that are finished, at most as many ahead as
    there are workers. The run ends when all photos are taken, or at ``close``, the end of a
    ``with``, or when nobody refers to it any more. Then no further photo begins; those in progress
    are finished and recorded, the report is written, the folder is unlocked, and no thread or
    process of the run is left. The same call resumes a run that was closed early.

    Several threads may take its photos, and any may close it. A process that was forked from this
    one has no part in it.

    Attributes:
        output: the output folder, to which the entries' ``output`` and ``mask`` are relative.
    """

    def __init__(self, call: Call) -> None:
        self._steps = _Steps(call)
        self.output: Location = self._steps.begun.output
        weakref.finalize(self, _drop, self._steps, threading.current_thread())

    def __len__(self) -> int:
        """Return the number of photos, of the taken and of those to come."""
        return self._steps.begun.photos

    def __repr__(self) -> str:
        state = "over" if self._steps.is_over else "in progress"
        return f"<FolderRun of {len(self)} photos into {self.output}, {state}>"

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        """Wait for the next photo that is finished, and return its entry.

        Raises:
            StopIteration: all are taken, or the run is closed.
            UsageError: this process was forked from that of the run.
            OutputError: nothing can be written any more; the report tells of the finished photos.
            KeyboardInterrupt: Ctrl-C, after the photos in progress are finished and reported.
        """
        steps = self._steps
        if steps.is_over:
            raise StopIteration
        with stop_on_first_interrupt(steps.stop):
            entry = steps.take()
        if entry is not None:
            return entry
        if steps.is_closed:  # by another thread, or by a signal's handler
            raise StopIteration
        if steps.stop():
            raise KeyboardInterrupt
        if steps.result is not None and steps.result.stopped:
            raise OutputError(steps.result.stopped)
        raise StopIteration

    def close(self) -> None:
        """End the run; it waits for the photos in progress. A run that is over stays as it is.

        Called by a signal's handler amid a step, it waits for nothing: the iteration ends the run.
        """
        self._steps.end()

    @property
    def result(self) -> FolderResult:
        """The report of the run, once it is over.

        Raises:
            UsageError: it is not over, or an error ended it.
        """
        if self._steps.result is None:
            raise UsageError(
                "there is no result: an error ended the run"
                if self._steps.is_over
                else "the run is not over: take all its photos, or close it"
            )
        return self._steps.result

    def __enter__(self) -> FolderRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class _Steps:
    """The steps of a run.

    Attributes:
        stop: the request to end it.
        begun: what is known when it begins.
        result: its result, once it is over.
        is_over: whether all steps are taken.
        is_closed: whether the caller ended it early.
    """

    def __init__(self, call: Call) -> None:
        self.stop = Stop()
        self.result: FolderResult | None = None
        self.is_over = self.is_closed = False
        # A generator takes one step at a time, and a copy of this process has none of the threads.
        self._turn, self._process = threading.Lock(), os.getpid()
        self._taker: int | None = None
        self._steps = run_steps(call, None, self.stop)
        _open.add(self)
        begun = next(self._steps)
        assert isinstance(begun, Begun)
        self.begun = begun

    def take(self) -> Entry | None:
        """Return the next photo's entry; None at the end. Threads take turns.

        Raises:
            UsageError: this is a fork of the run's process.
        """
        if self._is_of_another_process():
            raise UsageError(
                f"this run belongs to process {self._process}, of which this one was forked: take "
                "its photos there, or begin a run of your own here"
            )
        with self._turn:
            self._taker = threading.get_ident()
            try:
                return self._take()
            finally:
                self._taker = None

    def _take(self) -> Entry | None:
        if self.is_over:  # another thread took the last step
            return None
        try:
            entry = next(self._steps)
        except BaseException as end:
            self.is_over = True
            end_idle()
            if not isinstance(end, StopIteration):
                raise
            self.result = end.value
            return None
        assert not isinstance(entry, Begun)
        return entry

    def end(self) -> None:
        """Let no further photo begin, and take the steps that are left."""
        if self.is_over or self._is_of_another_process():
            return
        self.is_closed = True
        self.stop.why = "stopped by the caller"
        self.stop.request()
        if self._taker == threading.get_ident():  # a signal's handler, amid a step
            return
        while self.take() is not None:
            pass

    def _is_of_another_process(self) -> bool:
        return os.getpid() != self._process


#: The runs of this process that are not over, as long as somebody refers to them.
_open: weakref.WeakSet[_Steps] = weakref.WeakSet()
#: Steps of the parent process that a fork inherited; kept, because a generator that is dropped
#: tidies up: it would wait for threads that are not here, and unlock the parent's folder.
_inherited: list[object] = []


def _keep_inherited() -> None:
    _inherited.extend(steps._steps for steps in _open)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_keep_inherited)


def _drop(steps: _Steps, owner: threading.Thread) -> None:
    """End a run to which nobody refers any more.

    Memory may be tidied in any thread, even in one of the run's workers, which must not wait for
    itself.
    """
    if steps.is_over:
        return
    current = threading.current_thread()
    if current is owner or current is threading.main_thread():
        steps.end()
    else:
        threading.Thread(target=steps.end, name="end of a run").start()
