"""Pictures for ``--quick``: drawn scenes and faces, laid out like the data folder.

They show that a table runs, nothing else.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

#: Side of the pictures in pixels.
SIDE = 144
#: Groups of the faces' labels.
GROUPS = ("Asian", "Black", "Indian", "White")


def generate(folder: Path, *, train: int = 24, test: int = 12) -> Path:
    """Draw ``scenes`` and ``faces``, each with ``train`` and ``val``, and write the faces' labels.

    Args:
        folder: existing pictures in it stay.
        train: training pictures of each kind.
        test: test pictures of each kind.

    Returns:
        ``folder``.
    """
    lines = ["file,age,gender,race"]
    for part, count in (("train", train), ("val", test)):
        for i in range(count):
            rng = np.random.default_rng((i, part == "val"))
            for kind, drawn in (("scenes", scene(rng)), ("faces", face(rng))):
                path = folder / kind / part / f"{part}{i:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                if not path.exists():
                    cv2.imwrite(str(path), drawn)
            lines.append(
                f"{part}/{part}{i:03d}.png,{(7 * i) % 90},{'female' if i % 2 else 'male'},"
                f"{GROUPS[i % len(GROUPS)]}"
            )
    (folder / "faces" / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class RandomClassifier(nn.Module):
    """N3HW in [0, 1] -> Nx10: a classifier of fixed random weights."""

    def __init__(self) -> None:
        super().__init__()
        weights = torch.randn(10, 3 * 64, generator=torch.Generator().manual_seed(0))
        self.weights = nn.Parameter(weights, requires_grad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """The logits of pictures N3HW in [0, 1]."""
        return nn.functional.adaptive_avg_pool2d(pictures, 8).flatten(1) @ self.weights.T


def scene(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A sky, a ground and a few boxes with grain: HWC uint8."""
    horizon = int(rng.integers(SIDE // 3, 2 * SIDE // 3))
    picture = np.empty((SIDE, SIDE, 3), np.float32)
    picture[:horizon] = rng.uniform(120, 250, 3)
    picture[horizon:] = rng.uniform(20, 160, 3)
    picture += np.linspace(-30, 30, SIDE, dtype=np.float32)[:, None, None]
    for _ in range(int(rng.integers(2, 6))):
        x, y = (int(v) for v in rng.integers(0, SIDE - 20, 2))
        w, h = (int(v) for v in rng.integers(10, 60, 2))
        cv2.rectangle(
            picture, (x, y), (x + w, y + h), [float(v) for v in rng.uniform(0, 255, 3)], -1
        )
    picture += rng.normal(0, 8, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)


def face(rng: np.random.Generator) -> NDArray[np.uint8]:
    """An oval with two eyes, a nose and a mouth at the places of aligned faces: HWC uint8."""
    picture = np.full((SIDE, SIDE, 3), rng.uniform(0, 255, 3), np.float32)
    skin, dark = rng.uniform(90, 230, 3), rng.uniform(0, 80, 3)
    shift = int(rng.integers(-6, 7))
    cv2.ellipse(picture, (72, 74), (46, 60), 0, 0, 360, [float(v) for v in skin], -1)
    for x in (54, 90):
        cv2.ellipse(picture, (x + shift // 2, 62), (9, 5), 0, 0, 360, [float(v) for v in dark], -1)
    cv2.line(picture, (72 + shift, 66), (72 + shift, 86), [float(v) for v in 0.7 * skin], 4)
    cv2.ellipse(
        picture,
        (72 + shift // 2, 104),
        (18, int(rng.integers(4, 10))),
        0,
        0,
        180,
        [float(v) for v in dark],
        -1,
    )
    picture += rng.normal(0, 5, picture.shape)
    return picture.clip(0, 255).astype(np.uint8)
