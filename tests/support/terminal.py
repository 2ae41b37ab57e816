"""A terminal of a given width: runs work in it, and shows what stands on its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path

from remove_objects.pipeline.system.text import columns
from tools.faults.points import ended, start

#: Seconds of silence after which a child is taken to hang; it is ended, and the test fails.
PATIENCE = 120


class Terminal:
    """What a forked child printed to a terminal.

    Attributes:
        code: its exit code.
        written: all that it wrote, with control characters.
    """

    def __init__(
        self, work: Callable[[], object], width: int, *, errors: Path | None = None
    ) -> None:
        """Run ``work`` in it; its standard error goes to a file if one is given."""
        self._width = width
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))

        def in_it() -> object:
            os.close(ours)
            for number in (0, 1, 2):
                os.dup2(theirs, number)
            os.environ.update({"TERM": "xterm"})
            os.environ.pop("COLUMNS", None)
            if errors is not None:
                os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT, 0o600), 2)
            sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", closefd=False)
            sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", closefd=False)
            return work()

        child = start(in_it)
        os.close(theirs)
        content = b""
        while select.select([ours], [], [], PATIENCE)[0]:
            try:
                more = os.read(ours, 65536)
            except OSError:  # nobody has the terminal open any more
                break
            content += more
            if not more:
                break
        os.close(ours)
        self.code = ended(child, PATIENCE)
        self.written = content.decode("utf-8")

    @property
    def drawn(self) -> list[str]:
        """Every text that was written from the begin of a line on, without trailing blanks."""
        return [text.rstrip() for text in re.split(r"[\r\n]+", self.written) if text.strip()]

    @property
    def screen(self) -> list[str]:
        """The lines of the screen at the end, broken at its width."""
        rows: list[list[str]] = [[]]
        row = column = 0
        for character in self.written:
            assert character != "\x1b", "this terminal knows no escape sequences"
            if character == "\r":
                column = 0
                continue
            if character == "\n" or column + columns(character) > self._width:
                row, column = row + 1, 0
                if row == len(rows):
                    rows.append([])
            if character == "\n":
                continue
            cells = rows[row]
            cells += [" "] * (column + columns(character) - len(cells))
            cells[column : column + columns(character)] = [
                character,
                *[""] * (columns(character) - 1),
            ]
            column += columns(character)
        return ["".join(cells).rstrip() for cells in rows]
