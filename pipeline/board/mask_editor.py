"""Edit one mask: strokes, clicks on objects, imported masks, and undo and redo of every step.

The mask has the photo's full resolution. A stroke arrives as a line in the photo's pixels, not as a
picture, so nothing is enlarged and no offset can arise. The page shows a reduced copy.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from ..detect.mask import dilate
from ..errors import UsageError
from ..types import Box, Mask

#: Ways to combine another mask with this one.
COMBINATIONS = ("replace", "add", "subtract")

#: Memory in bytes for all undo and redo steps together; the oldest step goes first. A brush stroke
#: takes a few hundred bytes.
HISTORY_BYTES = 32 << 20
#: The most points of one stroke, and the largest radius in pixels: no person draws more.
MOST_POINTS, LARGEST_RADIUS = 20_000, 4_000
#: Sub-pixel resolution of OpenCV's fixed-point lines: 2^4 steps a pixel.
_SHIFT = 4


@dataclass(frozen=True, slots=True)
class _Step:
    """The pixels that one action flipped: a box of the photo, one bit a pixel, compressed.

    Flipping the same pixels again undoes the action; flipping them once more redoes it.
    """

    box: Box
    bits: bytes

    @classmethod
    def between(cls, before: Mask, after: Mask, window: Box) -> _Step | None:
        """Compare two versions of the mask's ``window``; ``None`` if they are equal."""
        changed = before != after
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if not len(rows):
            return None
        y, x = int(rows[0]), int(columns[0])
        h, w = int(rows[-1]) - y + 1, int(columns[-1]) - x + 1
        bits = zlib.compress(np.packbits(changed[y : y + h, x : x + w]).tobytes(), 1)
        return cls(Box(window.x + x, window.y + y, w, h), bits)

    def flip(self, mask: Mask) -> None:
        """Flip this step's pixels of ``mask`` in place."""
        size = self.box.w * self.box.h
        bits = np.unpackbits(np.frombuffer(zlib.decompress(self.bits), np.uint8), count=size)
        mask[self.box.slices] ^= bits.reshape(self.box.h, self.box.w).astype(bool)


