"""The settings that a result was made with, and whether a run may keep or continue it.

The journal holds them in full, under a short name, so that a run can say what differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from ...models.categories import CLASSES
from ..config import ALONG, Settings
from ..storage.stamp import fingerprint
from .settings import BatchSettings

#: Settings by their names, with values that JSON can hold.
MadeWith: TypeAlias = Mapping[str, Any]

#: Settings that change neither a result nor its report: where and how the networks run.
_OF_THE_MACHINE = ("device", "offline")
#: Settings that change the report, and the files beside the result, but not the result.
_OF_THE_REPORT = ("probe", "compare", "truth", "save_masks", "preview")
#: What a program's update changes. A result stays, though a run would make another one today.
_PROGRAM = ("pictures", "weights")
#: The user's own weights, by network: another file of one is new work, as another mask is.
OWN_WEIGHTS = "own_weights"
#: What the name of an own model of ``--segmenter`` begins with among them.
OWN_MODEL = "segmenter/"
#: What ``--add`` continues: the objects that are gone already, and what they were filled from.
REMOVED = ("classes", "masks")
_CONTINUED = (*REMOVED, "series")


def made_with(
    settings: Settings,
    batch: BatchSettings,
    classes: tuple[str, ...],
    *,
    pictures: str,
    weights: str,
    models: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return what decides a run's results and what its report says of them.

    Args:
        settings: the settings of the picture.
        batch: the settings of the folder.
        classes: the resolved classes.
        pictures: the version of the code that makes pictures.
        weights: a hash of the shipped weights.
        models: hashes of the user's own models, by ``OWN_MODEL`` and their names.
    """
    picture = {k: v for k, v in settings.recorded().items() if k not in _OF_THE_MACHINE}
    own_weights = picture.pop("weights")
    return {
        **picture,
        "compare": list(settings.compare),
        "along": [kind for kind in ALONG if kind in settings.along],
        "classes": list(classes),
        "masks": batch.masks is not None,
        "series": batch.series,
        "truth": batch.truth is not None,
        "save_masks": batch.save_masks,
        "pictures": pictures,
        "weights": weights,
        OWN_WEIGHTS: {**own_weights, **models},
        # The row of a dry run that showed no preview does not say that there is one.
        **({"preview": True} if batch.preview else {}),
    }


def name_of(settings: MadeWith) -> str:
    """Return the short name of settings in the journal."""
    return fingerprint(dict(settings))[:12]


def differences(earlier: MadeWith, now: MadeWith, *, add: bool = False) -> dict[str, Any]:
    """Return the settings that keep a run from taking an earlier result for its own.

    Args:
        earlier: the settings of the result.
        now: those of the run.
        add: whether the run adds classes to earlier results.

    Returns:
        The earlier values by name. A setting that one of the two does not know counts as equal:
        it is of another version.
    """
    ignored = (*_PROGRAM, *_OF_THE_REPORT, *(_CONTINUED if add else ()))
    # Versions that knew no weights of the user's used none.
    earlier = {OWN_WEIGHTS: {}, **earlier}
    return {
        key: earlier[key]
        for key in now
        if key in earlier and key not in ignored and earlier[key] != now[key]
    }


def of_other_files(earlier: MadeWith, now: MadeWith) -> bool:
    """Whether a result was made with other files of the networks that the user gives weights of."""
    before, after = earlier.get(OWN_WEIGHTS) or {}, now[OWN_WEIGHTS]
    return before.keys() == after.keys() and before != after


def reports_more(earlier: MadeWith, now: MadeWith) -> bool:
    """Whether a run reports more of a result, or saves more beside it, than the earlier run."""
    return bool(set(now["compare"]) - set(earlier.get("compare") or [])) or any(
        now[key] and not earlier.get(key) for key in ("probe", "truth", "save_masks")
    )


def is_of_another_version(earlier: MadeWith, now: MadeWith) -> bool:
    """Whether another version of the program, or other weights, made a result."""
    return any(earlier.get(key) != now.get(key) for key in _PROGRAM)


def classes_to_add(earlier: MadeWith, now: MadeWith) -> tuple[str, ...]:
    """Return the classes of a run that are not gone from an earlier result."""
    gone = earlier.get("classes") or []
    return tuple(name for name in now["classes"] if name not in gone)


def with_added(earlier: MadeWith, classes: tuple[str, ...]) -> dict[str, Any]:
    """Return the settings of a result from which more classes were removed."""
    return {**earlier, "classes": sorted({*(earlier.get("classes") or []), *classes})}


def _named_weight(kind: str, digest: str) -> str:
    """Return a weight of the user's as its option names it, with its hash."""
    if kind.startswith(OWN_MODEL):
        return f"--segmenter {kind.removeprefix(OWN_MODEL)} ({digest[:8]}…)"
    return f"--weights {kind}={digest[:8]}…"


def describe(settings: Mapping[str, Any]) -> str:
    """Return settings as the options that set them, for messages."""
    texts = []
    for key, value in settings.items():
        if key == "classes":
            names = ["all"] if set(value) == set(CLASSES) else value
            texts += [f"--class {name}" for name in names] or ["without --class"]
        elif key == "masks":
            texts.append("with --masks" if value else "without --masks")
        elif key == OWN_WEIGHTS:
            texts += [_named_weight(kind, digest) for kind, digest in value.items()] or [
                "without --weights"
            ]
        elif key == "along":
            texts.append(f"--with {','.join(value) or 'none'}")
        elif isinstance(value, bool):
            option = key.replace("_", "-")
            texts.append(f"with --{option}" if value else f"without --{option}")
        else:
            texts.append(f"--{key.replace('_', '-')} {'auto' if value is None else value}")
    return ", ".join(texts)
