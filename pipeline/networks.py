"""The networks of a run: each is loaded once, when it is first needed, and what is missing is said once."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from .config import Settings
from .detect import segmenters
from .detect.faces import FaceDetector
from .errors import UsageError
from .inpaint.inpainters import Inpainters
from .quality import lpips

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


class Networks:
    """Segmenter, face detector, inpainters and LPIPS of the given settings. Safe to use from several threads."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._lock = threading.Lock()
        self._segmenter: segmenters.Chosen | None = None
        self._prefilter: segmenters.CompactSegmenterAdapter | None = None
        self._faces: FaceDetector | None = None
        self._perceptual: lpips.Perceptual | None = None
        self._inpainters: Inpainters | None = None
        self._device: torch.device | None = None

    @property
    def device(self) -> torch.device:
        """Where networks run."""
        if self._device is None:
            self._device = _device(self.settings.device)
        return self._device

    @property
    def segmenter(self) -> segmenters.Segmenter:
        with self._lock:
            if self._segmenter is None:
                self._segmenter = segmenters.choose_segmenter(
                    self.settings.segmenter, self.device, offline=self.settings.offline
                )
                if self._segmenter.warning:
                    log.warning("%s", self._segmenter.warning)
            return self._segmenter.segmenter

    @property
    def prefilter(self) -> segmenters.Segmenter | None:
        """The compact segmenter, if it runs before a slower one; else None."""
        if not self.settings.prefilter or self.segmenter.quick:
            return None
        with self._lock:
            if self._prefilter is None:
                self._prefilter = segmenters.CompactSegmenterAdapter(self.device)
            return self._prefilter

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
    def perceptual(self) -> lpips.Perceptual:
        with self._lock:
            if self._perceptual is None:
                self._perceptual = lpips.Perceptual(self.device, offline=self.settings.offline)
                if self._perceptual.missing:
                    log.warning("%s", self._perceptual.missing)
            return self._perceptual

    def weights(self) -> dict[str, str]:
        """sha256 by name of every weight that was used so far."""
        found = dict(self._segmenter.weights) if self._segmenter else {}
        if self._prefilter is not None:
            found["compact-segmenter"] = self._prefilter.sha256
        return {**found, **(self._inpainters.weights if self._inpainters else {})}

    def warnings(self) -> list[str]:
        """What the whole run should know, each said once."""
        found = [
            self._segmenter.warning if self._segmenter else None,
            self._perceptual.missing if self._perceptual else None,
        ]
        if self._faces is not None and self._faces.name == "haar":
            found.append(f"faces were looked for with Haar cascades: {self._faces.missing}")
        return [w for w in found if w]


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
        raise UsageError(
            f"--device {name}: this machine offers {', '.join(k for k, v in available.items() if v)}"
        )
    return torch.device(name)
