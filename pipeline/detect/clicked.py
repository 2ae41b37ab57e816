"""Select what somebody clicked, whatever it is: no class names it.

Colours and the maps of the compact segmenter's encoder say how unlike two neighbouring pixels are.
The sum of these differences along the best way is how far a pixel is from the clicks (a geodesic
distance). The regions of pixels up to a distance from a click lie within each other; of these, the
one with the clearest border is what was clicked. Where something else was clicked too, a pixel
belongs to the nearer of both. In a band along the border of what is found so, colours decide
(GrabCut, Rother et al. 2004).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError
from ..pixels import depth_inside, eight_bits, reduction, resize, scaled_size
from ..types import Box, FloatArray, Mask, Pixels
from .segmenters import CompactSegmenterAdapter

#: Clicks of one selection at most.
MOST_CLICKS = 60
#: Longer side in pixels of the grid of regions, and of the picture that the encoder sees.
GRID, SEEN = 160, 320
#: The encoder's maps that count, and how many principal components of each.
LEVELS, COMPONENTS = (1, 2, 3), 8
#: Weight of a step of CIELAB; what every step between pixels costs at least.
COLOUR, STEP = 0.05, 0.02
#: Radius of a click, as a share of the longer side of the grid.
DISC = 0.02
#: Number of regions, and of pairs of pixels that a border is measured with at least.
REGIONS, LEAST_BORDER = 64, 8
#: Logarithm of the usual share of the photo, its deviation, and how much it counts beside a border.
USUAL, DEVIATION, PRIOR = -3.5, 1.2, 0.2
#: Within a band along the border, of this share of the square root of the region's pixels, colours
#: decide; they are learned up to so many times its width away.
BAND, FAR = 0.25, 4.0
#: Sweeps over the grid in each of the four directions at most: ways with more bends are not
#: followed to their end.
SWEEPS = 12


class Click(NamedTuple):
    """A click.

    Attributes:
        x: column in the photo's pixels; (0, 0) is the corner of the first pixel.
        y: row, likewise.
        wanted: whether it is on what is to be selected; else on what is not.
    """

    x: float
    y: float
    wanted: bool


def checked_clicks(clicks: Sequence[Sequence[float]], size: tuple[int, int]) -> tuple[Click, ...]:
    """The clicks of a request.

    Args:
        clicks: (x, y, 1 or 0 for wanted or not).
        size: the photo's (height, width).

    Raises:
        UsageError: none or too many; one that is no such triple or lies outside the photo; or the
            first is not wanted.
    """
    if not 1 <= len(clicks) <= MOST_CLICKS:
        raise UsageError(f"a selection has 1 to {MOST_CLICKS} clicks; got {len(clicks)}")
    height, width = size
    checked = []
    for click in clicks:
        if len(click) != 3 or click[2] not in (0, 1):
            raise UsageError("a click is x, y, and 1 on what to select or 0 on what not")
        x, y, wanted = click
        if not (0 <= x < width and 0 <= y < height):
            raise UsageError(
                f"the click at {x:g}, {y:g} is outside the photo of {width}x{height} pixels"
            )
        checked.append(Click(float(x), float(y), bool(wanted)))
    if not checked[0].wanted:
        raise UsageError("the first click is on what to select, and no earlier one can be taken")
    return tuple(checked)


def select_clicked(
    compact: CompactSegmenterAdapter,
    rgb: Pixels,
    clicks: Sequence[Click],
    spared: Mask | None = None,
) -> Mask:
    """Select what was clicked.

    Args:
        compact: its encoder runs once.
        rgb: the photo, HWC uint8 or uint16.
        clicks: at least one is wanted.
        spared: HW bool, pixels that are not selected; None if there are none.

    Returns:
        HW bool, the connected parts that were clicked.
    """
    size = scaled_size(rgb.shape, reduction(rgb.shape, GRID), 2)
    seeds = _Seeds.of(clicks, rgb.shape, size)
    region = _tidied(_region(seeds, _differences(_features(compact, rgb, size))), seeds)
    found = _tidied(_cut(resize(rgb, size), region, seeds), seeds)
    selected: Mask = resize(found.astype(np.float32), rgb.shape, cv2.INTER_LINEAR) >= 0.5
    return selected if spared is None else selected & ~spared


@dataclass(frozen=True, eq=False)
class _Seeds:
    """The clicks on the grid.

    Attributes:
        wanted: hw bool, each click on what is to be selected.
        other: hw bool, all clicks on what is not.
    """

    wanted: tuple[Mask, ...]
    other: Mask

    @property
    def all_wanted(self) -> Mask:
        """Hw bool, all clicks on what is to be selected."""
        found: Mask = np.logical_or.reduce(self.wanted)
        return found

    @classmethod
    def of(cls, clicks: Sequence[Click], shape: tuple[int, ...], size: tuple[int, int]) -> _Seeds:
        """Draw a disc for each click; on what is wanted, smaller ones for what is not."""
        wanted: list[Mask] = []
        other = np.zeros(size, bool)
        for click in clicks:
            x, y = (int(click.x * size[1] / shape[1]), int(click.y * size[0] / shape[0]))
            radius = max(1, round(DISC * max(size) / (1 if click.wanted else 2)))
            disc = cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 1, -1) > 0
            if click.wanted:
                wanted.append(disc)
            else:
                other |= disc
        return cls(tuple(wanted), other & ~np.logical_or.reduce(wanted))


def _features(
    compact: CompactSegmenterAdapter, rgb: Pixels, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Colours and maps of the encoder, hwC; their distances say how unlike pixels are."""
    small = eight_bits(resize(rgb, size))
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32) * np.float32(COLOUR)
    seen = eight_bits(resize(rgb, scaled_size(rgb.shape, reduction(rgb.shape, SEEN), 2)))
    maps = [colours]
    levels = compact.levels(seen)
    for level in LEVELS:
        values = levels[level][0].float().cpu().numpy().transpose(1, 2, 0)
        maps.append(resize(_components(values), size, cv2.INTER_LINEAR))
    return np.concatenate(maps, axis=2)


