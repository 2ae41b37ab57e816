"""Remove objects from photos: ``remove`` for one picture, ``remove_folder`` for many.

This is the whole public interface; ``docs/api.md`` describes it. Names are imported when they are
first used, so that ``remove-objects --help`` answers without loading a network library.
"""

from __future__ import annotations

import logging
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if not (Path(__file__).parent / "pipeline").is_dir():
    from ._checkout import ENTRY

    __path__.append(ENTRY)

if TYPE_CHECKING:
    from .pipeline.batch.iterate import FolderRun, iter_folder
    from .pipeline.batch.run import FolderResult, remove_folder
    from .pipeline.batch.settings import BatchSettings
    from .pipeline.config import Settings
    from .pipeline.errors import (
        ClusterError,
        OutputError,
        PhotoError,
        RemoveObjectsError,
        UnreadableError,
        UnwritableError,
        UsageError,
        WeightsError,
    )
    from .pipeline.remover import ObjectRemover, Removed, remove
    from .pipeline.report.schema import Entry
    from .pipeline.types import HoleOutcome, Outcome, Probe, Route, Status

__version__ = "0.2.0"

# A library prints nothing: without a handler of its own, Python would print its warnings.
logging.getLogger(__name__).addHandler(logging.NullHandler())

#: Where each public name is defined.
_MODULES = {
    "BatchSettings": "batch.settings",
    "ClusterError": "errors",
    "Entry": "report.schema",
    "FolderResult": "batch.run",
    "FolderRun": "batch.iterate",
    "HoleOutcome": "types",
    "ObjectRemover": "remover",
    "Outcome": "types",
    "OutputError": "errors",
    "PhotoError": "errors",
    "Probe": "types",
    "RemoveObjectsError": "errors",
    "Removed": "remover",
    "Route": "types",
    "Settings": "config",
    "Status": "types",
    "UnreadableError": "errors",
    "UnwritableError": "errors",
    "UsageError": "errors",
    "WeightsError": "errors",
    "iter_folder": "batch.iterate",
    "remove": "remover",
    "remove_folder": "batch.run",
}

__all__ = [
    "BatchSettings",
    "ClusterError",
    "Entry",
    "FolderResult",
    "FolderRun",
    "HoleOutcome",
    "ObjectRemover",
    "Outcome",
    "OutputError",
    "PhotoError",
    "Probe",
    "RemoveObjectsError",
    "Removed",
    "Route",
    "Settings",
    "Status",
    "UnreadableError",
    "UnwritableError",
    "UsageError",
    "WeightsError",
    "__version__",
    "iter_folder",
    "remove",
    "remove_folder",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'remove_objects' has no attribute '{name}'")
    value = getattr(import_module(f"{__name__}.pipeline.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
