"""The packages of ``pip install .``: processes that find no other installed package.

Other packages may be installed, as they are where the tests run. They are hidden from it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from tools.package_tree import ROOT

#: What Python imports when it starts. ``python -c`` children import it too.
_REFUSAL = """
import sys
from importlib.machinery import PathFinder

class Refusal:
    NAMES = frozenset({names!r})

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in cls.NAMES else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Refusal
"""
#: Not hidden, though no dependency: it may measure these very tests.
_TOOLS = frozenset({"coverage"})


def other_modules() -> frozenset[str]:
    """Import names of the installed packages that are neither dependencies nor their dependencies.

    A dependency that is not installed is an error of the environment: ``PackageNotFoundError``.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    plain = _with_dependencies(map(Requirement, project["dependencies"]))
    return frozenset(
        name
        for name, distributions in metadata.packages_distributions().items()
        if not plain & {_normalised(d) for d in distributions}
    ) - (_TOOLS | {"remove_objects"})


def run_plain(
    folder: Path, *command: str, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python with the plain installation's packages alone.

    Args:
        folder: an existing one, for the module that hides all others.
        command: Python's arguments.
        environment: variables beside this process'.
    """
    text = _REFUSAL.format(names=sorted(other_modules()))
    (folder / "sitecustomize.py").write_text(text, encoding="utf-8")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
    variables["PYTHONPATH"] = os.pathsep.join((str(folder), str(ROOT)))
    return subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env=variables,
        check=False,
    )


def _with_dependencies(requirements: Iterable[Requirement]) -> frozenset[str]:
    """Names of distributions, and of what they require in turn, for this machine."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [r for r in requirements if r.marker is None or r.marker.evaluate()]
    while waiting:
        requirement = waiting.pop()
        key = _normalised(requirement.name), frozenset(requirement.extras)
        if key in found:
            continue
        found.add(key)
        for text in metadata.requires(key[0]) or []:
            further = Requirement(text)
            if further.marker is None or any(
                further.marker.evaluate({"extra": extra}) for extra in (*key[1], "")
            ):
                waiting.append(further)
    return frozenset(name for name, _ in found)


def _normalised(name: str) -> str:
    """The name of a distribution as packaging's specification compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
