"""What a caller gives from Python: one name or several, and a sentence about any other type.

A type checker sees the types before; these sentences are for who has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

from .errors import UsageError

#: Keywords that people try, and what they are called here.
_MEANT = {
    "class_": "classes",
    "class_name": "classes",
    "labels": "classes",
    "objects": "classes",
    "out": "output",
    "output_dir": "output",
    "destination": "output",
    "dest": "output",
    "hole": "mask",
    "mask": "masks",
    "threads": "workers",
    "jobs": "workers",
    "num_workers": "workers",
    "confidence": "threshold",
    "with_": "along",
    "force": "overwrite",
    "dilation": "dilate",
}


def shown(value: Any) -> str:
    """Say what a value is, for ``got …``: ``the text 'x'``, ``None``, ``an array 4x9 float64``.

    An array's shape is shown as numpy gives it, a picture's size as width x height.
    """
    if value is None or isinstance(value, bool | int | float):
        return f"{value!r}"
    if isinstance(value, str):
        return f"the text {_short(value)}"
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        shape = "x".join(str(size) for size in value.shape) or "of no shape"
        whose = "an array" if type(value).__module__ == "numpy" else f"a {_named(value)}"
        return f"{whose} {shape} {value.dtype}"
    if hasattr(value, "mode") and hasattr(value, "size") and hasattr(value, "getbands"):
        return f"a PIL picture {value.size[0]}x{value.size[1]} of mode {value.mode}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{len(value)} {type(value).__name__}"
    if isinstance(value, type):
        return f"the class {value.__name__} itself"
    return f"{_article(_named(value))} {_short(value)}"


def texts(name: str, value: Any, kinds: str, example: str) -> tuple[str, ...]:
    """Read one text, or several, as a tuple.

    Args:
        name: the argument's.
        value: what was given.
        kinds: what the texts are, in the plural, such as ``class names``.
        example: one such text.

    Raises:
        UsageError: it is neither.
    """
    takes = f"{name} takes {kinds}, such as '{example}' or ['{example}', …]"
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable) or isinstance(value, bytes | bytearray | memoryview):
        raise UsageError(f"{takes}; got {shown(value)}")
    if len(getattr(value, "shape", "1")) != 1:  # a picture instead
        raise UsageError(f"{takes}; got {shown(value)}")
    found = tuple(value)
    for each in found:
        if not isinstance(each, str):
            raise UsageError(f"{takes}; one of them is {shown(each)}")
    return tuple(str(each) for each in found)


def one_of(name: str, value: Any, legal: tuple[str, ...]) -> None:
    """Refuse what is none of the legal texts.

    Raises:
        UsageError: it is none.
    """
    if not isinstance(value, str) or value not in legal:
        got = f"'{value}'" if isinstance(value, str) else shown(value)
        raise UsageError(f"{name} must be one of {', '.join(legal)}; got {got}")


def closest(word: str, known: Iterable[str], least: float = 0.7) -> str | None:
    """Return the known word that somebody may have meant by another; None without a like one.

    Args:
        word: what was given.
        known: the words.
        least: how like it must be, in [0, 1].
    """
    from difflib import get_close_matches  # 10 ms, of no use to those who spell a word right

    return next(iter(get_close_matches(word, known, 1, least)), None)


def refuse_unknown(
    call: str,
    given: Iterable[str],
    known: Iterable[str],
    elsewhere: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Refuse keywords that a call does not have, as Python does, with the one that was meant.

    Args:
        call: the function's name.
        given: the keywords.
        known: those that it has.
        elsewhere: by other keywords, a sentence that says where they belong.

    Raises:
        TypeError: one of them is unknown.
    """
    known = tuple(known)
    for name in given:
        if name in known:
            continue
        if name in elsewhere:
            raise TypeError(f"{call} takes no '{name}'; {elsewhere[name]}")
        meant = _MEANT.get(name) or closest(name, known, 0.6)
        hint = f"did you mean '{meant}'?" if meant in known else f"it takes {', '.join(known)}"
        raise TypeError(f"{call} takes no '{name}'; {hint}")


def flag(name: str, value: Any) -> None:
    """Refuse what is neither True nor False: the text ``"no"`` would count as yes.

    Raises:
        UsageError: it is another value.
    """
    if not isinstance(value, bool):
        raise UsageError(f"{name} takes True or False; got {shown(value)}")


def whole(value: Any) -> int | None:
    """Return a whole number, of any type of such, as ``int``; None if it is none."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """Return a number as ``float`` (an ``int`` stays one); None if it is none."""
    if (as_whole := whole(value)) is not None:
        return as_whole
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def _named(value: Any) -> str:
    return type(value).__name__


def _article(name: str) -> str:
    return f"{'an' if name[:1].lower() in 'aeiou' else 'a'} {name}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
