"""An object's edge at the photo's own resolution: crops through a network, alpha back to a mask.

A segmenter predicts on a coarse grid. Here every object that it found goes once more through a
network, in a crop of the photo with the coarse probability beside it, and comes back as alpha. Any
segmenter will do: only its probability is read. Time and memory follow the crops, and not the photo
or the number of its pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from ..geometry import near_box
from ..pixels import blur, depth_inside, dilate_square, eight_bits, resize
from ..types import Box, FloatArray, Mask, Pixels
from .companions import as_tensor, load_companion, picture_tensor
from .mask import dilate, drop_specks
from .segmenters import CompactSegmenterAdapter

if TYPE_CHECKING:
    from ...models.own_weights import OwnWeight

#: Longer side of a crop in pixels of the network, to which a larger one is reduced; how many times
#: a smaller one is enlarged at most; and the least side.
SIDE, ENLARGED, LEAST_SIDE = 448, 2.0, 64
#: Sides of a crop are multiples of this many pixels of the network.
STRIDE = 16
#: Margin of a crop around its objects, as a share of the longer side of their box.
MARGIN = 0.25
#: Components of one object, or objects side by side, share a crop: if its longer side is at most
#: this multiple of the larger one's, and if the smaller one is still this many pixels long in it.
GROWTH, LEAST_SEEN = 1.5, 32
#: Crops of the same size go through the network together, so many at a time.
TOGETHER = 4

#: The largest components are refined; of a photo with more the others keep their coarse edge.
MOST = 128

#: Alpha from which a pixel belongs to the object.
OBJECT = 0.4
#: Share of a coarse component that must be found in the refined object: else the coarse one counts.
CONFIRMED = 0.3
#: What belongs to an object is connected with its coarse component, and lies within so many pixels
#: of the network of it or where the coarse probability is at least this share of the threshold. So
#: a motorbike does not follow its rider, and a leg that the segmenter half saw is found.
REACH, FAINT = 16, 0.2
#: The edge reaches from the first alpha to the second. The hole is widened by this share of its
#: width, which is large where it is soft (blur, hair), and by so many pixels more: of the photo, or
#: of the network where those are larger. A width of more pixels of the network than ``WIDEST`` is
#: doubt about the object, and not its edge. ``OBJECT`` and ``SOFTNESS`` were chosen on the canvases
#: that training holds out. There, 1.5 pixels more are enough; on real photos, whose objects are
#: harder, 3 keep as little of the object as the even dilation does.
CLEAR, SOLID = 0.1, 0.9
SOFTNESS, MIXED, WIDEST = 0.5, 3.0, 12.0
#: Standard deviation in pixels of the network of the mean width of the edge nearby.
NEARBY = 4.0


_Array = TypeVar("_Array", bound=NDArray[Any])


class Refiner(Protocol):
    """A network that finds the alpha of the objects in crops."""

    def alphas(self, crops: NDArray[np.uint8], coarse: FloatArray) -> FloatArray:
        """Find the edges in crops of one size.

        Args:
            crops: NHW3 RGB, H and W multiples of ``STRIDE``.
            coarse: NHW float32 in [0, 1], the probability of the removed classes.

        Returns:
            NHW float32 in [0, 1].
        """


class ObjectRefinerAdapter:
    """``ObjectRefiner`` on the features of a compact segmenter.

    Args:
        compact: whose encoder gives the features; its weights stay as they are.
        weights: the user's own, which replace bundled ones.

    Attributes:
        device: where it runs.
        sha256: of its weight.

    Raises:
        WeightsError: the weight is damaged, or was trained with another compact segmenter.
    """

    def __init__(self, compact: CompactSegmenterAdapter, weights: Iterable[OwnWeight] = ()) -> None:
        self.device = compact.device
        self.encoder = compact.network.encoder
        self.network, self.sha256 = load_companion("object-refiner", compact, weights)

    def alphas(self, crops: NDArray[np.uint8], coarse: FloatArray) -> FloatArray:
        """As in ``Refiner``."""
        import torch

        from ...models.precision import autocast

        image = picture_tensor(crops, self.device)
        hint = as_tensor(coarse[:, None], self.device)
        with torch.inference_mode(), autocast(self.device, crops.shape[2]):
            logits = self.network(image, hint, *self.encoder.levels(image))
            return logits.float().sigmoid()[:, 0].cpu().numpy()


@dataclass(frozen=True, eq=False)
class Refined:
    """The refined objects of one crop.

    Attributes:
        box: of the crop, in the photo.
        alpha: hw float32 in [0, 1], at the network's size; of the crop's own objects only.
    """

    box: Box
    alpha: FloatArray

    def full_size(self, values: FloatArray | None = None) -> FloatArray:
        """``alpha``, or other values of its size, at the size of ``box``."""
        size = self.box.h, self.box.w
        return resize(self.alpha if values is None else values, size, cv2.INTER_LINEAR)


@dataclass(frozen=True, eq=False)
class _Crop:
    """Objects that are refined together.

    Attributes:
        objects: the bounding box of their components, in the photo.
        labels: of the components.
    """

    objects: Box
    labels: tuple[int, ...]

    def box(self, shape: tuple[int, ...]) -> Box:
        """The crop in the photo."""
        return self.objects.grown(round(MARGIN * _longer(self.objects)), shape)


def refine(refiner: Refiner, rgb: Pixels, coarse: FloatArray, threshold: float) -> list[Refined]:
    """Find the edges of all objects of a photo.

    Args:
        refiner: runs once for each crop.
        rgb: the photo, HWC uint8 or uint16.
        coarse: hw in [0, 1] at the photo's aspect, the probability of the removed classes.
        threshold: of ``coarse``, from which a pixel belongs to an object.

    Returns:
        One for each crop, in a fixed order. Crops overlap, their objects do not.
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        drop_specks(coarse >= threshold).astype(np.uint8), connectivity=8
    )
    alike = np.minimum(coarse * np.float32(OBJECT / threshold), 1).astype(np.float32)
    order = 1 + np.argsort(-stats[1:, cv2.CC_STAT_AREA], kind="stable")
    crops = _crops(
        [(int(i), Box(*(int(v) for v in stats[i, :4]))) for i in order[:MOST]],
        coarse.shape,
        rgb.shape,
    )
    refined: list[Refined] = []
    for batch in _batches(crops, rgb.shape):
        boxes = [crop.box(rgb.shape) for crop in batch]
        size = network_size(boxes[0])
        pictures = np.stack([eight_bits(_resized(rgb[box.slices], size)) for box in boxes])
        places = [_scaled(box, rgb.shape, coarse.shape).slices for box in boxes]
        hints = np.stack([_resized(coarse[place], size) for place in places])
        for crop, box, place, alpha in zip(
            batch, boxes, places, refiner.alphas(pictures, hints), strict=True
        ):
            ids = _nearest(labels[place], size)
            hint = _resized(alike[place], size)
            alpha = _attached(_confirmed(alpha, hint, ids), hint, ids)
            refined.append(Refined(box, _own(alpha, ids, crop.labels)))
    if len(order) > MOST:
        others = dilate_square(np.isin(labels, order[MOST:]), 1)
        refined.append(Refined(Box.full(rgb.shape), np.where(others, alike, 0)))
    return refined


