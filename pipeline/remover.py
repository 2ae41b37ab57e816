"""One photo through the pipeline: segment, dilate, find holes, route, inpaint, composite, measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from .config import FAIL_HOLE_SHARE, auto_dilate, resolve_classes
from .detect import mask, multi_scale
from .detect.prefilter import LEAST_PEAK, peak_probability
from .errors import UnreadableError, UsageError
from .inpaint.classical import fill_classically
from .inpaint.composite import blend_into
from .inpaint.route import choose_route
from .networks import Networks
from .pixels import as_float
from .quality import features, metrics, verdict
from .quality.probe import probe_hole
from .system.stopwatch import Stopwatch
from .types import (
    Box,
    Compared,
    FloatArray,
    Hole,
    HoleOutcome,
    Mask,
    Outcome,
    Photo,
    Pixels,
    Probe,
    QualityFeatures,
    Route,
    Routing,
    Status,
)

#: Told how far one photo's work is, and what comes next.
Step = Callable[[float, str], None]


class Removed(NamedTuple):
    """What ``ObjectRemover.remove`` gives: the picture, of the kind that was given, and all that is known of it."""

    image: Any
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class _Found:
    """What is to be removed (HW bool), how far to widen it, its classes' shares of the photo, hw their probability; a note on how."""

    mask: Mask
    dilate: int
    shares: dict[str, float] = field(default_factory=dict)
    probability: FloatArray | None = None
    note: str = ""


