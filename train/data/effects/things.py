"""What people carry: cut-outs of bags, umbrellas, boards and rackets, put into somebody's hands."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.pixels import resize
from ....pipeline.types import FloatArray
from ..objects.scenes import HELD_OUT

#: Folder below the data folder: one folder for each class, with HW4 pictures.
FOLDER = "effects/things"


@dataclass(frozen=True)
class Held:
    """How somebody holds things of a class.

    Attributes:
        rows: from where to where it is held, as shares of the person's height from above.
        size: its longer side, as shares of the person's height, from the least to the largest.
        aside: how far its middle is from there, in halves of its longer side.
        upwards: of that, how much is upwards; negative: down.
        front: how often it hides the person.
    """

    rows: tuple[float, float]
    size: tuple[float, float]
    aside: float
    upwards: float
    front: float


#: By class; ``ANYHOW`` holds the others.
WAYS = {
    "umbrella": Held((0.0, 0.25), (0.45, 1.0), 0.5, 0.9, 0.4),
    "hat": Held((0.0, 0.06), (0.16, 0.3), 0.2, 0.5, 1.0),
    "kite": Held((0.0, 0.3), (0.3, 0.8), 1.0, 0.8, 0.5),
    "skateboard": Held((0.95, 1.0), (0.3, 0.6), 0.25, -0.2, 0.3),
    "snowboard": Held((0.93, 1.0), (0.5, 1.0), 0.25, -0.2, 0.3),
    "skis": Held((0.93, 1.0), (0.6, 1.3), 0.25, -0.2, 0.3),
    "surfboard": Held((0.3, 1.0), (0.6, 1.4), 0.5, -0.2, 0.5),
    "backpack": Held((0.15, 0.45), (0.22, 0.42), 0.7, 0.0, 0.6),
    "handbag": Held((0.35, 0.65), (0.12, 0.35), 0.6, -0.5, 0.7),
    "suitcase": Held((0.5, 0.9), (0.2, 0.5), 0.9, -0.3, 0.6),
    "racket": Held((0.2, 0.6), (0.22, 0.45), 1.0, 0.2, 0.8),
    "bat": Held((0.15, 0.5), (0.3, 0.55), 1.0, 0.3, 0.8),
    "glove": Held((0.3, 0.6), (0.1, 0.2), 0.7, 0.0, 0.9),
    "frisbee": Held((0.2, 0.6), (0.1, 0.22), 1.0, 0.0, 0.9),
    "ball": Held((0.2, 0.95), (0.08, 0.2), 0.9, 0.0, 0.9),
    "bottle": Held((0.25, 0.55), (0.1, 0.2), 0.6, 0.2, 0.9),
    "cup": Held((0.25, 0.55), (0.06, 0.12), 0.6, 0.2, 0.9),
    "phone": Held((0.1, 0.5), (0.06, 0.12), 0.6, 0.2, 0.9),
}
ANYHOW = Held((0.15, 0.8), (0.12, 0.6), 0.7, 0.0, 0.6)
#: Pixels around a thing.
MARGIN = 2
#: Largest turn of a thing in radians (standard deviation).
TURN = 0.6


class ThingPool:
    """The cut-outs of a data folder; empty where it has none.

    Args:
        data: data folder.
        held_out: those that are never trained on, or the others.
    """

    def __init__(self, data: Path, *, held_out: bool) -> None:
        self.paths: dict[str, list[Path]] = {}
        for folder in sorted(p for p in (data / FOLDER).glob("*") if p.is_dir()):
            files = sorted(folder.glob("*.png"))
            # The last of twelve: a class of few is trained on.
            chosen = [p for i, p in enumerate(files, 1) if (i % HELD_OUT == 0) == held_out]
            if chosen:
                self.paths[folder.name] = chosen
        # Many of a class are drawn more often than few, though not in proportion.
        weights = np.array([len(files) ** 0.5 for files in self.paths.values()])
        self._shares = weights / max(1e-9, weights.sum())

    def __bool__(self) -> bool:
        return bool(self.paths)

    def draw(self, rng: np.random.Generator) -> tuple[str, NDArray[np.uint8]]:
        """A random thing: its class, and HW4 uint8 RGB and alpha.

        Raises:
            OSError: the picture cannot be read.
        """
        kind = str(rng.choice(list(self.paths), p=self._shares))
        path = self.paths[kind][int(rng.integers(len(self.paths[kind])))]
        rgba = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if rgba is None or rgba.ndim != 3 or rgba.shape[2] != 4:
            raise OSError(f"{path}: not a picture with alpha; leave it out of {FOLDER}")
        return kind, cv2.cvtColor(rgba, cv2.COLOR_BGRA2RGBA)  # type: ignore[return-value]


def in_hands(
    kind: str, rgba: NDArray[np.uint8], person: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, bool]:
    """Put a thing where a person would hold it.

    Args:
        kind: its class.
        rgba: HW4 uint8, the thing.
        person: HW in [0, 1].
        rng: random state.

    Returns:
        (HWC colours in [0, 255]; HW in [0, 1], the whole thing; whether it hides the person).
        Nothing where the person cannot be seen.
    """
    size = person.shape
    seen = person >= 0.5
    rows = np.nonzero(seen.any(1))[0]
    if not len(rows):
        return np.zeros((*size, 3), np.float32), np.zeros(size, np.float32), False
    held = WAYS.get(kind, ANYHOW)
    tall = float(rows[-1] - rows[0] + 1)
    row = int(np.clip(rows[0] + rng.uniform(*held.rows) * tall, rows[0], rows[-1]))
    columns = np.nonzero(seen[row])[0]
    side = -1.0 if rng.random() < 0.5 else 1.0
    if not len(columns):
        columns = np.nonzero(seen.any(0))[0]
    column = float(columns[0] if side < 0 else columns[-1])
    if held.rows[1] - held.rows[0] < 0.1:  # on the head, or under both feet
        column = float(columns.mean())
    longer = tall * float(np.exp(rng.uniform(*np.log(held.size))))
    scale = longer / max(rgba.shape[:2])
    # Around the thing its own colours go on: a dark rim would tell it from the picture.
    m = MARGIN
    layer = cv2.copyMakeBorder(rgba, m, m, m, m, cv2.BORDER_REPLICATE).astype(np.float32)
    layer[..., 3] = np.pad(rgba[..., 3], m)
    h, w = layer.shape[:2]
    if scale < 0.9:
        small = max(1, round(scale * h)), max(1, round(scale * w))
        layer = resize(layer, small, cv2.INTER_AREA)
        h, w = small
        scale = 1.0
    reach = held.aside * longer / 2 * rng.uniform(0.4, 1.1)
    up = np.clip(held.upwards + rng.normal(0, 0.25), -1, 1)
    out = float(np.sqrt(1 - up**2))
    middle = np.array([column + side * reach * out, row - reach * up], np.float32)
    turn = rng.normal(0, TURN)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    flip = -1.0 if rng.random() < 0.5 else 1.0
    linear = np.array([[flip * cos, -sin], [flip * sin, cos]], np.float32)
    move = middle - linear @ np.array([w / 2, h / 2], np.float32)
    matrix = np.hstack([linear, move[:, None]]).astype(np.float32)
    placed = cv2.warpAffine(layer, matrix, (size[1], size[0]), flags=cv2.INTER_LINEAR)
    alpha = np.clip(np.ascontiguousarray(placed[..., 3]) / 255, 0, 1)
    return placed[..., :3], alpha.astype(np.float32), bool(rng.random() < held.front)  # type: ignore[return-value]
