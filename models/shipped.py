"""The weight table: every weight that ships or is downloaded, with its hash, and the one way to get it.

Shipped weights are ``.safetensors`` beside this file with a model card each; ``models/weights/index.json`` names the current one of each
kind. Downloaded weights lie in torch's own cache and are hash-checked on every load.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .checkpoint import CheckpointError, load_weights

FOLDER = Path(__file__).parent / "weights"


def load_shipped(kind: str, network_class: type[Any]) -> tuple[Any, str]:
    """Build and load the current shipped network of a kind; its full sha256 is checked on every load.

    Args:
        kind: ``compact-segmenter``, ``partial-conv``, ``skip-ce`` or ``compression``.
        network_class: what it must be.

    Returns:
        (network in evaluation mode, its file's sha256).

    Raises:
        CheckpointError: missing or damaged; says how to mend it.
    """
    path = FOLDER / "index.json"
    try:
        index = json.loads(shipped_index())
        if kind not in index:
            raise CheckpointError(
                f"{path}: no weight of kind '{kind}' ships; there are: {', '.join(sorted(index))}; reinstall the package"
            )
        file, digest = FOLDER / str(index[kind]["file"]), str(index[kind]["sha256"])
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not the list of weights that ships ({error!r}); reinstall the package"
        ) from error
    return load_weights(file, network_class, expected_sha256=digest), digest


def shipped_index() -> str:
    """``index.json`` as it stands. Raises ``CheckpointError`` where it cannot be read."""
    path = FOLDER / "index.json"
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); reinstall the package") from error
