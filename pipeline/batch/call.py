"""A call to clean a folder: its paths, settings and options as one."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ..config import Settings, with_options
from ..errors import UsageError
from ..given import refuse_unknown, shown
from ..storage.location import AnyPath, Location, RemotePath, as_location
from .settings import BatchSettings


@dataclass(frozen=True)
class Call:
    """What is to be cleaned, and how.

    Attributes:
        inputs: files and folders.
        listed: further ones, of which some may be missing.
        settings: the settings of the picture.
        batch: the settings of the folder.
        command: the command line, which the report quotes.
        settings_from: options that settings files set, by the files' addresses, for the report.
    """

    inputs: tuple[Location, ...]
    listed: tuple[Location, ...]
    settings: Settings
    batch: BatchSettings
    command: str = ""
    settings_from: Mapping[str, Mapping[str, Any]] | None = None

    @classmethod
    def of(
        cls,
        function: str,
        inputs: AnyPath | Iterable[AnyPath],
        settings: Settings | None,
        batch: BatchSettings | None,
        *,
        classes: str | Iterable[str] | None,
        output: AnyPath | None,
        listed: AnyPath | Iterable[AnyPath],
        command: str,
        options: Mapping[str, Any],
        settings_from: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Call:
        """Read the arguments of a function, whose name messages have.

        Raises:
            UsageError: one of them is of another kind, or not legal.
            TypeError: there is no option of that name.
        """
        of_picture = {field.name for field in fields(Settings)}
        of_folder = {field.name for field in fields(BatchSettings)}
        refuse_unknown(function, options, (*sorted(of_folder), *sorted(of_picture)))
        if batch is not None and not isinstance(batch, BatchSettings):
            raise UsageError(
                "batch takes a BatchSettings, such as BatchSettings(classes='person'); "
                f"got {shown(batch)}"
            )
        if isinstance(settings, BatchSettings):
            raise UsageError("settings takes a Settings; a BatchSettings is given as batch=…")
        own = {name: value for name, value in options.items() if name in of_folder}
        if classes is not None:
            own["classes"] = classes
        if output is not None:
            own["output"] = output
        return cls(
            _locations("inputs", inputs),
            _locations("listed", listed),
            with_options(settings, {n: v for n, v in options.items() if n in of_picture}),
            replace(batch or BatchSettings(), **own),
            command,
            settings_from,
        )


def _locations(name: str, given: Any) -> tuple[Location, ...]:
    """Return the paths that a caller gives, one or several."""
    if isinstance(given, str | os.PathLike | Path | RemotePath):
        return (as_location(given, name),)
    if not isinstance(given, Iterable) or hasattr(given, "shape") or isinstance(given, bytes):
        raise UsageError(
            f"{name} takes the path of a photo or folder, or a list of paths; got {shown(given)}"
            f"{_of_memory(given)}"
        )
    return tuple(as_location(each, name) for each in given)


def _of_memory(given: Any) -> str:
    """Say what cleans a picture that is in memory."""
    is_picture = hasattr(given, "shape") or hasattr(given, "getbands")
    return "; remove() cleans a picture that is in memory" if is_picture else ""
