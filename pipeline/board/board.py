"""The board without its page: its state, and every action that a page or a program can request.

Arguments and results are plain Python types, so the page, the HTTP interface and tests use the same
methods. ``ObjectRemover`` does all painting: the networks, routes and metrics are those of a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from .. import images
from ..config import ALONG, COMPARISONS, auto_dilate, resolve_classes
from ..detect.clicked import checked_clicks
from ..errors import RemoveObjectsError, UnreadableError, UsageError
from ..removal.clickable import object_at
from ..removal.request import Removal
from ..report.entry import layer_shares
from ..storage.fetch import renamed_errors
from ..storage.layout import REPORT
from ..storage.stamp import Stamp, stamp
from ..system.text import printable
from ..types import LAYER_COLOURS, Box, Layer, Leftover
from ..web.uploads import UPLOAD_PIXELS
from . import report_page, run_folder
from .catalog import Item, Opened
from .change import Decided
from .job import Job
from .render import render, render_layers
from .results import STANDING, Results, is_accepted, standing_pixels
from .series import BoardSeries
from .session import Session, kept_by_run, require_selection
from .session_store import SessionStore

#: The class that the page offers first, after the run's own.
FIRST_CLASS = "person"
#: Name of the picture of the mask's layers.
LAYERS = "layers"


class Board:
    """The board's whole state.

    Safe to use from several threads; one fill or segmentation runs at a time.

    Attributes:
        opened: the photo, folder or run that was opened.
        job: the fill or segmentation in progress.
        sessions: the open photos.
        results: the results in the output folder.
        series: fills photos with what others of the same place show.
    """

    def __init__(self, opened: Opened) -> None:
        """Begin with the photos of a catalog."""
        self.opened = opened
        self.job = Job(opened.settings)
        self.sessions = SessionStore(opened.items, lambda: self.job.photo, opened.max_pixels)
        self._report = self._report_stamp()
        self.results = Results(opened, self.sessions.listed, self._note_report)
        self.series = BoardSeries(opened, self.job, self.sessions.listed)

    @property
    def folder(self) -> Path:
        """A temporary folder of this process alone."""
        return self.sessions.folder

    @property
    def uploads(self) -> Path:
        """The folder where the server puts uploaded files."""
        return self.sessions.folder / "uploads"

    def drafts(self) -> list[str]:
        """Return the names of the photos whose masks were changed and not saved."""
        keys = self.sessions.drafts()
        return [printable(item.name) for item in self.sessions.listed() if item.key in keys]

    def close(self) -> None:
        """Cancel the job in progress, write what waits, and delete the uploaded photos."""
        self.job.cancel()
        self.results.close()
        self.sessions.close()

    def photos(self) -> dict[str, Any]:
        """Return what is opened, its photos in the order of the page, and the classes on offer."""
        opened = self.opened
        self._refresh()
        drafts = self.sessions.drafts()
        return {
            "mode": opened.mode,
            "title": printable(opened.title),
            "output": None if opened.output is None else printable(str(opened.output)),
            "classes": list(opened.classes),
            "colours": {
                layer.label: f"rgb({' '.join(map(str, LAYER_COLOURS[layer]))})"
                for layer in Layer
                if layer
            },
            "categories": list(
                dict.fromkeys((*opened.classes, *_listed(opened.settings.known_classes)))
            ),
            "notes": [printable(note) for note in opened.notes],
            "photos": [
                {**_row(item), "draft": item.key in drafts} for item in self.sessions.listed()
            ],
        }

    def report_html(self) -> str:
        """Return the page of the opened run's report, as it is now, see ``report_page.page``."""
        self._refresh()
        return report_page.page(self.opened, self.sessions.listed())

    def report_file(self, path: str, photo: str) -> Path | None:
        """Return a file that this page shows, see ``report_page.find``."""
        return report_page.find(self.opened, self.sessions.listed(), path, photo)

    def open(self, photo: str) -> dict[str, Any]:
        """Open a photo and return everything that a page needs to show it.

        If its file changed since it was opened before, its mask and fill are dropped.

        Args:
            photo: its key or name, here and in every method below.

        Raises:
            UsageError: it is not in the list; so for every method below.
            UnreadableError: its file cannot be read; likewise.
        """
        self._refresh()
        session = self.sessions.reopen(photo)
        session.draft = None  # the page that opens it knows no click of it
        height, width = session.photo.size
        item, entry = session.item, session.item.entry
        return {
            **_row(item),
            "width": width,
            "height": height,
            "notes": [printable(note) for note in session.notes],
            "auto_widen": auto_dilate(height, width),
            "file": printable(str(item.source)),
            "is_upload": item.is_upload,
            "saves_to": _path(self.results.placed(session).target),
            "before": None
            if entry is None
            else {key: entry.get(key) for key in ("status", "reason", "figures", "score", "holes")},
            "report": session.report(),
            "compared": [] if session.filled is None else list(session.filled.outcome.compared),
            **self.results.choices(item),
            **session.state(),
        }

    def upload(self, path: Path, name: str) -> dict[str, Any]:
        """Open an uploaded photo, see ``SessionStore.add_upload``."""
        return self.open(self.sessions.add_upload(path, name))

    def stroke(
        self, photo: str, points: list[list[float]], radius: float, erase: bool = False
    ) -> dict[str, Any]:
        """Draw along a line, see ``MaskEditor.stroke``."""
        session = self.sessions.session(photo)
        with session.lock:
            session.editor.stroke(points, radius, erase=erase)
            return session.state()

    def edit(self, photo: str, action: str) -> dict[str, Any]:
        """Edit the mask: ``undo``, ``redo`` or ``clear``.

        Raises:
            UsageError: another action.
        """
        session = self.sessions.session(photo)
        actions = {
            "undo": session.editor.undo,
            "redo": session.editor.redo,
            "clear": session.editor.clear,
        }
        if action not in actions:
            raise UsageError(f"the mask can be edited by {', '.join(actions)}; got '{action[:40]}'")
        with session.lock:
            actions[action]()
            return session.state()

    def widen(self, photo: str, radius: int) -> dict[str, Any]:
        """Widen the mask by ``radius`` pixels."""
        session = self.sessions.session(photo)
        with session.lock:
            session.editor.widen(int(radius))
            return session.state()

    def pick(self, photo: str, x: float, y: float, keep: bool = False) -> dict[str, Any]:
        """Drop the connected object at a point, or all others; ``hit``: whether there was one."""
        session = self.sessions.session(photo)
        with session.lock:
            hit = session.editor.pick(x, y, keep=keep)
            return {**session.state(), "hit": hit}

    def part(self, photo: str, x: float, y: float) -> dict[str, Any]:
        """Take away the connected part of a layer at a point, or give it back if it was taken.

        Returns:
            The mask's state; with ``layer``, the part's layer or None if there is none at that
            point, and ``given``, whether it was given back.
        """
        session = self.sessions.session(photo)
        with session.lock:
            part = session.editor.pick_part(x, y)
            layer = None if part is None else part.layer.label
            return {**session.state(), "layer": layer, "given": part is not None and part.given}

    def click_object(self, photo: str, x: float, y: float) -> dict[str, Any]:
        """Add the object of any class at a point to the mask, or take it from the mask.

        The first click on a photo looks for its objects. An object that is taken stays: no click
        on anything else selects its pixels.

        Returns:
            The mask's state; with ``object``, the object's class, or None if no object is known at
            that point; and ``added``, whether it was added.

        Raises:
            UsageError: the point is outside the photo, or another photo is in progress.
            CancelledError: ``cancel`` was called.
        """
        session = self.sessions.session(photo)
        _require_inside(session, x, y)
        if session.clickable is None:
            with self.job.run(session.item.key) as remover:
                self.job.step(0.0, "segment")
                session.clickable = remover.clickable(session.photo)
        chosen = object_at(session.clickable, x, y)
        with session.lock:
            added = chosen is not None and session.toggle(chosen)
            name = None if chosen is None else chosen.found.category
            return {**session.state(), "object": name, "added": added}

    def select_clicks(self, photo: str, clicks: list[list[float]]) -> dict[str, Any]:
        """Select what was clicked, whatever it is. The mask stays as it is.

        Args:
            photo: its key or name.
            clicks: (x, y, wanted) in the photo's pixels: ``wanted`` is 1 on what to select and 0
                on what not. The first is on what to select.

        Returns:
            The mask's state, in which ``draft`` is the selection's number; and ``draft_share``, its
            share of the photo.

        Raises:
            UsageError: no clicks or too many, malformed ones, or ones outside the photo; a click
                on something that stays; or another photo is in progress.
            CancelledError: ``cancel`` was called.
        """
        session = self.sessions.session(photo)
        checked = checked_clicks(clicks, session.photo.size)
        with session.lock:
            spared = session.spared()
        for click in checked:
            if click.wanted and spared[int(click.y), int(click.x)]:
                raise UsageError(
                    "what was clicked stays: it was kept, or taken from the mask; click it with "
                    "'Object', or give its layer back"
                )
        with self.job.run(session.item.key) as remover:
            self.job.step(0.0, "segment")
            selected = remover.clicked(session.photo, checked, spared)
        with session.lock:
            session.record_draft(selected)
            return {**session.state(), "draft_share": round(float(selected.mean()), 6)}

    def add_selection(self, photo: str, number: int) -> dict[str, Any]:
        """Add what was selected by clicks to the mask, as one step that can be undone.

        Raises:
            UsageError: there is no selection of that number any longer.
        """
        session = self.sessions.session(photo)
        with session.lock:
            draft = session.draft
            if draft is None or draft.number != number:
                raise UsageError("this selection is no longer there: click again")
            session.editor.apply_mask(draft.mask & ~session.spared(), "add")
            session.draft = None
            return session.state()

    def drop_selection(self, photo: str) -> dict[str, Any]:
        """Forget what was selected by clicks."""
        session = self.sessions.session(photo)
        with session.lock:
            session.draft = None
            return session.state()

    def layer(self, photo: str, layer: str, given: bool) -> dict[str, Any]:
        """Take a layer away, or give back all that was taken away of it.

        Args:
            photo: its key or name.
            layer: ``object``, ``shadow``, ``reflection`` or ``carried``.
            given: give it back; else it is taken away.

        Raises:
            UsageError: there is no such layer.
        """
        layers = {each.label: each for each in Layer if each}
        if layer not in layers:
            raise UsageError(f"the layers are {', '.join(layers)}; got '{layer[:40]}'")
        session = self.sessions.session(photo)
        with session.lock:
            session.editor.set_layer(layers[layer], given=given)
            return session.state()

    def load_mask(self, photo: str, path: Path, how: str = "replace") -> dict[str, Any]:
        """Apply a mask file to the mask: white = remove, with the photo's size or aspect ratio."""
        session = self.sessions.session(photo)
        mask = images.read_mask(path, session.photo.size, max_pixels=UPLOAD_PIXELS)
        with session.lock:
            session.editor.apply_mask(mask, how)
            return session.state()

    def select_class(
        self, photo: str, classes: list[str], widen: int | None = None, how: str = "add"
    ) -> dict[str, Any]:
        """Segment the photo and apply the mask of classes, and of what goes along, to the mask.

        Args:
            photo: its key or name.
            classes: names of the classes.
            widen: radius in pixels by which the classes' mask is dilated; None for the batch's.
            how: see ``MaskEditor.apply_mask``.

        Returns:
            The mask's state; with ``class_share``: the share of the photo that the classes cover,
            with what goes along with them; ``found``: the same by layer; and ``doubtful``: what
            may go along but is not in the mask, in words.

        Raises:
            UsageError: no class, an unknown one, or another photo is in progress.
            CancelledError: ``cancel`` was called.
        """
        known = self.opened.settings.known_classes
        names = resolve_classes([str(name) for name in classes], known)
        if not names:
            raise UsageError("choose at least one class")
        session = self.sessions.session(photo)
        settings = replace(self.opened.settings, dilate=None if widen is None else int(widen))
        with self.job.run(session.item.key) as remover:
            self.job.step(0.0, "segment")
            chosen = remover.choose(session.photo, Removal.from_settings(settings, names))
        with session.lock:
            session.editor.apply_mask(chosen.selection.hole_mask, how, chosen.layers)
            session.classes = tuple(dict.fromkeys((*session.classes, *names)))
            return {
                **session.state(),
                "class_share": round(chosen.selection.share, 6),
                "found": layer_shares(chosen.layers),
                "doubtful": _words(chosen.doubtful),
            }

    def find_along(self, photo: str) -> dict[str, Any]:
        """Find what goes along with the mask's objects, and add it to the mask.

        What was taken away stays so. All kinds are looked for if the settings say none.

        Returns:
            The mask's state; with ``found``: the share of the photo that was added, by layer; and
            ``doubtful``, as ``select_class`` answers it.

        Raises:
            UsageError: the mask has no object, or another photo is in progress.
            CancelledError: ``cancel`` was called.
        """
        session = self.sessions.session(photo)
        settings = replace(
            self.opened.settings, dilate=0, along=self.opened.settings.along or ALONG
        )
        with session.lock:
            objects = session.editor.layers == Layer.OBJECT
            require_selection(session.editor.mask)
        if not objects.any():
            raise UsageError(
                "no object is marked, and what goes along goes with one: draw it, select a class, "
                "or give the mask's objects back"
            )
        removal = Removal.from_settings(settings, session.classes or self.opened.classes, objects)
        with self.job.run(session.item.key) as remover:
            self.job.step(0.0, "segment")
            chosen = remover.choose(session.photo, removal)
        with session.lock:
            is_new = session.editor.values == Layer.NONE
            layers = np.where(is_new, chosen.layers, np.uint8(Layer.NONE))
            session.editor.apply_mask(layers != Layer.NONE, "add", layers)
            open_places = [p for p in chosen.doubtful if is_new[p.box.slices].any()]
            return {
                **session.state(),
                "found": layer_shares(layers),
                "doubtful": _words(open_places),
            }

    def fill(
        self, photo: str, route: str = "auto", compare: bool = True, probe: bool = True
    ) -> dict[str, Any]:
        """Fill the mask, as far as they show it from photos of the same place; wait until done.

        Args:
            photo: its key or name.
            route: one of ``config.ROUTES``.
            compare: fill the same holes by the classical methods too.
            probe: probe every hole.

        Returns:
            The mask's state, the entry of a report, and the names of the classical fills.

        Raises:
            UsageError: the mask is empty, another photo is in progress, or the route is unknown.
            ChangedError: the photo's file changed since it was opened.
            CancelledError: ``cancel`` was called.
        """
        session = self.sessions.session(photo)
        session.require_unchanged()
        settings = replace(
            self.opened.settings,
            # What is seen is removed: the page shows what goes along, and has its own control for
            # widening.
            dilate=0,
            along=(),
            route=route,
            probe=probe,
            compare=COMPARISONS if compare else (),
        )
        with session.lock:
            layers, version = session.editor.layers, session.editor.version
        mask = layers != Layer.NONE
        require_selection(mask)
        removal = Removal.from_settings(settings, session.classes or self.opened.classes, mask)
        with self.job.run(session.item.key) as remover:
            outcome, lent = self.series.clean(remover, session, removal, mask)
        with session.lock:
            session.record_fill(outcome, layers, version, lent)
        return {**session.state(), "report": session.report(), "compared": list(outcome.compared)}

    def progress(self) -> dict[str, Any]:
        """Return the progress, see ``Job.progress``."""
        return self.job.progress()

    def cancel(self) -> dict[str, Any]:
        """Cancel the job in progress before its next stage, and return its progress."""
        self.job.cancel()
        return self.job.progress()

    def save(self, photo: str, replace_existing: bool = False) -> dict[str, Any]:
        """Save result and mask; if a run knows the photo, update its report and journal too.

        The report's entry is then marked ``reviewed``. What was replaced is kept, see
        ``put_back``.

        Args:
            photo: its key or name.
            replace_existing: replace files that neither the board nor the run wrote.

        Raises:
            UsageError: the mask is empty or has changed since the fill, the photo was uploaded and
                there is no output folder (it can be downloaded), or a run is writing into it.
            ChangedError: the photo's file changed since it was opened.
            ExistsError: a file that neither the board nor the run wrote is in the way.
            UnwritableError: nothing was filled, or the disk refuses.
        """
        session = self.sessions.session(photo)
        with session.lock:
            decided = self.results.save(session, replace_existing=replace_existing)
            session.saved = session.settled = session.editor.version
            session.saved_fill = None if session.filled is None else session.filled.number
            return self._after(session, decided)

    def accept(self, photo: str) -> dict[str, Any]:
        """Mark a run's result reviewed without changing it, see ``Results.accept``."""
        session = self.sessions.session(photo)
        with session.lock:
            return self._after(session, self.results.accept(session))

    def restore(self, photo: str, replace_existing: bool = False) -> dict[str, Any]:
        """Write the original as the result; arguments and errors are those of ``save``.

        See ``Results.restore``.
        """
        session = self.sessions.session(photo)
        with session.lock:
            decided = self.results.restore(session, replace_existing=replace_existing)
            return self._after(session, decided)

    def put_back(self, photo: str, replace_existing: bool = False) -> dict[str, Any]:
        """Let the newest kept version of the result take its place again, and load its mask.

        The mask can be undone. Arguments and errors are those of ``save``; see
        ``Results.put_back``.
        """
        session = self.sessions.session(photo)
        with session.lock:
            decided = self.results.put_back(session, replace_existing=replace_existing)
            layers = None
            if decided.mask is not None:
                with suppress(UnreadableError):  # the result is back all the same
                    mask = session.read_mask(decided.mask)
                    layers = images.layers_of(mask, session.read_layers(decided.mask))
            elif decided.entry is not None and decided.entry["holes"]:
                kept = kept_by_run(session.item, decided.entry, session.photo.size)
                layers = None if kept is None else kept.layers
            if layers is not None:
                session.editor.apply_mask(layers != Layer.NONE, layers=layers)
                session.settled = session.editor.version
            return self._after(session, decided)

    def undo_decision(self, photo: str, replace_existing: bool = False) -> dict[str, Any]:
        """Undo the last decision: take an acceptance back, else ``put_back``."""
        session = self.sessions.session(photo)
        with session.lock:
            if is_accepted(session.item.entry):
                return self._after(session, self.results.reopen(session))
            return self.put_back(photo, replace_existing)

    def drop_fill(self, photo: str) -> dict[str, Any]:
        """Forget the last fill; the mask stays, and so does everything that was saved."""
        session = self.sessions.session(photo)
        with session.lock:
            session.filled = None
            return {**session.state(), "report": None, "compared": []}

    def download(self, photo: str, what: str) -> tuple[Path, str]:
        """Write a file for download into the board's temporary folder.

        Args:
            photo: its key or name.
            what: ``result``, in the photo's format, or ``mask``, as PNG.

        Returns:
            The file, and the name to download it under.

        Raises:
            UsageError: another file is requested, or the mask has changed since the fill.
            UnwritableError: nothing was filled, or the disk refuses.
        """
        session = self.sessions.session(photo)
        name = PurePosixPath(session.item.name).name
        place = self.folder / f"download-{session.item.key}"
        with session.lock:
            if what == "mask":
                path = place.with_name(f"{place.name}-mask.png")
                images.write_mask(session.editor.mask, path)
                return path, f"{PurePosixPath(name).stem}-mask.png"
            if what != "result":
                raise UsageError("there are two files to download: result and mask")
            filled = session.require_fill()
            # A photo that was read from a file keeps its format under any suffix; this one is for
            # people who open the folder.
            suffix = PurePosixPath(name).suffix[:8] if name.isprintable() else ""
            session.require_unchanged()
            options = self.results.download_options(session.item)
            with renamed_errors(place, name):
                saved = images.save_outcome(
                    session.photo, filled.outcome, place.with_suffix(suffix), options
                )
            if self.opened.output is None:  # there is no other way to keep it
                session.settled, session.saved_fill = session.editor.version, filled.number
            ending = saved.path.name.removeprefix(place.with_suffix(suffix).name)
            return saved.path, f"{name}{ending}"

    def view(self, photo: str, layer: str, window: Box | None, width: int, height: int) -> bytes:
        """Return a layer of a photo, or a window of it, as PNG.

        See ``Session.layer`` for the layers and ``render`` for the window and the size;
        ``standing`` is the result in the output folder, and ``layers`` are those of the mask, in
        their colours.
        """
        session = self.sessions.session(photo)
        rows, columns = session.photo.size
        window = window or Box(0, 0, columns, rows)
        if layer == LAYERS:
            with session.lock:
                values = session.editor.values
            return render_layers(values, window, width, height)
        pixels = standing_pixels(session) if layer == STANDING else session.layer(layer)
        return render(pixels, window, width, height)

    def _after(self, session: Session, decided: Decided) -> dict[str, Any]:
        """Tell list and page of a decision about a photo's result."""
        item = session.item
        mask = None if decided.drops_mask else decided.mask or item.mask
        session.item = replace(item, entry=decided.entry, mask=mask)
        self.sessions.replace(session.item)
        return {
            **session.state(),
            **_row(session.item),
            **self.results.choices(session.item),
            "saves_to": _path(session.item.target),
            "output": printable(str(decided.output)),
            "mask": None if mask is None else printable(str(mask)),
        }

    def _note_report(self) -> None:
        """Know the report that this board has written: it says nothing new."""
        self._report = self._report_stamp()

    def _report_stamp(self) -> Stamp | None:
        output = self.opened.output
        return None if output is None else stamp(output / REPORT)

    def _refresh(self) -> None:
        """Read the entries again if a run has rewritten the report meanwhile."""
        opened, now = self.opened, self._report_stamp()
        if opened.mode != "run" or opened.output is None or now == self._report:
            return
        with suppress(RemoveObjectsError):  # then the list stays as it was
            self.sessions.update(run_folder.open_run(opened.output, opened.inputs).items)
            self._report = now


