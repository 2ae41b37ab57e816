"""Faults planted into the stages of a photo's work: a photo meets the stage that its name names."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import cv2
from PIL import Image

from remove_objects.pipeline import remover
from remove_objects.pipeline.batch import worker
from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.images import save
from remove_objects.pipeline.removal.filling import HoleFiller
from remove_objects.pipeline.report import entry, previews
from tests.support.scenes import scene

#: By the photo's stem: who owns the stage's function, its name, and what it raises.
STAGES: dict[str, tuple[Any, str, Exception]] = {
    "read": (worker.Worker, "_read", IndexError("list index out of range")),
    "select": (remover, "select", ValueError("operands could not be\nbroadcast together")),
    "fill": (HoleFiller, "fill", cv2.error("(-215:Assertion failed) !ssize.empty()")),
    "measure": (HoleFiller, "measure", RuntimeError("size mismatch")),
    "preview": (previews, "write", KeyError("person")),
    "write": (save, "write_photo", AssertionError()),
    # When the result stands already.
    "entry": (entry, "photo_entry", ZeroDivisionError("division by zero")),
}
#: Photos that meet no fault.
FINE = ("a.png", "z.png")

_now = threading.local()


def make(folder: Path) -> Path:
    """Make a photo of a person for each stage, and those of ``FINE``."""
    folder.mkdir()
    for i, name in enumerate([*FINE, *(f"{stage}.png" for stage in STAGES)]):
        Image.fromarray(scene(seed=i)).save(folder / name)
    return folder


def plant(set_attribute: Callable[[Any, str, Any], None] = setattr) -> None:
    """Plant every fault in this process; ``set_attribute`` may undo it later."""
    work = worker.Worker.__call__

    def noted(self: worker.Worker, task: worker.Task) -> Any:
        _now.stage = PurePosixPath(task.name).stem
        return work(self, task)

    set_attribute(worker.Worker, "__call__", noted)
    for stage, (owner, name, error) in STAGES.items():
        set_attribute(owner, name, _faulty(getattr(owner, name), stage, error))


def _faulty(original: Callable[..., Any], stage: str, error: Exception) -> Callable[..., Any]:
    def faulty(*args: Any, **kwargs: Any) -> Any:
        # A failed photo's entry is made by the same function as any other.
        if _now.stage == stage and not any(getattr(a, "error", None) for a in args):
            raise error
        return original(*args, **kwargs)

    return faulty


class FaultyOutput(LocalOutput):
    """Plants the faults in each process that it is sent to."""

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if not getattr(plant, "done", False):
            plant.done = True  # type: ignore[attr-defined]
            plant()
