"""The file of ``--picks``: where it is read from, and whose photos it names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ...models.categories import CLASSES
from ..errors import UnreadableError, UsageError
from ..removal.picked import UNFIT, UNUSED
from ..report.picks import Picks, read_picks
from ..storage.location import Location
from ..system.text import some
from .scan import Plan

if TYPE_CHECKING:
    from ..report.schema import Entry

#: More bytes than the picks of a hundred thousand crowded photos.
MOST_BYTES = 200_000_000


def load_picks(
    file: Location | None, classes: Sequence[str], known: Sequence[str] = CLASSES
) -> Picks | None:
    """Read a file of picks, if there is one.

    Args:
        file: the file.
        classes: of the run.
        known: the classes that its segmenter finds.

    Raises:
        UsageError: it is missing, cannot be read, is no file of picks, or is about other classes
            than those of the run.
    """
    if file is None:
        return None
    picks = read_picks(_content(file), str(file), known)
    picks.refuse_other_classes(classes)
    return picks


def idle_picks(picks: Picks | None, plan: Plan) -> list[str]:
    """Return the names of photos that have picks and are not of this run.

    Raises:
        UsageError: none of them is, so that nothing of the picks would be followed.
    """
    if picks is None:
        return []
    here = {str(photo.relative) for photo in plan.photos}
    idle = [name for name in picks.photos if name not in here]
    if idle and len(idle) == len(picks.photos):
        raise UsageError(
            f"{picks.shown}: names no photo of this run ({some(idle)}; here: {some(sorted(here))});"
            " give the photos and folders as with --preview"
        )
    return idle


def unfit_note(picks: Picks, entries: Iterable[Entry]) -> str:
    """Say which photos were not cleaned as they were picked; empty if all were."""
    names = sorted(
        entry["input"]
        for entry in entries
        if any(text.startswith((UNFIT, UNUSED)) for text in entry["warnings"])
        and not entry.get("reviewed")
    )
    if not names:
        return ""
    whose = "1 photo" if len(names) == 1 else f"{len(names)} photos"
    return (
        f"{picks.shown}: fits not all that is found in {whose}, to be looked at: {some(names)}; "
        "they may have changed since: pick them anew with --preview"
    )


def _content(file: Location) -> bytes:
    wanted = "--picks takes the file that preview.html saves"
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                content: bytes | None = opened.read(MOST_BYTES + 1)
        else:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{file}: cannot be read ({error.strerror}); {wanted}") from error
    except UnreadableError as error:
        raise UsageError(f"{error}; {wanted}") from error
    if content is None:
        raise UsageError(f"{file}: no such file; {wanted}")
    if len(content) > MOST_BYTES:
        raise UsageError(f"{file}: is larger than {MOST_BYTES / 1e6:.0f} MB; {wanted}")
    return content
