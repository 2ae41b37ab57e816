"""What a command logs, in the terminal."""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from contextlib import suppress

from .text import printable

#: So many of the latest messages are remembered.
_REMEMBERED = 200


def show_messages(command: str, *, quiet: bool = False, once: bool = False) -> None:
    """Print what is logged to standard error, after the command's name.

    Args:
        command: the name.
        quiet: errors only, no warnings.
        once: drop a message that was shown before, as every round of a watch would show it.
    """
    logging.basicConfig(
        level=logging.ERROR if quiet else logging.WARNING,
        format=f"{command}: %(message)s",
        force=True,
    )
    for handler in logging.getLogger().handlers if once else ():
        handler.addFilter(_Once())


def say_first(command: str, text: str) -> None:
    """Print to standard error what a command begins with.

    Loading the libraries of the networks takes seconds, so commands say it before they import them.
    """
    with suppress(OSError):  # nobody reads it
        print(f"{command}: {printable(text)} …", file=sys.stderr, flush=True)


class _Once(logging.Filter):
    """Drops a message that was logged before."""

    def __init__(self) -> None:
        super().__init__()
        self._said: OrderedDict[str, None] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the message is new."""
        text = record.getMessage()
        is_new = text not in self._said
        self._said[text] = None
        self._said.move_to_end(text)
        if len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)
        return is_new
