"""The commands that the machine gives, and how each one ended."""

from __future__ import annotations

import gc
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from hypothesis.internal.conjecture.providers import HypothesisProvider

from remove_objects.pipeline import images
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import OutputError, RemoveObjectsError
from remove_objects.pipeline.images.read import read_photo
from remove_objects.pipeline.report import files
from remove_objects.pipeline.system.atomic import atomic_write
from tests.support.states.disk import Disturbance, Killed, disturbed
from tests.support.states.networks import UNSURE, cheap_networks

if TYPE_CHECKING:
    from tests.support.states.world import World

#: No probe, no texture, no faces: what is not about files is as cheap as possible.
FAST: dict[str, Any] = {"probe": False, "detail": "none", "route": "free-form", "offline": True}
#: A threshold above what the segmenter gives a ``shade``.
STRICT = 0.8
#: Whether this version can add classes to earlier results.
CAN_ADD = "add" in {field.name for field in fields(BatchSettings)}
#: What a command may say besides its inputs, output and classes.
OPTIONS = (
    "overwrite",
    *(["add"] if CAN_ADD else []),
    "strict",
    "lossless",
    "strip",
    "save-masks",
    "masks",
    "dry-run",
    "keep",
    "picks",
    "preview",
)
#: The options that decide the picture.
OF_PICTURE = ("strict", "lossless", "strip", "masks", "keep")


@dataclass(frozen=True)
class Picked:
    """What a person decided about one photo.

    Attributes:
        photo: its name in the report.
        stays: the objects that are to stay.
        goes: those that are to go.
        entry: all that the file says of it.
    """

    photo: str
    stays: frozenset[str] = frozenset()
    goes: frozenset[str] = frozenset()
    entry: str = ""


@dataclass(frozen=True)
class Command:
    """One call of ``remove-objects``.

    Attributes:
        inputs: albums, and photos as ``album/name``.
        output: its name below the ground; None for ``cleaned`` beside the inputs.
        classes: the classes to remove.
        options: some of ``OPTIONS``.
        picked: what its file of picks says.
    """

    inputs: tuple[str, ...]
    output: str | None
    classes: tuple[str, ...]
    options: tuple[str, ...] = ()
    picked: tuple[Picked, ...] = ()

    def has(self, option: str) -> bool:
        """Whether an option was given."""
        return option in self.options

    def without(self, *options: str) -> Command:
        """Return the same command without some options."""
        return replace(self, options=tuple(o for o in self.options if o not in options))

    @property
    def picture(self) -> tuple[Any, ...]:
        """What decides the pictures: equal for two commands that make equal results."""
        classes = () if self.has("masks") else tuple(sorted(self.classes))
        return classes, *(self.has(option) for option in OF_PICTURE)

    @property
    def is_dry(self) -> bool:
        """Whether it writes no photo."""
        return self.has("dry-run") or self.has("preview")

    @property
    def chooses(self) -> bool:
        """Whether some of what it finds may stay."""
        return self.has("keep") or bool(self.picked)

    def picks_of(self, name: str) -> Picked:
        """What a person decided about a photo, by its name or its result's."""
        names = (name, name.removesuffix(".png"))
        found = (picked for each in names for picked in self.picked if picked.photo == each)
        return next(found, Picked(""))

    @property
    def targets(self) -> frozenset[str]:
        """The objects that it finds; of own masks, those that a mask covers."""
        if self.has("masks"):
            return frozenset({"sign"})
        found = set(self.classes)
        if "person" in found and (self.has("strict") is False or UNSURE >= STRICT):
            found.add("shade")
        return frozenset(found)

    def root(self, world: World) -> Path | None:
        """Return the output folder; None if the command names none and its inputs have no one."""
        if self.output is not None:
            return world.ground / self.output
        parents = {world.resolve(given).parent for given in self.inputs}
        return parents.pop() / "cleaned" if len(parents) == 1 else None


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        how: ``completed``, ``refused`` (exit code 2), ``stopped`` (1, before its end), ``killed``
            or ``crashed``.
        entries: what it reports of the photos, if it completed.
        message: its error.
    """

    how: str
    entries: tuple[dict[str, Any], ...] = ()
    message: str = ""


def run(world: World, command: Command, disturbance: Disturbance | None = None) -> Ending:
    """Give a command."""
    settings = Settings(
        **FAST,
        threshold=STRICT if command.has("strict") else 0.5,
        lossless=command.has("lossless"),
        keep="largest" if command.has("keep") else "none",
        strip_metadata=command.has("strip"),
    )
    extra: dict[str, Any] = {"add": command.has("add")} if CAN_ADD else {}
    try:
        batch = BatchSettings(
            classes=() if command.has("masks") else command.classes,
            output=None if command.output is None else world.ground / command.output,
            masks=world.masks if command.has("masks") else None,
            save_masks=command.has("save-masks"),
            overwrite=command.has("overwrite"),
            dry_run=command.has("dry-run"),
            picks=world.picks if command.has("picks") else None,
            preview=command.has("preview"),
            workers=1,
            **extra,
        )
        inputs = [world.resolve(given) for given in command.inputs]
        with disturbed(world.ground, disturbance):
            result = remove_folder(inputs, settings, batch)
    except Killed:
        return Ending("killed")
    except OutputError as error:
        return Ending("stopped", message=str(error))
    except RemoveObjectsError as error:
        return Ending("refused", message=str(error))
    except Exception as error:
        return Ending("crashed", message=f"{type(error).__name__}: {error}")
    how = "stopped" if result.stopped else "completed"
    return Ending(how, tuple(dict(entry) for entry in result.photos), result.stopped or "")


@contextmanager
def cheap_machine() -> Iterator[None]:
    """Leave out what costs time and concerns no state: networks, decoders' processes, the page."""

    def write_page(path: Path, *_: Any) -> None:
        with atomic_write(path) as file:
            file.write(
                b"<!doctype html><title>Removal report, some photos</title>"
                b'<p class="kicker">remove-objects</p>'
            )

    with ExitStack() as stack:
        stack.enter_context(cheap_networks())
        # Hypothesis mixes constants of the loaded modules into its draws: without them, the same
        # seed makes the same steps on every machine, whatever else was imported.
        stack.enter_context(
            patch.object(HypothesisProvider, "_maybe_draw_constant", lambda *_, **__: None)
        )
        stack.enter_context(patch.object(images, "read_photo", read_photo))
        stack.enter_context(patch.object(files, "write_html", write_page))
        # After each kill everything is collected: what exists by now needs no look.
        gc.freeze()
        stack.callback(gc.unfreeze)
        stack.callback(logging.disable, logging.root.manager.disable)
        logging.disable(logging.WARNING)  # messages to the user
        yield
