"""One mask under the hand: strokes, clicks on objects, whole masks laid in, and every step undone and redone.

The mask lives at the photo's own size. A stroke is a line in the photo's pixels and not a picture of one, so nothing is enlarged and
nothing can be off; what a page shows is a reduced copy.
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

#: Ways of laying one mask into another.
COMBINATIONS = ("replace", "add", "subtract")

#: Memory for undone and undoable steps together, in bytes; the oldest step goes first. A brush stroke takes a few hundred bytes.
HISTORY_BYTES = 32 << 20
#: Points in one stroke, and the largest radius in pixels: more is no hand.
MOST_POINTS, LARGEST_RADIUS = 20_000, 4_000


@dataclass(frozen=True, slots=True)
class _Step:
    """The pixels that one action turned over: a box of the photo, and in it one bit a pixel, packed and compressed.

    Turning the same pixels over again undoes it, and once more redoes it.
    """

    box: Box
    bits: bytes

    @classmethod
    def of(cls, before: Mask, after: Mask, within: Box) -> _Step | None:
        changed = before != after
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        if not len(rows):
            return None
        y, x, h, w = (
            int(rows[0]),
            int(columns[0]),
            int(rows[-1] - rows[0]) + 1,
            int(columns[-1] - columns[0]) + 1,
        )
        bits = zlib.compress(np.packbits(changed[y : y + h, x : x + w]).tobytes(), 1)
        return cls(Box(within.x + x, within.y + y, w, h), bits)

    def turn(self, mask: Mask) -> None:
        size = self.box.w * self.box.h
        bits = np.unpackbits(np.frombuffer(zlib.decompress(self.bits), np.uint8), count=size)
        mask[self.box.slices] ^= bits.reshape(self.box.h, self.box.w).astype(bool)


class MaskEditor:
    """A mask (HW bool, True = remove) and its history.

    ``revision`` is another number after every change, and never the same one again: a page or a result that knows it can tell whether
    it is still about this mask. Not safe to use from several threads at once; a session holds the lock.
    """

    def __init__(self, height: int, width: int, start: Mask | None = None) -> None:
        if start is not None and start.shape != (height, width):
            raise UsageError(
                f"the mask is {start.shape[1]}x{start.shape[0]} pixels, the photo {width}x{height}"
            )
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
        """A copy, HW bool."""
        return self._mask.copy()

    def share(self) -> float:
        """The part of the photo that is to be removed, 0 to 1."""
        return float(np.count_nonzero(self._mask)) / self._mask.size

    @property
    def can_undo(self) -> bool:
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        return bool(self._undone)

    def stroke(
        self, points: Sequence[Sequence[float]], radius: float, *, erase: bool = False
    ) -> bool:
        """Draw along a line, round at its ends.

        Args:
            points: (x, y) in the photo's pixels, fractions allowed: (0, 0) is the upper left corner of the first pixel, (width, height)
                the lower right corner of the last. One point is a dot. Points outside the photo are part of the line.
            radius: half the brush's width in pixels; every pixel whose centre is no farther from the line is drawn.
            erase: take away instead.

        Returns:
            Whether any pixel changed.

        Raises:
            UsageError: no point, too many, one that is no number, or a radius that is none.
        """
        line = _line(points)
        if not 0 <= radius <= LARGEST_RADIUS:
            raise UsageError(
                f"the brush's radius must lie between 0 and {LARGEST_RADIUS} pixels; got {radius}"
            )
        height, width = self.size
        reach = int(np.ceil(radius)) + 1
        low, high = np.floor(line.min(0)) - reach, np.ceil(line.max(0)) + reach
        # The box goes beyond the photo, because a line outside may still reach in; but no farther than it can.
        x0, y0 = (int(max(v, -reach)) for v in low)
        x1, y1 = int(min(high[0], width + reach)), int(min(high[1], height + reach))
        if x1 <= x0 or y1 <= y0:
            return False
        drawn = np.zeros((y1 - y0, x1 - x0), np.uint8)
        # A pixel's centre is half a pixel from its corner; OpenCV's coordinates are those of centres, here in 1/16 of a pixel.
        corners = np.round((line - (x0, y0) - 0.5) * 16).astype(np.int32)
        if len(corners) == 1:
            cv2.circle(drawn, tuple(int(v) for v in np.round(corners[0] / 16)), 0, 1, -1)
        else:
            cv2.polylines(
                drawn, [corners.reshape(-1, 1, 2)], isClosed=False, color=1, thickness=1, shift=4
            )
        wide = dilate(drawn.astype(bool), max(0, round(radius)))
        box = Box(max(0, x0), max(0, y0), min(width, x1) - max(0, x0), min(height, y1) - max(0, y0))
        if box.w <= 0 or box.h <= 0:
            return False
        inside = wide[box.y - y0 : box.y - y0 + box.h, box.x - x0 : box.x - x0 + box.w]
        before = self._mask[box.slices]
        return self._commit(before & ~inside if erase else before | inside, box)

    def clear(self) -> bool:
        """Nothing is to be removed."""
        return self._commit(np.zeros_like(self._mask))

    def apply_mask(self, other: Mask, how: str = "replace") -> bool:
        """Put another mask (HW bool, of the photo's size) in place of this one, add it, or take it away.

        Raises:
            UsageError: another size, or a way that there is not.
        """
        if other.shape != self._mask.shape:
            height, width = self.size
            raise UsageError(
                f"the mask is {other.shape[1]}x{other.shape[0]} pixels, the photo {width}x{height}"
            )
        match how:
            case "replace":
                return self._commit(other.astype(bool))
            case "add":
                return self._commit(self._mask | other)
            case "subtract":
                return self._commit(self._mask & ~other)
            case _:
                raise UsageError(
                    f"a mask can be laid in these ways: {', '.join(COMBINATIONS)}; got '{how}'"
                )

    def widen(self, radius: int) -> bool:
        """Widen everything by ``radius`` pixels."""
        if not 0 <= radius <= LARGEST_RADIUS:
            raise UsageError(f"a mask can be widened by 0 to {LARGEST_RADIUS} pixels; got {radius}")
        return self._commit(dilate(self._mask, radius))

    def pick(self, x: float, y: float, *, keep: bool = False) -> bool:
        """Drop the connected object (8 neighbours) at a point, or keep it alone.

        Args:
            x: in the photo's pixels, as in ``stroke``.
            y: likewise.
            keep: drop all the others instead.

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
        """One step back; False where there is none."""
        return self._turn(self._done, self._undone)

    def redo(self) -> bool:
        """One undone step forward; False where there is none."""
        return self._turn(self._undone, self._done)

    def _turn(self, here: MutableSequence[_Step], there: MutableSequence[_Step]) -> bool:
        """The last step of one side, to the other: a step turned twice is as it was."""
        if not here:
            return False
        step = here.pop()
        step.turn(self._mask)
        there.append(step)
        self.revision += 1
        return True

    def _commit(self, after: Mask, within: Box | None = None) -> bool:
        """``after`` becomes the mask (or its part ``within``), with a step to undo it."""
        height, width = self.size
        within = within or Box(0, 0, width, height)
        step = _Step.of(self._mask[within.slices], after, within)
        if step is None:
            return False
        self._mask[within.slices] = after
        self._done.append(step)
        self._undone.clear()
        while len(self._done) > 1 and sum(len(s.bits) for s in self._done) > HISTORY_BYTES:
            self._done.popleft()
        self.revision += 1
        return True


def _line(points: Sequence[Sequence[float]]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """N2 float; ``UsageError`` for anything else that a request may hold."""
    if not 1 <= len(points) <= MOST_POINTS:
        raise UsageError(f"a stroke has 1 to {MOST_POINTS} points; got {len(points)}")
    try:
        line = np.asarray(points, np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError("a stroke's points are pairs of numbers, x and y") from error
    if line.ndim != 2 or line.shape[1] != 2 or not np.isfinite(line).all():
        raise UsageError("a stroke's points are pairs of finite numbers, x and y")
    # OpenCV's fixed-point lines wrap around beyond 2^15 pixels times 2^4.
    return np.clip(line, -30_000, 60_000)  # type: ignore[return-value]
