"""The standard input and output for bytes, for programs in a pipe."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import BinaryIO


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
