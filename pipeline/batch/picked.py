"""The file of ``--picks``: where it is read from, and whose photos it names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import UnreadableError, UsageError
from ..report.picks import Picks, read_picks
from ..storage.location import Location
from ..system.text import some
from .scan import Plan

#: More bytes than the picks of a hundred thousand crowded photos.
MOST_BYTES = 200_000_000


def load_picks(file: Location | None, classes: Sequence[str]) -> Picks | None:
    """Read a file of picks, if there is one.

    Raises:
        UsageError: it is missing, cannot be read, is no file of picks, or is about other classes
            than those of the run.
    """
    if file is None:
        return None
    picks = read_picks(_content(file), str(file))
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
