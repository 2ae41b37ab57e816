"""Training of the object refiner: its data, losses, and held-out metrics.

The data is made of the data folder's labelled photos and scenes, once for each run: objects that
are cut out, and the compact segmenter's answers for canvases of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.object_refiner import ObjectRefiner, ObjectRefinerConfig
from ...models.segmenter import CompactSegmenter
from ...models.shipped import load_shipped
from ...pipeline.detect.segmenters import CompactSegmenterAdapter
from ..data.objects import answers, cut_outs, scenes
from ..data.objects.answers import CANVAS, StoredAnswers
from ..data.objects.canvases import Canvases
from ..data.objects.samples import RefinerSamples, held_out_samples
from ..edge_curve import curve, hole_at
from ..recipe import Preset, Recipe
from ..request import Request
from .base import Losses, SampledTask
from .companions import encoder_input, frozen_encoder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Folders below the data folder whose objects are cut out, and into whose photos they are put.
FOLDERS = (*cut_outs.SOURCES, *scenes.FOLDERS)
#: Default batch, side of a sample in pixels, steps of a run, and highest learning rate.
BATCH, SIZE, STEPS, LEARNING_RATE = 4, 320, 6000, 7e-4
#: Decay of the moving average, AdamW's weight decay, and largest gradient norm.
AVERAGE, WEIGHT_DECAY, CLIP = 0.998, 0.01, 1.0
#: Share of the run in which the learning rate rises, and from which on it falls to a fiftieth.
WARMUP, DECAY_FROM = 0.01, 0.05
#: Canvases for which the segmenter's answers are stored.
ANSWERS = 4000
#: Side of a held-out sample in pixels, and the most that the sample sheet shows.
HELD_OUT_SIDE, SHOWN = 384, 12
#: Extra weight of pixels about which the coarse probability is wrong; of the loss terms.
WRONG, EDGE, DICE = 0.6, 0.3, 0.3
#: Alphas and even radii in pixels of the held-out curve, and what its holes may miss.
THRESHOLDS, RADII = (0.5, 0.3, 0.2, 0.1, 0.05), (0.0, 1.0, 2.0, 3.0, 5.0)
MISSED = (0.02, 0.01, 0.005, 0.002)


class ObjectRefinerTask(SampledTask):
    """Cross-entropy, L1 at the edge and Dice, on composites and labelled photos.

    Its batches are (pictures N3HW, coarse, alpha, weight N1HW), uint8.

    Args:
        network: trained; its config names the compact segmenter.
        data: data folder that holds the label folders and scenes.
        store: folder for the cut-outs and the segmenter's answers.
        batch: samples per batch and process.
        size: side of a sample in pixels, a multiple of 16.
        learning_rate: at its highest.
        seed: of canvases and samples.
        held_out: canvases of scenes, objects and photos that are never trained on.
        workers: processes that make samples.
    """

    network_class: ClassVar[type[nn.Module]] = ObjectRefiner
    preprocessing: ClassVar[str] = (
        "a crop of the photo around an object, its box and 25 % of the longer side on each side, "
        "at most 448 pixels in multiples of 16: RGB / 127.5 - 1, and the coarse probability"
    )
    weight_decay, most_gradient = WEIGHT_DECAY, CLIP
    warmup, decay_from = WARMUP, DECAY_FROM

    def __init__(
        self,
        network: ObjectRefiner,
        data: Path,
        store: Path,
        *,
        batch: int,
        size: int,
        learning_rate: float,
        seed: int,
        held_out: int,
        workers: int = 0,
    ) -> None:
        super().__init__(
            network,
            batch=batch,
            size=size,
            learning_rate=learning_rate,
            seed=seed,
            workers=workers,
        )
        self.encoder = frozen_encoder()
        self.data, self.store, self.held_out = data, store, held_out
        self._held_out: list[tuple[Tensor, ...]] = []

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The segmenter is the one that ships."""
        data = request.data_folder
        _, digest = load_shipped("compact-segmenter", CompactSegmenter)
        task = cls(
            ObjectRefiner(ObjectRefinerConfig(encoder=digest)),
            data,
            request.folder / "store",
            batch=request.batch or BATCH,
            size=request.size or SIZE,
            learning_rate=request.learning_rate or LEARNING_RATE,
            seed=request.seed,
            held_out=request.held_out_samples,
            workers=request.workers,
        )
        pictures = count_pictures(data)
        steps = STEPS if request.steps is None else request.steps
        return task, Recipe(
            folders=FOLDERS,
            pictures=pictures,
            steps=steps,
            batch=request.pictures_per_step(task.batch),
            average=AVERAGE,
            facts={
                "size": task.size,
                "learning_rate": task.learning_rate,
                "encoder": f"compact-segmenter {digest[:8]}",
                "answers": ANSWERS,
            },
        )

    def prepare(self, fabric: Fabric) -> None:
        """Move the encoder to the device, and make what the data folder does not have yet."""
        self.device, self.autocast = fabric.device, fabric.autocast
        self.encoder.to(fabric.device)
        if fabric.is_global_zero:
            cut_outs.build(self.data, self.store)
        fabric.barrier()
        canvases, held_out = self._canvases(0), self._canvases(1, held_out=True)
        segmenter = CompactSegmenterAdapter(fabric.device)
        stored, stored_held_out = (
            StoredAnswers(self.store / f"{name}-{segmenter.sha256[:8]}.u8")
            for name in ("answers", "answers-held-out")
        )
        if fabric.is_global_zero:
            answers.build(stored_held_out.path, held_out, self.held_out, segmenter, both=True)
            answers.build(stored.path, canvases, ANSWERS, segmenter, both=False)
        fabric.barrier()
        self._samples = RefinerSamples(
            canvases, self._canvases(2), stored, size=self.size, seed=self.seed
        )
        self._held_out = held_out_samples(held_out, stored_held_out, self.held_out, HELD_OUT_SIDE)
        if not self._held_out:
            raise ValueError(
                f"the segmenter found none of the objects on {self.held_out} held-out canvases; "
                "set --held-out higher"
            )

    def _canvases(self, kind: int, *, held_out: bool = False) -> Canvases:
        """The canvases of one kind: no two kinds have a seed in common."""
        seed = 3 * self.seed + kind
        return Canvases(self.data, self.store, CANVAS, held_out=held_out, seed=seed)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``bce``: cross-entropy; ``edge``: L1 near the edge; ``dice``: the Dice loss."""
        coarse, alpha, weight = (part.float() / 255 for part in batch[1:])
        logits = self._logits(self.modules["network"], batch[0], coarse)
        known, near = (weight > 0).float(), (weight > 0.9).float()
        count = weight + WRONG * known * ((coarse >= 0.5) != (alpha >= 0.5)).float()
        entropy = F.binary_cross_entropy_with_logits(logits, alpha, reduction="none")
        found = logits.sigmoid()
        both = (found * alpha * known).sum((1, 2, 3))
        sums = ((found + alpha) * known).sum((1, 2, 3))
        return {
            "network": {
                "bce": (entropy * count).sum() / count.sum().clamp(min=1),
                "edge": EDGE * ((found - alpha).abs() * near).sum() / near.sum().clamp(min=1),
                "dice": DICE * (1 - (2 * both + 50) / (sums + 50)).mean(),
            }
        }

    def _logits(self, network: nn.Module, pictures: Tensor, coarse: Tensor) -> Tensor:
        """N1HW float32 logits of pictures N3HW uint8 and a coarse probability N1HW."""
        image = encoder_input(pictures)
        with self.autocast():
            with torch.no_grad():
                features = self.encoder.levels(image)
            logits: Tensor = network(image, coarse, *features)
        return logits.float()

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Hole against object on the held-out canvases, medians.

        Returns:
            ``val_hole_1%`` and the like: the smallest hole that misses no more than that;
            ``val_missed``, ``val_missed_mean`` and ``val_hole`` at alpha 0.5, not widened;
            ``val_mean``: 2 minus the mean hole at 1, 0.5 and 0.2 %, higher is better.
        """
        found = self._alphas(network, self._held_out)
        objects = [sample[2][0].numpy() >= 128 for sample in self._held_out]
        known = [sample[3][0].numpy() > 0 for sample in self._held_out]
        points = curve(found, objects, known, THRESHOLDS, RADII)
        plain = points[0]
        metrics = {f"val_hole_{100 * m:g}%": hole_at(points, m) for m in MISSED}
        return metrics | {
            "val_missed": plain.missed,
            "val_missed_mean": plain.missed_mean,
            "val_hole": plain.hole,
            "val_mean": 2 - float(np.mean([hole_at(points, m) for m in MISSED[1:]])),
        }

    def _alphas(
        self, network: nn.Module, samples: list[tuple[Tensor, ...]]
    ) -> list[NDArray[np.float32]]:
        """The alpha HW of each sample."""
        found = []
        for picture, coarse, *_ in samples:
            pictures = picture[None].to(self.device)
            logits = self._logits(network, pictures, coarse[None].to(self.device).float() / 255)
            found.append(logits.sigmoid()[0, 0].cpu().numpy())
        return found

    def samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """Held-out pictures, and the same without the coarse object, without alpha, without truth.

        What is removed is magenta.
        """
        step = max(1, len(self._held_out) // SHOWN)
        shown = self._held_out[::step][:SHOWN]
        rows = []
        for sample, alpha in zip(shown, self._alphas(network, shown), strict=True):
            image = sample[0].permute(1, 2, 0).numpy()
            maps = (sample[1][0].numpy() / 255, alpha, sample[2][0].numpy() / 255)
            row = np.hstack([image, *(_without(image, m) for m in maps)])
            rows.append(row[::2, ::2])
        return np.vstack(rows)


def _without(image: NDArray[np.uint8], alpha: NDArray[Any]) -> NDArray[np.uint8]:
    """A picture HWC with magenta in place of an object HW."""
    magenta = np.array([255, 0, 255], np.float32)
    return (image + alpha[..., None] * (magenta - image)).astype(np.uint8)


def count_pictures(data: Path) -> int:
    """Count the photos of ``FOLDERS``.

    Raises:
        FileNotFoundError: there are none.
    """
    pictures = sum(len(cut_outs.photos_of(data, source)) for source in cut_outs.SOURCES)
    pictures += sum(len(scenes.photos_of(data, folder)) for folder in scenes.FOLDERS)
    if not pictures:
        raise FileNotFoundError(f"{data}: none of {', '.join(FOLDERS)} found below it")
    return pictures
