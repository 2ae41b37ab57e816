"""Headers of answers."""

from __future__ import annotations

from urllib.parse import quote

from ..system.text import printable


def attachment(name: str) -> dict[str, str]:
    """Return the headers of a file that is saved under a name and never kept by a cache."""
    encoded = quote(printable(name), safe="")
    return {
        "content-disposition": f"attachment; filename*=UTF-8''{encoded}",
        "cache-control": "no-store",
    }
