"""The pipeline: scan, read, segment, dilate, find holes, route, inpaint, composite, measure, write, report."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from pipeline import composite, images, mask, metrics, previews, report, report_csv, report_html, route, scan, segment, signs, verdict
from pipeline.classical import fill_classically
from pipeline.config import FAIL_HOLE_SHARE, BatchSettings, Settings, auto_dilate, resolve_classes
from pipeline.errors import PhotoError, UnreadableError, UnwritableError, UsageError
from pipeline.faces import FaceDetector
from pipeline.inpaint import Inpainters
from pipeline.journal import Journal, fingerprint, stamp
from pipeline.stopwatch import STAGES, Stopwatch
from pipeline.types import (
    Box,
    Compared,
    Fidelity,
    FloatArray,
    Hole,
    HoleOutcome,
    Mask,
    Outcome,
    Photo,
    Pixels,
    Probe,
    Route,
    Routing,
    Signs,
    Status,
)

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


#: Told how far one photo's work is, and what comes next.
Step = Callable[[float, str], None]


class Removed(NamedTuple):
    """What ``ObjectRemover.remove`` gives: the picture, of the kind that was given, and all that is known of it."""

    image: Any
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class _Found:
    """What is to be removed (HW bool), how far to widen it, its classes' shares of the photo, and hw their probability."""

    mask: Mask
    dilate: int
    shares: dict[str, float] = field(default_factory=dict)
    probability: FloatArray | None = None


