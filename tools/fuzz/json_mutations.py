"""Mutations of JSON that stays JSON: another type, a missing key, a number that is none, a name from nowhere."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

#: What stands where something else was expected. Python's reader lets NaN and infinity through, and integers of any length.
STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1e308, -1e-320, float("nan"), float("inf"), 10**400, "", "x", "../../etc/passwd", "a\0b", "\ud800", "ok",
    "failed", "skipped", [], {}, [[]], [1, 2], [1, 2, 3, 4], [0, 0, -5, 1e300], {"a": 1}, "é" * 300,
    "a/b", "/", "C:\\x", "<script>alert(1)</script>",
)  # fmt: skip


def mutate_json(random: np.random.Generator, content: bytes, *, lines: bool) -> bytes:
    """One to four nodes changed; with ``lines`` each line is a document of its own."""
    documents = [
        json.loads(line)
        for line in (content.decode().splitlines() if lines else [content.decode()])
    ]
    for _ in range(int(random.integers(1, 5))):
        i = int(random.integers(len(documents)))
        documents[i] = _changed(random, documents[i])
    text = "\n".join(json.dumps(document) for document in documents)
    return (text + "\n").encode("utf-8", "surrogatepass")


def _changed(random: np.random.Generator, document: Any) -> Any:
    """A random walk down, and something strange where it ends."""
    if not isinstance(document, dict | list) or not document or random.random() < 0.12:
        return STRANGE[int(random.integers(len(STRANGE)))]
    copy = document.copy()
    key = (
        list(copy)[int(random.integers(len(copy)))]
        if isinstance(copy, dict)
        else int(random.integers(len(copy)))
    )
    what = random.random()
    if what < 0.08:
        del copy[key]
    elif what < 0.14 and isinstance(copy, list):
        copy.extend([copy[key]] * int(random.integers(1, 5)))
    else:
        copy[key] = _changed(random, copy[key])
    return copy
