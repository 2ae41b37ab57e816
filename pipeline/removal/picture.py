"""What of a photo's pixels is picture: no margins of a scan or a letterbox, nothing transparent.

The photo is cleaned within the box of its picture, so that holes at a margin are holes at the
border. Pixels in that box that are no picture (the wedges of an askew scan, transparent ones) are
neither read nor changed. What a hole covers of a margin takes the margin's own colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..detect.frame import MIXED, MarginArea, margin_areas
from ..detect.mask import dilate
from ..pixels import as_float, blur, dilate_square, reduction, resize, scaled_size
from ..types import Box, Hole, HoleOutcome, Layer, Mask, Outcome, Photo, Pixels
from .request import Removal
from .selection import Selection

#: Longer side in pixels of the reduced picture that continues into pixels that are none, and the
#: standard deviation of its blur.
SMOOTH_SIZE, SMOOTH = 64, 4.0


_Hole = TypeVar("_Hole", Hole, HoleOutcome)
_Array = TypeVar("_Array", bound=NDArray[Any])


@dataclass(frozen=True, eq=False)
class Picture:
    """The part of a photo that is picture.

    Attributes:
        whole: the photo.
        box: the picture's bounding box.
        outside: hw bool of the box: no picture, must not change.
        unread: hw bool of the box: ``outside``, and pixels in which margin and picture mix.
        margins: of the photo.
    """

    whole: Photo
    box: Box
    outside: Mask
    unread: Mask
    margins: Sequence[MarginArea]

    @property
    def photo(self) -> Photo:
        """The picture as a photo of its own, continued smoothly into pixels that are none."""
        rgb = self.whole.rgb[self.box.slices]
        rgb = _continued(rgb, self.unread) if self.outside.any() else rgb.copy()
        alpha = None if self.whole.alpha is None else self.whole.alpha[self.box.slices]
        return Photo(rgb, alpha, self.whole.path, warnings=self.whole.warnings)

    def of(self, removal: Removal) -> Removal:
        """The same request for the picture alone."""
        picks = removal.picks
        if picks is not None:
            picks = tuple(replace(one, box=one.box.relative_to(self.box)) for one in picks)
        mask = None if removal.mask is None else removal.mask[self.box.slices]
        return replace(removal, mask=mask, picks=picks, shown=self._share)

    def selection(self, inner: Selection, removal: Removal) -> Selection:
        """A selection of the picture's pixels as one of the photo's."""
        return replace(
            inner,
            hole_mask=self._mask(inner.hole_mask, removal),
            holes=[self._in_photo(hole) for hole in inner.holes],
            classes=self._shares(inner.classes),
            objects=None
            if inner.objects is None
            else inner.objects.shifted(self.box, self.whole.size),
        )

    def outcome(self, inner: Outcome, removal: Removal) -> Outcome:
        """The outcome of cleaning the picture as that of cleaning the photo."""
        assert inner.mask is not None
        mask = self._mask(inner.mask, removal)
        return replace(
            inner,
            mask=mask,
            layers=None if inner.layers is None else self.layers(inner.layers, mask),
            kept=None if inner.kept is None else self._in_whole(inner.kept),
            result=None if inner.result is None else self._result(inner.result, inner.mask, mask),
            compared={
                method: self._result(result, inner.mask, mask)
                for method, result in inner.compared.items()
            },
            classes=self._shares(inner.classes),
            objects=tuple(
                replace(
                    one,
                    box=one.box.shifted(self.box.y, self.box.x),
                    share=one.share * self._share,
                )
                for one in inner.objects
            ),
            labels=None if inner.labels is None else self._in_whole(inner.labels),
            hole_share=float(mask.mean()),
            holes=tuple(self._in_photo(hole) for hole in inner.holes),
        )

    def _in_whole(self, inner: _Array) -> _Array:
        """An array of the picture's pixels as one of the photo's, with zeros around it."""
        whole = np.zeros(self.whole.size, inner.dtype)
        whole[self.box.slices] = inner
        return whole  # type: ignore[return-value]

    def _in_photo(self, hole: _Hole) -> _Hole:
        """A hole of the picture, with its place in the photo and its share of it."""
        box = hole.box.shifted(self.box.y, self.box.x)
        return replace(hole, box=box, share=hole.share * self._share)

    def _shares(self, of_picture: Mapping[str, float]) -> dict[str, float]:
        """Shares of the picture as shares of the photo."""
        return {name: share * self._share for name, share in of_picture.items()}

    @property
    def _share(self) -> float:
        """The box's share of the photo."""
        height, width = self.whole.size
        return self.box.area / (height * width)

    def _mask(self, inner: Mask, removal: Removal) -> Mask:
        """HW bool: the picture's holes, and what the given mask covers of the margins."""
        mask = self._in_whole(inner)
        if removal.mask is not None and inner.any():
            given = dilate(removal.mask.astype(bool), removal.dilate or 0)
            for margin in self.margins:
                mask |= given & margin.pixels
        return mask

    def layers(self, inner: NDArray[np.uint8], mask: Mask) -> NDArray[np.uint8]:
        """The picture's layers as those of the photo: what goes of the margins is of the objects.

        Args:
            inner: hw uint8, the picture's layers.
            mask: HW bool, what is removed of the photo.

        Returns:
            HW uint8.
        """
        layers = np.where(mask, np.uint8(Layer.OBJECT), np.uint8(Layer.NONE))
        layers[self.box.slices] = inner
        return layers

    def _result(self, inner: Pixels, holes: Mask, mask: Mask) -> Pixels:
        """The photo with the picture's holes filled, and the margins' holes in their colour."""
        result = self.whole.rgb.copy()
        result[self.box.slices][holes] = inner[holes]
        for margin in self.margins:
            result[mask & margin.pixels] = margin.colour
        return result


