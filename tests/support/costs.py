"""Labelling costs whose sources are given outright."""

from __future__ import annotations

import numpy as np

from remove_objects.pipeline.inpaint.texture.labelling import Costs
from remove_objects.pipeline.types import Box


def stacked_costs(
    sources: np.ndarray, unary: np.ndarray, hole: np.ndarray, picture: np.ndarray | None = None
) -> Costs:
    """Costs whose sources are given outright, Khw3, all of them legal; ``picture`` is the first of them unless given."""
    count, h, w, _ = sources.shape
    return Costs(
        Box(0, 0, w, h), unary, hole, ~hole, sources[0] if picture is None else picture,
        sources.reshape(-1, 3), np.ones(count * h * w, bool), 0, w, np.arange(count) * h * w,
    )  # fmt: skip
