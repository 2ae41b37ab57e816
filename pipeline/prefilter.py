"""The first look of a cascade: may a photo hold any of the classes at all? Where it shows no trace, a large segmenter is not asked.

The compact segmenter costs a fraction of FCN-ResNet101. Its answer is not used as a mask here: only the highest probability of the classes
that holds over a small part of the photo counts, so that it may be unsure, or see a part alone, and the photo goes on all the same.
"""

from __future__ import annotations

import numpy as np

from pipeline.types import FloatArray

#: Share of the photo's pixels over which a probability must hold to count as a trace.
TRACE_SHARE = 0.001
#: Least trace with which a photo goes on to the large segmenter. Chosen by ``benchmarks/prefilter.py`` on training photos.
TRACE = 0.0025


def trace(removed: FloatArray) -> float:
    """The highest probability that ``TRACE_SHARE`` of the pixels reach.

    Args:
        removed: hw in [0, 1], the probability of the classes together.
    """
    flat = removed.ravel()
    rank = max(1, round(TRACE_SHARE * flat.size))
    return float(np.partition(flat, -rank)[-rank])
