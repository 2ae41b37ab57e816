"""The bundled weights.

They are ``.safetensors`` files with a model card each in ``models/weights``; ``index.json`` there
names the current file of each kind and its hash, which is checked on every load.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .checkpoint import CheckpointError, load_weights

FOLDER = Path(__file__).parent / "weights"


def load_shipped(kind: str, network_class: type[Any]) -> tuple[Any, str]:
    """Load the current bundled network of a kind, and check its full sha256.

    Args:
        kind: ``compact-segmenter``, ``partial-conv``, ``skip-ce``, ``compression`` or
            ``object-refiner``.
        network_class: the class the file must hold.

    Returns:
        (network in evaluation mode, sha256 of its file).

    Raises:
        CheckpointError: the weight is missing or damaged; the message gives the remedy.
    """
    path = FOLDER / "index.json"
    index = _entries()
    if kind not in index:
        raise CheckpointError(
            f"{path}: has no weight of kind '{kind}', only {', '.join(sorted(index))}; "
            "reinstall the package"
        )
    try:
        file, digest = FOLDER / str(index[kind]["file"]), str(index[kind]["sha256"])
    except (KeyError, TypeError) as error:
        raise _not_a_list(error) from error
    return load_weights(file, network_class, expected_sha256=digest), digest


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
