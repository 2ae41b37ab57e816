"""What servers answer: errors in words and codes, and headers of files."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from ..errors import RemoveObjectsError
from ..system.text import printable, with_origins
from ..system.unforeseen import is_want_of_memory, quoted, told, trace

log = logging.getLogger(__name__)

#: The code of an error answer where the machine's memory did not suffice.
MEMORY = "memory"
#: The code of an error answer about a fault of this program.
FAULT = "fault"


def explained(
    error: Exception,
    call: str,
    server: str,
    settings_from: Mapping[str, Mapping[str, Any]],
) -> tuple[str, str]:
    """Return the message and the code with which a server answers an error.

    Any error that no code raises on purpose is a fault of this program: the answer says so and
    where, and the traceback is logged.

    Args:
        error: the error.
        call: the call that raised it.
        server: what messages call the server, which goes on.
        settings_from: options that settings files set, by the files' addresses.
    """
    if isinstance(error, RemoveObjectsError):
        return with_origins(str(error), settings_from), error.code
    if is_want_of_memory(error):
        return f"the memory did not suffice{quoted(error)}", MEMORY
    log.error("%s: a fault of this program:\n%s", call, trace(error))
    message = (
        f"a fault of this program ({told(error)}); please report it, with this line and the "
        f"traceback in the terminal; {server} goes on"
    )
    return message, FAULT


def attachment(name: str) -> dict[str, str]:
    """Return the headers of a file that is saved under a name and never kept by a cache."""
    return {"content-disposition": _disposition("attachment", name), "cache-control": "no-store"}


def inline(name: str) -> dict[str, str]:
    """Return the headers of a file that is shown; a cache asks each time whether it changed."""
    return {"content-disposition": _disposition("inline", name), "cache-control": "no-cache"}


def _disposition(kind: str, name: str) -> str:
    return f"{kind}; filename*=UTF-8''{quote(printable(name), safe='')}"
