"""Whether a row that was read from a file is a photo's entry as this program writes it: nothing else goes into a report.

``report.schema.json`` says the same to other programs. Here it is said in Python, because a journal may hold millions of rows.
"""

from __future__ import annotations

from typing import Any, TypeGuard

from ..types import Route, Status

_STATUSES, _ROUTES = {s.value for s in Status}, {r.value for r in Route}
#: Beyond any figure of a report; NaN and infinity are no numbers here.
_LARGEST = 1e18


def is_entry(value: Any) -> TypeGuard[dict[str, Any]]:
    """Whether every key that a report needs is there, each of its type, and every text can be written down."""
    try:
        return (
            _is_text(value["input"])
            and value["status"] in _STATUSES
            and _is_text(value["reason"])
            and all(value[k] is None or _is_text(value[k]) for k in ("output", "mask", "error"))
            and _are_numbers(value, "hole_share", "seconds")
            and _are_numbers(value, "residue", "score", null=True)
            and all(
                _is_text(k) and _is_number(v)
                for part in ("classes", "stages")
                for k, v in value[part].items()
            )
            and (value["fidelity"] is None or _is_fidelity(value["fidelity"]))
            and _is_probe(value["truth"])
            and isinstance(value["warnings"], list)
            and all(map(_is_text, value["warnings"]))
            and isinstance(value["holes"], list)
            and all(map(_is_hole, value["holes"]))
            and value.get("reviewed", True) is True
        )
    except (KeyError, TypeError, AttributeError):
        return False


def _is_hole(hole: Any) -> bool:
    box, signs, compare = hole["box"], hole["signs"], hole.get("compare", {})
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(v, int) and _is_number(v) for v in box)
        and _are_numbers(hole, "share")
        and _are_numbers(hole, "seam", "score", null=True)
        and hole["route"] in _ROUTES
        and _is_text(hole["why"])
        and (
            signs is None
            or all(_is_text(k) and (v is None or _is_number(v)) for k, v in signs.items())
        )
        and _is_probe(hole["probe"])
        and all(
            _is_text(k) and _are_numbers(c, "seam", null=True) and _is_probe(c["probe"])
            for k, c in compare.items()
        )
    )


def _is_fidelity(value: Any) -> bool:
    return _are_numbers(value, "changed_outside") and _are_numbers(value, "psnr_outside", null=True)


def _is_probe(value: Any) -> bool:
    return value is None or _are_numbers(value, "l1", "psnr", "ssim", "lpips", null=True)


def _are_numbers(value: Any, *keys: str, null: bool = False) -> bool:
    return all((null and value[k] is None) or _is_number(value[k]) for k in keys)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -_LARGEST < value < _LARGEST
    )


def _is_text(value: Any) -> bool:
    """A text that UTF-8 can hold, with a file name's broken bytes as Python escapes them."""
    if not isinstance(value, str):
        return False
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True
