"""The protocol between ``sandbox`` and ``sandbox_worker``.

A request is one pickled ``Request``. An answer is a pickled header (length of the head, sizes of
the buffers), the head (a pickle of ``Answer`` without its arrays' bytes) and the buffers, so that
the pixels are never copied into a pickle.
"""

from __future__ import annotations

import io
import pickle
from typing import IO, Any, Literal, NamedTuple, cast

import numpy as np


class Request(NamedTuple):
    """One photo to decode.

    Attributes:
        path: the file, absolute or relative to ``folder``.
        folder: the parent's current folder; empty if it no longer exists.
        max_pixels: the limit above which the file is refused.
        glance: whether a small grey picture of it suffices.
    """

    path: str
    folder: str
    max_pixels: int
    glance: bool = False


class Answer(NamedTuple):
    """The answer to a request.

    Attributes:
        kind: "photo", "glance", "refused" (an ``UnreadableError``) or "unforeseen" (any other
            exception).
        value: a ``Photo`` or a ``Glance``; the error's message; the exception's last traceback
            line.
    """

    kind: Literal["photo", "glance", "refused", "unforeseen"]
    value: Any


def send_request(request: Request, stream: IO[bytes]) -> None:
    """Write ``request`` and flush."""
    pickle.dump(tuple(request), stream)
    stream.flush()


def receive_request(stream: IO[bytes]) -> Request:
    """Read one request.

    Raises:
        EOFError: if the stream has ended.
    """
    return Request(*pickle.load(stream))


def send(answer: Answer, stream: IO[bytes]) -> None:
    """Write ``answer`` and flush; its arrays go out of band, without a copy."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(tuple(answer), protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pickle.dump((len(head), [view.nbytes for view in views]), stream)
    stream.write(head)
    for view in views:
        stream.write(view)
    stream.flush()


def receive(stream: IO[bytes]) -> Answer:
    """Read one answer; its arrays get memory of their own and can be written to.

    Raises:
        EOFError: if the stream ends within the answer.
    """
    length, sizes = pickle.load(stream)
    head = _read_exactly(stream, length)
    return Answer(*pickle.loads(head, buffers=[_read_exactly(stream, size) for size in sizes]))


def _read_exactly(stream: IO[bytes], count: int) -> memoryview:
    # Unlike bytearray(count), NumPy's memory is not zeroed first.
    view, at = np.empty(count, np.uint8).data, 0
    reader = cast(io.BufferedReader, stream)
    while at < count:
        size = reader.readinto(view[at:])
        if not size:
            raise EOFError("the decoder ended within an answer")
        at += size
    return view
