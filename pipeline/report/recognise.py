"""Whether a file under the name of a report is one that this program wrote, in any version."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ..storage.layout import PREVIEW_PAGE, REPORT, REPORT_PAGE, REPORT_TABLE
from .spreadsheet import COLUMNS, FIRST_COLUMNS, is_compare_column

#: Number of bytes at a file's beginning that tell.
HEAD_BYTES = 1 << 18

#: The first keys of ``report.json``, in the order in which every version writes them.
_JSON = re.compile(
    rb'\{\s*"schema_version":\s*\d+,\s*"run":\s*\{\s*"version":\s*"[^"]*",\s*"command":\s*"'
)
#: What every version's page says at its top.
_HTML = (b"<!doctype html>", b"<title>Removal report, ", b'<p class="kicker">remove-objects')
#: What the page of picks says at its top.
_PREVIEW = (b"<!doctype html>", b"<title>Who goes, who stays, ", b'data-made-by="remove-objects"')


def is_report(name: str, head: bytes) -> bool:
    """Whether a file is a report of this program or of an earlier version.

    Args:
        name: the report's name, one of ``files.REPORTS``, or of the page of picks.
        head: the first ``HEAD_BYTES`` bytes of the file, or all of them if it is shorter.
    """
    return _RECOGNISED[name](head)


def _is_table(head: bytes) -> bool:
    """Whether a table has our columns and no other, such as one that somebody added."""
    first, end, _ = head.partition(b"\r\n")
    columns = first.decode("utf-8", "replace").split(",")
    return (
        bool(end)
        and tuple(columns[: len(FIRST_COLUMNS)]) == FIRST_COLUMNS
        and all(column in COLUMNS or is_compare_column(column) for column in columns)
    )


_RECOGNISED: Mapping[str, Callable[[bytes], bool]] = {
    REPORT: lambda head: _JSON.match(head) is not None,
    REPORT_TABLE: _is_table,
    REPORT_PAGE: lambda head: all(mark in head for mark in _HTML),
    PREVIEW_PAGE: lambda head: all(mark in head for mark in _PREVIEW),
}
