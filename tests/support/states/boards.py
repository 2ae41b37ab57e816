"""The mask board as the machine uses it: it opens, fills, saves, and what it wrote is checked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from remove_objects.pipeline.board.board import Board
from remove_objects.pipeline.board.catalog import Item, open_photos
from remove_objects.pipeline.board.run_folder import open_run
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import RemoveObjectsError
from tests.support.states.commands import FAST, Ending
from tests.support.states.disk import Disturbance, Killed, disturbed
from tests.support.states.model import Look, Model, Record
from tests.support.states.pictures import OBJECTS, SIDE, TOP, digest, facts
from tests.support.states.world import World, content_of

#: What may be done to a photo that is open, besides filling; some came with version 0.2.0.
ACTIONS = tuple(name for name in ("save", "accept", "restore", "put_back") if hasattr(Board, name))


@dataclass
class OpenBoard:
    """A board that stays open while other things happen.

    Attributes:
        board: the board.
        mode: ``run`` or ``folder``.
        root: where it saves.
        filled: the keys of the photos that were filled.
    """

    board: Board
    mode: str
    root: Path
    filled: list[str] = field(default_factory=list)

    def items(self) -> list[Item]:
        """Return its photos."""
        return self.board.sessions.listed()

    def item(self, number: int) -> Item | None:
        """Return a photo, counted round and round; of the filled ones, if there are any."""
        items = [item for item in self.items() if item.key in self.filled] or self.items()
        return items[number % len(items)] if items else None


def open_board(world: World, what: str) -> OpenBoard | None:
    """Open an album (``rome``) or a run's output folder (``run cleaned``); None if it cannot be."""
    mode, _, name = what.rpartition(" ")
    try:
        if mode == "run":
            opened = open_run(world.ground / name)
        else:
            opened = open_photos(world.resolve(name), None, Settings(**FAST))
    except RemoveObjectsError:
        return None
    except FileNotFoundError:
        return None
    if opened.output is None:
        return None
    return OpenBoard(Board(opened), mode or "folder", opened.output)


def fill(opened: OpenBoard, item: Item, how: str) -> Ending:
    """Mark the ``sign`` or the class ``person``, or that one ``alone``, or nothing, and fill."""
    board = opened.board
    try:
        if how == "empty":
            board.edit(item.key, "clear")
        elif how == "sign":
            middle = [OBJECTS["sign"][0] + SIDE / 2, TOP + SIDE / 2]
            board.stroke(item.key, [middle], 7)
        else:
            board.select_class(item.key, ["person"])
            board.layer(item.key, "shadow", how != "alone")
        board.fill(item.key, "free-form", compare=False, probe=False)
    except RemoveObjectsError as error:
        return Ending("refused", message=str(error))
    opened.filled.append(item.key)
    return Ending("completed")


def act(
    world: World,
    opened: OpenBoard,
    item: Item,
    action: str,
    replace_existing: bool,
    disturbance: Disturbance | None,
) -> Ending:
    """Save, accept, restore or put back a photo."""
    arguments: list[Any] = [] if action == "accept" else [replace_existing]
    try:
        with disturbed(world.ground, disturbance):
            getattr(opened.board, action)(item.key, *arguments)
    except Killed:
        return Ending("killed")
    except RemoveObjectsError as error:
        return Ending("refused", message=str(error))
    except Exception as error:
        return Ending("crashed", message=f"{type(error).__name__}: {error}")
    return Ending("completed")


def board_changed(
    model: Model,
    opened: OpenBoard,
    item: Item,
    before: Look,
    after: Look,
    *,
    action: str,
    told: bool,
) -> None:
    """Check every change of the board, and note it."""
    gone: list[tuple[str, Record | None]] = []
    for path in model.changes(before, after):
        record = model.records.pop(path, None)
        if path in before:
            record = record or Record("user")
            _judge(model, path, record, item, told)
            model.keep(path, before[path], record)
        if path not in after:
            gone.append((path, record))
            continue
        earlier = model.earlier(path, after[path].content) if action == "put_back" else None
        if earlier is not None:  # what the user made counts from now on as made at the board
            is_users = earlier.maker == "user"
            model.records[path] = replace(earlier, maker="board") if is_users else earlier
            continue
        # Where a run knows the photo, it must know what becomes of it, whatever the board opened.
        sure = opened.mode == "run" or (
            record is not None and record.sure and record.maker != "user"
        )
        command = None if record is None else record.command
        made = Record("board", str(item.source), None, command=command, sure=sure)
        model.records[path] = made
        if not model.is_mask(path):
            _check_metadata(model, path, record, after, action)
            _check_result(model, path, item, after, action)

    for path, record in gone:
        if action == "put_back" and model.is_mask(path):
            continue  # the earlier result had no mask, and the later one's is in the store
        if record is None or not model.has_other(path, record):
            model.found("vanished", f"{path} was removed by the board")


def finished(model: Model, before: Look, after: Look) -> None:
    """Check that opening a run at most finished a save that was killed: its mask took its name."""
    for path in model.changes(before, after):
        if not model.is_mask(path) or path not in after:
            model.found("opening wrote", path)
        record = model.records.pop(path, None)
        if record is not None and path in before:
            model.keep(path, before[path], record)
        model.records[path] = Record("board", None if record is None else record.source)


def accepted(model: Model, root: Path, item: Item) -> None:
    """Note that a person accepted a run's result: from now on it is as good as made by hand."""
    if item.entry is not None and item.entry["output"] is not None:
        path = str(root / item.entry["output"])
        if path in model.records:
            model.records[path] = replace(model.records[path], maker="board")


def _judge(model: Model, path: str, record: Record, item: Item, told: bool) -> None:
    """Check that the board may replace a file."""
    if told or (model.save_was_killed and model.is_mask(path)):
        return  # the mask of a save that a kill cut short takes its name
    if record.maker == "user":
        model.found("a person's file", f"{path}, by the board")
    elif _is_another(record, item.source) and Path(record.source or "").is_file():
        model.found("another photo's", f"{path} was made from {record.source}")


def _is_another(record: Record, source: Path) -> bool:
    """Whether a result is another photo's: by its file, and, after a swap, by its content."""
    if record.source in (None, str(source)):
        return False
    return not source.is_file() or digest(source.read_bytes()) != record.made_from


def _check_metadata(
    model: Model, path: str, earlier: Record | None, after: Look, action: str
) -> None:
    """Check that a photo is saved as the run saved it that made the result before."""
    seen = content_of(after[path])
    if seen is None or earlier is None or earlier.maker == "user" or not earlier.sure:
        return
    command = earlier.command
    if action != "put_back" and command is not None and seen.stripped != command.has("strip"):
        model.found("other metadata", f"{path}, which {command} had made")


def _check_result(model: Model, path: str, item: Item, after: Look, action: str) -> None:
    """Check that a saved result shows the photo as it is now, without what was marked."""
    seen = content_of(after[path])
    if not item.source.is_file() or seen is None:
        return
    content = item.source.read_bytes()
    now = facts(content)
    if action in ("save", "restore") and seen.shot != now.shot:
        model.found("stale save", f"{path} shows shot {seen.shot}, the photo is {now.shot}")
    elif action == "save" and after[path].content == digest(content):
        model.found("empty save", f"{path} is the photo itself")
    if action == "restore" and seen.objects != now.objects:
        model.found("not restored", f"{path} lacks {sorted(now.objects - seen.objects)}")
    record = model.records[path]
    model.records[path] = Record(
        record.maker,
        record.source,
        digest(content),
        now.objects - seen.objects,
        record.command,
        sure=record.sure,
    )