class ObjectRemover(Networks):
    """Removes objects from photos. Networks load once, when first needed; ``remove`` may be called from several threads."""

    def remove(
        self, image: Any, classes: Sequence[str] = (), *, hole: Mask | None = None
    ) -> Removed:
        """Remove objects from one picture.

        Args:
            image: a PIL image or an HWC uint8 RGB array; it is not changed.
            classes: names of Pascal VOC classes, or ``all``.
            hole: HW bool, True = remove; then nothing is segmented.

        Returns:
            (image of the same kind and size, outcome). Where nothing is found the image is an equal copy.

        Raises:
            UsageError: an unknown class, neither class nor hole, or a picture of another kind.
        """
        if not len(classes) and hole is None:
            raise UsageError("name at least one class, or give the hole")
        photo, back = _as_photo(image)
        if hole is not None and hole.shape != photo.size:
            raise UsageError(
                f"the hole is {hole.shape[1]}x{hole.shape[0]} pixels, the picture {photo.size[1]}x{photo.size[0]}"
            )
        outcome = self.clean(photo, resolve_classes(list(classes)), hole)
        return Removed(back(photo.rgb if outcome.result is None else outcome.result), outcome)

    def clean(
        self,
        photo: Photo,
        classes: Sequence[str],
        given: Mask | None = None,
        *,
        dry_run: bool = False,
        step: Step | None = None,
    ) -> Outcome:
        """One photo through every stage between reading and writing. ``given`` is the user's own mask, or None to segment.

        ``step`` is called before each piece of work with the share that is done, 0 to 1, and the stage that comes; what it raises
        passes through, and that is how a fill is stopped.
        """
        watch, settings = Stopwatch(), self.settings
        step = step or _no_step
        step(0.0, "segment")
        with watch("segment"):
            found = self._find(photo, classes, given)
            unknown = mask.dilate(found.mask, found.dilate)
            holes = mask.find_holes(unknown)
        share = float(unknown.mean())
        partial = Outcome(
            Status.UNCHANGED,
            "",
            mask=unknown,
            classes=found.shares,
            hole_share=share,
            warnings=photo.warnings,
        )

        def done(**changes: Any) -> Outcome:
            return replace(partial, seconds=watch.elapsed, stages=watch.stages, **changes)

        if not holes:
            return done(
                reason="the mask is empty"
                if given is not None
                else f"no {' or '.join(classes)} was found{found.note}"
            )
        if share > FAIL_HOLE_SHARE:
            status, reason = verdict.judge(share, None, ())
            return done(status=status, reason=reason, error=reason)
        step(0.05, "faces")
        with watch("faces"):
            faces = self.faces.detect(photo.rgb) if settings.route in ("auto", "face") else []
        routings = [choose_route(h, unknown, faces, settings.route) for h in holes]
        if dry_run:
            outcomes = tuple(
                HoleOutcome(h.box, h.share, r, None, None)
                for h, r in zip(holes, routings, strict=True)
            )
            return done(status=Status.OK, reason="dry run: nothing was filled", holes=outcomes)
        result = photo.rgb.copy()
        compared = {method: photo.rgb.copy() for method in settings.compare}
        probes: list[Probe | None] = []
        beside: list[dict[str, Compared]] = []
        for i, hole in enumerate(holes):
            step(0.1 + 0.8 * i / len(holes), "inpaint")
            with watch("inpaint"):
                fill = self.inpainters.fill(photo.rgb, unknown, hole, routings[i].route, faces)
            step(0.1 + 0.8 * (i + 0.4) / len(holes), "probe")
            with watch("probe"):
                place = probe_hole(hole, unknown, routings[i].route) if settings.probe else None
                probe, plain = (
                    (None, None)
                    if place is None
                    else self._probe(photo.rgb, unknown, place, routings[i].route)
                )
            with watch("inpaint"):
                content = fill.rgb
                if fill.textured is not None and _is_worse(probe, plain):
                    content, probe = fill.upsampled, plain
                    routings[i] = replace(
                        routings[i],
                        why=f"{routings[i].why}; plain, because texture made the probe worse",
                    )
                blend_into(result, content, fill.window, hole, unknown)
            if compared:
                step(0.1 + 0.8 * (i + 0.7) / len(holes), "compare")
            with watch("compare"):
                beside.append(
                    {
                        method: self._compare(photo.rgb, unknown, hole, place, method, into)
                        for method, into in compared.items()
                    }
                )
            probes.append(probe)
        step(0.95, "measure")
        with watch("measure"):
            residue = None
            if classes:
                after = mask.removed_probability(self.segmenter.probabilities(result), classes)
                residue = metrics.residue(after, unknown, settings.threshold)
            outcomes = tuple(
                self._outcome(result, unknown, h, r, p, c, found.probability)
                for h, r, p, c in zip(holes, routings, probes, beside, strict=True)
            )
            score = max(h.score for h in outcomes if h.score is not None)
        status, reason = verdict.judge(share, residue, outcomes)
        return done(
            status=status,
            reason=reason,
            result=result,
            residue=residue,
            score=score,
            holes=outcomes,
            compared=compared,
        )

    def _outcome(
        self, result: Pixels, unknown: Mask, hole: Hole, routing: Routing, probe: Probe | None, compare: dict[str, Compared],
        before: FloatArray | None,
    ) -> HoleOutcome:  # fmt: skip
        """What can be said of one filled hole; ``before``: the removed classes' probability on the photo, None where the mask was given."""
        near, inside, known = features.surroundings(result, hole, unknown)
        certainty, ambiguity = (
            (None, None) if before is None else features.certainty(before, hole, *unknown.shape)
        )
        measured = QualityFeatures(
            depth=features.depth(hole, *unknown.shape),
            share=hole.share,
            seam=metrics.seam(result, hole, unknown),
            structure=features.structure(near, inside, known),
            context_diversity=self.perceptual.context_diversity(near, known)
            if self.settings.probe
            else None,  # --no-probe loads no SqueezeNet
            probe=None if probe is None else probe.lpips,
            segmented=0.0 if before is None else 1.0,
            certainty=certainty,
            ambiguity=ambiguity,
        )
        return HoleOutcome(
            hole.box,
            hole.share,
            routing,
            measured.seam,
            probe,
            measured,
            verdict.expected_error(measured),
            compare,
        )

    def _find(self, photo: Photo, classes: Sequence[str], given: Mask | None) -> _Found:
        settings = self.settings
        if given is not None:
            return _Found(given.astype(bool), settings.dilate or 0)
        height, width = photo.size
        prefilter = self.prefilter
        if prefilter is not None:
            prefilter_probability = mask.removed_probability(
                prefilter.probabilities(photo.rgb), classes
            )
            if peak_probability(prefilter_probability) < LEAST_PEAK:
                note = (
                    f": the prefilter found no trace, {self.segmenter.name} was not run"
                    " (--no-prefilter always runs it)"
                )
                return _Found(
                    np.zeros((height, width), bool), 0, probability=prefilter_probability, note=note
                )
        probabilities = multi_scale.two_scale(self.segmenter, photo.rgb)
        first = mask.removed_probability(probabilities, classes)
        removed = multi_scale.refine_small_objects(self.segmenter, photo.rgb, first, classes)
        removed = mask.whole_objects(removed, probabilities[0], settings.threshold)
        found = mask.class_mask(removed, height, width, settings.threshold)
        shares = (
            mask.class_shares(probabilities, classes, settings.threshold) if found.any() else {}
        )
        return _Found(
            found,
            auto_dilate(height, width) if settings.dilate is None else settings.dilate,
            shares,
            first,
        )

    def _probe(
        self, rgb: Pixels, unknown: Mask, moved: Hole, kind: Route
    ) -> tuple[Probe, Probe | None]:
        """A hole at a known place, filled as ours are, against the truth: (as it is used, as it would be without texture).

        The second is None where there is no texture to leave out.
        """
        both = _with_hole(unknown, moved)
        # A face probe elsewhere stands on no face: its window is centred on the hole.
        fill = self.inpainters.fill(rgb, both, moved, kind, [])
        first = self._against_truth(rgb, both, moved, fill.window, fill.rgb)
        return first, None if fill.textured is None else self._against_truth(
            rgb, both, moved, fill.window, fill.upsampled
        )

    def _compare(
        self, rgb: Pixels, unknown: Mask, hole: Hole, place: Hole | None, method: str, into: Pixels
    ) -> Compared:
        """Fill the hole a classical way ``into`` a copy of the photo, and measure it as ours is measured: its seam, and its probe."""
        window, content = fill_classically(rgb, unknown, hole, method)
        blend_into(into, content, window, hole, unknown)
        probe = None
        if place is not None:
            both = _with_hole(unknown, place)
            probe = self._against_truth(
                rgb, both, place, *fill_classically(rgb, both, place, method)
            )
        return Compared(metrics.seam(into, hole, unknown), probe)

    def _against_truth(
        self, rgb: Pixels, unknown: Mask, hole: Hole, window: Box, content: FloatArray
    ) -> Probe:
        """The error of a fill of a hole under which all is known."""
        filled = rgb[window.slices].copy()
        inside = replace(hole.box, x=hole.box.x - window.x, y=hole.box.y - window.y)
        blend_into(
            filled,
            content,
            replace(window, x=0, y=0),
            Hole(inside, hole.mask, hole.share),
            unknown[window.slices],
        )
        truth, found = as_float(rgb[hole.box.slices]), as_float(filled[inside.slices])
        found = np.where(hole.mask[..., None], found, truth)
        l1, psnr, ssim = metrics.inside_errors(found, truth, hole.mask)
        return Probe(l1, psnr, ssim, self.perceptual.distance(found, truth))

    def error_in_holes(self, outcome: Outcome, truth: Photo) -> Probe:
        """The error of a result where it is known what was behind the objects, over the pixels of its holes.

        Raises:
            UnreadableError: the truth is of another size.
        """
        assert outcome.result is not None
        assert outcome.mask is not None
        if truth.size != outcome.mask.shape:
            (h, w), (H, W) = truth.size, outcome.mask.shape
            raise UnreadableError(
                f"{truth.path}: the truth is {w}x{h} pixels, the photo {W}x{H}; give one of the photo's size"
            )
        rows, columns = (np.flatnonzero(outcome.mask.any(axis)) for axis in (1, 0))
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        inside = outcome.mask[part]
        wanted = as_float(truth.rgb[part])
        found = np.where(inside[..., None], as_float(outcome.result[part]), wanted)
        return Probe(
            *metrics.inside_errors(found, wanted, inside), self.perceptual.distance(found, wanted)
        )


