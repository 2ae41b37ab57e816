"""Every dotted name of this package in a docstring, a comment or a page of docs/ exists."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: ``pipeline.report.schema.Entry`` in code, `pipeline.report.schema.Entry` in Markdown.
POINTER = re.compile(r"`((?:remove_objects\.)?(?:pipeline|models|train)(?:\.(?!py`)\w+)+)`")
#: `pipeline/report/schema.py` in either.
PATH = re.compile(r"`((?:pipeline|models|train|tests|benchmarks|tools)/[\w./]+)`")


def pointers(pattern: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """(file, name) of every match in the package, its documentation and its tests."""
    folders = ("pipeline", "models", "train", "remove_objects", "benchmarks", "tools", "tests")
    files = [file for folder in folders for file in (ROOT / folder).rglob("*.py")]
    for file in sorted({*files, *(ROOT / "docs").glob("*.md"), ROOT / "README.md"}):
        for match in pattern.finditer(file.read_text(encoding="utf-8")):
            yield str(file.relative_to(ROOT)), match[1]


def exists(name: str) -> bool:
    """Whether a dotted name leads to a module, or to an attribute of one."""
    parts = name.removeprefix("remove_objects.").split(".")
    for count in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(["remove_objects", *parts[:count]]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[count:]:
            fields = getattr(value, "__dataclass_fields__", {})
            if attribute not in fields and not hasattr(value, attribute):
                return False
            value = getattr(value, attribute, None)
        return True
    return False


@pytest.mark.parametrize(("name", "right"), [("pipeline.types.Box", True), ("pipeline.x", False)])
def test_a_wrong_pointer_is_noticed(name: str, right: bool) -> None:
    assert exists(name) == right


def test_every_dotted_name_exists() -> None:
    wrong = [f"{file}: {name}" for file, name in pointers(POINTER) if not exists(name)]
    assert wrong == []


def test_every_path_exists() -> None:
    wrong = [f"{file}: {name}" for file, name in pointers(PATH) if not (ROOT / name).exists()]
    assert wrong == []
