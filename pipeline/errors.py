"""Every error that the pipeline raises on purpose. Only the commands turn them into exit codes.

``UsageError`` is the caller's mistake (exit 2). ``PhotoError`` concerns one photo and never ends a
batch (exit 1 at its end), except for ``OutputError``, which concerns all further photos.
"""

from __future__ import annotations

from typing import ClassVar


class RemoveObjectsError(Exception):
    """The root of this package's errors.

    The message is for people: it names the problem, what was expected, and the remedy.

    Attributes:
        code: names the kind of error for programs, which never read the message.
    """

    code: ClassVar[str] = "error"


class UsageError(RemoveObjectsError):
    """The call itself is wrong.

    For example: an unknown class, an output that is also an input, two photos with one target.
    """

    code: ClassVar[str] = "usage"


class WeightsError(RemoveObjectsError):
    """A weight file is missing, cannot be downloaded, or does not match its hash."""


class ClusterError(RemoveObjectsError):
    """The machines of a cluster could not do the work."""


class PhotoError(RemoveObjectsError):
    """One photo cannot be processed; the batch continues and the report carries the message."""


class UnreadableError(PhotoError):
    """The file is not an image, is damaged, too large, or of a kind that is refused."""

    code: ClassVar[str] = "unreadable"


class ChangedError(PhotoError):
    """The photo's file is another one than when it was opened: what was made of it is stale."""

    code: ClassVar[str] = "changed"


class UnwritableError(PhotoError):
    """The result cannot be written where it should go."""

    code: ClassVar[str] = "unwritable"


class ExistsError(UnwritableError):
    """The result's place is taken by a file that this program did not write.

    The caller may ask the user, and then save again with permission to replace it.
    """

    code: ClassVar[str] = "exists"


class OutputError(UnwritableError):
    """No photo can be written any more: the run ends (exit 1).

    The disk is full or has become read-only, or the journal cannot be written.
    """
