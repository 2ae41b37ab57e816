"""Every error the pipeline raises on purpose. Only the command line turns them into exit codes.

``UsageError`` is the caller's mistake (exit 2); ``PhotoError`` concerns one photo and never ends a batch (exit 1 at its end), but for
``OutputError``, which is met by one photo and concerns all.
"""

from __future__ import annotations


class RemoveObjectsError(Exception):
    """The root of this package's errors: the message says what was found, what was expected and the remedy."""


class UsageError(RemoveObjectsError):
    """The call itself is wrong: an unknown class, an output that would be an input, two photos that write one file."""


class WeightsError(RemoveObjectsError):
    """A weight file is missing, cannot be had, or is not the file it should be."""


class ClusterError(RemoveObjectsError):
    """The machines that were to share the work could not do it."""


class PhotoError(RemoveObjectsError):
    """One photo cannot be done; the batch goes on and the report carries the message."""


class UnreadableError(PhotoError):
    """The file is no picture, is damaged, too large, or of a kind that cannot be cleaned honestly."""


class UnwritableError(PhotoError):
    """The result cannot be written where it should go."""


class OutputError(UnwritableError):
    """No photo can be written any more: the disk is full or has become read-only, or the journal cannot be kept. The run ends (exit 1)."""
