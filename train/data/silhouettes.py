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

#: Photos that are segmented at most: enough shapes for variety, and a run begins soon.
PHOTOS = 60
#: An object is where it is surely one, on at least this share of its photo: faint traces are noise.
SURE, LEAST = 0.8, 0.01


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
        found = segmenter.probabilities(photo)
        labels = np.where(found[0] <= 1 - SURE, found.argmax(0), 0).astype(np.uint8)
        shape = largest_object(labels)
        if shape.sum() >= LEAST * labels.size:
            shapes.append(shape)
    return shapes
