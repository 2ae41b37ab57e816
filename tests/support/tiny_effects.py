"""An effects network that knows shadows, reflections and carried things by their colours."""

from __future__ import annotations

import numpy as np


class SeesColours:
    """Dark grey is a shadow, dark blue a reflection, green is carried, middle grey a faint shadow.

    Attributes:
        sizes: (height, width) of the views that it saw.
        shares: of their pixels that are removed.
    """

    sha256 = "ef" * 32

    def __init__(self, faint: float = 0.0) -> None:
        self.faint = faint
        self.sizes: list[tuple[int, int]] = []
        self.shares: list[float] = []

    def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
        """NHW3 and NHW -> N3HW."""
        self.sizes += [(v.shape[0], v.shape[1]) for v in views]
        self.shares += [float(m.mean()) for m in removed]
        red, green, blue = np.moveaxis(views.astype(int), -1, 0)
        shadow = np.where((red < 80) & (green < 80) & (blue < 80), 0.98, 0.0)
        shadow[(red >= 80) & (red < 125)] = self.faint
        reflection = np.where((red < 60) & (blue > 90), 0.98, 0.0)
        carried = np.where((green > 150) & (red < 80) & (blue < 80), 0.98, 0.0)
        return np.stack([shadow, reflection, carried], 1).astype(np.float32)
