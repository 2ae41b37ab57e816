"""Networks that cost nothing: colours decide what is segmented, and every hole becomes grey."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline import remover
from remove_objects.pipeline.detect.segmenters import Segmenter
from remove_objects.pipeline.inpaint.inpainters import RIM, Fill
from remove_objects.pipeline.types import Face, Hole

PERSON, DOG = CATEGORIES.index("person"), CATEGORIES.index("dog")
#: The probability of a ``shade``, below the higher of the machine's two thresholds.
UNSURE = 0.6
#: Height of a shadow in pixels of a view.
STRIPE = 12


class ColourSegmenter(Segmenter):
    """Sees a person in red, less surely in dark red, and a dog in blue."""

    name = "colours"
    quick = False

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        """HWC -> 21HW."""
        red, green, blue = (rgb[..., i].astype(int) for i in range(3))
        person = (green < 30) & (blue < 30) & (red > 160)
        found = np.zeros((len(CATEGORIES), *rgb.shape[:2]), np.float32)
        found[PERSON] = np.where(person & (red > 225), 1.0, UNSURE * person)
        found[DOG] = (red < 30) & (green < 30) & (blue > 225)
        found[0] = 1 - found.sum(0)
        return found


class NoFaces:
    """Finds none."""

    def detect(self, rgb: np.ndarray, least: float = 0, near: Any = ()) -> list[Face]:
        """Return nothing."""
        return []


class ShadowsBelow:
    """Takes a stripe below what is removed for its shadow."""

    def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
        """NHW3 and NHW -> N3HW."""
        found = np.zeros((len(views), 3, *removed.shape[1:]), np.float32)
        found[:, 0, STRIPE:] = removed[:, :-STRIPE] & ~removed[:, STRIPE:]
        return found


class CheapNetworks:
    """Stands in for ``pipeline.networks.Networks``."""

    device = torch.device("cpu")
    segmenter = closer = onlooker = ColourSegmenter()
    prefilter = None
    refiner = detector = instances = None
    effects: Any = ShadowsBelow()
    faces = NoFaces()
    perceptual = None  # a run without probes asks for no LPIPS

    def __init__(self, settings: Any = None) -> None:
        self.inpainters = self

    def fill(self, rgb: np.ndarray, hole_mask: np.ndarray, hole: Hole, *_: Any) -> Fill:
        """Fill a hole with grey."""
        window = hole.box.grown(RIM, hole_mask.shape)
        return Fill(window, np.full((window.h, window.w, 3), 0.5, np.float32), window)

    own_classes = ()

    def own(self, classes: Any) -> list[Any]:
        """There are no models of the user's own."""
        return []

    def weights(self) -> dict[str, str]:
        """No file was used."""
        return {}

    def warnings(self) -> list[str]:
        """Nothing fell back to anything."""
        return []


@contextmanager
def cheap_networks() -> Iterator[None]:
    """Every remover uses ``CheapNetworks``."""
    with patch.object(remover, "Networks", CheapNetworks):
        yield
