"""Lay the checkout out as the one installed package, for tools that read source trees.

    python -m tools.package_tree FOLDER      # makes FOLDER/remove_objects, of links

mypy and import-linter follow folders, not the mapping of folders to packages in ``pyproject.toml``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("models", "pipeline", "train")


def lay_out(folder: Path) -> Path:
    """Link every source file of the checkout into ``folder/remove_objects``.

    Files are linked, not folders: import-linter does not follow linked folders.

    Returns:
        The package's folder.
    """
    package = folder / "remove_objects"
    for source in (ROOT / "remove_objects", *(ROOT / name for name in FOLDERS)):
        inside = package if source.name == "remove_objects" else package / source.name
        for file in sorted(source.rglob("*")):
            if file.suffix in (".py", ".typed") and "__pycache__" not in file.parts:
                link = inside / file.relative_to(source)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to(file)
    return package


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    lay_out(parser.parse_args().folder)
