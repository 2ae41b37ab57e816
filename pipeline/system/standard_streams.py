"""The standard input and output for bytes, for programs in a pipe."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import BinaryIO


def open_closed_errors() -> None:
    """Open standard error if it is closed, as services and ``2>&-`` do, so that nothing fails.

    The descriptor is opened too: otherwise the next file gets it, and the messages of libraries.
    """
    if sys.stderr is not None:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.fstat(2)
    except OSError:
        os.dup2(nowhere, 2)
    sys.stderr = os.fdopen(nowhere, "w")


def print_any_name() -> None:
    """Escape what the encoding of the standard output lacks: names of files are of any language."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Send to nowhere what Python would write to standard output at its end, and fail."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def read_input(limit: int) -> bytes:
    """Return the bytes of the standard input, at most ``limit`` and one more."""
    return sys.stdin.buffer.read(limit + 1)


@contextmanager
def output_for_bytes() -> Iterator[BinaryIO]:
    """Yield the standard output; whatever else is printed in the block goes to standard error.

    A library written in C prints past ``sys.stdout``, so the descriptor itself is redirected.
    """
    sys.stdout.flush()
    try:
        descriptor, errors = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):  # replaced by an object, as tests do
        replaced = sys.stdout.buffer
        with redirect_stdout(sys.stderr):
            yield replaced
        return
    kept = os.dup(descriptor)
    try:
        os.dup2(errors, descriptor)
        output = os.fdopen(os.dup(kept), "wb")
        try:
            yield output
        finally:
            with suppress(OSError):  # what could not be written has been reported
                output.close()
    finally:
        sys.stdout.flush()
        os.dup2(kept, descriptor)
        os.close(kept)
