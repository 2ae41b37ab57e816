"""Links in an output folder that something would be written through: refused before any work."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ...report.files import REPORTS
from ...storage.layout import JOURNAL_NAME, OWN, PREVIEW_PAGE, PREVIEWS, REPLACED
from ...system import lock
from ...system.confined import refuse_links
from .claims import CLAIMS

#: The program's own names in an output folder. None of them may be a link.
OWN_NAMES = (
    *(lock.NAME, lock.HOLDER, JOURNAL_NAME, CLAIMS, OWN, PREVIEWS, REPLACED),
    *(*REPORTS, PREVIEW_PAGE),
)


def refuse_links_in_output(folder: Path, names: Iterable[PurePosixPath]) -> None:
    """Refuse an output folder in which a link leads to a place that would be written.

    A link under the name of a result or a mask is none of them: it fails its photo alone.

    Args:
        folder: the output folder; links on the way to it are the user's own.
        names: the files that will be written there, relative to it.

    Raises:
        UsageError: a link, which the message names.
    """
    names, kept = list(names), PurePosixPath(REPLACED)
    places = [PurePosixPath(name) for name in OWN_NAMES]
    places += (name.parent for name in names)
    refuse_links(folder, places)
    if (folder / REPLACED).is_dir():
        refuse_links(folder, (kept / name for name in names))
