"""By how much each figure of a report may move before a run counts as worse than its baseline: one table, and how it is overridden."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from ..errors import UsageError


class Worse(Enum):
    """Which way a figure gets worse."""

    HIGHER = "higher"
    LOWER = "lower"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What one figure may move by, in its own unit: in one photo, and in the mean over the photos that both runs have.

    ``mean`` is None where a mean says nothing.
    """

    worse: Worse
    photo: float
    mean: float | None = None


#: Names are the report's own, a dot between levels; a hole's figure is that of its photo's worst hole. ``boxes`` is 1 - IoU of what the
#: holes' boxes cover, ``holes`` their number. Processors differ by less, real faults by more: docs/quality-report.md has what was measured.
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

#: Before a figure's name: its mean over the photos.
MEAN = "mean."


def tolerances(overrides: Sequence[str] = ()) -> dict[str, Tolerance]:
    """``DEFAULTS`` with what the user gave: ``FIGURE=VALUE`` for single photos, ``mean.FIGURE=VALUE`` for the mean over them.

    Raises:
        UsageError: an unknown figure, or a value that is no number of at least 0; says which figures there are.
    """
    found = dict(DEFAULTS)
    for text in overrides:
        name, _, value = text.partition("=")
        figure = name.strip().removeprefix(MEAN)
        mean = name.strip() != figure
        if figure not in found or (mean and found[figure].mean is None):
            averaged = ", ".join(n for n, t in DEFAULTS.items() if t.mean is not None)
            raise UsageError(
                f"no figure '{name}' to tolerate; there are: {', '.join(DEFAULTS)}; and after '{MEAN}': {averaged}"
            )
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not 0 <= number < math.inf:
            raise UsageError(
                f"a tolerance is FIGURE=VALUE with a number of at least 0, such as truth.psnr=0.5; got '{text}'"
            )
        found[figure] = (
            replace(found[figure], mean=number) if mean else replace(found[figure], photo=number)
        )
    return found
