"""The networks of a run: each loads once, when it is first needed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard

from ..models.categories import CLASSES
from .config import Settings
from .detect import segmenters
from .detect.companions import has_weight, trained_with
from .detect.detector import ObjectDetectorAdapter
from .detect.effects import ObjectEffectsAdapter
from .detect.faces import FaceDetector
from .detect.instances import ObjectInstancesAdapter
from .detect.own import OwnSegmenter, read_own
from .detect.refine import ObjectRefinerAdapter
from .errors import UsageError
from .inpaint.inpainters import Inpainters
from .quality import lpips
from .segmenter_names import parse_segmenter

if TYPE_CHECKING:
    import torch

    from ..models.own_segmenter import OwnModel
    from ..models.own_weights import OwnWeight

log = logging.getLogger(__name__)

#: What it means that a network is missing which others host; why it is missing follows.
UNJUDGED = (
    "the verdicts are a little less sure, because one of the networks that judge results is "
    "missing; a run with internet access fetches it"
)
SIMPLE_FACES = (
    "some faces may be missed, because the better of two face detectors is missing; a run with "
    "internet access fetches it"
)


@dataclass(frozen=True)
class NetworkSettings:
    """The settings that decide which networks load, from which files, and where they run.

    ``Networks`` caches what it loads, so these never change during its life.
    ``pipeline.removal.request.Removal`` holds the settings that may differ from photo to photo.
    ``pipeline.config.Settings`` describes each field.
    """

    segmenter: str = "auto"
    detail: str = "texture"
    device: str = "auto"
    offline: bool = False
    weights: tuple[OwnWeight, ...] = ()

    @classmethod
    def from_settings(cls, settings: Settings) -> NetworkSettings:
        """Take these settings from the user's, which have been checked."""
        return cls(
            settings.segmenter,
            settings.detail,
            settings.device,
            settings.offline,
            settings.own_weights,
        )