def _no_step(done: float, stage: str) -> None:
    """Nobody wants to know."""


def _is_worse(probe: Probe | None, other: Probe | None) -> bool:
    """Whether people would rather see the other: by LPIPS alone, because L1 and PSNR prefer a blur."""
    if probe is None or other is None or probe.lpips is None or other.lpips is None:
        return False
    return probe.lpips > other.lpips


def _with_hole(unknown: Mask, hole: Hole) -> Mask:
    """All holes and one more."""
    both = unknown.copy()
    both[hole.box.slices] |= hole.mask
    return both


def _as_photo(image: Any) -> tuple[Photo, Callable[[Pixels], Any]]:
    """A photo of a PIL image or an array, and the way back to the same kind."""
    from PIL import Image

    if isinstance(image, Image.Image):
        alpha = np.asarray(image.getchannel("A")) if image.mode in ("RGBA", "LA") else None
        mode = image.mode

        def back(pixels: Pixels) -> Any:
            result = Image.fromarray(pixels)
            if alpha is not None:
                result.putalpha(Image.fromarray(alpha))
            return result if result.mode == mode else result.convert(mode)

        return Photo(np.asarray(image.convert("RGB")), alpha), back
    if (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and image.ndim == 3
        and image.shape[2] == 3
    ):
        return Photo(image), lambda pixels: pixels.copy()
    found = f"{type(image).__name__}" + (
        f" {image.shape} {image.dtype}" if isinstance(image, np.ndarray) else ""
    )
    raise UsageError(f"expected a PIL image or an HWC uint8 RGB array, got {found}")
