"""Fill the holes of a photo one by one; probe each on known pixels, compare and measure it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..detect.mask import find_holes
from ..geometry import surroundings
from ..inpaint.classical import fill_classically
from ..inpaint.composite import blend_into
from ..inpaint.route import choose_route
from ..inpaint.series.alignment import features_of
from ..inpaint.series.choice import Borrowed
from ..pixels import as_float
from ..quality import features, metrics, verdict
from ..quality.probe import probe_hole
from ..system.memory import tidy
from ..types import (
    Box,
    Compared,
    Face,
    FloatArray,
    Hole,
    HoleOutcome,
    Mask,
    Pixels,
    Probe,
    QualityFeatures,
    Route,
    Routing,
)
from .progress import COMPARE, INPAINT, PROBE, SERIES, Stages
from .recall import Recall
from .request import Removal
from .selection import Selection
from .series import SeriesPhotos, borrowed

if TYPE_CHECKING:
    from ..networks import Networks


@dataclass(frozen=True, eq=False)
class FilledHole:
    """A hole that is filled in the result, with the measurements of its fill.

    Attributes:
        hole: the hole.
        routing: the inpainter that filled it, and why.
        probe: the inpainter's error on the moved hole; ``None`` without a probe.
        compared: the same hole filled by classical methods.
        borrowed: by name of another photo of the place, its share of the hole.
        misfit: how badly those photos fit beside the hole, in [0, 1]; 0 without any.
    """

    hole: Hole
    routing: Routing
    probe: Probe | None
    compared: dict[str, Compared]
    borrowed: dict[str, float] = field(default_factory=dict)
    misfit: float = 0.0


class Filled(NamedTuple):
    """A photo whose holes are filled.

    Attributes:
        filler: holds the result.
        holes: each hole's fill, in the selection's order.
    """

    filler: HoleFiller
    holes: list[FilledHole]


class PhotoFiller:
    """Routes and fills all holes of a photo, and those that changed once more.

    Args:
        rgb: the photo, HWC uint8 or uint16.
        removal: how.
        networks: the inpainters.
        faces: of the photo.
        unread: HW bool, pixels that must not be read; ``None`` if there are none.
        series: other photos of the place; ``None`` if there are none.
        place: of ``rgb`` in the photo that those are like; ``None`` if it is all of it.
        recall: what is remembered of the photo.
    """

    def __init__(
        self,
        rgb: Pixels,
        removal: Removal,
        networks: Networks,
        faces: Sequence[Face],
        unread: Mask | None,
        series: SeriesPhotos | None = None,
        place: Box | None = None,
        recall: Recall | None = None,
    ) -> None:
        self._rgb, self._removal, self._networks = rgb, removal, networks
        self._faces, self._unread = faces, unread
        self._series, self._place = series, place
        self._features_of = features_of if recall is None else recall.features

    def routed(self, selection: Selection) -> list[Routing]:
        """The inpainter of each hole."""
        return [
            choose_route(hole, selection.hole_mask, self._faces, self._removal.route)
            for hole in selection.holes
        ]

    def unfilled(self, selection: Selection) -> HoleFiller:
        """A filler of the photo that has filled nothing."""
        return self._filler(selection)

    def fill(self, selection: Selection, stages: Stages) -> Filled:
        """Fill every hole."""
        filler, count = self._filler(selection), len(selection.holes)
        lent = self._borrowed(selection, selection.holes, stages, SERIES)
        filled = [
            filler.fill(hole, routing, stages.of_hole(i, count), of_others)
            for i, (hole, routing, of_others) in enumerate(
                zip(selection.holes, self.routed(selection), lent, strict=True)
            )
        ]
        return Filled(filler, filled)

    def fill_again(self, earlier: Filled, selection: Selection, stages: Stages) -> Filled:
        """Fill the holes that are not among the earlier ones; the others keep their fill."""
        filler, count, filled = self._filler(selection), len(selection.holes), []
        known = [_same(earlier, hole) for hole in selection.holes]
        new = [hole for hole, same in zip(selection.holes, known, strict=True) if same is None]
        lent = iter(self._borrowed(selection, new, stages))
        for i, (hole, routing, same) in enumerate(
            zip(selection.holes, self.routed(selection), known, strict=True)
        ):
            if same is None:
                second = stages.of_second_fill(i, count)
                filled.append(filler.fill(hole, routing, second, next(lent)))
            else:
                filler.keep(same, earlier.filler)
                filled.append(same)
        return Filled(filler, filled)

    def _borrowed(
        self,
        selection: Selection,
        holes: Sequence[Hole],
        stages: Stages,
        share: float | None = None,
    ) -> list[Borrowed | None]:
        """What the other photos of the series show of holes; a photo without any has no stage."""
        if self._series is None or not holes:
            return [None] * len(holes)
        unread = selection.hole_mask if self._unread is None else selection.hole_mask | self._unread
        with stages("series", share):
            return borrowed(self._rgb, unread, holes, self._series, self._place, self._features_of)

    def _filler(self, selection: Selection) -> HoleFiller:
        return HoleFiller(
            self._rgb,
            selection.hole_mask,
            self._removal,
            self._networks,
            self._faces,
            self._unread,
        )


class HoleFiller:
    """Fills the holes of one photo. No hole sees the pixels that another was filled with.

    Attributes:
        result: HWC of the photo's dtype: the photo with the holes that are filled so far.
        compared: the same by classical method.
    """

    def __init__(
        self,
        rgb: Pixels,
        hole_mask: Mask,
        removal: Removal,
        networks: Networks,
        faces: Sequence[Face] = (),
        unread: Mask | None = None,
    ) -> None:
        # Whatever must not be read is a hole to every step; only ``hole`` itself is filled.
        self._hole_mask = hole_mask if unread is None else hole_mask | unread
        self._rgb, self._removal = rgb, removal
        self._networks, self._faces = networks, faces
        self.result = rgb.copy()
        self.compared = {method: rgb.copy() for method in removal.compare}

    def fill(
        self, hole: Hole, routing: Routing, stages: Stages, lent: Borrowed | None = None
    ) -> FilledHole:
        """Fill one hole of ``result``, and of every picture of ``compared``.

        Args:
            hole: the hole.
            routing: which inpainter fills what no other photo shows.
            stages: of this hole.
            lent: what other photos of the place show of it.
        """
        hole_mask, rests = self._hole_mask, [hole]
        if lent is not None:
            with stages("series"):
                rests = self._take(hole, lent)
        with stages("inpaint", INPAINT):
            unread = self._unread_for(hole, rests)
            fills = [
                self._networks.inpainters.fill(
                    self.result, unread, rest, routing.route, self._faces
                )
                for rest in rests
            ]
        tidy(self._rgb.nbytes)
        with stages("probe", PROBE):
            # What other photos show needs no inpainter whose error would have to be known.
            probes = self._removal.probe and bool(rests)
            place = probe_hole(hole, hole_mask, routing.route) if probes else None
            probe, plain_probe = (None, None) if place is None else self.probe(place, routing.route)
        with stages("inpaint"):
            is_textured = any(fill.textured is not None for fill in fills)
            is_plain = is_textured and _is_worse(probe, plain_probe)
            if is_plain:
                probe = plain_probe
                why = f"{routing.why}; plain, because texture made the probe worse"
                routing = replace(routing, why=why)
            for rest, fill in zip(rests, fills, strict=True):
                content = fill.upsampled if is_plain else fill.rgb
                blend_into(self.result, content, fill.window, rest, unread)
        with stages("compare", COMPARE if self.compared else None):
            compared = {method: self._compare(hole, place, method) for method in self.compared}
        if lent is None:
            return FilledHole(hole, routing, probe, compared)
        return FilledHole(hole, routing, probe, compared, lent.shares, lent.misfit)

    def _take(self, hole: Hole, lent: Borrowed) -> list[Hole]:
        """Take what other photos show of a hole into the result; returns what is left of it."""
        inner = hole.box.relative_to(lent.box).slices
        taken = lent.taken[inner] & hole.mask
        share = float(taken.sum()) / self._hole_mask.size
        blend_into(
            self.result, lent.content, lent.box, Hole(hole.box, taken, share), self._hole_mask
        )
        left = np.zeros_like(self._hole_mask)
        left[hole.box.slices] = hole.mask & ~taken
        return find_holes(left) if left.any() else []

    def _unread_for(self, hole: Hole, rests: Sequence[Hole]) -> Mask:
        """HW bool: what must not be read while the rests of a hole are filled."""
        if rests == [hole]:
            return self._hole_mask
        unread = self._hole_mask.copy()
        unread[hole.box.slices][hole.mask] = False
        for rest in rests:
            unread[rest.box.slices][rest.mask] = True
        return unread

    def probe(self, moved: Hole, route: Route) -> tuple[Probe, Probe | None]:
        """Fill a hole at a known place as the real hole is filled, and compare with the photo.

        Returns:
            (error of the fill, error of the same fill without texture). The second is ``None``
            if the fill has no texture to leave out.
        """
        hole_mask = self._with_hole(moved)
        # No face lies under the moved hole of a face, so its window is centred on the hole.
        fill = self._networks.inpainters.fill(self._rgb, hole_mask, moved, route, [])
        error = self._error(hole_mask, moved, fill.window, fill.rgb)
        if fill.textured is None:
            return error, None
        return error, self._error(hole_mask, moved, fill.window, fill.upsampled)

    def keep(self, filled: FilledHole, earlier: HoleFiller) -> None:
        """Take a hole's fill over from another filler of the same photo."""
        box, inside = filled.hole.box.slices, filled.hole.mask
        pairs = [(self.result, earlier.result)]
        pairs += [(self.compared[m], earlier.compared[m]) for m in self.compared]
        for own, other in pairs:
            own[box][inside] = other[box][inside]

    def measure(
        self, filled: FilledHole, certainty: float | None, ambiguity: float | None
    ) -> HoleOutcome:
        """Measure a hole once every hole of ``result`` is filled.

        Args:
            filled: the hole, from ``fill``.
            certainty: see ``quality.features.certainty``; ``None`` if unknown.
            ambiguity: likewise.
        """
        hole = filled.hole
        measured = replace(
            self._features(hole, certainty, ambiguity),
            seam=metrics.seam(self.result, hole, self._hole_mask),
            probe=None if filled.probe is None else filled.probe.lpips,
        )
        return HoleOutcome(
            hole.box,
            hole.share,
            filled.routing,
            measured.seam,
            filled.probe,
            measured,
            verdict.expected_error(measured, filled.borrowed, filled.misfit),
            filled.compared,
            filled.borrowed,
            self._of_window(hole),
        )

    def foresee(
        self, hole: Hole, routing: Routing, certainty: float | None, ambiguity: float | None
    ) -> HoleOutcome:
        """What can be said of a hole before it is filled: all but seam and probe; see ``measure``.

        The score is that of a fill with a usual seam.
        """
        measured = self._features(hole, certainty, ambiguity)
        score = verdict.expected_error(measured)
        return HoleOutcome(
            hole.box,
            hole.share,
            routing,
            None,
            None,
            measured,
            score,
            of_window=self._of_window(hole),
        )

    def _of_window(self, hole: Hole) -> float:
        """The hole's share of what it is filled from, in (0, 1]."""
        window = surroundings(hole.box, *self._hole_mask.shape)
        return float(hole.mask.sum()) / window.area

    def _features(
        self, hole: Hole, certainty: float | None, ambiguity: float | None
    ) -> QualityFeatures:
        """The features that do not depend on the fill."""
        near = features.surroundings(self.result, hole, self._hole_mask)
        return QualityFeatures(
            depth=features.depth(hole, *self._hole_mask.shape),
            share=hole.share,
            structure=features.structure(near),
            # Without probes, SqueezeNet is not loaded.
            context_diversity=self._networks.perceptual.context_diversity(near.picture, near.clear)
            if self._removal.probe
            else None,
            segmented=1.0 if self._removal.mask is None else 0.0,
            certainty=certainty,
            ambiguity=ambiguity,
        )

    def _compare(self, hole: Hole, place: Hole | None, method: str) -> Compared:
        """Fill the hole by a classical method; measure the same seam and the same probe."""
        result = self.compared[method]
        window, content = fill_classically(self._rgb, self._hole_mask, hole, method)
        blend_into(result, content, window, hole, self._hole_mask)
        probe = None
        if place is not None:
            hole_mask = self._with_hole(place)
            window, content = fill_classically(self._rgb, hole_mask, place, method)
            probe = self._error(hole_mask, place, window, content)
        return Compared(metrics.seam(result, hole, self._hole_mask), probe)

    def _error(self, hole_mask: Mask, hole: Hole, window: Box, content: FloatArray) -> Probe:
        """Error of a fill of a hole under which every pixel is known."""
        filled = self._rgb[window.slices].copy()
        inside = hole.box.relative_to(window)
        blend_into(
            filled,
            content,
            window.relative_to(window),
            Hole(inside, hole.mask, hole.share),
            hole_mask[window.slices],
        )
        return error_inside(
            filled[inside.slices], self._rgb[hole.box.slices], hole.mask, self._networks
        )

    def _with_hole(self, hole: Hole) -> Mask:
        """HW bool: all holes and one more."""
        both = self._hole_mask.copy()
        both[hole.box.slices] |= hole.mask
        return both


def error_inside(result: Pixels, truth: Pixels, inside: Mask, networks: Networks) -> Probe:
    """Error of a result against known pixels.

    Args:
        result: HWC uint8 or uint16.
        truth: HWC, the ground truth.
        inside: HW bool; pixels outside count as equal.
        networks: loads LPIPS.
    """
    expected = as_float(truth)
    filled = np.where(inside[..., None], as_float(result), expected)
    l1, psnr, ssim = metrics.inside_errors(filled, expected, inside)
    return Probe(l1, psnr, ssim, networks.perceptual.distance(filled, expected))


def _same(earlier: Filled, hole: Hole) -> FilledHole | None:
    """The earlier fill of a hole; None if the hole is new."""
    for each in earlier.holes:
        if each.hole.box == hole.box and np.array_equal(each.hole.mask, hole.mask):
            return each
    return None


def _is_worse(probe: Probe | None, other: Probe | None) -> bool:
    """Whether the first has the higher LPIPS; L1 and PSNR do not count, as they prefer a blur."""
    if probe is None or other is None or probe.lpips is None or other.lpips is None:
        return False
    return probe.lpips > other.lpips
