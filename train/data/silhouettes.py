"""Silhouettes of objects in the user's own photos, as the bundled segmenter finds them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...pipeline.detect.segmenters import CompactSegmenterAdapter
from .holes import Mask, largest_object
from .pictures import read_rgb

log = logging.getLogger(__name__)

#: Photos that are segmented at most: half a minute on two CPU cores.
PHOTOS = 100


def find_silhouettes(paths: Sequence[Path], seed: int = 0) -> list[Mask]:
    """The largest object of each of up to ``PHOTOS`` photos that has one.

    Always on the CPU: a run that is resumed elsewhere gets the same.

    Args:
        paths: the photos.
        seed: chooses among more.

    Returns:
        bool HW each, one object in its bounding box.
    """
    segmenter = CompactSegmenterAdapter(torch.device("cpu"))
    chosen = np.sort(np.random.default_rng(seed).permutation(len(paths))[:PHOTOS])
    shapes = []
    for index in chosen:
        try:
            photo = read_rgb(paths[index])
        except OSError:
            continue  # told where it would be trained on
        labels = segmenter.probabilities(photo).argmax(0).astype(np.uint8)
        shapes.append(largest_object(labels))
    return [shape for shape in shapes if shape.size]
