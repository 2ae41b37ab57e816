"""The photos of a folder elsewhere, by the same rules as those of a folder here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from pipeline import journal
from pipeline.collisions import Found
from pipeline.errors import UsageError
from pipeline.remote import Location, Remote, is_plain_name
from pipeline.suffixes import SUFFIXES


def find_remote(given: Remote, leave_out: Sequence[Location], notes: list[str]) -> Iterator[Found]:
    """The photos below ``given``, without hidden ones and what lies in ``leave_out``; ``notes`` gets what was passed over.

    Raises:
        UsageError: there is nothing, or it cannot be listed.
    """
    files = given.files()
    if not files:
        raise UsageError(f"{given}: no such file or folder")
    if set(files) == {""}:
        if PurePosixPath(given.name).suffix.lower() in SUFFIXES and is_plain_name(given.name):
            yield Found(files[""], PurePosixPath(given.name))
        else:
            notes.append(f"{given}: not a photo by its name, ignored")
        return
    skipped = [place for place in leave_out if isinstance(place, Remote)]
    runs = {name.removesuffix(journal.NAME) for name in files if name.rpartition("/")[2] == journal.NAME}
    runs |= {name.partition(journal.PIECES)[0] for name in files if f"/{journal.PIECES}/" in f"/{name}"}
    others = odd = 0
    for name, source in sorted(files.items()):
        if any(source.is_below(folder) for folder in skipped) or any(name.startswith(f"{run}{journal.PREVIEWS}/") for run in runs):
            continue
        if not is_plain_name(name):
            odd += bool(name.strip("/"))
        elif any(part.startswith(".") for part in name.split("/")):
            continue
        elif PurePosixPath(name).suffix.lower() in SUFFIXES:
            yield Found(source, PurePosixPath(name))
        else:
            others += 1
    if odd:
        notes.append(f"{given}: {odd} left out whose name no folder can hold ('..', '//' or a backslash)")
    if others:
        notes.append(f"{given}: {others} other {'file' if others == 1 else 'files'} ignored")
