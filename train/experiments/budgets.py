"""The budget of every table: the papers', one for two CPU cores, and a quick one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from .runs import Budget


@dataclass(frozen=True)
class Scale:
    """A budget and the size of networks and pictures.

    Attributes:
        budget: see ``Budget``.
        width: as in ``TableRequest``.
        count: as in ``TableRequest``.
        size: as in ``TableRequest``.
        perceptual_crop: as in ``TableRequest``.
        gated_width: as in ``TableRequest``.
    """

    budget: Budget
    width: int
    count: int
    size: int = 128
    perceptual_crop: int = 64
    gated_width: int = 48


SCALES: dict[str, dict[str, Scale]] = {
    # Jiang & Zhang: 40 epochs (4.3 v) of CelebA's 202,599 pictures; the paper names neither
    # batch nor width.
    "skip-ce-lpips": {
        "paper": Scale(Budget(steps=126_600, batch=64, points=40), width=64, count=2000),
        "cpu": Scale(Budget(steps=1500, batch=16, points=6), width=16, count=200),
        "quick": Scale(Budget(steps=4, batch=2, points=2), width=4, count=9),
    },
    # Kulkarni et al.: 34,500 iterations of 3 (2.7) at 256x256.
    "partial-conv-metrics": {
        "paper": Scale(
            Budget(steps=34_500, batch=3, points=10),
            width=64,
            count=1000,
            size=256,
            perceptual_crop=0,
        ),
        "cpu": Scale(Budget(steps=1200, batch=4, points=4), width=12, count=60),
        "quick": Scale(Budget(steps=4, batch=2, points=2), width=4, count=4),
    },
    # Wu & Cui name neither batch nor length.
    "compression-similarity": {
        "paper": Scale(
            Budget(steps=100_000, batch=8, points=10),
            width=64,
            count=1000,
            size=256,
            perceptual_crop=0,
        ),
        # Gated convolutions of width 40 have the compression network's 1.1 M parameters.
        "cpu": Scale(Budget(steps=1200, batch=4, points=4), width=16, count=100, gated_width=40),
        "quick": Scale(Budget(steps=4, batch=2, points=2), width=4, count=4, gated_width=4),
    },
    # Nothing is trained: the shipped weights.
    "routing": {
        "paper": Scale(Budget(steps=0, batch=1), width=0, count=1000, size=256),
        "cpu": Scale(Budget(steps=0, batch=1), width=0, count=60, size=256),
        "quick": Scale(Budget(steps=0, batch=1), width=0, count=2),
    },
}


#: The options of the command line that change a scale or its budget.
BUDGET_OPTIONS = (
    "steps",
    "batch",
    "points",
    "minutes",
    "device",
    "precision",
    "workers",
    "width",
    "count",
    "size",
)


def scale(table: str, name: str, **changes: Any) -> Scale:
    """The named scale of a table with changes; a change to None keeps the scale's value.

    Another width changes ``gated_width`` in proportion.
    """
    named = SCALES[table][name]
    given = {k: v for k, v in changes.items() if v is not None}
    if "width" in given and named.width:
        fours = named.gated_width * given["width"] / named.width / 4
        given["gated_width"] = 4 * max(1, round(fours))
    of_budget = {k: v for k, v in given.items() if k in Budget.__dataclass_fields__}
    of_scale = {k: v for k, v in given.items() if k in Scale.__dataclass_fields__}
    return replace(named, budget=replace(named.budget, **of_budget), **of_scale)
