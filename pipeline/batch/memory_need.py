"""How much memory large photos need, told before a run with a raised limit begins."""

from __future__ import annotations

from ..config import MAX_PIXELS
from ..system.memory import free_bytes
from .settings import BatchSettings

#: Bytes of the program with its networks, and for each pixel of each photo in progress (8 bits a
#: channel, without alpha); docs/speed.md says how they were measured.
PROGRAM_BYTES, BYTES_PER_PIXEL = 1_400_000_000, 25


def needed_bytes(pixels: int, photos: int = 1) -> int:
    """Return about how many bytes a run takes that cleans photos of so many pixels at once."""
    return PROGRAM_BYTES + BYTES_PER_PIXEL * pixels * photos


def memory_note(batch: BatchSettings, count: int) -> str | None:
    """Say what photos of the limit's size take, if the limit was raised; else None.

    Args:
        batch: the settings of the folder.
        count: the number of photos that are left to do.
    """
    if batch.max_pixels <= MAX_PIXELS or not count:
        return None
    photos = min(batch.workers, count) if batch.engine == "local" else 1
    needed, free = needed_bytes(batch.max_pixels, photos), free_bytes()
    text = f"a photo of {batch.max_pixels / 1e6:,.0f} megapixels takes about "
    text += f"{_gigabytes(needed_bytes(batch.max_pixels))} of memory"
    if photos > 1:
        text += f", {photos} at once {_gigabytes(needed)}"
    if free is None:
        return text
    text += f"; {_gigabytes(free)} are free"
    if needed <= free:
        return text
    fewer = next((n for n in range(photos, 0, -1) if needed_bytes(batch.max_pixels, n) <= free), 0)
    remedy = f"use --workers {fewer}" if fewer else "the system may end the run on such a photo"
    return f"{text}, which is too little for photos of that size: {remedy}"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
