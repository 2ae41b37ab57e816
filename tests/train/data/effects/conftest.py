"""A data folder of the effects network with real moments, labelled photos, and things."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.types import Box

#: A person with a bag beside it in the photos; an object with its shadow in the moments.
PERSON, BAG = Box(60, 40, 24, 70), Box(84, 70, 16, 14)
OBJECT, SHADOW = Box(70, 50, 30, 40), Box(100, 80, 40, 10)


@pytest.fixture
def effects_data(tmp_path: Path) -> Path:
    """Six cameras of two moments each, thirteen photos, and thirteen hats."""
    rng = np.random.default_rng(0)
    for camera in range(6):
        folder = tmp_path / f"effects/cameras/camera{camera}"
        folder.mkdir(parents=True)
        for n in range(2):
            empty = rng.normal(150, 6, (140, 200, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
            image = empty.copy()
            image[SHADOW.slices] = image[SHADOW.slices] // 2
            image[OBJECT.slices] = (200, 60, 90)
            maps = {kind: np.zeros((140, 200), np.uint8) for kind in ("objects", "shadow")}
            maps["objects"][OBJECT.slices] = maps["shadow"][SHADOW.slices] = 255
            maps["shadow"][:, 180:] = 128  # nobody knows
            maps["reflection"] = np.zeros((140, 200), np.uint8)
            for kind, picture in {"image": image, "background": empty, **maps}.items():
                cv2.imwrite(str(folder / f"{n}_{kind}.png"), picture)
    photos, hats = tmp_path / "effects/photos/drawn", tmp_path / "effects/things/hat"
    photos.mkdir(parents=True)
    hats.mkdir(parents=True)
    for n in range(13):
        image = rng.normal(120, 6, (150, 160, 1)).repeat(3, 2).clip(0, 255).astype(np.uint8)
        people, things = (np.zeros((150, 160), np.uint8) for _ in range(2))
        people[PERSON.slices], things[BAG.slices] = 1, 1
        things[:, :10] = 255
        for kind, picture in {"image": image, "people": people, "things": things}.items():
            cv2.imwrite(str(photos / f"{n}_{kind}.png"), picture)
        hat = np.full((20, 30, 4), 255, np.uint8)
        hat[..., :3] = (n, 0, 200)
        cv2.imwrite(str(hats / f"{n}.png"), hat)
    return tmp_path
