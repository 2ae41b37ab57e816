"""How to install what an extra of the package brings, by a command that works as it stands.

The package need not be on any index, so no command names it: it names the folder with the program's
source, where that is known, else the packages themselves.
"""

from __future__ import annotations

import importlib
import json
from importlib import metadata
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from ..errors import UsageError
from .shell import in_shell

_NAME = "remove-objects"


def install_command(extra: str) -> str:
    """Return the command that installs an extra of this package, quoted for the shell.

    Args:
        extra: its name in ``pyproject.toml``.
    """
    folder = _checkout() or _installed_from()
    wanted = [f"{folder}[{extra}]"] if folder is not None else _packages(extra)
    words = ["pip", "install", *(wanted or [f".[{extra}]"])]
    return in_shell(words)


def import_extra(module: str, need: str, extra: str) -> ModuleType:
    """Import a module that an extra of this package brings.

    Args:
        module: its import name.
        need: what needs which package: the beginning of the message.
        extra: its name in ``pyproject.toml``.

    Raises:
        UsageError: it cannot be imported; the message has the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise UsageError(f"{need} ({error}): {install_command(extra)}") from error


def _checkout() -> Path | None:
    """The folder with the program's source, if this is it."""
    root = Path(__file__).resolve().parents[2]
    return root if _is_source(root) else None


def _installed_from() -> Path | None:
    """The folder from which pip installed the package, if it is still there (PEP 610)."""
    try:
        text = metadata.distribution(_NAME).read_text("direct_url.json") or ""
        address = urlsplit(json.loads(text)["url"])
    except (metadata.PackageNotFoundError, ValueError, KeyError, TypeError):
        return None
    folder = Path(unquote(address.path))
    return folder if address.scheme == "file" and _is_source(folder) else None


def _is_source(folder: Path) -> bool:
    try:
        return f'name = "{_NAME}"' in (folder / "pyproject.toml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _packages(extra: str) -> list[str]:
    """The requirements of an extra, as the installed package states them."""
    try:
        stated = metadata.requires(_NAME) or []
    except metadata.PackageNotFoundError:
        return []
    parts = [requirement.partition(";") for requirement in stated]
    markers = f'extra == "{extra}"', f"extra == '{extra}'"
    return [what.strip() for what, _, marker in parts if marker.strip() in markers]
