"""A run's settings, as its report and journal recorded them, for photos that are mended here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from ...models.kinds import KINDS
from ..batch.journal import Journal
from ..batch.settings import SERIES
from ..config import LARGEST_MAX_PIXELS, MAX_PIXELS, Settings, resolve_classes
from ..errors import UsageError
from ..segmenter_names import parse_segmenter, without_files

if TYPE_CHECKING:
    from ..report.schema import RunEntry

#: The run's settings that do not apply here: a person chooses them for every photo, they have no
#: effect on a mask that is given, or they are files, which a folder from elsewhere may not name;
#: of ``segmenter`` the names of files and folders are left out for the same reason.
_NOT_INHERITED = ("compare", "dilate", "route", "device", "weights")


def settings_of(run: RunEntry) -> Settings:
    """Return a run's settings, without those that a person chooses at the board.

    Unknown and invalid settings are left out.

    Args:
        run: the report's ``run``.
    """
    return _settings(run.get("settings"))


def settings_of_result(journal: Journal, name: str) -> Settings | None:
    """Return the settings that a photo's result was made with; None if no run knows them.

    Several runs may have written into one folder, each with its own settings.

    Args:
        journal: the journal of the output folder.
        name: the photo's name in it.
    """
    recorded = recorded_settings(journal, name)
    return None if recorded is None else _settings(recorded)


def recorded_settings(journal: Journal, name: str) -> Mapping[str, Any] | None:
    """Return the settings of a photo's result as the journal holds them (``batch.made_with``)."""
    row = journal.rows.get(name)
    return None if row is None else journal.settings.get(row.get("made_with", ""))


def combined(run: Settings, given: Settings) -> Settings:
    """Return a run's settings, changed by those of the command line."""
    keeps_all = not given.strip_metadata and "all" in (run.keep_metadata, given.keep_metadata)
    return replace(
        run,
        device=given.device,
        lossless=run.lossless or given.lossless,
        offline=run.offline or given.offline,
        strip_metadata=run.strip_metadata or given.strip_metadata,
        keep_metadata="all" if keeps_all else "known",
        weights=given.weights,
    )


def networks_note(run: RunEntry, given: Settings) -> str:
    """Say how a run's own networks differ from those of the command line; empty if they do not.

    Args:
        run: the report's ``run``.
        given: the settings of the command line.
    """
    recorded = run.get("settings")
    recorded = recorded if isinstance(recorded, dict) else {}
    return "; ".join(filter(None, (_weights_note(recorded, given), _models_note(recorded, given))))


def _models_note(recorded: Mapping[str, Any], given: Settings) -> str:
    named = str(recorded.get("segmenter") or "auto")
    if named in (without_files(named), given.segmenter):
        return ""
    return (
        f"finds objects by other networks than the run did; give --segmenter {named} to use the "
        "run's"
    )


def _weights_note(recorded: Mapping[str, Any], given: Settings) -> str:
    of_run = recorded.get("weights")
    of_run = of_run if isinstance(of_run, dict) else {}
    here = {own.kind: own.sha256 for own in given.own_weights}
    other = [kind for kind in KINDS if of_run.get(kind) != here.get(kind)]
    if not other:
        return ""
    options = [f"--weights {kind}=FILE" for kind in other if kind in of_run]
    remedy = f"give {' '.join(options)} to use the run's" if options else "leave --weights out"
    return f"fills with other weights of {', '.join(other)} than the run did; {remedy}"


def max_pixels_of(run: RunEntry) -> int:
    """Return a run's limit on pixels if it was raised, else the default one."""
    recorded = run.get("settings")
    given = recorded.get("max_pixels") if isinstance(recorded, dict) else None
    if not isinstance(given, int) or isinstance(given, bool):
        return MAX_PIXELS
    return min(max(given, MAX_PIXELS), LARGEST_MAX_PIXELS)


def classes_of(recorded: Any, segmenter: str = "auto") -> tuple[str, ...]:
    """Return the classes of recorded settings; none if they are unknown.

    Args:
        recorded: the settings.
        segmenter: of the command line.
    """
    with suppress(UsageError, TypeError, AttributeError):
        known = parse_segmenter(segmenter).classes
        return resolve_classes(list((recorded or {}).get("classes") or []), known)
    return ()


def series_of(recorded: Any) -> str:
    """Return how recorded settings find photos of one place; ``auto`` if that is unknown."""
    series = recorded.get("series") if isinstance(recorded, dict) else None
    return series if series in SERIES else "auto"


def _settings(recorded: object) -> Settings:
    """Return recorded settings, see ``settings_of``."""
    if not isinstance(recorded, dict):
        return Settings()
    # JSON has no tuples.
    known: dict[str, Any] = {
        f.name: tuple(value) if isinstance(value := recorded[f.name], list) else value
        for f in fields(Settings)
        if f.name in recorded and f.name not in _NOT_INHERITED
    }
    if "segmenter" in known:
        known["segmenter"] = without_files(str(known["segmenter"]))
    with suppress(UsageError, TypeError):
        return Settings(**known)
    return Settings()
