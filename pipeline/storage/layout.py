"""Names of a run's own files in an output folder. None of them is ever an input."""

from __future__ import annotations

from pathlib import PurePosixPath

#: The journal: which photos are finished, see ``pipeline.batch.journal``.
JOURNAL_NAME = ".remove-objects-journal.jsonl"

#: Folder of the journal's pieces in a store, which cannot append to a file.
JOURNAL_PIECES = ".remove-objects-journal.d"

#: Folder of the report's previews, beside the journal.
PREVIEWS = "report_files"

#: Folder of what the mask board needs, see ``pipeline.batch.kept_mask``.
OWN = ".remove-objects"

#: The page on which a person picks who goes and who stays.
PREVIEW_PAGE = "preview.html"

#: Folder of replaced files, which the user may want back, see ``pipeline.batch.output.replaced``.
REPLACED = ".remove-objects-replaced"


def is_plain(name: str) -> bool:
    """Whether a name in a report or claim is one that a run writes: relative, with no way up."""
    path = PurePosixPath(name)
    parts = path.parts
    return (
        bool(parts)
        and not path.is_absolute()
        and ".." not in parts
        and "\0" not in name
        and "\\" not in name
        and ":" not in parts[0]
    )
