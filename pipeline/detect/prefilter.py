"""The first stage of a cascade: can a photo contain any of the requested classes at all?

The compact segmenter costs a fraction of FCN-ResNet101. Here its output is not used as a mask: only
the highest probability that ``PEAK_SHARE`` of the pixels reach counts. So the compact segmenter may
be uncertain, or detect only part of an object, and the photo still goes to the large segmenter.
"""

from __future__ import annotations

import numpy as np

from ..types import FloatArray

#: Share of the photo's pixels that must reach a probability for it to count.
PEAK_SHARE = 0.001

#: Least peak probability with which a photo goes to the large segmenter. Chosen by
#: ``benchmarks/quality/prefilter.py`` on training photos.
LEAST_PEAK = 0.0012


def peak_probability(removed: FloatArray) -> float:
    """The highest probability that ``PEAK_SHARE`` of the pixels, at least one, reach.

    Args:
        removed: hw in [0, 1], the probability of the removed classes together.
    """
    flat = removed.ravel()
    rank = max(1, round(PEAK_SHARE * flat.size))
    return float(np.partition(flat, -rank)[-rank])
