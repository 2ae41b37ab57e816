"""TODO docstring."""

from __future__ import annotations

JOURNAL_NAME = ".remove-objects-journal.jsonl"

#: The folder beside it that holds the report's small pictures; never an input.
PREVIEWS = "report_files"

#: The folder of its pieces, where a store cannot append to a file.
JOURNAL_PIECES = ".remove-objects-journal.d"
