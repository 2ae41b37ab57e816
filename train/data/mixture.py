"""Samples of several kinds in one sequence."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset


class Mixture(Dataset[tuple[Tensor, ...]]):
    """An endless sequence of samples of several kinds.

    Args:
        sources: by kind.
        shares: how often each kind is drawn; more of them than there are sources may be named.
        seed: of the order; number n is a function of it and n alone.
    """

    def __init__(
        self,
        sources: Mapping[str, Dataset[tuple[Tensor, ...]]],
        shares: Mapping[str, float],
        *,
        seed: int,
    ) -> None:
        self.sources, self.seed = dict(sources), seed
        weights = np.array([shares[name] for name in self.sources])
        self._shares = weights / weights.sum()

    def __getitem__(self, n: int) -> tuple[Tensor, ...]:
        """As the kind's own samples are."""
        rng = np.random.default_rng((self.seed, n, 13))
        kind = str(rng.choice(list(self.sources), p=self._shares))
        return self.sources[kind][n]