class ObjectRemover:
    """Removes objects from photos. Networks load once, when first needed; ``remove`` may be called from several threads."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._lock = threading.Lock()
        self._segmenter: segment.Chosen | None = None
        self._faces: FaceDetector | None = None
        self._perceptual: metrics.Perceptual | None = None
        self._inpainters: Inpainters | None = None
        self._device: torch.device | None = None

    def remove(self, image: Any, classes: Sequence[str] = (), *, hole: Mask | None = None) -> Removed:
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
            raise UsageError(f"the hole is {hole.shape[1]}x{hole.shape[0]} pixels, the picture {photo.size[1]}x{photo.size[0]}")
        outcome = self.clean(photo, resolve_classes(list(classes)), hole)
        return Removed(back(photo.rgb if outcome.result is None else outcome.result), outcome)

    def clean(
        self, photo: Photo, classes: Sequence[str], given: Mask | None = None, *, dry_run: bool = False, step: Step | None = None
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
        partial = Outcome(Status.UNCHANGED, "", mask=unknown, classes=found.shares, hole_share=share, warnings=photo.warnings)

        def done(**changes: Any) -> Outcome:
            return replace(partial, seconds=watch.elapsed, stages=watch.stages, **changes)

        if not holes:
            return done(reason="the mask is empty" if given is not None else f"no {' or '.join(classes)} was found")
        if share > FAIL_HOLE_SHARE:
            status, reason = verdict.verdict(share, None, ())
            return done(status=status, reason=reason, error=reason)
        step(0.05, "faces")
        with watch("faces"):
            faces = self.faces.detect(photo.rgb) if settings.route in ("auto", "face") else []
        routings = [route.route(h, unknown, faces, settings.route) for h in holes]
        if dry_run:
            outcomes = tuple(HoleOutcome(h.box, h.share, r, None, None) for h, r in zip(holes, routings, strict=True))
            return done(status=Status.OK, reason="dry run: nothing was filled", holes=outcomes)
        result = photo.rgb.copy()
        compared = {method: photo.rgb.copy() for method in settings.compare}
        probes: list[Probe | None] = []
        places: list[Hole | None] = []
        for i, hole in enumerate(holes):
            step(0.1 + 0.8 * i / len(holes), "inpaint")
            with watch("inpaint"):
                fill = self.inpainters.fill(photo.rgb, unknown, hole, routings[i].route, faces)
            step(0.1 + 0.8 * (i + 0.4) / len(holes), "probe")
            with watch("probe"):
                place = metrics.probe_hole(hole, unknown, routings[i].route) if settings.probe else None
                probe, plain = (None, None) if place is None else self._probe(photo.rgb, unknown, place, routings[i].route)
            with watch("inpaint"):
                content = fill.rgb
                if fill.detailed is not None and _is_worse(probe, plain):
                    content, probe = fill.plain, plain
                    routings[i] = replace(routings[i], why=f"{routings[i].why}; plain, because texture made the probe worse")
                composite.lead_in(result, content, fill.window, hole, unknown)
            if compared:
                step(0.1 + 0.8 * (i + 0.7) / len(holes), "compare")
            with watch("compare"):
                for method, picture in compared.items():
                    window, content = fill_classically(photo.rgb, unknown, hole, method)
                    composite.lead_in(picture, content, window, hole, unknown)
            probes.append(probe)
            places.append(place)
        step(0.9, "compare" if compared else "measure")
        with watch("compare"):
            beside = [
                {
                    method: Compared(metrics.seam(picture, hole, unknown), self._probe_classically(photo.rgb, unknown, place, method))
                    for method, picture in compared.items()
                }
                for hole, place in zip(holes, places, strict=True)
            ]
        step(0.95, "measure")
        with watch("measure"):
            residue = None
            if classes:
                after = segment.removed_probability(self.segmenter.probabilities(result), classes)
                residue = metrics.residue(after, unknown, settings.threshold)
            outcomes = tuple(
                self._outcome(result, unknown, h, r, p, c, found.probability)
                for h, r, p, c in zip(holes, routings, probes, beside, strict=True)
            )
            score = max(h.score for h in outcomes if h.score is not None)
        status, reason = verdict.verdict(share, residue, outcomes)
        return done(status=status, reason=reason, result=result, residue=residue, score=score, holes=outcomes, compared=compared)

    def _outcome(
        self, result: Pixels, unknown: Mask, hole: Hole, routing: Routing, probe: Probe | None, compare: dict[str, Compared],
        before: FloatArray | None,
    ) -> HoleOutcome:  # fmt: skip
        """What can be said of one filled hole; ``before``: the removed classes' probability on the photo, None where the mask was given."""
        near, inside, known = signs.surroundings(result, hole, unknown)
        sure, unsure = (None, None) if before is None else signs.certainty(before, hole, *unknown.shape)
        seen = Signs(
            depth=signs.depth(hole, *unknown.shape),
            share=hole.share,
            seam=metrics.seam(result, hole, unknown),
            structure=signs.structure(near, inside, known),
            variety=self.perceptual.variety(near, known) if self.settings.probe else None,  # --no-probe loads no SqueezeNet
            probe=None if probe is None else probe.lpips,
            segmented=0.0 if before is None else 1.0,
            certainty=sure,
            unsure=unsure,
        )
        return HoleOutcome(hole.box, hole.share, routing, seen.seam, probe, seen, verdict.score(seen), compare)

    def _find(self, photo: Photo, classes: Sequence[str], given: Mask | None) -> _Found:
        settings = self.settings
        if given is not None:
            return _Found(given.astype(bool), settings.dilate or 0)
        height, width = photo.size
        probabilities = self.segmenter.probabilities(photo.rgb)
        first = segment.removed_probability(probabilities, classes)
        removed = segment.look_closer(self.segmenter, photo.rgb, first, classes)
        removed = segment.whole_objects(removed, probabilities[0], settings.threshold)
        found = mask.class_mask(removed, height, width, settings.threshold)
        shares = segment.shares(probabilities, classes, settings.threshold) if found.any() else {}
        return _Found(found, auto_dilate(height, width) if settings.dilate is None else settings.dilate, shares, first)

    def _probe(self, rgb: Pixels, unknown: Mask, moved: Hole, kind: Route) -> tuple[Probe, Probe | None]:
        """A hole at a known place, filled as ours are, against the truth: (as it is used, as it would be without texture).

        The second is None where there is no texture to leave out.
        """
        both = _with_hole(unknown, moved)
        # A face probe elsewhere stands on no face: its window is centred on the hole.
        fill = self.inpainters.fill(rgb, both, moved, kind, [])
        first = self._against_truth(rgb, both, moved, fill.window, fill.rgb)
        return first, None if fill.detailed is None else self._against_truth(rgb, both, moved, fill.window, fill.plain)

    def _probe_classically(self, rgb: Pixels, unknown: Mask, moved: Hole | None, method: str) -> Probe | None:
        """The same probe filled a classical way."""
        if moved is None:
            return None
        both = _with_hole(unknown, moved)
        return self._against_truth(rgb, both, moved, *fill_classically(rgb, both, moved, method))

    def _against_truth(self, rgb: Pixels, unknown: Mask, hole: Hole, window: Box, content: FloatArray) -> Probe:
        """The error of a fill of a hole under which all is known."""
        filled = rgb[window.slices].copy()
        inside = replace(hole.box, x=hole.box.x - window.x, y=hole.box.y - window.y)
        composite.lead_in(filled, content, replace(window, x=0, y=0), Hole(inside, hole.mask, hole.share), unknown[window.slices])
        truth, found = _as_float(rgb[hole.box.slices]), _as_float(filled[inside.slices])
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
            raise UnreadableError(f"{truth.path}: the truth is {w}x{h} pixels, the photo {W}x{H}; give one of the photo's size")
        rows, columns = (np.flatnonzero(outcome.mask.any(axis)) for axis in (1, 0))
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        inside = outcome.mask[part]
        wanted = _as_float(truth.rgb[part])
        found = np.where(inside[..., None], _as_float(outcome.result[part]), wanted)
        return Probe(*metrics.inside_errors(found, wanted, inside), self.perceptual.distance(found, wanted))

    @property
    def device(self) -> torch.device:
        """Where networks run."""
        if self._device is None:
            self._device = _device(self.settings.device)
        return self._device

    @property
    def segmenter(self) -> segment.Segmenter:
        with self._lock:
            if self._segmenter is None:
                self._segmenter = segment.choose_segmenter(self.settings.segmenter, self.device, offline=self.settings.offline)
                if self._segmenter.warning:
                    log.warning("%s", self._segmenter.warning)
            return self._segmenter.segmenter

    @property
    def faces(self) -> FaceDetector:
        with self._lock:
            if self._faces is None:
                self._faces = FaceDetector(offline=self.settings.offline)
            return self._faces

    @property
    def inpainters(self) -> Inpainters:
        with self._lock:
            if self._inpainters is None:
                self._inpainters = Inpainters(self.device, detail=self.settings.detail == "texture")
            return self._inpainters

    @property
    def perceptual(self) -> metrics.Perceptual:
        with self._lock:
            if self._perceptual is None:
                self._perceptual = metrics.Perceptual(self.device, offline=self.settings.offline)
                if self._perceptual.missing:
                    log.warning("%s", self._perceptual.missing)
            return self._perceptual

    def weights(self) -> dict[str, str]:
        """sha256 by name of every weight that was used so far."""
        found = dict(self._segmenter.weights) if self._segmenter else {}
        return {**found, **(self._inpainters.weights if self._inpainters else {})}

    def warnings(self) -> list[str]:
        """What the whole run should know, each said once."""
        found = [self._segmenter.warning if self._segmenter else None, self._perceptual.missing if self._perceptual else None]
        if self._faces is not None and self._faces.name == "haar":
            found.append("faces were looked for with Haar cascades: YuNet is neither cached nor reachable")
        return [w for w in found if w]


