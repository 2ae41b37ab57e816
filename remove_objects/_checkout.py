"""In a checkout, the folders of the package lie beside ``remove_objects/`` and not in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

FOLDERS = ("models", "pipeline", "train")
_ROOT = Path(__file__).parent.parent

#: The entry of the package's ``__path__``. The root itself would make everything in it a part of
#: the package: ``tests``, ``tools`` and ``remove_objects`` again.
ENTRY = str(_ROOT / f"[{','.join(FOLDERS)}]")


class Folders:
    """Finds the three folders, and nothing else, behind ``ENTRY``."""

    def __init__(self, entry: str) -> None:
        if entry != ENTRY:
            raise ImportError(f"{entry} is not the checkout")

    def find_spec(self, name: str, target: ModuleType | None = None) -> ModuleSpec | None:
        """Find a folder as a package; ``importlib`` calls this."""
        if name.rpartition(".")[2] not in FOLDERS:
            return None
        return PathFinder.find_spec(name, [str(_ROOT)], target)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        """List the folders as packages; ``pkgutil`` calls this."""
        return ((prefix + folder, True) for folder in FOLDERS)


sys.path_hooks.append(Folders)