def _require_inside(session: Session, x: float, y: float) -> None:
    """Refuse a point outside the photo.

    Raises:
        UsageError: it is.
    """
    height, width = session.photo.size
    if not (0 <= x < width and 0 <= y < height):
        raise UsageError(f"the point {x:g}, {y:g} is outside the photo of {width}x{height} pixels")


def _words(doubtful: Iterable[Leftover]) -> list[str]:
    """Return what may go along but is not in the mask, in words."""
    return list(dict.fromkeys(place.why for place in doubtful))


def _path(path: Path | None) -> str | None:
    return None if path is None else printable(str(path))


def _row(item: Item) -> dict[str, Any]:
    """Return an item as a row of the page's list."""
    entry: Mapping[str, Any] = item.entry or {}
    return {
        "photo": item.key,
        "name": printable(item.name),
        "missing": None if item.missing is None else printable(item.missing),
        "status": entry.get("status"),
        "reason": None if entry.get("reason") is None else printable(str(entry["reason"])),
        "score": entry.get("score"),
        "reviewed": bool(entry.get("reviewed")),
        "decision": entry.get("decision"),
        "needs_review": item.needs_review,
    }


def _listed(known: Sequence[str]) -> list[str]:
    """Return the classes, the one that is asked for most often first."""
    return sorted(known, key=lambda name: name != FIRST_CLASS)
