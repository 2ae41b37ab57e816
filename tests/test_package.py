"""The one package: its public names, its folders, and what each part of it imports."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import tomllib
from pathlib import Path
from typing import is_typeddict

import pytest

import remove_objects
from tools.package_tree import FOLDERS, ROOT

SETUP = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Distributions that only training needs, by import name.
TRAINING_ONLY = {"lightning_fabric"}


def sources() -> list[Path]:
    """Every module of the package."""
    return sorted(
        path for folder in ("remove_objects", *FOLDERS) for path in (ROOT / folder).rglob("*.py")
    )


def imported(source: Path) -> set[str]:
    """Top-level names of the absolute imports in a module, also of those inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_dir_shows_the_public_names_only() -> None:
    assert dir(remove_objects) == sorted(remove_objects.__all__)


@pytest.mark.parametrize("name", remove_objects.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(remove_objects, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'remove_everything'"):
        remove_objects.remove_everything  # noqa: B018


def test_a_checkout_holds_the_package_and_nothing_else() -> None:
    found = {m.name for m in pkgutil.walk_packages(remove_objects.__path__, "remove_objects.")}
    expected = {
        ".".join(("remove_objects", *path.relative_to(ROOT).with_suffix("").parts))
        .removesuffix(".__init__")
        .replace("remove_objects.remove_objects", "remove_objects")
        for path in sources()
    }
    assert found == expected - {"remove_objects"}
    for other in ("tests", "tools", "remove_objects"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(f"remove_objects.{other}")


def test_docs_describe_every_public_name_and_no_other() -> None:
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    sections = re.split(r"^### `(\w+)", text, flags=re.MULTILINE)
    names, bodies = sections[1::2], sections[2::2]
    assert sorted(names) == sorted(remove_objects.__all__)
    for name, body in zip(names, bodies, strict=True):
        public = getattr(remove_objects, name)
        if dataclasses.is_dataclass(public):
            described = set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
            assert described == {field.name for field in dataclasses.fields(public)}, name
        elif is_typeddict(public):
            described = set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
            assert described == set(public.__annotations__), name
        elif inspect.isfunction(public):
            described = set(re.findall(r"^\| `(\w+)` \|", body, re.MULTILINE))
            assert described == set(inspect.signature(public).parameters), name


def test_every_folder_with_modules_is_packed() -> None:
    folders = {path.parent.relative_to(ROOT) for path in sources()}
    packages = {
        ".".join(f.parts)
        if f.parts[0] == "remove_objects"
        else ".".join(("remove_objects", *f.parts))
        for f in folders
    }
    assert set(SETUP["tool"]["setuptools"]["packages"]) == packages


def test_imports_inside_the_package_are_relative() -> None:
    own = {"remove_objects", *FOLDERS}
    assert not {path.relative_to(ROOT) for path in sources() if imported(path) & own}


def test_only_training_imports_what_only_training_needs() -> None:
    users = {path for path in sources() if imported(path) & TRAINING_ONLY}
    assert users
    assert {path.relative_to(ROOT).parts[0] for path in users} == {"train"}


def test_every_dependency_is_imported() -> None:
    names = {"opencv-python": "cv2", "pillow": "PIL", "scikit-image": "skimage"}
    used = set().union(*(imported(path) for path in sources()))
    for requirement in SETUP["project"]["dependencies"]:
        distribution = re.split(r"[<>=;\[ ]", requirement, maxsplit=1)[0]
        assert names.get(distribution, distribution.replace("-", "_")) in used, distribution