class MaskEditor:
    """A mask and its history.

    Not safe to use from several threads at once; the session's lock protects it.

    Attributes:
        revision: changes with every edit and never repeats, undo and redo included. A page or a
            result that stores it can tell whether it still belongs to this mask.
    """

    def __init__(self, height: int, width: int, start: Mask | None = None) -> None:
        """Begin with ``start`` (HW bool, True = remove; copied), or with an empty mask."""
        if start is not None and start.shape != (height, width):
            raise _wrong_size(start, height, width)
        self._mask: Mask = np.zeros((height, width), bool) if start is None else start.copy()
        self._done: deque[_Step] = deque()
        self._undone: list[_Step] = []
        self.revision = 0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self._mask.shape[0]), int(self._mask.shape[1])

    @property
    def mask(self) -> Mask:
        """A copy of the mask, HW bool."""
        return self._mask.copy()

    def share(self) -> float:
        """Return the share of the photo that the mask covers, 0 to 1."""
        return float(np.count_nonzero(self._mask)) / self._mask.size

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone step to redo."""
        return bool(self._undone)

    def stroke(
        self, points: Sequence[Sequence[float]], radius: float, *, erase: bool = False
    ) -> bool:
        """Draw along a line with a round brush.

        Args:
            points: (x, y) in the photo's pixels, fractions allowed. (0, 0) is the upper left corner
                of the first pixel, (width, height) the lower right corner of the last. A single
                point draws a dot. Points outside the photo are part of the line.
            radius: half the brush's width in pixels; a pixel is drawn if its centre is no farther
                from the line.
            erase: erase instead.

        Returns:
            Whether any pixel changed.

        Raises:
            UsageError: no points or too many, a point that is not a pair of finite numbers, or a
                radius outside the legal range.
        """
        line = _line(points)
        if not 0 <= radius <= LARGEST_RADIUS:
            raise UsageError(
                f"the brush's radius must lie between 0 and {LARGEST_RADIUS} pixels; got {radius}"
            )
        height, width = self.size
        reach = int(np.ceil(radius)) + 1
        low, high = np.floor(line.min(0)) - reach, np.ceil(line.max(0)) + reach
        # The canvas extends beyond the photo by the brush's reach, because a line outside may still
        # touch the photo; more than that is never needed.
        x0, y0 = (int(max(v, -reach)) for v in low)
        x1, y1 = int(min(high[0], width + reach)), int(min(high[1], height + reach))
        if x1 <= x0 or y1 <= y0:
            return False
        canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
        _draw_line(canvas, line - (x0, y0))
        brushed = dilate(canvas.astype(bool), max(0, round(radius)))
        box = Box(max(0, x0), max(0, y0), min(width, x1) - max(0, x0), min(height, y1) - max(0, y0))
        if box.w <= 0 or box.h <= 0:
            return False
        inside = brushed[box.y - y0 : box.y - y0 + box.h, box.x - x0 : box.x - x0 + box.w]
        before = self._mask[box.slices]
        return self._commit(before & ~inside if erase else before | inside, box)

    def clear(self) -> bool:
        """Empty the mask. Returns whether any pixel changed."""
        return self._commit(np.zeros_like(self._mask))

    def apply_mask(self, other: Mask, how: str = "replace") -> bool:
        """Replace the mask by another one, add the other to it, or subtract the other from it.

        Args:
            other: HW bool, of the photo's size.
            how: one of ``COMBINATIONS``.

        Returns:
            Whether any pixel changed.

        Raises:
            UsageError: ``other`` has another size, or ``how`` is unknown.
        """
        if other.shape != self._mask.shape:
            raise _wrong_size(other, *self.size)
        match how:
            case "replace":
                return self._commit(other.astype(bool))
            case "add":
                return self._commit(self._mask | other)
            case "subtract":
                return self._commit(self._mask & ~other)
            case _:
                raise UsageError(
                    f"masks are combined by {', '.join(COMBINATIONS)}; got '{how[:40]}'"
                )

    def widen(self, radius: int) -> bool:
        """Widen the whole mask by ``radius`` pixels. Returns whether any pixel changed.

        Raises:
            UsageError: the radius lies outside the legal range.
        """
        if not 0 <= radius <= LARGEST_RADIUS:
            raise UsageError(f"a mask can be widened by 0 to {LARGEST_RADIUS} pixels; got {radius}")
        return self._commit(dilate(self._mask, radius))

    def pick(self, x: float, y: float, *, keep: bool = False) -> bool:
        """Drop the connected object (8 neighbours) at a point, or drop all others.

        Args:
            x: column in the photo's pixels, as in ``stroke``.
            y: row, likewise.
            keep: keep this object and drop all others.

        Returns:
            Whether there was an object at that point.
        """
        height, width = self.size
        if not (0 <= x < width and 0 <= y < height) or not self._mask[int(y), int(x)]:
            return False
        _, labels = cv2.connectedComponents(self._mask.astype(np.uint8), connectivity=8)
        chosen: Mask = labels == labels[int(y), int(x)]
        self._commit(chosen if keep else self._mask & ~chosen)
        return True

    def undo(self) -> bool:
        """Undo the last step. Returns False if there is none."""
        return self._flip_last(self._done, self._undone)

    def redo(self) -> bool:
        """Redo the step that was undone last. Returns False if there is none."""
        return self._flip_last(self._undone, self._done)

    def _flip_last(self, source: MutableSequence[_Step], target: MutableSequence[_Step]) -> bool:
        if not source:
            return False
        step = source.pop()
        step.flip(self._mask)
        target.append(step)
        self.revision += 1
        return True

    def _commit(self, after: Mask, window: Box | None = None) -> bool:
        """Make ``after`` the mask, or its part ``window``, and record the step.

        Returns:
            Whether any pixel changed; if not, no step is recorded.
        """
        height, width = self.size
        window = window or Box(0, 0, width, height)
        step = _Step.between(self._mask[window.slices], after, window)
        if step is None:
            return False
        self._mask[window.slices] = after
        self._done.append(step)
        self._undone.clear()
        while len(self._done) > 1 and sum(len(s.bits) for s in self._done) > HISTORY_BYTES:
            self._done.popleft()
        self.revision += 1
        return True


def _draw_line(canvas: np.ndarray, line: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    """Draw a line (N2, (x, y) in pixels) one pixel wide into ``canvas`` (HW uint8)."""
    # A pixel's centre is half a pixel from its corner, and OpenCV counts from centres.
    centres = np.round((line - 0.5) * 2**_SHIFT).astype(np.int32)
    if len(centres) == 1:
        x, y = (int(v) for v in np.round(centres[0] / 2**_SHIFT))
        cv2.circle(canvas, (x, y), 0, 1, -1)
    else:
        cv2.polylines(
            canvas, [centres.reshape(-1, 1, 2)], isClosed=False, color=1, thickness=1, shift=_SHIFT
        )


def _line(points: Sequence[Sequence[float]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the points of a request as N2 floats.

    Raises:
        UsageError: they are anything else.
    """
    if not 1 <= len(points) <= MOST_POINTS:
        raise UsageError(f"a stroke has 1 to {MOST_POINTS} points; got {len(points)}")
    try:
        line = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError("a stroke's points are pairs of numbers, x and y") from error
    if line.ndim != 2 or line.shape[1] != 2 or not np.isfinite(line).all():
        raise UsageError("a stroke's points are pairs of finite numbers, x and y")
    # OpenCV's fixed-point coordinates overflow beyond 2^15 pixels times 2^4.
    return np.clip(line, -30_000, 60_000)  # type: ignore[return-value]


def _wrong_size(mask: Mask, height: int, width: int) -> UsageError:
    return UsageError(
        f"the mask is {mask.shape[1]}x{mask.shape[0]} pixels, the photo {width}x{height}"
    )
