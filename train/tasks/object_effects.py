"""Training of the effects network: its data, losses, and held-out metrics.

A part of the data is made of the data folder's labelled photos and scenes: objects are cut out once
for each run and put into scenes with shadows and reflections that are known. The other parts are
moments of fixed cameras and photos whose things are labelled, where the data folder has them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from ...models.object_effects import EFFECTS, ObjectEffects, ObjectEffectsConfig
from ...models.segmenter import CompactSegmenter
from ...models.shipped import load_shipped
from ...pipeline.types import FloatArray, Mask
from ..data.effects.mixture import FOLDERS, SHARES, count_pictures, sources
from ..data.mixture import Mixture
from ..data.objects import cut_outs
from ..recipe import Preset, Recipe
from ..request import Request
from .base import Losses, SampledTask
from .companions import encoder_input, frozen_encoder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Default batch, side of a sample in pixels, steps of a run, and highest learning rate.
BATCH, SIZE, STEPS, LEARNING_RATE = 16, 160, 16_000, 2e-3
#: Decay of the moving average, AdamW's weight decay, and largest gradient norm.
AVERAGE, WEIGHT_DECAY, CLIP = 0.998, 0.01, 1.0
#: Share of the run in which the learning rate rises, and from which on it falls to a fiftieth.
WARMUP, DECAY_FROM = 0.02, 0.3
#: Weight of the Dice loss, and a number of pixels that keeps it steady where there is no effect.
DICE, STEADY = 0.15, 20.0
#: An effect that is at least so visible counts as one in the metrics; less than ``NO`` is none.
YES, NO = 0.5, 0.1
#: Held-out samples that the sample sheet shows.
SHOWN = 24


class ObjectEffectsTask(SampledTask):
    """Cross-entropy and Dice on objects in scenes.

    Its batches are (pictures N3HW, masks N1HW, effects N3HW, weights N3HW), uint8.

    Args:
        network: trained; its config names the compact segmenter.
        data: data folder, see ``data.effects.mixture.FOLDERS``.
        store: folder for the cut-outs.
        batch: samples per batch and process.
        size: side of a sample in pixels, a multiple of 16.
        learning_rate: at its highest.
        seed: of the scenes.
        held_out: samples of each kind that are never trained on.
        workers: processes that make samples.
    """

    network_class: ClassVar[type[nn.Module]] = ObjectEffects
    preprocessing: ClassVar[str] = (
        "a part of the photo around an object: RGB / 127.5 - 1, and the object's mask as 1 and 0"
    )
    weight_decay, most_gradient = WEIGHT_DECAY, CLIP
    warmup, decay_from = WARMUP, DECAY_FROM

    def __init__(
        self,
        network: ObjectEffects,
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
        self._held_out: dict[str, list[tuple[Tensor, ...]]] = {}

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The segmenter is the one that ships."""
        data = request.data_folder
        _, digest = load_shipped("compact-segmenter", CompactSegmenter)
        task = cls(
            ObjectEffects(ObjectEffectsConfig(encoder=digest)),
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
            },
        )

    def prepare(self, fabric: Fabric) -> None:
        """Move the encoder to the device, and cut out the objects if that has not been done."""
        self.device, self.autocast = fabric.device, fabric.autocast
        self.encoder.to(fabric.device)
        if fabric.is_global_zero:
            cut_outs.build(self.data, self.store)
        fabric.barrier()
        self._samples = Mixture(self._sources(0), SHARES, seed=self.seed)
        held_out = self._sources(1, held_out=True)
        self._held_out = {
            name: [found[n] for n in range(self.held_out)] for name, found in held_out.items()
        }

    def _sources(
        self, kind: int, *, held_out: bool = False
    ) -> dict[str, Dataset[tuple[Tensor, ...]]]:
        """The samples of one kind: no two kinds have a seed in common."""
        seed = 2 * self.seed + kind
        return sources(self.data, self.store, self.size, held_out=held_out, seed=seed)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``bce``: cross-entropy; ``dice``: the Dice loss; both over the pixels that count."""
        mask, effects, weight = (part.float() / 255 for part in batch[1:])
        logits = self._logits(self.modules["network"], batch[0], mask)
        entropy = F.binary_cross_entropy_with_logits(logits, effects, reduction="none")
        found = logits.sigmoid()
        both = (found * effects * weight).sum((2, 3))
        sums = ((found + effects) * weight).sum((2, 3))
        return {
            "network": {
                "bce": (entropy * weight).sum() / weight.sum().clamp(min=1),
                "dice": DICE * (1 - (2 * both + STEADY) / (sums + STEADY)).mean(),
            }
        }

    def _logits(self, network: nn.Module, pictures: Tensor, mask: Tensor) -> Tensor:
        """N3HW float32 logits of pictures N3HW uint8 and masks N1HW in {0, 1}."""
        image = encoder_input(pictures)
        with self.autocast():
            with torch.no_grad():
                features = self.encoder.levels(image)
            logits: Tensor = network(image, mask, *features)
        return logits.float()

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Find the effects in held-out samples.

        Returns:
            ``val_KIND_EFFECT``: average precision over the pixels of which it is known, for each
            kind of samples (``mixture.SHARES``) that shows the effect; ``val_false``: the median
            in made scenes of the pixels that are found beside every effect, at probability 0.5, by
            the object's; ``val_mean``: mean of the average precisions.
        """
        metrics = {}
        for kind, samples in self._held_out.items():
            found = self._found(network, samples)
            effects = np.stack([s[2].numpy() for s in samples]).astype(np.float32) / 255
            known = np.stack([s[3].numpy() for s in samples]) > 0
            for i, name in enumerate(EFFECTS):
                yes, no = effects[:, i] >= YES, effects[:, i] <= NO
                clear = known[:, i] & (yes | no)
                if (clear & yes).any():
                    score = average_precision(found[:, i][clear], yes[clear])
                    metrics[f"val_{kind}_{name}"] = score
            if kind == "made":
                metrics["val_false"] = _false_area(found, effects, known, samples)
        means = [v for k, v in metrics.items() if k != "val_false"]
        return metrics | {"val_mean": float(np.mean(means)) if means else 0.0}

    def _found(self, network: nn.Module, samples: list[tuple[Tensor, ...]]) -> NDArray[np.float32]:
        """The probabilities of each sample's effects, N3HW."""
        found = []
        for start in range(0, len(samples), self.batch):
            part = samples[start : start + self.batch]
            pictures, mask = (torch.stack([s[i] for s in part]).to(self.device) for i in (0, 1))
            found.append(self._logits(network, pictures, mask.float() / 255).sigmoid().cpu())
        return np.asarray(torch.cat(found).numpy(), np.float32)

    def samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """Held-out pictures, and the same with what goes in white, found and true effects.

        Shadows are red, reflections green, carried things blue.
        """
        each = SHOWN // max(1, len(self._held_out))
        shown = [sample for samples in self._held_out.values() for sample in samples[:each]]
        rows = []
        for sample, found in zip(shown, self._found(network, shown), strict=True):
            image = sample[0].permute(1, 2, 0).numpy()
            mask = sample[1][0].numpy() > 0
            true = (sample[2].float() / 255).numpy()
            rows.append(np.hstack([image, _marked(image, mask, found), _marked(image, mask, true)]))
        columns = 3
        rows += [np.zeros_like(rows[0])] * (-len(rows) % columns)
        return np.vstack([np.hstack(rows[i : i + columns]) for i in range(0, len(rows), columns)])


