"""Edit one mask with its layers: strokes, clicks, imported masks; undo and redo of every step.

The mask has the photo's full resolution. A stroke arrives as a line in the photo's pixels, not as a
picture, so nothing is enlarged and no offset can arise. The page shows a reduced copy.

Of each pixel the editor knows why it is removed: its layer. A layer, or a connected part of one,
can be taken away; its pixels stay then, and are remembered, so that they can be given back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import MutableSequence, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..detect.mask import dilate
from ..errors import UsageError
from ..images import layers_of
from ..types import Box, Layer, Mask
from .bit_planes import BitPlanes

#: Added to a layer's value where it was taken away: the pixel stays in the photo.
TAKEN = 8

#: Ways to combine another mask with this one.
COMBINATIONS = ("replace", "add", "subtract")

#: Memory in bytes for all undo and redo steps together; the oldest step goes first. A brush stroke
#: takes a few hundred bytes.
HISTORY_BYTES = 32 << 20
#: The most points of one stroke, and the largest radius in pixels: no person draws more.
MOST_POINTS, LARGEST_RADIUS = 20_000, 4_000
#: Sub-pixel resolution of OpenCV's fixed-point lines: 2^4 steps a pixel.
_SHIFT = 4


class LayerShare(NamedTuple):
    """How much of the photo one layer covers.

    Attributes:
        layer: the layer.
        share: the share of the photo that is removed as this layer, 0 to 1.
        taken: the share of what was taken away of it.
    """

    layer: Layer
    share: float
    taken: float


class Part(NamedTuple):
    """A connected part of a layer that was clicked.

    Attributes:
        layer: its layer.
        given: whether the click gave it back; else it took it away.
    """

    layer: Layer
    given: bool


@dataclass(frozen=True, slots=True)
class _Step:
    """The bits of the values that one action flipped, in a box of the photo.

    Flipping the same bits again undoes the action; flipping them once more redoes it. ``versions``
    are the mask's numbers before and after it.
    """

    box: Box
    bits: BitPlanes
    versions: tuple[int, int]

    @classmethod
    def between(
        cls,
        before: NDArray[np.uint8],
        after: NDArray[np.uint8],
        window: Box,
        versions: tuple[int, int],
    ) -> _Step | None:
        """Compare two versions of the values in ``window``; ``None`` if they are equal.

        ``versions`` are the numbers of both.
        """
        flipped = before ^ after
        rows, columns = np.flatnonzero(flipped.any(1)), np.flatnonzero(flipped.any(0))
        if not len(rows):
            return None
        inner = Box.from_corners(
            int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        )
        packed = BitPlanes.pack(flipped[inner.slices])
        return cls(inner.shifted(window.y, window.x), packed, versions)

    def flip(self, values: NDArray[np.uint8]) -> None:
        """Flip this step's bits of ``values`` in place."""
        values[self.box.slices] ^= self.bits.unpack()


