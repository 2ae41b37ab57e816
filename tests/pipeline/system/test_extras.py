"""The command that installs an extra names no package that nobody has put on an index."""

from __future__ import annotations

import json
import shlex
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from remove_objects.pipeline.system import extras

ROOT = Path(__file__).parents[3]
STATED = ["torch>=2", 'gradio<7,>=6.31; extra == "board"', 'rawpy>=0.22; extra == "raw"']


def test_in_a_checkout_it_names_the_checkout() -> None:
    assert shlex.split(extras.install_command("board")) == ["pip", "install", f"{ROOT}[board]"]


@pytest.mark.parametrize("standing", [True, False])
def test_elsewhere_it_names_the_source_that_was_installed_or_the_packages(
    standing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "the source"
    source.mkdir()
    if standing:
        (source / "pyproject.toml").write_text('[project]\nname = "remove-objects"\n')
    installed = SimpleNamespace(read_text=lambda _: json.dumps({"url": source.as_uri()}))
    monkeypatch.setattr(extras, "_checkout", lambda: None)
    monkeypatch.setattr(metadata, "distribution", lambda _: installed)
    monkeypatch.setattr(metadata, "requires", lambda _: STATED)
    wanted = f"{source}[board]" if standing else "gradio<7,>=6.31"
    assert shlex.split(extras.install_command("board")) == ["pip", "install", wanted]


def test_without_any_knowledge_it_is_the_readme_s(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(extras, "_checkout", lambda: None)
    monkeypatch.setattr(metadata, "distribution", unknown)
    monkeypatch.setattr(metadata, "requires", unknown)
    assert extras.install_command("heic") == "pip install '.[heic]'"


def test_no_message_names_the_package_for_pip() -> None:
    # An index may hold another program under the name.
    for folder in ("models", "pipeline", "train"):
        for file in (ROOT / folder).rglob("*.py"):
            assert "remove-objects[" not in file.read_text(encoding="utf-8"), file