def _components(values: FloatArray) -> FloatArray:
    """The principal components of a map hwC, with channels of equal deviation."""
    channels = values.shape[2]
    flat = values.reshape(-1, channels)
    flat = (flat - flat.mean(0)) / (flat.std(0) + np.float32(1e-3))
    _, axes = np.linalg.eigh(flat.T @ flat)
    first = flat @ axes[:, -COMPONENTS:] / np.float32(np.sqrt(channels))
    return first.reshape(*values.shape[:2], -1).astype(np.float32)


def _differences(features: FloatArray) -> tuple[FloatArray, FloatArray]:
    """How unlike neighbours are: those below each other, (h - 1)w, and side by side, h(w - 1)."""
    down, right = (np.linalg.norm(np.diff(features, axis=axis), axis=2) for axis in (0, 1))
    return down.astype(np.float32), right.astype(np.float32)


def distances(seeds: Mask, down: FloatArray, right: FloatArray) -> FloatArray:
    """The least sum of steps from a pixel of the seeds to each pixel, hw.

    Args:
        seeds: hw bool.
        down: (h - 1)w, the cost of a step between pixels below each other.
        right: h(w - 1), between pixels side by side.
    """
    far = np.where(seeds, 0, np.float32(1e6)).astype(np.float32)
    across = np.ascontiguousarray(right.T)
    for _ in range(SWEEPS):
        before = far
        far = _swept(far, down)
        far = np.ascontiguousarray(_swept(np.ascontiguousarray(far.T), across).T)
        if np.array_equal(before, far):
            break
    return far


def _swept(far: FloatArray, steps: FloatArray) -> FloatArray:
    """Shorten distances along the columns, downwards and upwards."""
    far = far.copy()
    for y in range(1, len(far)):
        np.minimum(far[y], far[y - 1] + steps[y - 1], out=far[y])
    for y in range(len(far) - 2, -1, -1):
        np.minimum(far[y], far[y + 1] + steps[y], out=far[y])
    return far


def _region(seeds: _Seeds, differences: tuple[FloatArray, FloatArray]) -> Mask:
    """The regions around all clicks, without what is nearer to a click on something else."""
    down, right = differences
    costs = down + np.float32(STEP), right + np.float32(STEP)
    far = [distances(seed, *costs) for seed in seeds.wanted]
    region: Mask = np.logical_or.reduce(
        [
            _clearest(each, int(seed.sum()), differences)
            for each, seed in zip(far, seeds.wanted, strict=True)
        ]
    )
    if seeds.other.any():
        region &= np.minimum.reduce(far) < distances(seeds.other, *costs)
    return region


