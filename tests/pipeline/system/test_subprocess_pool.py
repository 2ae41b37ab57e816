"""Child processes: the modules that pools start are imported, so the layer contract covers them."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from remove_objects.pipeline.system.subprocess_pool import SubprocessPool, end
from tools.package_tree import ROOT

PACKAGE = ("remove_objects", "models", "pipeline", "train")


def sources() -> list[Path]:
    return sorted(path for folder in PACKAGE for path in (ROOT / folder).rglob("*.py"))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "remove_objects" else ("remove_objects", *parts))


def started_in(path: Path) -> list[ast.expr]:
    """The argument of every ``SubprocessPool(...)`` in a file."""
    return [
        node.args[0]
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "SubprocessPool"
    ]


POOLS = [(path, argument) for path in sources() for argument in started_in(path)]


def test_both_pools_are_seen() -> None:
    assert [module_name(path) for path, _ in POOLS] == [
        "remove_objects.pipeline.images.dct.splice",
        "remove_objects.pipeline.images.sandbox",
    ]


@pytest.mark.parametrize(("path", "argument"), POOLS, ids=[path.stem for path, _ in POOLS])
def test_a_pool_starts_the_main_of_an_imported_module(path: Path, argument: ast.expr) -> None:
    """The caller imports the module, so the contract of the imports covers the child."""
    assert isinstance(argument, ast.Attribute)
    assert isinstance(argument.value, ast.Name)
    started = getattr(importlib.import_module(module_name(path)), argument.value.id)
    assert inspect.ismodule(started)
    assert started.__name__.startswith("remove_objects.")
    assert argument.attr == "main"
    assert not inspect.signature(started.main).parameters
    assert f"from {started.__name__} import main" in SubprocessPool(started.main).code


def test_only_the_pool_starts_python_from_a_string() -> None:
    """Any other string that imports from this package would escape import-linter."""
    strings = {
        module_name(path): node.value
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and ("import main" in node.value or node.value in ("-c", "-m"))
    }
    assert set(strings) <= {
        "remove_objects.pipeline.report.next_steps",  # shows a command, and starts nothing
        "remove_objects.pipeline.system.subprocess_pool",
    }


def test_a_child_imports_what_its_parent_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "echo_worker.py").write_text(
        "import sys\n"
        "def main():\n"
        "    for line in sys.stdin: print(line.strip()[::-1], flush=True)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pool = SubprocessPool(importlib.import_module("echo_worker").main)
    for word in ("one", "two"):
        with pool.borrow() as worker:
            assert worker.stdin is not None
            assert worker.stdout is not None
            worker.stdin.write(f"{word}\n".encode())
            worker.stdin.flush()
            assert worker.stdout.readline().decode().strip() == word[::-1]
    assert pool.idle == [worker]
    pool.close()
    assert pool.idle == []
    assert worker.poll() is not None


def test_a_worker_that_does_not_end_by_itself_is_killed() -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    end(worker)
    assert worker.returncode