@dataclass(frozen=True)
class FolderResult:
    """What ``remove_folder`` gives: the report as written, where it stands, and how many photos failed."""

    report: Path
    photos: list[dict[str, Any]]
    warnings: list[str]

    def count(self, status: Status) -> int:
        return sum(p["status"] == status.value for p in self.photos)


def remove_folder(
    inputs: Sequence[Path], settings: Settings | None = None, batch: BatchSettings | None = None, *, command: str = "",
    progress: Callable[[int, dict[str, Any] | None], None] | None = None,
) -> FolderResult:  # fmt: skip
    """Clean files and folders into an output folder, and report there: ``report.json``, ``report.csv``, ``report.html``.

    This is what the command calls.

    Args:
        inputs: files and folders; folders are searched through.
        settings: of the picture.
        batch: of the folder.
        command: to quote in the report.
        progress: called with (number of photos, None) at the start and (number, entry) after each photo.

    Returns:
        The report. One bad photo is an entry with status ``failed``, never the end.

    Raises:
        UsageError: before any work, where the call cannot work.
        WeightsError: a network that the settings name is not to be had.
    """
    settings, batch = settings or Settings(), batch or BatchSettings()
    classes = resolve_classes(list(batch.classes))
    if not classes and batch.masks is None:
        raise UsageError("name what to remove with --class, or give masks with --masks")
    if batch.masks is not None and not batch.masks.is_dir():
        raise UsageError(f"{batch.masks}: no such folder of masks")
    if batch.truth is not None and not batch.truth.is_dir():
        raise UsageError(f"{batch.truth}: no such folder of true pictures")
    begun = time.monotonic()
    plan = scan.scan(inputs, batch.output, exclude=[folder for folder in (batch.masks, batch.truth) if folder], lossless=settings.lossless)
    remover = ObjectRemover(settings)
    remover.device  # noqa: B018 (an impossible device is the caller's mistake, and said before any work)
    journal = Journal(plan.output)
    worker = _Worker(remover, batch, classes, plan.output, journal)
    entries: list[dict[str, Any]] = []
    if progress:
        progress(len(plan.jobs), None)
    interrupted = False
    stream = worker.run(plan.jobs)
    try:
        for entry in stream:
            entries.append(entry)
            if progress:
                progress(len(plan.jobs), entry)
    except KeyboardInterrupt:
        interrupted = True
        stream.close()
    warnings = [*plan.notes, *remover.warnings()]
    if interrupted:
        warnings.append(f"stopped by the user after {len(entries)} of {len(plan.jobs)} photos; the same command goes on from here")
    run = {
        "version": package_version(),
        "command": command,
        "settings": {
            **asdict(settings),
            **{k: v for k, v in asdict(batch).items() if k not in ("output", "masks", "truth")},
            "classes": list(classes),
        },
        "weights": remover.weights(),
        "device": str(remover.device),
        "seconds": round(time.monotonic() - begun, 3),
        "warnings": warnings,
    }
    path = plan.output / "report.json"
    report.write_report(path, run, entries)
    report_csv.write_csv(plan.output / "report.csv", entries)
    report_html.write_html(
        plan.output / "report.html", run, entries, lambda entry: previews.find(plan.output, entry["input"], settings.compare)
    )
    if interrupted:
        raise KeyboardInterrupt
    journal.finish()
    return FolderResult(path, entries, warnings)