def _false_area(
    found: NDArray[np.float32],
    effects: FloatArray,
    known: Mask,
    samples: list[tuple[Tensor, ...]],
) -> float:
    """The median over samples of the pixels found beside every effect, by the object's.

    Args:
        found: NCHW in [0, 1].
        effects: NCHW in [0, 1].
        known: NCHW.
        samples: N samples.
    """
    false = (found.max(1) >= 0.5) & (effects.max(1) <= NO) & known.all(1)
    objects = np.array([float((s[1] > 0).sum()) for s in samples])
    return float(np.median(false.sum((1, 2)) / np.maximum(objects, 1)))


def average_precision(scores: NDArray[np.float32], truth: NDArray[np.bool_]) -> float:
    """How well scores rank n pixels, in [0, 1]; 0 without a true pixel."""
    if not truth.any():
        return 0.0
    right = np.cumsum(truth[np.argsort(-scores, kind="stable")])
    precision = right / np.arange(1, len(right) + 1)
    return float((precision * np.diff(right, prepend=0)).sum() / right[-1])


def _marked(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], effects: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A picture HWC, an object in white, its shadow red, its reflection green, its things blue."""
    shown = image.astype(np.float32)
    colours = (255, 0, 0), (0, 255, 0), (60, 120, 255), (255, 255, 255)
    layers = zip(colours, (*effects, mask), strict=True)
    for colour, opacity in layers:
        shown += 0.8 * opacity[..., None] * (np.array(colour, np.float32) - shown)
    return shown.astype(np.uint8)
