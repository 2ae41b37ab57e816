"""Upload a file to a board without its server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from remove_objects.pipeline.board.board import Board


def upload(board: Board, source: Path, name: str | None = None) -> dict[str, Any]:
    """Put a copy of ``source`` where the server puts uploads, and open it under ``name``."""
    board.uploads.mkdir(exist_ok=True)
    uploaded = board.uploads / "sent"
    uploaded.write_bytes(source.read_bytes())
    return board.upload(uploaded, name or source.name)