class _Worker:
    """One job at a time through reading, cleaning and writing; several at once through a pool that never holds more than it needs."""

    def __init__(self, remover: ObjectRemover, batch: BatchSettings, classes: tuple[str, ...], output: Path, journal: Journal) -> None:
        self.remover, self.batch, self.classes, self.output, self.journal = remover, batch, classes, output, journal
        self.resuming = not journal.complete
        self.settings = fingerprint(
            package_version(), asdict(remover.settings), classes, batch.save_masks, batch.dry_run, batch.masks is not None, _index_stamp()
        )  # fmt: skip

    def run(self, jobs: Sequence[scan.Job]) -> Generator[dict[str, Any], None, None]:
        """Entries as they are done. At most ``workers`` photos are in memory at a time."""
        waiting = iter(jobs)
        with ThreadPoolExecutor(max(1, self.batch.workers)) as pool:
            running: set[Future[dict[str, Any]]] = set()
            try:
                while True:
                    for job in waiting:
                        running.add(pool.submit(self.job, job))
                        if len(running) >= max(1, self.batch.workers):
                            break
                    if not running:
                        return
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield future.result()
            finally:
                for future in running:
                    future.cancel()

    def job(self, job: scan.Job) -> dict[str, Any]:
        """One photo: skipped if it is done, cleaned otherwise; any failure of the photo itself becomes its entry."""
        name = str(job.relative)
        mask_file = self._mask_file(job)
        identity = fingerprint(self.settings, *(stamp(f) if f else None for f in (job.source, mask_file, self._truth_file(job))))
        if not self.batch.overwrite and (earlier := self._finished(name, job, identity)) is not None:
            return earlier
        begun = time.monotonic()
        target: Path | None = None
        previews.discard(self.output, name)
        try:
            entry, target = self._clean(job, mask_file, name)
        except (PhotoError, OSError, MemoryError) as error:
            message = str(error) or type(error).__name__
            failed = Outcome(Status.FAILED, message, error=message, seconds=time.monotonic() - begun)
            entry = report.photo_entry(name, failed, output=None, mask=None)
        written = stamp(target) if target else None
        self.journal.add({"input": name, "identity": identity, "written": written, "entry": entry})
        return entry

    def _clean(self, job: scan.Job, mask_file: Path | None, name: str) -> tuple[dict[str, Any], Path | None]:
        watch = Stopwatch()
        with watch("read"):
            photo = images.read_photo(job.source)
            given = None
            if self.batch.masks is not None:
                given = images.read_mask(mask_file, photo.size) if mask_file else np.zeros(photo.size, bool)
        outcome = self.remover.clean(photo, self.classes, given, dry_run=self.batch.dry_run)
        if self.batch.masks is not None and mask_file is None:
            outcome = replace(outcome, reason=f"no mask for it in {self.batch.masks}")
        truth_file = self._truth_file(job)
        if truth_file is not None and outcome.result is not None:
            with watch("measure"):
                outcome = replace(outcome, truth=self.remover.error_in_holes(outcome, images.read_photo(truth_file)))
        with watch("preview"):
            outcome = self._preview(photo, outcome, name)
        with watch("write"):
            outcome, target, mask_name = self._write(job, photo, outcome, name)
        outcome = replace(outcome, stages=_summed(outcome.stages, watch.stages), seconds=watch.elapsed)
        output = None if target is None else str(target.relative_to(self.output).as_posix())
        return report.photo_entry(name, outcome, output=output, mask=mask_name), target

    def _preview(self, photo: Photo, outcome: Outcome, name: str) -> Outcome:
        """The report's small pictures. A photo whose previews cannot be written is cleaned all the same, and says so."""
        try:
            previews.write(self.output, name, photo, outcome)
        except UnwritableError as error:
            return replace(outcome, warnings=(*outcome.warnings, f"the report has no picture of it: {error}"))
        return outcome

    def _write(self, job: scan.Job, photo: Photo, outcome: Outcome, name: str) -> tuple[Outcome, Path | None, str | None]:
        """Mask and photo to the disk: (outcome with its fidelity, the photo's file, the mask's name in the report)."""
        mask_name = None
        if self.batch.save_masks and outcome.mask is not None and outcome.holes:
            images.write_mask(outcome.mask, job.mask_target)
            mask_name = str(job.mask_target.relative_to(self.output).as_posix())
        if self.batch.dry_run or outcome.status is Status.FAILED:
            return outcome, None, mask_name
        self._refuse_foreign(name, job.target)
        if outcome.result is None or outcome.mask is None:
            images.copy_photo(job.source, job.target)
            return replace(outcome, fidelity=Fidelity(0, None)), job.target, mask_name
        written = images.write_photo(photo, outcome.result, outcome.mask, job.target, lossless=self.remover.settings.lossless)
        return replace(outcome, fidelity=Fidelity(written.changed_outside, written.psnr_outside)), written.path, mask_name

    def _mask_file(self, job: scan.Job) -> Path | None:
        if self.batch.masks is None:
            return None
        return next((p for p in job.mask_candidates(self.batch.masks) if p.is_file()), None)

    def _truth_file(self, job: scan.Job) -> Path | None:
        if self.batch.truth is None:
            return None
        return next((p for p in job.truth_candidates(self.batch.truth) if p.is_file()), None)

    def _finished(self, name: str, job: scan.Job, identity: str) -> dict[str, Any] | None:
        """The entry of an earlier run, if it was the same work on the same file and its result still stands."""
        row = self.journal.rows.get(name)
        if row is None or row.get("identity") != identity or row["entry"]["status"] == Status.FAILED.value:
            return None
        entry: dict[str, Any] = dict(row["entry"])
        if entry["output"] is not None and not self.journal.owns(name, self.output / entry["output"]):
            return None
        if entry["mask"] is not None and not (self.output / entry["mask"]).is_file():
            return None
        if not self.resuming and entry["status"] != Status.SKIPPED.value:
            entry |= {"status": Status.SKIPPED.value, "reason": f"finished in an earlier run as {entry['status']}: {entry['reason']}"}
        return entry

    def _refuse_foreign(self, name: str, target: Path) -> None:
        if target.exists() and not self.batch.overwrite and not self.journal.owns(name, target):
            raise UnwritableError(f"{target}: exists and is not what an earlier run wrote here; move it away or use --overwrite")