def _clearest(far: FloatArray, least: int, differences: tuple[FloatArray, FloatArray]) -> Mask:
    """The pixels up to the distance at which the border is clearest, and the size usual.

    Args:
        far: hw, of ``distances``.
        least: pixels of the smallest region.
        differences: of ``_differences``.
    """
    ordered = np.sort(far.ravel())
    sizes = np.geomspace(max(4, least), max(5, far.size - 1), REGIONS).astype(int)
    limits = np.unique(ordered[np.minimum(sizes, far.size - 1)])
    areas = np.searchsorted(ordered, limits, side="right")
    contrast = _contrasts(np.searchsorted(limits, far), differences, len(limits))
    unusual = (np.log(areas / far.size) - USUAL) / DEVIATION
    nearest: Mask = far <= limits[int((np.log(contrast) - PRIOR * unusual**2).argmax())]
    return nearest


def _cut(small: Pixels, region: Mask, seeds: _Seeds) -> Mask:
    """Move a region's border to where the colours change, within a band along it (GrabCut).

    Args:
        small: the photo on the grid.
        region: hw bool.
        seeds: of the clicks.
    """
    inside, outside = depth_inside(region), depth_inside(~region)
    width = BAND * float(np.sqrt(region.sum()))
    labels = np.where(region, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    labels[(inside > width) | seeds.all_wanted] = cv2.GC_FGD
    labels[(outside > width) | seeds.other] = cv2.GC_BGD
    if region.all():
        return region
    around = Box.bounding(outside <= FAR * width).slices
    cut = np.ascontiguousarray(labels[around])
    colours = cv2.cvtColor(eight_bits(small[around]), cv2.COLOR_RGB2LAB)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)  # its clusters begin at random places
    try:
        cv2.grabCut(colours, cut, None, models[0], models[1], 1, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # it refuses where all pixels are of one kind
        return region
    found = np.zeros(region.shape, bool)
    found[around] = np.isin(cut, (cv2.GC_FGD, cv2.GC_PR_FGD))
    return found


def _contrasts(
    region: NDArray[np.intp], differences: tuple[FloatArray, FloatArray], count: int
) -> FloatArray:
    """The mean difference across the border of each region, n.

    Args:
        region: hw, the number of the smallest region that has each pixel.
        differences: of ``_differences``.
        count: of the regions.
    """
    down, right = differences
    mean = max(1e-6, (float(down.mean()) + float(right.mean())) / 2)
    total, pairs = np.zeros(count + 2), np.zeros(count + 2)
    for one, other, unlike in (
        (region[1:], region[:-1], down),
        (region[:, 1:], region[:, :-1], right),
    ):
        inner, outer = np.minimum(one, other).ravel(), np.maximum(one, other).ravel()
        # A pair of pixels is across the borders from its inner region up to its outer one.
        for sums, weights in ((total, unlike.ravel()), (pairs, None)):
            sums += np.bincount(inner, weights, count + 2) - np.bincount(outer, weights, count + 2)
    total, pairs = np.cumsum(total)[:count], np.cumsum(pairs)[:count]
    # A border of few pixels says little: it is drawn towards the mean of all differences.
    found: FloatArray = (total / mean + 0.2 * LEAST_BORDER) / (pairs + LEAST_BORDER)
    return np.maximum(found, 1e-6)


def _tidied(region: Mask, seeds: _Seeds) -> Mask:
    """The parts of a region that were clicked, without the holes that nobody clicked in."""
    wanted = seeds.all_wanted
    region = (region | wanted) & ~seeds.other
    count, parts = cv2.connectedComponents(region.astype(np.uint8), connectivity=4)
    clicked = np.zeros(count, bool)
    clicked[parts[wanted]] = True
    region = clicked[parts] & region
    count, parts = cv2.connectedComponents((~region).astype(np.uint8), connectivity=4)
    is_open = np.zeros(count, bool)
    for rim in (parts[0], parts[-1], parts[:, 0], parts[:, -1], parts[seeds.other]):
        is_open[rim] = True
    is_open[0] = False
    filled: Mask = ~is_open[parts]
    return filled
