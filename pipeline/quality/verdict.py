"""The verdict on a photo: which results a person should look at, by an error that is expected from signs and was calibrated on truth.

``benchmarks/quality/verdicts.py`` found the weights on photos into which objects were pasted, and measures how well they rank others;
docs/quality-report.md has the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log

from .. import config
from ..types import HoleOutcome, Signs, Status


@dataclass(frozen=True, slots=True)
class Weight:
    """What a sign adds to the logarithm of the expected error: ``slope`` times its distance from what is usual.

    ``least``: signs that vary over decades enter as logarithms, of at least this value. ``words``: what a high sign means to the user.
    """

    usual: float
    slope: float
    words: str
    least: float | None = None

    def term(self, sign: float | None) -> float:
        """0 for what is not known: then the usual is assumed."""
        if sign is None or sign != sign:
            return 0.0
        value = sign if self.least is None else log(max(sign, self.least))
        return self.slope * (value - self.usual)


#: Logarithm of the error that is expected where every sign is as usual.
USUAL_ERROR = -1.375
#: By field of ``Signs``.
WEIGHTS = {
    "depth": Weight(-2.241, 0.202, "nothing known is near its middle", 1e-3),
    "share": Weight(-2.527, 0.171, "the hole is large", 1e-4),
    "seam": Weight(0.177, 0.183, "its rim shows", 0.1),
    "structure": Weight(-2.292, 0.172, "edges around it should go on", 5e-3),
    "variety": Weight(13.234, 0.039, "its surroundings are of many kinds"),
    "probe": Weight(0.193, 0.301, "the probe came out badly"),
    "segmented": Weight(0.396, 0.294, ""),  # true of a whole run: no reason to look at one photo
    "certainty": Weight(0.468, -0.351, "the segmenter was not sure of the object"),
    "unsure": Weight(0.496, 0.318, "the segmenter wavered on parts of it"),
}


def score(signs: Signs) -> float:
    """The LPIPS (SqueezeNet's map, mean over the hole) to be expected between a filled hole and what was behind the object; >= 0."""
    return exp(
        USUAL_ERROR + sum(weight.term(getattr(signs, name)) for name, weight in WEIGHTS.items())
    )


def verdict(
    hole_share: float, residue: float | None, holes: Sequence[HoleOutcome]
) -> tuple[Status, str]:
    """``ok`` or ``review`` (or ``failed`` where nothing was left to fill from), with the reason; thresholds in ``pipeline.config``."""
    if hole_share > config.FAIL_HOLE_SHARE:
        return (
            Status.FAILED,
            f"the holes take {hole_share:.0%} of the photo: nothing is left to fill from",
        )
    reasons = []
    if hole_share > config.REVIEW_HOLE_SHARE:
        reasons.append(
            f"the holes take {hole_share:.0%} of the photo (review above {config.REVIEW_HOLE_SHARE:.0%})"
        )
    if residue is not None and residue > config.REVIEW_RESIDUE:
        reasons.append(
            f"the segmenter still sees the class in {residue:.0%} of the holes (review above {config.REVIEW_RESIDUE:.0%})"
        )
    scored = [(h.score, h.signs) for h in holes if h.score is not None and h.signs is not None]
    if scored:
        expected, signs = max(scored, key=lambda s: s[0])
        if expected > config.REVIEW_SCORE:
            reasons.append(
                f"the expected error is {expected:.2f} (review above {config.REVIEW_SCORE}): {_why(signs)}"
            )
    if reasons:
        return Status.REVIEW, "; ".join(reasons)
    return Status.OK, "no figure is past its threshold"


def _why(signs: Signs) -> str:
    """The two signs that raise the expected error most."""
    terms = {name: weight.term(getattr(signs, name)) for name, weight in WEIGHTS.items()}
    high = sorted(
        (name for name, term in terms.items() if term > 0 and WEIGHTS[name].words),
        key=lambda name: -terms[name],
    )[:2]
    return (
        " and ".join(WEIGHTS[name].words for name in high)
        or "each of its signs is a little worse than usual"
    )
