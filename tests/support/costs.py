"""Labelling costs whose sources are given outright."""

from __future__ import annotations

import numpy as np

from remove_objects.pipeline.inpaint.texture.costs import Costs, SourceIndex
from remove_objects.pipeline.types import Box


def stacked_costs(
    sources: np.ndarray,
    unary: np.ndarray,
    hole_mask: np.ndarray,
    picture: np.ndarray | None = None,
) -> Costs:
    """Costs of K labels whose sources are whole pictures, all of them known.

    Args:
        sources: Khw3, the picture that each label copies from.
        unary: K(h/2)(w/2).
        hole_mask: hw bool.
        picture: hw3, by default the first source.
    """
    count, h, w, _ = sources.shape
    return Costs(
        frame=Box(0, 0, w, h),
        unary=unary,
        hole_mask=hole_mask,
        known_mask=~hole_mask,
        picture=sources[0] if picture is None else picture,
        index=SourceIndex(
            colours=sources.reshape(-1, 3),
            known_mask=np.ones(count * h * w, bool),
            start=0,
            stride=w,
            moves=np.arange(count) * h * w,
        ),
    )
