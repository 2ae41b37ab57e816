"""A folder, a watch of it in a thread, and networks that cost nothing."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.system import lock
from remove_objects.pipeline.system.signals import Stop
from remove_objects.pipeline.watch.watch import Times, Watch
from tests.support.scenes import scene
from tests.support.states.networks import cheap_networks
from tests.support.waiting import wait_for

#: Quick looks, so that the tests are quick.
QUICK = Times(settle=0.1, interval=0.02, pause=0.05)


class Watched:
    """A watched folder, the watch's output, and what it said.

    Attributes:
        folder: the watched folder.
        out: the output folder.
        cleaned: the entries of the photos that were worked on.
        told: the sentences.
        watch: the last watch.
        is_running: whether its thread lives.
    """

    def __init__(self, place: Path) -> None:
        self.folder, self.out = place / "photos", place / "out"
        self.folder.mkdir()
        self.cleaned: list[dict] = []
        self.told: list[str] = []
        self.watch: Watch
        self.is_running: Callable[[], bool]

    def put(self, name: str, seed: int = 1, **how: Any) -> Path:
        """Let a photo arrive at once."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.arriving")
        Image.fromarray(scene(60, 80, person=(20, 20, 12, 16), seed=seed, **how)).save(part, "PNG")
        os.replace(part, path)
        return path

    def make(self, **changes: Any) -> Watch:
        """Return a watch of the folder."""
        settings = {"classes": ("person",), "output": self.out, **changes}
        self.watch = Watch(
            self.folder,
            Settings(probe=False),
            BatchSettings(**settings),
            times=QUICK,
            command="remove-objects watch",
            tell=self.told.append,
            cleaned=self.cleaned.append,
        )
        return self.watch

    @contextmanager
    def running(self, **changes: Any) -> Iterator[Stop]:
        """Watch in a thread during the block; an error of the watch is raised at its end."""
        watch, stop, errors = self.make(**changes), Stop(), []

        def run() -> None:
            try:
                watch.run(stop)
            except Exception as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        self.is_running = thread.is_alive
        thread.start()
        try:
            yield stop
        finally:
            stop.request()
            thread.join(30)
            assert not thread.is_alive()
        if errors:
            raise errors[0]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the output folder, once the round in progress has ended."""
        with ExitStack() as stack:

            def is_ours() -> bool:
                with suppress(UsageError):
                    stack.enter_context(lock.folder_lock(self.out))
                    return True
                return False

            wait_for(is_ours)
            yield

    def names(self) -> list[str]:
        """Return the names of the photos that were worked on, in their order."""
        return [entry["input"] for entry in self.cleaned]

    def report(self) -> dict[str, dict]:
        """Return the report's entries by their names."""
        report = json.loads((self.out / "report.json").read_text())
        return {entry["input"]: entry for entry in report["photos"]}


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A folder to watch, where networks cost nothing."""
    with cheap_networks():
        yield Watched(tmp_path)
