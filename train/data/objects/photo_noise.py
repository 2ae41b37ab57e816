"""What a camera and a file format do to a picture: blur, lower resolution, noise, JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ....pipeline.pixels import blur, resize
from ....pipeline.types import FloatArray


def photo_noise(image: FloatArray, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A picture that is spoilt a little, in each way now and then.

    Args:
        image: HWC float32 RGB in [0, 1].
        rng: random state.
    """
    h, w = image.shape[:2]
    if rng.random() < 0.35:
        scale = rng.uniform(0.45, 0.9)
        small = resize(image, (int(h * scale), int(w * scale)))
        image = resize(small, (h, w), cv2.INTER_LINEAR)
    elif rng.random() < 0.3:
        image = blur(image, float(rng.uniform(0.4, 1.2)))
    if rng.random() < 0.4:
        image = np.clip(image, 0, 1) ** np.float32(rng.uniform(0.75, 1.35))
    if rng.random() < 0.4:
        image = image + rng.normal(0, rng.uniform(0.004, 0.025), (h, w, 1)).astype(np.float32)
    result = (np.clip(image, 0, 1) * 255).round().astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))]
        _, data = cv2.imencode(".jpg", result, quality)
        result = cv2.imdecode(data, cv2.IMREAD_COLOR)  # type: ignore[assignment]
    return result