class Networks:
    """Segmenters, refiner, detectors, inpainters and LPIPS, for several threads.

    Args:
        settings: which networks, and where they run.
        refine: whether the objects' edges are refined, if the weight for it ships. Off, the masks
            are those of a version without it, to compare with.
        detect: whether objects are also detected, if the weight for it ships.
    """

    def __init__(
        self,
        settings: NetworkSettings | None = None,
        *,
        refine: bool = True,
        detect: bool = True,
    ) -> None:
        self._settings = settings or NetworkSettings()
        self._lock = threading.Lock()
        self._segmenter: segmenters.Chosen | None = None
        self._compact: segmenters.CompactSegmenterAdapter | None = None
        self._bundled: segmenters.CompactSegmenterAdapter | None = None
        self._refiner: ObjectRefinerAdapter | None = None
        self._refines: bool | None = None if refine else False
        self._detector: ObjectDetectorAdapter | None = None
        self._detects: bool | None = None if detect else False
        self._effects: ObjectEffectsAdapter | None = None
        self._has_effects: bool | None = None
        self._instances: ObjectInstancesAdapter | None = None
        self._has_instances: bool | None = None
        self._faces: FaceDetector | None = None
        self._perceptual: lpips.Perceptual | None = None
        self._inpainters: Inpainters | None = None
        self._device: torch.device | None = None
        self._names = parse_segmenter(self._settings.segmenter)
        self._own: dict[Path, OwnSegmenter] = {}

    @property
    def device(self) -> torch.device:
        """Where networks run.

        Raises:
            UsageError: this machine does not have the device.
        """
        if self._device is None:
            self._device = _device(self._settings.device)
        return self._device

    @property
    def segmenter(self) -> segmenters.Segmenter:
        """The segmenter that decides which pixels are removed."""
        with self._lock:
            if self._segmenter is None:
                self._segmenter = segmenters.choose_segmenter(
                    self._names,
                    self.device,
                    offline=self._settings.offline,
                    weights=self._settings.weights,
                )
                if self._segmenter.warning:
                    log.warning("%s", self._segmenter.warning)
            return self._segmenter.segmenter

    def own(self, classes: Sequence[str]) -> list[OwnSegmenter]:
        """The user's own models that have any of some classes, in the order that they were given.

        Raises:
            WeightsError: a folder holds no model that can be used.
        """
        wanted = [model for model in self._own_models if set(model.classes) & set(classes)]
        with self._lock:
            for model in wanted:
                if model.folder not in self._own:
                    self._own[model.folder] = OwnSegmenter(model, self.device)
            return [self._own[model.folder] for model in wanted]

    @cached_property
    def own_classes(self) -> tuple[str, ...]:
        """The names of the classes of the user's own models."""
        return tuple(dict.fromkeys(name for model in self._own_models for name in model.classes))

    @cached_property
    def _own_models(self) -> tuple[OwnModel, ...]:
        """What the folders of the user's own models say of them."""
        return tuple(map(read_own, self._names.models))

    def finds(self, classes: Sequence[str]) -> bool:
        """Whether the network for the Pascal VOC classes looks for any of some classes."""
        return self._names.network is not None and bool(set(CLASSES) & set(classes))

    @property
    def prefilter(self) -> segmenters.Segmenter | None:
        """The compact segmenter, to run before a slower one; ``None`` if the segmenter is quick."""
        return None if self.segmenter.quick else self._compact_segmenter()

    @property
    def closer(self) -> segmenters.Segmenter:
        """The segmenter of crops around objects: a quick one, whichever segments whole photos."""
        return self.segmenter if self.segmenter.quick else self._compact_segmenter()

    @property
    def onlooker(self) -> segmenters.Segmenter:
        """The segmenter that judges results: a quick one, the same of given and of found masks.

        A given mask needs no other segmenter, so none is loaded or downloaded for it.
        """
        if self._names.network in ("compact", None):
            return self.segmenter
        with self._lock:
            chosen = None if self._segmenter is None else self._segmenter.segmenter
            return chosen if _may_judge(chosen) else self._load_compact()

    @property
    def compact(self) -> segmenters.CompactSegmenterAdapter:
        """The compact segmenter, whose encoder sees what was clicked."""
        with self._lock:
            if self._segmenter is None:
                return self._load_compact()
            return self._compact_of(self._segmenter.segmenter)

    def _compact_segmenter(self) -> segmenters.Segmenter:
        """The compact segmenter beside a slower one."""
        with self._lock:
            return self._load_compact()

    @property
    def refiner(self) -> ObjectRefinerAdapter | None:
        """The network that finds the objects' edges; ``None`` if its weight does not ship."""
        segmenter = self.segmenter
        with self._lock:
            if self._refines is None:
                self._refines = has_weight("object-refiner", self._settings.weights)
            if self._refines and self._refiner is None:
                self._refiner = ObjectRefinerAdapter(
                    self._host_of("object-refiner", segmenter), self._settings.weights
                )
            return self._refiner

    @property
    def detector(self) -> ObjectDetectorAdapter | None:
        """The network that detects whole objects; ``None`` if its weight does not ship."""
        segmenter = self.segmenter
        with self._lock:
            if self._detects is None:
                self._detects = has_weight("object-detector", self._settings.weights)
            if self._detects and self._detector is None:
                self._detector = ObjectDetectorAdapter(
                    self._host_of("object-detector", segmenter), self._settings.weights
                )
            return self._detector

    @property
    def effects(self) -> ObjectEffectsAdapter | None:
        """The network that finds what goes with objects; ``None`` if its weight does not ship.

        A given mask needs no segmenter, so only the compact one's encoder is loaded for it.
        """
        with self._lock:
            if self._has_effects is None:
                self._has_effects = has_weight("object-effects", self._settings.weights)
            if self._has_effects and self._effects is None:
                chosen = None if self._segmenter is None else self._segmenter.segmenter
                host = self._host_of("object-effects", chosen)
                self._effects = ObjectEffectsAdapter(host, self._settings.weights)
            return self._effects

    def use_effects(self, adapter: ObjectEffectsAdapter) -> None:
        """Find effects by a network that the settings do not name, for measurements."""
        with self._lock:
            self._effects, self._has_effects = adapter, True

    @property
    def instances(self) -> ObjectInstancesAdapter | None:
        """The network that tells objects apart; ``None`` if its weight does not ship."""
        segmenter = self.segmenter
        with self._lock:
            if self._has_instances is None:
                self._has_instances = has_weight("object-instances", self._settings.weights)
            if self._has_instances and self._instances is None:
                self._instances = ObjectInstancesAdapter(
                    self._host_of("object-instances", segmenter), self._settings.weights
                )
            return self._instances

    def _host_of(
        self, kind: str, segmenter: segmenters.Segmenter | None
    ) -> segmenters.CompactSegmenterAdapter:
        """The compact segmenter on whose features a network was trained. The caller holds the lock.

        A bundled network does not fit the user's own segmenter, and has the bundled one beside it.

        Args:
            kind: the network.
            segmenter: the run's segmenter; None if it needs none.
        """
        from ..models.own_weights import find_own

        weights = self._settings.weights
        compact = find_own(weights, "compact-segmenter")
        if compact is None or trained_with(kind, weights) in ("", compact.sha256):
            return self._load_compact() if segmenter is None else self._compact_of(segmenter)
        if self._bundled is None:
            self._bundled = segmenters.CompactSegmenterAdapter(self.device)
        return self._bundled

    def _compact_of(self, segmenter: segmenters.Segmenter) -> segmenters.CompactSegmenterAdapter:
        """The segmenter if it is compact, else the one beside it. The caller holds the lock."""
        if isinstance(segmenter, segmenters.CompactSegmenterAdapter):
            return segmenter
        return self._load_compact()

    def _load_compact(self) -> segmenters.CompactSegmenterAdapter:
        """The compact segmenter beside another one. The caller holds the lock."""
        if self._compact is None:
            weights = self._settings.weights
            self._compact = segmenters.CompactSegmenterAdapter(self.device, weights)
        return self._compact

    @property
    def faces(self) -> FaceDetector:
        """The face detector."""
        with self._lock:
            if self._faces is None:
                self._faces = FaceDetector(
                    self.device, offline=self._settings.offline, weights=self._settings.weights
                )
            return self._faces

    @property
    def inpainters(self) -> Inpainters:
        """The inpainters of all routes."""
        with self._lock:
            if self._inpainters is None:
                detail = self._settings.detail == "texture"
                self._inpainters = Inpainters(
                    self.device, detail=detail, weights=self._settings.weights
                )
            return self._inpainters

    @property
    def perceptual(self) -> lpips.Perceptual:
        """LPIPS, and the features that it compares."""
        with self._lock:
            if self._perceptual is None:
                self._perceptual = lpips.Perceptual(self.device, offline=self._settings.offline)
                if self._perceptual.missing:
                    log.warning("%s", f"{UNJUDGED} ({self._perceptual.missing})")
            return self._perceptual

    def weights(self) -> dict[str, str]:
        """sha256 by name of every weight file that has been used so far."""
        used = dict(self._segmenter.weights) if self._segmenter else {}
        if self._compact is not None:
            used["compact-segmenter"] = self._compact.sha256
        if self._bundled is not None:
            used["bundled compact-segmenter"] = self._bundled.sha256
        if self._refiner is not None:
            used["object-refiner"] = self._refiner.sha256
        if self._detector is not None:
            used["object-detector"] = self._detector.sha256
        if self._faces is not None and self._faces.sha256:
            used["face-detector"] = self._faces.sha256
        if self._effects is not None:
            used["object-effects"] = self._effects.sha256
        if self._instances is not None:
            used["object-instances"] = self._instances.sha256
        for folder, model in self._own.items():
            name = model.name if model.name not in used else str(folder)
            used[name] = model.sha256
        return {**used, **(self._inpainters.weights if self._inpainters else {})}

    def warnings(self) -> list[str]:
        """Everything that the networks loaded so far fell back to, once each."""
        messages = [
            self._segmenter.warning if self._segmenter else None,
            f"{UNJUDGED} ({self._perceptual.missing})"
            if self._perceptual and self._perceptual.missing
            else None,
        ]
        if self._faces is not None and self._faces.name == "haar":
            messages.append(f"{SIMPLE_FACES} ({self._faces.missing})")
        return [m for m in messages if m]


def _may_judge(segmenter: segmenters.Segmenter | None) -> TypeGuard[segmenters.Segmenter]:
    return segmenter is not None and segmenter.quick and segmenter.judges


def _device(name: str) -> torch.device:
    import torch

    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        name = next(k for k in ("cuda", "mps", "cpu") if available[k])
    if not available[name]:
        offered = ", ".join(k for k, present in available.items() if present)
        raise UsageError(f"--device {name}: this machine offers {offered}")
    return torch.device(name)
