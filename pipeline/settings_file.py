"""Options that a file holds: ``remove-objects.toml`` beside the photos, or the user's own.

The command line goes before the file beside the photos, that before the user's own file, and that
before the defaults. A file beside photos may have come with them from anywhere, so it says what is
removed and how, and nothing else: no path, no address, nothing that replaces a file, keeps private
metadata or reaches for the network (``KEYS``).
"""

from __future__ import annotations

import argparse
import logging
import os
import tomllib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from ..models.categories import CLASSES
from .batch.settings import BatchSettings
from .config import Settings, resolve_classes
from .errors import PhotoError, UsageError
from .given import closest
from .images.suffixes import is_readable
from .segmenter_names import NETWORKS, parse_segmenter
from .storage.layout import SETTINGS_NAME
from .storage.location import Location, RemotePath
from .system.text import printable

log = logging.getLogger(__name__)

#: A larger file is no settings file.
_MOST_BYTES = 64_000
#: With more asterisks, a pattern of a file beside photos could be made to take hours to compare.
_MOST_ASTERISKS = 3


class Kind(NamedTuple):
    """The values of a key: the types that TOML gives them, and what they are called."""

    types: tuple[type, ...]
    shown: str


TEXT = Kind((str,), 'a text in quotes, such as "auto"')
TEXTS = Kind((str, list), 'a text, or a list of texts such as ["person", "dog"]')
NUMBER = Kind((int, float), "a number, such as 0.5")
WHOLE_OR_TEXT = Kind((int, str), "a whole number or a text in quotes")
SWITCH = Kind((bool,), "true or false")


class Key(NamedTuple):
    """A key of a settings file: the long name of an option, without its hyphens.

    Attributes:
        kind: its values.
        beside: the values that a file beside the photos may say: all of them, none, or these.
    """

    kind: Kind
    beside: bool | Collection[Any] = True


#: What a settings file may say. An option that is not here reads or writes other files, replaces
#: results, or belongs to one call: only the command line has it.
KEYS: Mapping[str, Key] = MappingProxyType(
    {
        "class": Key(TEXTS),
        "segmenter": Key(TEXT, beside=NETWORKS),  # a path is the user's
        "prefilter": Key(SWITCH),
        "threshold": Key(NUMBER),
        "dilate": Key(WHOLE_OR_TEXT),
        "with": Key(TEXTS),
        "keep": Key(TEXT),
        "min-size": Key(NUMBER),
        "max-size": Key(NUMBER),
        "exclude": Key(TEXTS),
        "route": Key(TEXT),
        "detail": Key(TEXT),
        "series": Key(TEXT),
        "lossless": Key(SWITCH),
        "raw-output": Key(TEXT),
        # Whoever wants GPS and names out must not lose that to a file that came with the photos.
        "strip-metadata": Key(SWITCH, beside=(True,)),
        "keep-metadata": Key(TEXT, beside=("known",)),
        "save-masks": Key(SWITCH),
        "compare": Key(TEXTS),
        "no-probe": Key(SWITCH),
        # The machine, its network and what a script takes for a failure are the user's.
        "max-pixels": Key(WHOLE_OR_TEXT, beside=False),
        "device": Key(TEXT, beside=False),
        "workers": Key(WHOLE_OR_TEXT, beside=False),
        "offline": Key(SWITCH, beside=False),
        "fail-on": Key(TEXT, beside=False),
    }
)

#: Values that contradict each other: where one is said, a weaker source's other one does not count.
_RIVALS = (
    (("strip-metadata", True), ("keep-metadata", "all")),
    (("lossless", True), ("raw-output", "jpeg")),
)
#: Keys that do not count with ``--masks``, by which the masks say what goes.
_NOT_WITH_MASKS = ("class", "keep", "min-size", "max-size")


@dataclass(frozen=True)
class SettingsFile:
    """A settings file that was read and checked.

    Attributes:
        shown: its address, for messages and the report.
        said: its keys, with values as the file says them.
        values: the same keys, with values as the command line has them.
    """

    shown: str
    said: Mapping[str, Any]
    values: Mapping[str, Any]


#: What was taken from files: their addresses, and the keys and values of each.
Taken = dict[str, dict[str, Any]]


def take(
    args: argparse.Namespace,
    arguments: Sequence[str],
    parser: Callable[[], argparse.ArgumentParser],
    of_runs: argparse.ArgumentParser,
    places: Iterable[Location],
    without: Collection[str] = (),
) -> Taken:
    """Put into the arguments what the files say, beside the photos and the user's own; log it.

    Args:
        args: the parsed command line, with ``no_settings``; it is changed.
        arguments: the command line.
        parser: makes a parser of the command.
        of_runs: the parser of ``remove-objects``, which knows what the options mean.
        places: the given photos and folders beside which a file may lie.
        without: keys that are no use in this call.

    Returns:
        What was taken, by file.

    Raises:
        UsageError: a file cannot be read, or says what it may not.
    """
    if args.no_settings:
        return {}
    known = _with_classes_of(getattr(args, "segmenter", None), CLASSES)
    of_user = user_file(of_runs, known)
    if of_user is not None:
        known = _with_classes_of(of_user.values.get("segmenter"), known)
    files = [file for file in (file_beside(places, of_runs, known), of_user) if file]
    if not files:
        return {}
    taken = apply(args, given_by(arguments, parser()), parser(), files, without=without)
    for sentence in told(taken):
        log.warning("%s", printable(sentence))
    return taken