def refined_mask(refined: Sequence[Refined], height: int, width: int) -> Mask:
    """The pixels of the refined objects, without specks.

    Args:
        refined: of ``refine``.
        height: the photo's.
        width: the photo's.

    Returns:
        HW bool.
    """
    objects = np.zeros((height, width), bool)
    for each in refined:
        objects[each.box.slices] |= each.full_size() >= OBJECT
    return drop_specks(objects)


def widen_softly(refined: Sequence[Refined], objects: Mask) -> Mask:
    """Widen refined objects as far as their own edges are soft.

    Args:
        refined: of ``refine``.
        objects: HW bool, of ``refined_mask``.

    Returns:
        HW bool; it contains ``objects``.
    """
    widened = objects.copy()
    for each in refined:
        own = objects[each.box.slices] & (each.full_size() >= OBJECT)
        if own.any():
            scale = _longer(each.box) / max(each.alpha.shape)
            width = scale * each.full_size(edge_width(each.alpha))
            reach = MIXED * max(1.0, scale) + SOFTNESS * width
            widened[each.box.slices] |= depth_inside(~own, cv2.DIST_MASK_PRECISE) <= reach
    return widened


def refined_holes(
    refiner: Refiner, rgb: Pixels, coarse: FloatArray, threshold: float, radius: int | None
) -> Mask:
    """The pixels to remove around the refined objects of a photo.

    Args:
        refiner: see ``refine``.
        rgb: see ``refine``.
        coarse: see ``refine``.
        threshold: see ``refine``.
        radius: in pixels, by which the objects are widened evenly; None to follow their edges.

    Returns:
        HW bool.
    """
    refined = refine(refiner, rgb, coarse, threshold)
    objects = refined_mask(refined, *rgb.shape[:2])
    return widen_softly(refined, objects) if radius is None else dilate(objects, radius)


def edge_width(alpha: FloatArray) -> FloatArray:
    """How soft the edge nearby is.

    Args:
        alpha: hw in [0, 1].

    Returns:
        hw float32, the mean width between ``CLEAR`` and ``SOLID`` of the edge nearby, in pixels of
        ``alpha``, at most ``WIDEST``; 0 far from any edge.
    """
    inside = alpha >= OBJECT
    rim = inside & (depth_inside(inside) < 1.5)
    width = depth_inside(alpha < SOLID) + depth_inside(alpha > CLEAR)
    width = np.clip(width - 1, 0, WIDEST)
    share = blur(rim.astype(np.float32), NEARBY)
    total = blur((width * rim).astype(np.float32), NEARBY)
    return np.where(share > 1e-6, total / np.maximum(share, 1e-6), 0).astype(np.float32)


def network_size(box: Box) -> tuple[int, int]:
    """The (height, width) at which the network sees a crop."""
    longest = min(SIDE, ENLARGED * _longer(box))
    scale = longest / _longer(box)
    height, width = (max(LEAST_SIDE, STRIDE * round(n * scale / STRIDE)) for n in (box.h, box.w))
    return height, width


