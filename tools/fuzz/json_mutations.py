"""Mutations of JSON that stays JSON: another type, a missing key, a strange number or name."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

#: Replacements for values. Python's reader accepts NaN, infinity, and integers of any length.
STRANGE: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1e308, -1e-320, float("nan"), float("inf"), 10**400),
    *("", "x", "../../etc/passwd", "a\0b", "\ud800", "ok", "failed", "skipped"),
    *([], {}, [[]], [1, 2], [1, 2, 3, 4], [0, 0, -5, 1e300], {"a": 1}),
    *("é" * 300, "a/b", "/", "C:\\x", "<script>alert(1)</script>"),
)


def mutate_json(random: np.random.Generator, content: bytes, *, lines: bool) -> bytes:
    """Change one to four nodes; with ``lines`` each line is a separate document."""
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
    """Walk down the document at random, and change the node at the end."""
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
