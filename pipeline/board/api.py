"""The board's HTTP interface: one named call of Gradio for each of the ``Board``'s actions.

Only ``server`` imports this module, because it imports Gradio. Types and docstrings here become the
description that clients read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

from gradio import Error, FileData
from pydantic import ConfigDict, ValidationError, validate_call

from ..errors import UsageError
from ..system.text import printable
from ..web.answers import explained
from .board import Board


def calls(board: Board) -> list[Callable[..., dict[str, Any]]]:  # noqa: C901 (a list of functions)
    """Return the functions of the HTTP interface; their names are the calls' names.

    The answer to an error that they raise on purpose holds its message as ``error`` and its code as
    ``title``, the field that Gradio has for it. Any other error is a fault of this program: the
    answer says so and where, and the traceback is logged.
    """

    def photos() -> dict[str, Any]:
        """List the opened photos in the page's order: of a run, those to check first."""
        return board.photos()

    def open_photo(photo: str) -> dict[str, Any]:
        """Open a photo by its key or name: its size, its mask's state, and the run's verdict."""
        return board.open(photo)

    def upload_photo(file: FileData) -> dict[str, Any]:
        """Open an uploaded photo; the answer's `photo` is its key."""
        return board.upload(*_uploaded(file, board))

    def stroke(photo: str, points: list[list[float]], radius: float, erase: bool) -> dict[str, Any]:
        """Draw or erase along (x, y) points in the photo's pixels with a round brush."""
        return board.stroke(photo, points, radius, erase)

    def edit(photo: str, action: str) -> dict[str, Any]:
        """Edit the mask: `undo`, `redo` or `clear`."""
        return board.edit(photo, action)

    def widen(photo: str, radius: float) -> dict[str, Any]:
        """Widen the whole mask by this many pixels."""
        return board.widen(photo, round(radius))

    def pick(photo: str, x: float, y: float, keep: bool) -> dict[str, Any]:
        """Drop the connected object at a point, or all others; `hit` is false if there is none."""
        return board.pick(photo, x, y, keep)

    def part(photo: str, x: float, y: float) -> dict[str, Any]:
        """Take away the part of a layer at a point, or give it back; `layer` is null if none."""
        return board.part(photo, x, y)

    def click_object(photo: str, x: float, y: float) -> dict[str, Any]:
        """Add the object of any class at a point, or take it; `object` is null if none is known."""
        return board.click_object(photo, x, y)

    def select_clicks(photo: str, clicks: list[list[float]]) -> dict[str, Any]:
        """Select what (x, y, wanted) clicks are on, wanted 1 or 0; `draft` is its number."""
        return board.select_clicks(photo, clicks)

    def add_selection(photo: str, number: int) -> dict[str, Any]:
        """Add the selection of that number to the mask."""
        return board.add_selection(photo, number)

    def drop_selection(photo: str) -> dict[str, Any]:
        """Forget what was selected by clicks."""
        return board.drop_selection(photo)

    def layer(photo: str, layer: str, given: bool) -> dict[str, Any]:
        """Take a whole layer away (object, shadow, reflection, carried), or give it back."""
        return board.layer(photo, layer, given)

    def load_mask(photo: str, file: FileData, how: str) -> dict[str, Any]:
        """Apply a mask file (white = remove) to the mask: `replace`, `add` or `subtract`."""
        path, _ = _uploaded(file, board)
        try:
            return board.load_mask(photo, path, how)
        finally:
            path.unlink(missing_ok=True)

    def select_class(photo: str, classes: list[str], widen: float, how: str) -> dict[str, Any]:
        """Segment the photo and `add` the classes to the mask, or `subtract` or `replace`.

        What goes along with them is found too: `found` has the shares. `widen` is in
        pixels; -1 widens as the batch does.
        """
        return board.select_class(photo, classes, None if widen < 0 else round(widen), how)

    def find_along(photo: str) -> dict[str, Any]:
        """Add to the mask what goes along with its objects; `found` has the shares by layer."""
        return board.find_along(photo)

    def fill(photo: str, route: str, compare: bool, probe: bool) -> dict[str, Any]:
        """Fill the mask and wait for it; the answer's `report` is the photo's entry of a report.

        Routes: auto, edge, face, free-form.
        """
        return board.fill(photo, route, compare, probe)

    def progress() -> dict[str, Any]:
        """Return the photo in progress, and how far it is."""
        return board.progress()

    def cancel() -> dict[str, Any]:
        """Cancel the fill or segmentation in progress."""
        return board.cancel()

    def save(photo: str, replace_existing: bool) -> dict[str, Any]:
        """Save result and mask to the output folder, and update the report of a run."""
        return board.save(photo, replace_existing)

    def accept(photo: str) -> dict[str, Any]:
        """Mark the run's result as reviewed, and change nothing else."""
        return board.accept(photo)

    def restore(photo: str, replace_existing: bool) -> dict[str, Any]:
        """Write the original photo as the result, and update the report of a run."""
        return board.restore(photo, replace_existing)

    def put_back(photo: str, replace_existing: bool) -> dict[str, Any]:
        """Put back the result that was replaced last; called again, undo that."""
        return board.put_back(photo, replace_existing)

    def undo_decision(photo: str, replace_existing: bool) -> dict[str, Any]:
        """Undo the last decision: an acceptance, or a result that was replaced (as `put_back`)."""
        return board.undo_decision(photo, replace_existing)

    def drop_fill(photo: str) -> dict[str, Any]:
        """Forget the last fill; the mask stays."""
        return board.drop_fill(photo)

    functions = (
        photos,
        open_photo,
        upload_photo,
        stroke,
        edit,
        widen,
        pick,
        part,
        click_object,
        select_clicks,
        add_selection,
        drop_selection,
        layer,
        load_mask,
        select_class,
        find_along,
        fill,
        progress,
        cancel,
        save,
        accept,
        restore,
        put_back,
        undo_decision,
        drop_fill,
    )
    return [_with_errors(function, board) for function in functions]


def _with_errors(
    function: Callable[..., dict[str, Any]], board: Board
) -> Callable[..., dict[str, Any]]:
    """Check a call's arguments against their types, and turn its errors into Gradio's."""
    # Gradio passes on whatever JSON a request holds; the types above are promises to ``Board``.
    checked = validate_call(config=ConfigDict(allow_inf_nan=False, arbitrary_types_allowed=True))(
        function
    )

    @wraps(function)
    def with_errors(*args: Any, **kwargs: Any) -> dict[str, Any]:
        try:
            return checked(*args, **kwargs)
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            where = " ".join(str(step) for step in first["loc"])
            raise _answer(
                f"{function.__name__}: invalid argument {where}: {first['msg']}", UsageError.code
            ) from None
        except Exception as error:
            named = function.__name__, "the board", board.opened.settings_from
            raise _answer(*explained(error, *named)) from error

    return with_errors


def _answer(message: str, code: str) -> Error:
    return Error(printable(message), title=code, print_exception=False)


def _uploaded(file: Any, board: Board) -> tuple[Path, str]:
    """Return an uploaded file's path and its name on the sender's side.

    Raises:
        UsageError: the request names any other file of this machine.
    """
    folder = board.uploads.resolve()
    fields = file if isinstance(file, dict) else file.model_dump()
    path = Path(str(fields.get("path") or "")).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise UsageError("this file was not uploaded here")
    return path, str(fields.get("orig_name") or path.name)
