"""The board's HTTP interface: one named call of Gradio for everything that ``Board`` can do.

Imports Gradio, and is imported by ``board_server`` alone.

Types and docstrings here become the description that clients are shown.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from gradio import Error, FileData
from pydantic import ConfigDict, ValidationError, validate_call

from ..errors import RemoveObjectsError, UsageError
from ..system.text import printable
from .board import Board
from .job import CancelledError


def calls(board: Board) -> list[Callable[..., dict[str, Any]]]:
    """The functions, by the names of their calls. What they raise is told in words; what nobody foresaw is logged and not shown."""

    def photos() -> dict[str, Any]:
        """What is opened, and its photos in the order in which one walks through them (of a run: for review first, worst first)."""
        return board.photos()

    def open_photo(photo: str) -> dict[str, Any]:
        """Open a photo by its key or name: its size, the state of its mask, what the run said of it."""
        return board.open(photo)

    def upload_photo(file: FileData) -> dict[str, Any]:
        """Open a photo that is sent; its key is in the answer's `photo`."""
        return board.upload(*_uploaded(file, board))

    def stroke(photo: str, points: list[list[float]], radius: float, erase: bool) -> dict[str, Any]:
        """Draw, or erase, along (x, y) points in the photo's pixels with a round brush of that radius."""
        return board.stroke(photo, points, radius, erase)

    def edit(photo: str, action: str) -> dict[str, Any]:
        """`undo`, `redo` or `clear`."""
        return board.edit(photo, action)

    def widen(photo: str, radius: float) -> dict[str, Any]:
        """Widen the whole mask by so many pixels."""
        return board.widen(photo, round(radius))

    def pick(photo: str, x: float, y: float, keep: bool) -> dict[str, Any]:
        """Drop the connected object at a point, or keep it alone; `hit` is false where there is none."""
        return board.pick(photo, x, y, keep)

    def load_mask(photo: str, file: FileData, how: str) -> dict[str, Any]:
        """Lay a mask file in (white = remove): `replace`, `add` or `subtract`."""
        path, _ = _uploaded(file, board)
        try:
            return board.load_mask(photo, path, how)
        finally:
            path.unlink(missing_ok=True)

    def select_class(photo: str, classes: list[str], widen: float, how: str) -> dict[str, Any]:
        """Segment the photo; `replace` the mask by what is found, `add` or `subtract` it, widened by so many pixels (-1: as the batch)."""
        return board.select_class(photo, classes, None if widen < 0 else round(widen), how)

    def fill(photo: str, route: str, compare: bool, probe: bool) -> dict[str, Any]:
        """Fill the mask and wait for it. Routes: auto, edge, face, free-form. The answer's `report` is the row of a report."""
        return board.fill(photo, route, compare, probe)

    def progress() -> dict[str, Any]:
        """What is at work, and how far."""
        return board.progress()

    def cancel() -> dict[str, Any]:
        """Stop what is at work."""
        return board.cancel()

    def save(photo: str, replace_existing: bool) -> dict[str, Any]:
        """Write result and mask to the output folder; in a run's folder put them into its report too."""
        return board.save(photo, replace_existing)

    every = (
        photos,
        open_photo,
        upload_photo,
        stroke,
        edit,
        widen,
        pick,
        load_mask,
        select_class,
        fill,
        progress,
        cancel,
        save,
    )
    return [_with_errors(call) for call in every]


def _with_errors(call: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    # Gradio hands on whatever JSON a request holds; the types above are promises to the functions, too.
    checked = validate_call(config=ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True))(
        call
    )

    @wraps(call)
    def with_errors(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return checked(*args, **kwargs)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = " ".join(str(part) for part in first["loc"])
            raise Error(
                f"{call.__name__} cannot be called so: argument {where}: {first['msg']}",
                print_exception=False,
            ) from None
        except CancelledError as error:
            raise Error(str(error), title="Cancelled", print_exception=False) from error
        except (RemoveObjectsError, MemoryError) as error:
            raise Error(
                printable(str(error) or "not enough memory"), print_exception=False
            ) from error

    return with_errors


def _uploaded(file: Any, board: Board) -> tuple[Path, str]:
    """(the file that was sent, its name). A request may name any path here: only what was uploaded to this process is taken."""
    folder = board.uploads.resolve()
    given = file if isinstance(file, dict) else file.model_dump()
    path = Path(str(given.get("path") or "")).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise UsageError("this is no file that was uploaded here")
    return path, str(given.get("orig_name") or path.name)