def picture_of(photo: Photo, mask: Mask | None) -> Picture | None:
    """Find which pixels of a photo are picture.

    Args:
        photo: the photo.
        mask: HW bool, the user's own mask, or None: what it covers may interrupt a margin.

    Returns:
        None if all pixels are, or none is. A mask that covers nothing but margins is about them,
        so they count as picture.
    """
    given = None if mask is None else mask.astype(bool)
    transparent = np.zeros(photo.size, bool) if photo.alpha is None else photo.alpha == 0
    # A cut-out has no margins.
    margins = [] if transparent.any() else margin_areas(photo.rgb, given)
    outside = transparent.copy()
    unread = transparent
    for margin in margins:
        outside |= margin.pixels
        mixed = margin.pixels if margin.drawn else dilate_square(margin.pixels, MIXED)
        unread = unread | mixed
    if not outside.any() or outside.all():
        return None
    if margins and given is not None and given.any() and not (given & ~outside).any():
        return None
    box = Box.bounding(~outside)
    return Picture(photo, box, outside[box.slices], unread[box.slices], margins)


def _continued(rgb: Pixels, unread: Mask) -> Pixels:
    """The picture with its unread pixels in the blurred colours of those nearby."""
    size = scaled_size(unread.shape, reduction(unread.shape, SMOOTH_SIZE))
    share = resize((~unread).astype(np.float32), size)
    near, peak = blur(share, SMOOTH), np.iinfo(rgb.dtype).max
    result = rgb.copy()
    result[unread] = 0
    for channel in range(3):  # one by one: floats of all would take four times the photo
        samples = result[..., channel]
        total = resize(as_float(samples), size)
        mean = total.sum() / max(float(share.sum()), 1e-6)
        # A little of the mean everywhere: far from known pixels nothing else is left.
        colours = (blur(total, SMOOTH) + 1e-3 * mean) / (near + 1e-3)
        smooth = resize(colours.astype(np.float32), unread.shape, cv2.INTER_LINEAR)[unread]
        samples[unread] = (np.clip(smooth, 0, 1) * peak + 0.5).astype(rgb.dtype)
    return result
