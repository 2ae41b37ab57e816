"""Decide which results need review, from an expected error that was calibrated on ground truth.

The error is predicted from hand-crafted features (``pipeline.quality.features``).
``benchmarks/quality/verdicts.py`` fitted the weights on photos with objects pasted in, whose ground
truth is known, and measures how well they rank others; docs/quality-report.md has the results.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

from .. import config
from ..types import Box, HoleOutcome, Leftover, QualityFeatures, Status


@dataclass(frozen=True, slots=True)
class Weight:
    """What a feature adds to the logarithm of the expected error.

    Attributes:
        usual: the feature's usual value (its logarithm, if ``least`` is given).
        slope: added per unit of distance from ``usual``.
        words: what a high value means to the user; empty if it explains nothing.
        least: given for features that vary over decades, which enter as logarithms of at least
            this value.
    """

    usual: float
    slope: float
    words: str
    least: float | None = None

    def term(self, feature: float | None) -> float:
        """The addend; 0 if the feature is unknown (None or NaN), as if it had its usual value."""
        if feature is None or feature != feature:
            return 0.0
        value = feature if self.least is None else log(max(feature, self.least))
        return self.slope * (value - self.usual)


class Verdict(NamedTuple):
    """The verdict on one photo.

    Attributes:
        status: ``OK``, ``REVIEW``, or ``FAILED`` if nothing is left to fill from.
        reason: why, as a person would say who sees the picture; without figures, but for a failure.
        figures: the figures behind the reason, with their limits; empty if there are none.
    """

    status: Status
    reason: str
    figures: str = ""


#: So many places with leftovers are named in the reason.
NAMED = 2

#: Logarithm of the expected error if every feature has its usual value.
USUAL_ERROR = -1.481
#: Expected error of what another photo of the place shows, and what its misfit adds.
BORROWED_ERROR, OF_MISFIT = 0.004, 1.0
#: By field of ``QualityFeatures``. The others add nothing to these (cross-validated).
WEIGHTS = {
    "depth": Weight(-2.350, 0.486, "the hole is large with nothing known near its middle", 1e-3),
    "seam": Weight(-0.190, 0.481, "the edge of the fill shows", 0.1),
    "structure": Weight(-2.258, 0.333, "lines around the hole should go on in it", 5e-3),
    "context_diversity": Weight(13.051, 0.059, "what is around the hole is of many kinds"),
}


def expected_error(
    features: QualityFeatures, borrowed: Mapping[str, float] | None = None, misfit: float = 0.0
) -> float:
    """Predict the error of a filled hole against the true background.

    Args:
        features: of the hole.
        borrowed: by name of another photo of the place, the share of the hole that it shows.
        misfit: how badly those photos fit beside the hole, in [0, 1].

    Returns:
        LPIPS (SqueezeNet's map, mean over the hole), at least 0.
    """
    filled = exp(
        USUAL_ERROR + sum(weight.term(getattr(features, name)) for name, weight in WEIGHTS.items())
    )
    known = min(1.0, sum((borrowed or {}).values()))
    return (1 - known) * filled + known * min(filled, BORROWED_ERROR + OF_MISFIT * misfit)


def judge(
    hole_share: float,
    residue: float | None,
    holes: Sequence[HoleOutcome],
    left_outside: float | None = None,
    leftovers: Sequence[Leftover] = (),
    size: tuple[int, int] | None = None,
) -> Verdict:
    """The verdict on one photo; its thresholds are in ``pipeline.config``.

    Args:
        hole_share: the holes' share of the photo.
        residue: share of the holes in which the segmenter still detects the removed classes, or
            None if it did not run on the result.
        holes: every hole of the photo.
        left_outside: share of the pixels beside a hole that have the object's colours, of the
            worst hole; None if it was not measured.
        leftovers: the places where something is left, in pixels of the photo.
        size: the photo's (height, width); needed for ``leftovers``.

    Returns:
        The verdict; its reason tells first of what can be seen.
    """
    if hole_share > config.FAIL_HOLE_SHARE:
        return Verdict(
            Status.FAILED,
            f"the holes take {hole_share:.0%} of the photo: nothing is left to fill from; name "
            "fewer classes, draw a smaller mask (the mask board can), or use a smaller --dilate",
        )
    counted = [left for left in leftovers if not left.kept]
    reasons = [
        *(_left_behind(counted, size) if counted and size is not None else ()),
        *_still_seen(residue),
        *_tight(left_outside),
        *_too_large(hole_share, holes),
        *_uncertain(holes),
    ]
    if reasons:
        return Verdict(
            Status.REVIEW,
            "; ".join(reason for reason, _ in reasons),
            "; ".join(figures for _, figures in reasons),
        )
    reason, figures = "nothing stands out", ""
    if leftovers and size is not None:
        [(what, figures)] = _left_behind(leftovers, size)
        reason += f"; not requested: {what}"
    return Verdict(Status.OK, reason, figures)


def _still_seen(residue: float | None) -> Iterator[tuple[str, str]]:
    """The reason and its figures if the fill looks like what was removed."""
    if residue is not None and residue > config.REVIEW_RESIDUE:
        yield (
            "the fill still looks like what was removed",
            f"the segmenter sees the class in {residue:.0%} of the holes"
            f" (to check above {config.REVIEW_RESIDUE:.0%})",
        )


def _tight(left_outside: float | None) -> Iterator[tuple[str, str]]:
    """The reason and its figures if the mask ends inside its object."""
    if left_outside is not None and left_outside > config.REVIEW_LEFT_OUTSIDE:
        yield (
            "the outline of what was removed is left, because the mask ends inside it;"
            " widen it, for example by --dilate auto",
            f"{left_outside:.0%} of the pixels beside a hole have the object's colours"
            f" (to check above {config.REVIEW_LEFT_OUTSIDE:.0%})",
        )


def _too_large(hole_share: float, holes: Sequence[HoleOutcome]) -> Iterator[tuple[str, str]]:
    """The reason and its figures if much is to be filled, by the photo or around a hole."""
    if hole_share > config.REVIEW_HOLE_SHARE:
        yield (
            f"{_much(hole_share)} of the photo is filled in",
            f"the holes take {hole_share:.0%} of the photo"
            f" (to check above {config.REVIEW_HOLE_SHARE:.0%})",
        )
        return
    widest = max((_to_fill(hole) for hole in holes), default=0.0)
    if widest > config.REVIEW_WINDOW_SHARE:
        yield (
            "a hole is so large that there is little around it to copy",
            f"a hole takes {widest:.0%} of the part of the photo that it is filled from"
            f" (to check above {config.REVIEW_WINDOW_SHARE:.0%})",
        )


def _much(share: float) -> str:
    """A share above ``REVIEW_HOLE_SHARE``, in words."""
    return "most" if share > 2 / 3 else "about half" if share > 0.45 else "more than a third"


def _uncertain(holes: Sequence[HoleOutcome]) -> Iterator[tuple[str, str]]:
    """The reason and its figures if a hole's expected error is high."""
    scored = [
        (h.score, h.features) for h in holes if h.score is not None and h.features is not None
    ]
    if not scored:
        return
    expected, features = max(scored, key=lambda s: s[0])
    if expected > config.REVIEW_SCORE:
        yield (
            f"the fill may look wrong: {_why(features)}",
            f"expected error {expected:.2f} (to check above {config.REVIEW_SCORE})",
        )


def _to_fill(hole: HoleOutcome) -> float:
    """What other photos do not show of a hole, as a share of what it is filled from."""
    return hole.of_window * (1 - min(1.0, sum(hole.borrowed.values())))


def _left_behind(leftovers: Sequence[Leftover], size: tuple[int, int]) -> Iterator[tuple[str, str]]:
    """The largest places in words and how many more there are, and their boxes."""
    named, more = leftovers[:NAMED], len(leftovers) - NAMED
    words = [f"{left.why} {where(left.box, size)}" for left in named]
    boxes = [
        f"{left.why}: {left.box.w}x{left.box.h} pixels at x={left.box.x}, y={left.box.y}"
        for left in named
    ]
    if more > 0:
        words.append(f"and {more} more such {'place' if more == 1 else 'places'}")
    yield "; ".join(words), "; ".join(boxes)


def where(box: Box, size: tuple[int, int]) -> str:
    """In which ninth of a photo of (height, width) the middle of a box lies, in words."""
    height, width = size
    row = ("upper", "", "lower")[min(2, 3 * (2 * box.y + box.h) // (2 * height))]
    column = ("left", "", "right")[min(2, 3 * (2 * box.x + box.w) // (2 * width))]
    if row and column:
        return f"at the {row} {column}"
    if column:
        return f"at the {column}"
    return {"upper": "at the top", "": "in the middle", "lower": "at the bottom"}[row]


def _why(features: QualityFeatures) -> str:
    """The two features that raise the expected error most, in words."""
    terms = {name: weight.term(getattr(features, name)) for name, weight in WEIGHTS.items()}
    high = sorted(
        (name for name, term in terms.items() if term > 0 and WEIGHTS[name].words),
        key=lambda name: -terms[name],
    )[:2]
    return (
        ", and ".join(WEIGHTS[name].words for name in high)
        or "several small signs are a little worse than usual"
    )
