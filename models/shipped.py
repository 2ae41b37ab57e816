"""The bundled weights.

They are ``.safetensors`` files with a model card each in ``models/weights``; ``index.json`` there
names the current file of each kind and its hash, which is checked on every load.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .errors import CheckpointError

FOLDER = Path(__file__).parent / "weights"


def load_shipped(kind: str, network_class: type[Any]) -> tuple[Any, str]:
    """Load the current bundled network of a kind, and check its full sha256.

    Args:
        kind: a key of ``models.kinds.KINDS``.
        network_class: the class the file must hold.

    Returns:
        (network in evaluation mode, sha256 of its file).

    Raises:
        CheckpointError: the weight is missing or damaged; the message gives the remedy.
    """
    from .checkpoint import load_weights

    entry = shipped_entry(kind)
    digest = entry["sha256"]
    return load_weights(FOLDER / entry["file"], network_class, expected_sha256=digest), digest


def shipped_entry(kind: str) -> dict[str, str]:
    """Return ``file`` and ``sha256`` of the current bundled weight of a kind.

    Raises:
        CheckpointError: the index is missing or damaged, or has none of that kind.
    """
    index = _entries()
    if kind not in index:
        raise CheckpointError(
            f"{FOLDER / 'index.json'}: has no weight of kind '{kind}', only "
            f"{', '.join(sorted(index))}; reinstall the package"
        )
    try:
        return {key: str(index[kind][key]) for key in ("file", "sha256")}
    except (KeyError, TypeError) as error:
        raise _not_a_list(error) from error


def is_shipped(kind: str) -> bool:
    """Return whether the index names a weight of a kind.

    Raises:
        CheckpointError: the index is missing or damaged.
    """
    return kind in _entries()


def _entries() -> dict[str, Any]:
    """The index's entries by kind."""
    try:
        index = json.loads(shipped_index())
        if not isinstance(index, dict):
            raise TypeError(f"{type(index).__name__} at the top")
    except (json.JSONDecodeError, TypeError) as error:
        raise _not_a_list(error) from error
    return index


def _not_a_list(error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{FOLDER / 'index.json'}: not a list of bundled weights ({error!r}); reinstall the package"
    )


def shipped_index() -> str:
    """Read the text of ``index.json``.

    Raises:
        CheckpointError: the file cannot be read.
    """
    path = FOLDER / "index.json"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); reinstall the package") from error
