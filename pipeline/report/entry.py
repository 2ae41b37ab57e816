"""From the outcome of a photo to its entry in ``report.json``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..types import Fidelity, FoundObject, HoleOutcome, Layer, Outcome, Probe, QualityFeatures

if TYPE_CHECKING:
    from .schema import Entry, FidelityEntry, HoleEntry, ObjectEntry, ProbeEntry

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
        "figures": outcome.figures,
        "classes": {k: _round(v) for k, v in outcome.classes.items()},
        "objects": [_object(one) for one in outcome.objects],
        "hole_share": _round(outcome.hole_share),
        "layers": _layers(outcome),
        "fidelity": _fidelity(outcome.fidelity),
        "residue": _round_known(outcome.residue),
        "left_outside": _round_known(outcome.left_outside),
        "leftovers": [
            {
                "box": left.box.as_list(),
                "why": left.why,
                "share": _round(left.share),
                "kept": left.kept,
            }
            for left in outcome.leftovers
        ],
        "score": _round_known(outcome.score),
        "truth": _probe(outcome.truth),
        "seconds": round(outcome.seconds, 3),
        "stages": {k: round(v, 3) for k, v in outcome.stages.items()},
        "error": outcome.error,
        "warnings": list(outcome.warnings),
        "holes": [_hole(h) for h in outcome.holes],
    }


def with_earlier(entry: Entry, earlier: Entry, added: Iterable[str]) -> Entry:
    """Return the entry of a result from which more classes were removed.

    Args:
        entry: of the added classes alone.
        earlier: of the result before.
        added: names of the added classes.

    Returns:
        Both together: all classes, layers and holes, the worse verdict, the worse metrics. A
        reviewed result in which nothing more was found stays reviewed.
    """
    before, now = _verdict(earlier), entry["status"]
    worse = max((before, now), key=("unchanged", "ok", "review").index)
    names = ", ".join(added)
    fidelity, known = entry["fidelity"], earlier["fidelity"]
    if fidelity is None or known is None:
        fidelity = fidelity or known
    else:
        psnrs = [f["psnr_outside"] for f in (fidelity, known) if f["psnr_outside"] is not None]
        fidelity = {
            "changed_outside": fidelity["changed_outside"] + known["changed_outside"],
            "psnr_outside": min(psnrs, default=None),
        }
    whole: Entry = {
        **entry,
        "status": worse,
        "reason": f"{names} added to an earlier result: {entry['reason']}; before: "
        f"{earlier['reason']}",
        "figures": "; ".join(
            figures for each in (entry, earlier) if (figures := each.get("figures"))
        ),
        "classes": {**earlier["classes"], **entry["classes"]},
        "objects": _renumbered([*earlier.get("objects", []), *entry.get("objects", [])]),
        "hole_share": _round(min(1.0, entry["hole_share"] + earlier["hole_share"])),
        "layers": _added(_layers_in(earlier), _layers_in(entry)),
        "fidelity": fidelity,
        "residue": _highest(entry["residue"], earlier["residue"]),
        "left_outside": _highest(entry.get("left_outside"), earlier.get("left_outside")),
        "leftovers": [*earlier.get("leftovers", []), *entry.get("leftovers", [])],
        "score": _highest(entry["score"], earlier["score"]),
        "truth": entry["truth"] or earlier["truth"],
        "warnings": list(dict.fromkeys([*earlier["warnings"], *entry["warnings"]])),
        "holes": [*earlier["holes"], *entry["holes"]],
    }
    if earlier.get("reviewed") and not entry["holes"]:
        whole |= {"reviewed": True, "status": earlier["status"]}
        if "decision" in earlier:
            whole["decision"] = earlier["decision"]
    return whole


def _object(one: FoundObject) -> ObjectEntry:
    return {
        "number": one.number,
        "class": one.category,
        "box": one.box.as_list(),
        "share": _round(one.share),
        "confidence": _round(one.confidence),
        "removed": one.removed,
        "why": one.why,
    }


def _renumbered(objects: Iterable[ObjectEntry]) -> list[ObjectEntry]:
    """Objects of several runs, the largest first again."""
    found = sorted(objects, key=lambda one: -one["share"])
    return [{**one, "number": n} for n, one in enumerate(found, 1)]


def _verdict(entry: Entry) -> str:
    """The verdict of an earlier run; a result that a person reviewed is ok."""
    return "ok" if entry.get("reviewed") and entry["status"] == "review" else entry["status"]


def _highest(one: float | None, other: float | None) -> float | None:
    return max((value for value in (one, other) if value is not None), default=None)


def _layers(outcome: Outcome) -> dict[str, float]:
    """The share of the photo by layer, of those that have pixels."""
    if outcome.layers is None:
        # A mask alone is of objects.
        share = 0.0 if outcome.mask is None else _round(outcome.mask.mean())
        return {Layer.OBJECT.label: share} if share else {}
    return layer_shares(outcome.layers)


def layer_shares(layers: NDArray[np.uint8]) -> dict[str, float]:
    """Return the share of the photo by layer, HW uint8, of those that have pixels."""
    # np.bincount would make 64 bits of each pixel first.
    pixels = {layer: np.count_nonzero(layers == layer) for layer in Layer if layer}
    shares = {layer.label: _round(count / layers.size) for layer, count in pixels.items()}
    return {name: share for name, share in shares.items() if share}


def _layers_in(entry: Entry) -> dict[str, float]:
    """The layers of an entry; what versions before 0.2.0 removed are objects."""
    share = entry["hole_share"]
    return entry.get("layers", {Layer.OBJECT.label: share} if share else {})


def _added(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    sums = {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {**one, **other}}
    return {name: _round(min(1.0, share)) for name, share in sums.items()}


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
    if hole.borrowed:
        shares = sorted(hole.borrowed.items(), key=lambda one: (-one[1], one[0]))
        row["borrowed"] = {name: _round(share) for name, share in shares}
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
