"""From the outcome of a photo to its entry in ``report.json``."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from ..types import Fidelity, HoleOutcome, Outcome, Probe, QualityFeatures

if TYPE_CHECKING:
    from .schema import Entry, FidelityEntry, HoleEntry, ProbeEntry

#: The report's names for fields of ``QualityFeatures``, where they differ: its schema keeps them.
FEATURE_KEYS = {"context_diversity": "variety", "ambiguity": "unsure"}
#: Features that the hole's own entry already contains.
_IN_HOLE = ("share", "seam", "probe")


def photo_entry(name: str, outcome: Outcome, *, output: str | None, mask: str | None) -> Entry:
    """Make one row of ``photos``.

    Args:
        name: the photo's path relative to the given folder.
        outcome: the photo's outcome.
        output: the result's path relative to the output folder; ``None`` if none was written.
        mask: the mask's path, likewise.
    """
    return {
        "input": name,
        "output": output,
        "mask": mask,
        "status": outcome.status.value,
        "reason": outcome.reason,
        "classes": {k: _round(v) for k, v in outcome.classes.items()},
        "hole_share": _round(outcome.hole_share),
        "fidelity": _fidelity(outcome.fidelity),
        "residue": _round_known(outcome.residue),
        "score": _round_known(outcome.score),
        "truth": _probe(outcome.truth),
        "seconds": round(outcome.seconds, 3),
        "stages": {k: round(v, 3) for k, v in outcome.stages.items()},
        "error": outcome.error,
        "warnings": list(outcome.warnings),
        "holes": [_hole(h) for h in outcome.holes],
    }


def _fidelity(fidelity: Fidelity | None) -> FidelityEntry | None:
    if fidelity is None:
        return None
    return {
        "changed_outside": fidelity.changed_outside,
        "psnr_outside": _round_known(fidelity.psnr_outside),
    }


def _hole(hole: HoleOutcome) -> HoleEntry:
    row: HoleEntry = {
        "box": hole.box.as_list(),
        "share": _round(hole.share),
        "route": hole.routing.route.value,
        "why": hole.routing.why,
        "seam": _round_known(hole.seam),
        "score": _round_known(hole.score),
        "signs": _features(hole.features),
        "probe": _probe(hole.probe),
    }
    if hole.compare:
        row["compare"] = {
            method: {"seam": _round_known(c.seam), "probe": _probe(c.probe)}
            for method, c in hole.compare.items()
        }
    return row


def _features(features: QualityFeatures | None) -> dict[str, float | None] | None:
    """The features by the report's names, without those that the hole's entry holds already."""
    if features is None:
        return None
    return {
        FEATURE_KEYS.get(name, name): _round_known(value)
        for name, value in asdict(features).items()
        if name not in _IN_HOLE
    }


def _probe(probe: Probe | None) -> ProbeEntry | None:
    if probe is None:
        return None
    return {
        "l1": _round_known(probe.l1),
        "psnr": _round_known(probe.psnr),
        "ssim": _round_known(probe.ssim),
        "lpips": _round_known(probe.lpips),
    }


def _round(value: float) -> float:
    """Round to five decimals: more is noise."""
    return round(float(value), 5)


def _round_known(value: float | None) -> float | None:
    """Round a known value; NaN, which JSON lacks, becomes null."""
    return None if value is None or value != value else _round(value)