def apply(
    args: argparse.Namespace,
    given: Collection[str],
    parser: argparse.ArgumentParser,
    files: Sequence[SettingsFile],
    *,
    without: Collection[str] = (),
) -> Taken:
    """Put what the files say into the arguments that the command line did not give.

    Args:
        args: the parsed command line; it is changed.
        given: the names in ``args`` that the command line gave (``given_by``).
        parser: the command's parser.
        files: the settings files, the strongest first.
        without: keys that are no use in this call.

    Returns:
        What was taken, by file.
    """
    options = _options(parser)
    stronger = {key: getattr(args, a.dest) for key, a in options.items() if a.dest in given}
    void = set(without) | set(_NOT_WITH_MASKS if getattr(args, "masks", None) else ())
    taken: Taken = {}
    for file in files:
        own = {
            key: value
            for key, value in file.values.items()
            if key in options and key not in stronger and key not in void
            if not any(_contradict((key, value), other) for other in stronger.items())
        }
        for key, value in own.items():
            setattr(args, options[key].dest, value)
        stronger |= own
        if own:
            taken[file.shown] = {key: file.said[key] for key in own}
    return taken


def given_by(arguments: Sequence[str], parser: argparse.ArgumentParser) -> set[str]:
    """Return the names of the options that a command line gives, not those left at a default.

    Args:
        arguments: a command line that the command's parser accepts.
        parser: a parser of the command; it is spoiled.
    """
    for action in parser._actions:
        if action.option_strings:
            action.default = argparse.SUPPRESS
    return set(vars(parser.parse_args(list(arguments))))


def told(taken: Taken) -> Iterator[str]:
    """Yield a sentence about what was taken from each file."""
    for file, said in taken.items():
        yield f"settings of {file}: {', '.join(f'{key} = {_toml(said[key])}' for key in said)}"


def user_file(
    parser: argparse.ArgumentParser, known: Sequence[str] = CLASSES
) -> SettingsFile | None:
    """Read the user's own settings file, if there is one.

    Raises:
        UsageError: it cannot be read, or a key or value is wrong.
    """
    place = user_place()
    content = None if place is None else _content(place)
    return None if content is None else _checked(str(place), content, parser, known, beside=False)


def user_place() -> Path | None:
    """Return where the user's own file is, whether it exists or not; None without a home."""
    for folder in (os.environ.get("XDG_CONFIG_HOME"), os.environ.get("APPDATA"), "~/.config"):
        path = Path(os.path.expanduser(folder or ""))
        if path.is_absolute():  # the standard ignores others, and "~" stays if there is no home
            return path / "remove-objects" / SETTINGS_NAME
    return None


def file_beside(
    places: Iterable[Location], parser: argparse.ArgumentParser, known: Sequence[str] = CLASSES
) -> SettingsFile | None:
    """Read the settings file beside the photos, if there is one.

    It lies in the given folder, or in the folder of the given photo; files of subfolders are not
    read.

    Raises:
        UsageError: it cannot be read, a key or value is wrong or is for the user's own file alone,
            or the given folders have different settings.
    """
    found: dict[Location, SettingsFile | None] = {}
    for folder in dict.fromkeys(map(_folder_of, places)):
        place = folder / SETTINGS_NAME
        content = _content(place)
        found[folder] = (
            None if content is None else _checked(str(place), content, parser, known, beside=True)
        )
    file = next(filter(None, found.values()), None)
    if file is None:
        return None
    for folder, other in found.items():
        if other is None or other.values != file.values:
            raise UsageError(
                f"{file.shown} is not for the photos of {folder}, which have "
                f"{other.shown if other else 'no such file'}: clean the folders in separate "
                "calls, or leave these files out with --no-settings"
            )
    return file


def _folder_of(place: Location) -> Location:
    if isinstance(place, RemotePath):
        return (place.parent or place) if is_readable(place.name) else place
    # os.path raises no error about a place that cannot be examined; the run tells of it.
    return Path(os.path.realpath(place if os.path.isdir(place) else place.parent))


def _content(place: Location) -> bytes | None:
    """Return the first bytes of a settings file; None if there is none.

    Raises:
        UsageError: it is no regular file, or cannot be read.
    """
    try:
        if isinstance(place, RemotePath):
            return place.read(_MOST_BYTES + 1)
        if not os.path.lexists(place):
            return None
        if not place.is_file():  # a pipe would block for ever
            raise UsageError(f"{place}: no regular file, so no settings can be read from it")
        with place.open("rb") as file:
            return file.read(_MOST_BYTES + 1)
    except PhotoError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{place}: cannot be read ({error.strerror})") from error


