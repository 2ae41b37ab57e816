"""A model of one's own for tests: a real folder of smp, whose network sees pure colours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remove_objects.models import own_segmenter
from remove_objects.models.own_segmenter import Normalisation, metadata

#: What the smallest network of smp is made of.
OPTIONS: dict[str, Any] = {
    "encoder_name": "resnet18",
    "encoder_depth": 3,
    "decoder_channels": [8, 8, 8],
    "in_channels": 3,
    "classes": 3,
}
NORMALISATION = Normalisation((0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


def write_model(folder: Path, classes: tuple[str, ...] = ("wire", "date"), **more: Any) -> Path:
    """Save a network with random weights as smp does; ``more`` are keys of its configuration."""
    options = {**OPTIONS, "classes": len(classes) + 1}
    network: Any = own_segmenter.build("Unet", options)
    network.config.update(metadata(classes, NORMALISATION, 256))
    network.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text()) | more
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def sees_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every own model sees its first class in pure green, and its second in pure yellow."""

    def seen(_: object, rgb: np.ndarray, *__: object, **___: object) -> np.ndarray:
        high, low = rgb > 229, rgb < 26
        green = low[..., 0] & high[..., 1] & low[..., 2]
        yellow = high[..., 0] & high[..., 1] & low[..., 2]
        return np.stack([green, yellow]).astype(np.float32)

    monkeypatch.setattr(own_segmenter, "photo_probabilities", seen)
