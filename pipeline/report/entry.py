"""``report.json``: what a run did, photo by photo, in the shape of schema version 1."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ..types import Fidelity, HoleOutcome, Outcome, Probe, QualityFeatures


def photo_entry(
    name: str, outcome: Outcome, *, output: str | None, mask: str | None
) -> dict[str, Any]:
    """One row of ``photos``. ``input`` is relative to the given folder, ``output`` and ``mask`` to the output folder."""
    return {
        "input": name,
        "output": output,
        "mask": mask,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "classes": {k: _round(v) for k, v in outcome.classes.items()},
        "hole_share": _round(outcome.hole_share),
        "fidelity": _fidelity(outcome.fidelity),
        "residue": _round(outcome.residue),
        "score": _round(outcome.score),
        "truth": _probe(outcome.truth),
        "seconds": round(outcome.seconds, 3),
        "stages": {k: round(v, 3) for k, v in outcome.stages.items()},
        "error": outcome.error,
        "warnings": list(outcome.warnings),
        "holes": [_hole(h) for h in outcome.holes],
    }


def _fidelity(found: Fidelity | None) -> dict[str, Any] | None:
    return (
        None
        if found is None
        else {"changed_outside": found.changed_outside, "psnr_outside": _round(found.psnr_outside)}
    )


def _hole(hole: HoleOutcome) -> dict[str, Any]:
    row: dict[str, Any] = {
        "box": hole.box.as_list(),
        "share": _round(hole.share),
        "route": hole.routing.route.value,
        "why": hole.routing.why,
        "seam": _round(hole.seam),
        "score": _round(hole.score),
        "signs": _signs(hole.features),
        "probe": _probe(hole.probe),
    }
    if hole.compare:
        row["compare"] = {
            method: {"seam": _round(c.seam), "probe": _probe(c.probe)}
            for method, c in hole.compare.items()
        }
    return row


#: The report's names for fields of ``QualityFeatures``, where they differ: its schema keeps them.
FEATURE_KEYS = {"context_diversity": "variety", "ambiguity": "unsure"}
#: Features that the hole's own entry already contains.
_IN_HOLE = ("share", "seam", "probe")


def _signs(features: QualityFeatures | None) -> dict[str, float | None] | None:
    """The features by the report's names, without those that stand beside them already."""
    if features is None:
        return None
    return {
        FEATURE_KEYS.get(name, name): _round(value)
        for name, value in asdict(features).items()
        if name not in _IN_HOLE
    }


def _probe(probe: Probe | None) -> dict[str, float | None] | None:
    return None if probe is None else {k: _round(v) for k, v in asdict(probe).items()}


def _round(value: float | None) -> float | None:
    """Five digits: more is noise. NaN is no JSON, so it is null."""
    return None if value is None or value != value else round(float(value), 5)