def _no_step(done: float, stage: str) -> None:
    """Nobody wants to know."""


def package_version() -> str:
    """The installed package's version; ``0`` in a checkout that was never installed."""
    try:
        return version("remove-objects")
    except PackageNotFoundError:
        return "0"


def _index_stamp() -> str:
    from models.weights import FOLDER

    return (FOLDER / "index.json").read_text(encoding="utf-8")


def _device(name: str) -> torch.device:
    import torch

    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(k for k in ("cuda", "mps", "cpu") if available[k])
    if not available[name]:
        raise UsageError(f"--device {name}: this machine offers {', '.join(k for k, v in available.items() if v)}")
    return torch.device(name)


def _is_worse(probe: Probe | None, other: Probe | None) -> bool:
    """Whether people would rather see the other: by LPIPS alone, because L1 and PSNR prefer a blur."""
    if probe is None or other is None or probe.lpips is None or other.lpips is None:
        return False
    return probe.lpips > other.lpips


def _summed(*stages: dict[str, float]) -> dict[str, float]:
    """Seconds by stage, in the pipeline's order."""
    return {name: sum(s.get(name, 0.0) for s in stages) for name in STAGES if any(name in s for s in stages)}


def _with_hole(unknown: Mask, hole: Hole) -> Mask:
    """All holes and one more."""
    both = unknown.copy()
    both[hole.box.slices] |= hole.mask
    return both


def _as_float(pixels: Pixels) -> FloatArray:
    return pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)


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
    if isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3:
        return Photo(image), lambda pixels: pixels.copy()
    found = f"{type(image).__name__}" + (f" {image.shape} {image.dtype}" if isinstance(image, np.ndarray) else "")
    raise UsageError(f"expected a PIL image or an HWC uint8 RGB array, got {found}")
