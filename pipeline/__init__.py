"""Remove objects from photos: ``ObjectRemover`` for one picture, ``remove_folder`` for many.

Imported lazily: the command line answers ``--help`` without loading a network library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import BatchSettings, Settings
    from pipeline.run import ObjectRemover, remove_folder

__all__ = ["BatchSettings", "ObjectRemover", "Settings", "remove_folder"]


def __getattr__(name: str) -> Any:
    if name in ("ObjectRemover", "remove_folder"):
        from pipeline import run

        return getattr(run, name)
    if name in ("BatchSettings", "Settings"):
        from pipeline import config

        return getattr(config, name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
