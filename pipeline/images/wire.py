"""TODO docstring."""

from __future__ import annotations

import pickle
from typing import Any, BinaryIO

import numpy as np


def receive(stream: BinaryIO) -> Any:
    """What ``image_decoder.send`` sent, its arrays in memory of their own. Raises ``EOFError`` where it ends too early."""
    length, sizes = pickle.load(stream)
    head = _exactly(stream, length)
    return pickle.loads(head, buffers=[_exactly(stream, size) for size in sizes])


def _exactly(stream: BinaryIO, count: int) -> Any:
    found = np.empty(count, np.uint8)
    view, at = found.data, 0
    while at < count:
        got = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not got:
            raise EOFError("the decoder ended within an answer")
        at += got
    return found


def send(value: Any, stream: BinaryIO) -> None:
    """Pickle with the arrays' bytes behind it, which are so never copied. ``receive`` is its counterpart."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    pickle.dump((len(head), [view.nbytes for view in views]), stream)
    stream.write(head)
    for view in views:
        stream.write(view)
    stream.flush()
