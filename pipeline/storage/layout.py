"""Names of the program's own files in folders of photos and of results. None is ever a photo."""

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

#: The reports: for programs, for spreadsheets, for browsers.
REPORT, REPORT_TABLE, REPORT_PAGE = "report.json", "report.csv", "report.html"

#: The page on which a person picks who goes and who stays.
PREVIEW_PAGE = "preview.html"

#: Options for the photos beside it, or of the user for all photos, see ``pipeline.settings_file``.
SETTINGS_NAME = "remove-objects.toml"

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
