"""How far each metric of a report may change before a run counts as worse than its baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ..errors import UsageError


class Worse(Enum):
    """The direction in which a metric gets worse."""

    HIGHER = "higher"
    LOWER = "lower"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far one metric may change, in its own unit.

    Attributes:
        worse: the direction in which it gets worse.
        photo: for one photo.
        mean: for the mean over the photos that both runs have; None if a mean says nothing.
    """

    worse: Worse
    photo: float
    mean: float | None = None


#: Names are the report's own, with a dot between levels; a metric of holes is that of the photo's
#: worst hole. ``boxes`` is 1 - IoU of what the holes' boxes cover, ``holes`` their number.
#: Processors differ by less, real faults by more: docs/quality-report.md has the measurements.
DEFAULTS: Mapping[str, Tolerance] = {
    "holes": Tolerance(Worse.EITHER, 0),
    "boxes": Tolerance(Worse.HIGHER, 0.03, 0.01),
    "hole_share": Tolerance(Worse.EITHER, 0.01, 0.003),
    "residue": Tolerance(Worse.HIGHER, 0.02, 0.005),
    "seam": Tolerance(Worse.HIGHER, 0.4, 0.1),
    "score": Tolerance(Worse.HIGHER, 0.05, 0.02),
    "probe.l1": Tolerance(Worse.HIGHER, 0.015, 0.006),
    "probe.psnr": Tolerance(Worse.LOWER, 1.0, 0.4),
    "probe.ssim": Tolerance(Worse.LOWER, 0.08, 0.03),
    "probe.lpips": Tolerance(Worse.HIGHER, 0.05, 0.02),
    "truth.l1": Tolerance(Worse.HIGHER, 0.015, 0.005),
    "truth.psnr": Tolerance(Worse.LOWER, 1.8, 0.4),
    "truth.ssim": Tolerance(Worse.LOWER, 0.08, 0.02),
    "truth.lpips": Tolerance(Worse.HIGHER, 0.05, 0.02),
    "fidelity.changed_outside": Tolerance(Worse.HIGHER, 0),
    "fidelity.psnr_outside": Tolerance(Worse.LOWER, 1.0, 0.4),
}

#: Prefix of a metric's name for its mean over the photos.
MEAN = "mean."


def tolerances(overrides: Sequence[str] = ()) -> dict[str, Tolerance]:
    """``DEFAULTS`` with the user's overrides.

    Args:
        overrides: ``METRIC=VALUE`` for single photos, ``mean.METRIC=VALUE`` for their mean.

    Raises:
        UsageError: an unknown metric, or a value that is not a number of at least 0. The message
            lists the metrics.
    """
    result = dict(DEFAULTS)
    for text in overrides:
        name, _, value = text.partition("=")
        metric = name.strip().removeprefix(MEAN)
        mean = name.strip() != metric
        if metric not in result or (mean and result[metric].mean is None):
            averaged = ", ".join(n for n, t in DEFAULTS.items() if t.mean is not None)
            raise UsageError(
                f"no metric '{name}' to tolerate; there are: {', '.join(DEFAULTS)}; "
                f"and after '{MEAN}': {averaged}"
            )
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise UsageError(
                "a tolerance is METRIC=VALUE with a number of at least 0, such as truth.psnr=0.5; "
                f"got '{text}'"
            )
        result[metric] = (
            replace(result[metric], mean=number) if mean else replace(result[metric], photo=number)
        )
    return result
