"""A sheet of pixels as a Pillow image, with no metadata of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from pipeline.image_native import Sheet


def to_pillow(sheet: Sheet) -> Image.Image:
    """An 8-bit sheet as a Pillow image of the same mode; a palette is cut behind its last entry in use."""
    height, width = sheet.pixels.shape[:2]
    raw = "L" if sheet.mode in ("1", "P") else "LA" if sheet.mode == "PA" else sheet.mode
    image = Image.frombuffer(raw, (width, height), np.ascontiguousarray(sheet.pixels), "raw", raw, 0, 1)
    if sheet.mode == "1":
        return image.convert("1", dither=Image.Dither.NONE)
    if sheet.palette is not None:
        index = sheet.pixels if sheet.mode == "P" else sheet.pixels[..., 0]
        image.putpalette(sheet.palette[: int(index.max()) + 1, :3].tobytes(), "RGB")
    return image


def transparency(sheet: Sheet) -> dict[str, Any]:
    """What Pillow's PNG and GIF writers call ``transparency``: the key colour, or the palette's alphas; empty where there is none."""
    if sheet.key is not None:
        return {"transparency": sheet.key if len(sheet.key) > 1 else sheet.key[0]}
    if sheet.mode != "P" or sheet.palette is None:
        return {}
    alphas = sheet.palette[: int(sheet.pixels.max()) + 1, 3]
    return {"transparency": alphas.tobytes()} if (alphas < 255).any() else {}