class MaskEditor:
    """A mask with its layers, and its history.

    Not safe to use from several threads at once; the session's lock protects it.

    Attributes:
        revision: changes with every edit and never repeats, undo and redo included. A page that
            stores it can tell whether its picture is of this mask.
        version: changes with every edit too, but undo brings the earlier number back, and redo the
            later one: one number is one mask. A result that stores it can tell whether it still
            belongs to this mask.
    """

    def __init__(
        self,
        height: int,
        width: int,
        start: Mask | None = None,
        layers: NDArray[np.uint8] | None = None,
    ) -> None:
        """Begin with a mask, or with an empty one.

        Args:
            height: of the photo in pixels.
            width: likewise.
            start: HW bool, True = remove; copied. None for an empty mask.
            layers: HW uint8, a ``Layer`` for each pixel of ``start``; where it says nothing, and
                everywhere if None, the mask is of objects.
        """
        if start is None:
            start = np.zeros((height, width), bool)
        if start.shape != (height, width):
            raise _wrong_size(start, height, width)
        self._values = layers_of(start, layers)
        self._done: deque[_Step] = deque()
        self._undone: list[_Step] = []
        self.revision = self.version = 0

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return int(self._values.shape[0]), int(self._values.shape[1])

    @property
    def mask(self) -> Mask:
        """The mask, HW bool; a new array."""
        return _removed(self._values)

    @property
    def layers(self) -> NDArray[np.uint8]:
        """Why each pixel is removed, HW uint8, a ``Layer``; 0 exactly where ``mask`` is False."""
        return np.where(self._values < TAKEN, self._values, np.uint8(Layer.NONE))

    @property
    def values(self) -> NDArray[np.uint8]:
        """A copy of all that is known, HW uint8: a ``Layer``, plus ``TAKEN`` where it was taken."""
        return self._values.copy()

    def shares(self) -> list[LayerShare]:
        """Return the layers that the photo has, removed or taken away, by their values."""
        # Exact up to 2^24 pixels, and to seven digits above.
        counts = cv2.calcHist([self._values], [0], None, [2 * TAKEN], [0, 2 * TAKEN]).ravel()
        shares = counts.astype(np.float64) / self._values.size
        return [
            LayerShare(layer, float(shares[layer]), float(shares[layer + TAKEN]))
            for layer in Layer
            if layer and (shares[layer] or shares[layer + TAKEN])
        ]

    def share(self) -> float:
        """Return the share of the photo that the mask covers, 0 to 1."""
        return sum(each.share for each in self.shares())

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
        """Draw along a line with a round brush: what is drawn anew is of an object.

        Args:
            points: (x, y) in the photo's pixels, fractions allowed. (0, 0) is the upper left corner
                of the first pixel, (width, height) the lower right corner of the last. A single
                point draws a dot. Points outside the photo are part of the line.
            radius: half the brush's width in pixels; a pixel is drawn if its centre is no farther
                from the line.
            erase: erase instead; what was taken away there is forgotten.

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
        before = self._values[box.slices]
        drawn = inside if erase else inside & ~_removed(before)
        value = Layer.NONE if erase else Layer.OBJECT
        return self._commit(np.where(drawn, np.uint8(value), before), box)

    def clear(self) -> bool:
        """Empty the mask, and forget what was taken away. Returns whether any pixel changed."""
        return self._commit(np.zeros_like(self._values))

    def apply_mask(
        self, other: Mask, how: str = "replace", layers: NDArray[np.uint8] | None = None
    ) -> bool:
        """Replace the mask by another one, add the other to it, or subtract the other from it.

        Added, a pixel that the mask has already keeps its layer; so it does where ``layers`` is
        None.

        Args:
            other: HW bool, of the photo's size.
            how: one of ``COMBINATIONS``.
            layers: HW uint8, a ``Layer`` for each pixel of ``other``; None if it has none: then
                what is new is of objects.

        Returns:
            Whether any pixel changed.

        Raises:
            UsageError: ``other`` has another size, or ``how`` is unknown.
        """
        if other.shape != self._values.shape:
            raise _wrong_size(other, *self.size)
        other = other.astype(bool)
        match how:
            case "replace":
                return self._commit(layers_of(other, self.layers if layers is None else layers))
            case "add":
                new = other & ~self.mask
                return self._commit(np.where(new, layers_of(other, layers), self._values))
            case "subtract":
                return self._commit(np.where(other, np.uint8(Layer.NONE), self._values))
            case _:
                raise UsageError(
                    f"masks are combined by {', '.join(COMBINATIONS)}; got '{how[:40]}'"
                )

    def restore(self, values: NDArray[np.uint8]) -> bool:
        """Bring back ``values`` that were kept. Returns whether any pixel changed."""
        return self._commit(values)

    def widen(self, radius: int) -> bool:
        """Widen the whole mask by ``radius`` pixels: each layer, and objects first.

        Returns:
            Whether any pixel changed.

        Raises:
            UsageError: the radius lies outside the legal range.
        """
        if not 0 <= radius <= LARGEST_RADIUS:
            raise UsageError(f"a mask can be widened by 0 to {LARGEST_RADIUS} pixels; got {radius}")
        after, free = self._values.copy(), ~self.mask
        for layer, share, _ in self.shares():
            if share:
                new = dilate(self._values == layer, radius) & free
                after[new] = layer
                free &= ~new
        return self._commit(after)

    def pick(self, x: float, y: float, *, keep: bool = False) -> bool:
        """Drop the connected object (8 neighbours) at a point, of any layers, or drop all others.

        Args:
            x: column in the photo's pixels, as in ``stroke``.
            y: row, likewise.
            keep: keep this object and drop all others.

        Returns:
            Whether there was an object at that point.
        """
        mask = self.mask
        if not self._is_inside(x, y) or not mask[int(y), int(x)]:
            return False
        chosen = _connected(mask, x, y)
        dropped = mask & ~chosen if keep else chosen
        self._commit(np.where(dropped, np.uint8(Layer.NONE), self._values))
        return True

    def pick_part(self, x: float, y: float) -> Part | None:
        """Take away the connected part of a layer at a point, or give it back if it was taken.

        Args:
            x: column in the photo's pixels, as in ``stroke``.
            y: row, likewise.

        Returns:
            The part; None if there is none at that point.
        """
        value = int(self._values[int(y), int(x)]) if self._is_inside(x, y) else 0
        if not value:
            return None
        chosen = _connected(self._values == value, x, y)
        self._commit(np.where(chosen, self._values ^ np.uint8(TAKEN), self._values))
        return Part(Layer(value % TAKEN), value >= TAKEN)

    def toggle(self, box: Box, own: Mask, hole: Mask, spared: Mask, reach: int) -> bool:
        """Add an object to the mask, or take it from the mask if most of it is there.

        Args:
            box: the part of the photo that the masks show.
            own: bool of the box's size, the object's own pixels.
            hole: likewise, all that are added with it.
            spared: likewise, those that are not added unless they are the object's own.
            reach: in pixels; what is left around the object within it, and connected with nothing
                beyond, goes with it.

        Returns:
            Whether it was added.
        """
        before = self._values[box.slices]
        if 2 * np.count_nonzero(_removed(before) & own) < np.count_nonzero(own):
            new = (own & ~_removed(before)) | (hole & ~spared & (before == Layer.NONE))
            self._commit(np.where(new, np.uint8(Layer.OBJECT), before), box)
            return True
        around = box.grown(reach + 1, self._values.shape)
        frame = np.zeros((2, around.h, around.w), bool)
        frame[:, *box.relative_to(around).slices] = own, hole
        values = self._values[around.slices]
        dropped = _removed(values) & (frame[0] | (frame[1] & (values == Layer.OBJECT)))
        rest = (values == Layer.OBJECT) & ~dropped
        dropped |= rest & ~_reaching(rest, dilate(frame[0], reach))
        self._commit(np.where(dropped, np.uint8(Layer.NONE), values), around)
        return False

    def set_layer(self, layer: Layer, *, given: bool) -> bool:
        """Take a layer away, or give back all that was taken away of it.

        Returns:
            Whether any pixel changed.
        """
        before, after = (TAKEN, 0) if given else (0, TAKEN)
        changed = self._values == layer + before
        return self._commit(np.where(changed, np.uint8(layer + after), self._values))

    def _is_inside(self, x: float, y: float) -> bool:
        height, width = self.size
        return 0 <= x < width and 0 <= y < height

    def undo(self) -> bool:
        """Undo the last step. Returns False if there is none."""
        return self._flip_last(self._done, self._undone, 0)

    def redo(self) -> bool:
        """Redo the step that was undone last. Returns False if there is none."""
        return self._flip_last(self._undone, self._done, 1)

    def _flip_last(
        self, source: MutableSequence[_Step], target: MutableSequence[_Step], side: int
    ) -> bool:
        if not source:
            return False
        step = source.pop()
        step.flip(self._values)
        self.version = step.versions[side]
        target.append(step)
        self.revision += 1
        return True

    def _commit(self, after: NDArray[np.uint8], window: Box | None = None) -> bool:
        """Make ``after`` the values, or those in ``window``, and record the step.

        Returns:
            Whether any pixel changed; if not, no step is recorded.
        """
        height, width = self.size
        window = window or Box(0, 0, width, height)
        versions = self.version, self.revision + 1
        step = _Step.between(self._values[window.slices], after, window, versions)
        if step is None:
            return False
        self._values[window.slices] = after
        self._done.append(step)
        self._undone.clear()
        while len(self._done) > 1 and sum(s.bits.bytes for s in self._done) > HISTORY_BYTES:
            self._done.popleft()
        self.revision += 1
        self.version = self.revision
        return True


def _removed(values: NDArray[np.uint8]) -> Mask:
    """The mask of values: True where they are a layer that was not taken away."""
    return (values != Layer.NONE) & (values < TAKEN)


def _reaching(mask: Mask, zone: Mask) -> Mask:
    """The connected parts of a mask that have a pixel outside a zone."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    reaching = np.zeros(count, bool)
    reaching[labels[~zone]] = True
    found: Mask = reaching[labels] & mask
    return found


def _connected(mask: Mask, x: float, y: float) -> Mask:
    """The connected part (8 neighbours) of a mask at a point of it."""
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    chosen: Mask = labels == labels[int(y), int(x)]
    return chosen


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