def _checked(
    shown: str,
    content: bytes,
    parser: argparse.ArgumentParser,
    known: Sequence[str] = CLASSES,
    *,
    beside: bool,
) -> SettingsFile:
    """Return a settings file, of which every key and value is legal.

    Args:
        shown: its address.
        content: what it holds.
        parser: the parser of ``remove-objects``, which knows what its options mean.
        known: the classes that the call's segmenter finds; those of the file's count too.
        beside: whether it lies beside photos.

    Raises:
        UsageError: it is not; the message names the file and the key.
    """
    if len(content) > _MOST_BYTES:
        raise UsageError(f"{shown}: larger than {_MOST_BYTES:,} bytes, so it is no settings file")
    try:
        said = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown}: is no UTF-8 text; save it as UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{shown}: is no TOML ({error})") from error
    options, values = _options(parser), {}
    known = _with_classes_of(said.get("segmenter"), known)
    for key, value in said.items():
        try:
            _refuse_key(key, value, options, beside=beside)
            values[key] = _value(value, KEYS[key].kind, options[key])
            _refuse_value(options[key].dest, values[key], known)
        except (UsageError, argparse.ArgumentTypeError) as error:
            raise UsageError(f"{shown}: {key}: {error}") from error
    return SettingsFile(shown, said, values)


def _refuse_key(
    key: str, value: Any, options: Mapping[str, argparse.Action], *, beside: bool
) -> None:
    """Refuse a key that a file may not say, and a value of the wrong type."""
    if key not in KEYS:
        if key in options:
            raise UsageError(
                f"belongs on the command line (--{key}): a file says what is removed and how, not "
                "which files are read, written or replaced"
            )
        raise UsageError(f"unknown key{_meant(key)}; the keys are {', '.join(KEYS)}")
    kind, allowed = KEYS[key]
    is_switch = isinstance(value, bool)
    if not isinstance(value, kind.types) or is_switch != (kind is SWITCH):
        raise UsageError(f"must be {kind.shown}; got {_toml(value)}")
    if isinstance(value, list) and not all(isinstance(each, str) for each in value):
        raise UsageError(f"must be {kind.shown}; got {_toml(value)}")
    if beside and key == "exclude" and any(p.count("*") > _MOST_ASTERISKS for p in _list(value)):
        raise UsageError(f"a pattern may have {_MOST_ASTERISKS} asterisks here; got {_toml(value)}")
    if beside and allowed is not True and (not allowed or value not in allowed):
        said = key if not allowed else f"{key} = {_toml(value)}"
        raise UsageError(
            f"a file beside photos, which may have come with them, cannot say {said}; write it "
            f"into your own file ({user_place()}), or give it on the command line"
        )


def _value(value: Any, kind: Kind, action: argparse.Action) -> Any:
    """Return a value as the command line would have it.

    Raises:
        UsageError, argparse.ArgumentTypeError: the option has no such value.
    """
    if kind is SWITCH:
        return value
    if kind is NUMBER:
        return float(value)
    if kind is TEXTS and isinstance(action.default, list):  # the option repeats
        return _list(value)
    text = ",".join(value) if isinstance(value, list) else str(value)
    if action.choices is not None and text not in action.choices:
        raise UsageError(f"must be one of {', '.join(action.choices)}; got {_toml(value)}")
    return action.type(text) if callable(action.type) else text


def _with_classes_of(segmenter: Any, known: Sequence[str]) -> tuple[str, ...]:
    """Return known classes and a segmenter's: none of one that is wrong, as is told elsewhere.

    Args:
        segmenter: a value of ``--segmenter``; None if nothing names one.
        known: the classes that are known already.
    """
    more: tuple[str, ...] = ()
    with suppress(UsageError):
        more = parse_segmenter(segmenter).classes
    return tuple(dict.fromkeys((*known, *more)))


def _refuse_value(name: str, value: Any, known: Sequence[str]) -> None:
    """Refuse a value that is out of range, by the rules of the settings themselves."""
    if name == "classes":
        resolve_classes(value, known)
    given: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value}
    for settings in (Settings, BatchSettings):
        if name in {field.name for field in fields(settings)} - {"classes"}:
            settings(**given)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _contradict(one: tuple[str, Any], other: tuple[str, Any]) -> bool:
    return (one, other) in _RIVALS or (other, one) in _RIVALS


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the options of a command by their long names without hyphens."""
    return {
        option.removeprefix("--"): action
        for action in parser._actions
        for option in action.option_strings
        if option.startswith("--")
    }


def _meant(key: str) -> str:
    like = closest(key.replace("_", "-").lower(), KEYS)
    return f" (did you mean {like}?)" if like else ""


def _toml(value: Any) -> str:
    """Return a value as TOML writes it, or nearly so."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return str(value)
