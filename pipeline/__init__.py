"""Remove objects from photos: ``ObjectRemover`` for one picture, ``remove_folder`` for many.

Imported lazily: the command line answers ``--help`` without loading a network library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.config import BatchSettings, Settings
    from pipeline.remover import ObjectRemover
    from pipeline.run import remove_folder

__all__ = ["BatchSettings", "ObjectRemover", "Settings", "remove_folder"]


def __getattr__(name: str) -> Any:
    if name == "ObjectRemover":
        from pipeline.remover import ObjectRemover

        return ObjectRemover
    if name == "remove_folder":
        from pipeline.run import remove_folder

        return remove_folder
    if name in ("BatchSettings", "Settings"):
        from pipeline import config

        return getattr(config, name)
    raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