def _crops(
    components: Sequence[tuple[int, Box]], coarse: tuple[int, ...], shape: tuple[int, ...]
) -> list[_Crop]:
    """Which components are refined together: those side by side, if the crop still shows each.

    Args:
        components: labels and boxes in the coarse probability.
        coarse: its shape.
        shape: the photo's.
    """
    crops = [_Crop(_scaled(box, coarse, shape), (label,)) for label, box in components]
    merged = True
    while merged:
        merged = False
        for i in range(len(crops)):
            for j in range(len(crops) - 1, i, -1):
                if _belong_together(crops[i].objects, crops[j].objects, *shape[:2]):
                    union = crops[i].objects.union(crops[j].objects)
                    crops[i] = _Crop(union, crops[i].labels + crops[j].labels)
                    del crops[j]
                    merged = True
    return crops


def _belong_together(first: Box, second: Box, height: int, width: int) -> bool:
    near = near_box(first, height, width).intersects(second) or near_box(
        second, height, width
    ).intersects(first)
    if not near:
        return False
    union = _longer(first.union(second)) * (1 + 2 * MARGIN)
    if union <= SIDE:
        return True
    larger, smaller = sorted((_longer(first), _longer(second)), reverse=True)
    crop = larger * (1 + 2 * MARGIN)
    return union <= GROWTH * crop and smaller * SIDE / union >= LEAST_SEEN


def _batches(crops: Sequence[_Crop], shape: tuple[int, ...]) -> Iterator[list[_Crop]]:
    """The crops by their size in the network, at most ``TOGETHER`` at a time."""
    by_size: dict[tuple[int, int], list[_Crop]] = {}
    for crop in crops:
        by_size.setdefault(network_size(crop.box(shape)), []).append(crop)
    for same in by_size.values():
        for i in range(0, len(same), TOGETHER):
            yield same[i : i + TOGETHER]


def _resized(image: _Array, size: tuple[int, int]) -> _Array:
    """A crop at the network's size: areas averaged, or enlarged."""
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    return resize(image, size, cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)


def _nearest(labels: NDArray[np.int32], size: tuple[int, int]) -> NDArray[np.int32]:
    """Labels at the network's size."""
    return resize(labels.astype(np.float32), size, cv2.INTER_NEAREST).astype(np.int32)


def _confirmed(alpha: FloatArray, coarse: FloatArray, labels: NDArray[np.int32]) -> FloatArray:
    """The alpha, and the coarse probability of every component that the network does not confirm.

    The network may be wrong about an edge, but does not decide whether there is an object.

    Args:
        alpha: hw, the network's output.
        coarse: hw, at least ``OBJECT`` within a component.
        labels: hw, the coarse components.
    """
    counts = np.bincount(labels.ravel())
    found = np.bincount(labels.ravel(), weights=(alpha >= OBJECT).ravel())
    denied = found < CONFIRMED * counts
    denied[0] = False
    if not denied.any():
        return alpha
    around = dilate_square(denied[labels], STRIDE)
    return np.where(around, np.maximum(alpha, np.minimum(coarse, 1)), alpha)


def _attached(alpha: FloatArray, coarse: FloatArray, labels: NDArray[np.int32]) -> FloatArray:
    """The alpha without what is apart from every coarse component, or far from it.

    Args:
        alpha: hw.
        coarse: hw, ``OBJECT`` where the coarse probability is at the threshold.
        labels: hw, the coarse components.
    """
    if not labels.any():
        return alpha
    near = (depth_inside(labels == 0) <= REACH) | (coarse >= FAINT * OBJECT)
    found = alpha >= OBJECT
    _, parts = cv2.connectedComponents((found & near).astype(np.uint8), connectivity=8)
    attached = np.zeros(int(parts.max()) + 1, bool)
    attached[parts[labels > 0]] = True
    attached[0] = False
    return np.where(found & ~attached[parts], 0, alpha).astype(np.float32)


def _own(alpha: FloatArray, labels: NDArray[np.int32], own: Sequence[int]) -> FloatArray:
    """The alpha of a crop's own objects: where no object of another crop is nearer.

    Args:
        alpha: hw.
        labels: hw, the coarse components of all crops.
        own: the labels of this crop.
    """
    mine = np.isin(labels, own)
    foreign = (labels > 0) & ~mine
    if not foreign.any() or not mine.any():
        return alpha
    return np.where(depth_inside(~mine) <= depth_inside(~foreign), alpha, 0)


def _scaled(box: Box, shape: tuple[int, ...], other: tuple[int, ...]) -> Box:
    """A box in a picture of another size, rounded outwards.

    Args:
        box: the box.
        shape: of the picture that it lies in.
        other: shape of the other picture.
    """
    down, right = other[0] / shape[0], other[1] / shape[1]
    return Box.from_corners(
        int(np.floor(box.x * right)),
        int(np.floor(box.y * down)),
        int(np.ceil(box.right * right)),
        int(np.ceil(box.bottom * down)),
    ).intersection(Box.full(other))


def _longer(box: Box) -> int:
    return max(box.w, box.h)
