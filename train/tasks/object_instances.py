"""Training of the instance network: its data, losses, and held-out metrics."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from ...models.object_instances import PLACES, ObjectInstances, ObjectInstancesConfig
from ...models.segmenter import CompactSegmenter
from ...models.shipped import load_shipped
from ...pipeline.detect.instances import grouped
from ...pipeline.types import FloatArray
from ..data.instances import found, photos, singles
from ..data.instances.crowds import Crowds
from ..data.instances.photos import BOXED, Photos
from ..data.instances.views import UNKNOWN
from ..data.mixture import Mixture
from ..data.objects import boxes, cut_outs, scenes
from ..detection_teacher import DetectionTeacher
from ..recipe import Preset, Recipe
from ..request import Request
from .base import Losses, SampledTask
from .companions import encoder_input, frozen_encoder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Default batch, side of a sample in pixels, steps of a run, and highest learning rate.
BATCH, SIZE, STEPS, LEARNING_RATE = 16, 192, 12_000, 2e-3
#: Decay of the moving average, AdamW's weight decay, and largest gradient norm.
AVERAGE, WEIGHT_DECAY, CLIP = 0.998, 0.01, 2.0
#: Share of the run in which the learning rate rises, and from which on it falls to a fiftieth.
WARMUP, DECAY_FROM = 0.02, 0.3
#: How often each kind of samples is drawn.
SHARES = {"made": 0.4, "photos": 0.6}
#: Folder of the store for the labelled photos' own objects.
SINGLES = "singles"
#: Weight of the distance between the sides, in views, and of the votes' quality.
SIDES, QUALITY = 1.0, 0.3
#: Weight of which pixels are of an object.
BELONGS = 1.0
#: An object is matched by a found one from this overlap (IoU) on.
MATCHED = 0.6
#: Held-out samples that the sample sheet shows.
SHOWN = 24


class ObjectInstancesTask(SampledTask):
    """Overlap of each pixel's box with its object's, on made groups and labelled photos.

    A labelled photo comes with the label's mask or with the one that the pipeline finds in it.

    Its batches are (pictures N3HW, masks N1HW, numbers N1hw uint8; boxes NK4 float32; belongs
    N1hw uint8).

    Args:
        network: trained; its config names the compact segmenter.
        data: data folder.
        store: folder for the cut-outs, the teacher's boxes and the found masks.
        teacher: folder of the teacher's files; None if the store holds all boxes.
        batch: samples per batch and process.
        size: side of a sample in pixels, a multiple of 16.
        learning_rate: at its highest.
        seed: of the samples.
        held_out: samples of each kind that are never trained on.
        workers: processes that make samples.
    """

    network_class: ClassVar[type[nn.Module]] = ObjectInstances
    preprocessing: ClassVar[str] = (
        "a part of the photo around objects of a class: RGB / 127.5 - 1, and their mask as 1 and 0"
    )
    weight_decay, most_gradient = WEIGHT_DECAY, CLIP
    warmup, decay_from = WARMUP, DECAY_FROM

    def __init__(
        self,
        network: ObjectInstances,
        data: Path,
        store: Path,
        teacher: Path | None,
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
        self.data, self.store, self.teacher = data, store, teacher
        self.held_out = held_out
        self._held_out: dict[str, list[tuple[Tensor, ...]]] = {}

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The segmenter is the one that ships."""
        data = request.data_folder
        _, digest = load_shipped("compact-segmenter", CompactSegmenter)
        task = cls(
            ObjectInstances(ObjectInstancesConfig(encoder=digest)),
            data,
            request.folder / "store",
            request.teacher,
            batch=request.batch or BATCH,
            size=request.size or SIZE,
            learning_rate=request.learning_rate or LEARNING_RATE,
            seed=request.seed,
            held_out=request.held_out_samples,
            workers=request.workers,
        )
        pictures = len(task._boxed()) + len(photos.labelled_photos(data))
        pictures += len(photos.drawn_boxes(data))
        for source in cut_out_folders():
            pictures += len(cut_outs.photos_of(data, source))
        for folder in scenes.FOLDERS:
            pictures += len(scenes.photos_of(data, folder))
        if not pictures:
            raise FileNotFoundError(f"{data}: none of {', '.join(folders())} found below it")
        steps = STEPS if request.steps is None else request.steps
        return task, Recipe(
            folders=folders(),
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

    def _boxed(self) -> list[Path]:
        """The photos that a teacher's boxes divide."""
        return [p for folder in BOXED for p in boxes.photos_of(self.data, f"{folder}/images")]

    def prepare(self, fabric: Fabric) -> None:
        """Move the encoder to the device, cut out the objects, and detect with the teacher."""
        self.device, self.autocast = fabric.device, fabric.autocast
        self.encoder.to(fabric.device)
        path, files = self.store / "boxes.json", self._boxed()
        if fabric.is_global_zero:
            cut_outs.build(self.data, self.store)
            teacher = None if self.teacher is None else DetectionTeacher(self.teacher)
            boxes.build(path, self.data, files, teacher)
            with suppress(FileNotFoundError):
                singles.build(self.data, self.store / SINGLES)
            found.build(self.store, photos.categories_of(self.data))
        fabric.barrier()
        of_photo = boxes.build(path, self.data, files, None)
        self._samples = Mixture(self._sources(of_photo, 0), SHARES, seed=self.seed)
        self._held_out = {
            name: [source[n] for n in range(self.held_out)]
            for name, source in self._sources(of_photo, 1, held_out=True).items()
        }

    def _sources(
        self, of_photo: dict[Path, boxes.Boxes], kind: int, *, held_out: bool = False
    ) -> dict[str, Dataset[tuple[Tensor, ...]]]:
        """The samples of one kind: no two kinds have a seed in common."""
        seed = 2 * self.seed + kind
        stores = [self.store]
        if (self.store / SINGLES / "cut_outs.json").exists():
            stores.append(self.store / SINGLES)
        sources: dict[str, Dataset[tuple[Tensor, ...]]] = {
            "made": Crowds(self.data, stores, self.size, held_out=held_out, seed=seed)
        }
        with suppress(FileNotFoundError):  # made groups alone teach a network too
            sources["photos"] = Photos(
                self.data, of_photo, self.store, self.size, held_out=held_out, seed=seed
            )
        return sources

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``overlap``, ``sides``: of the votes with the objects' boxes; ``quality``: of that known.

        Every object counts by the root of its pixels. ``belongs``: of which pixels are of one.
        """
        pictures, mask, numbers, true, own = batch
        votes, quality, belongs = self._votes(self.modules["network"], pictures, mask.float() / 255)
        index = numbers[:, 0].long()
        known = (index > 0) & (index < UNKNOWN)
        sample, y, x = known.nonzero(as_tuple=True)
        objects = index[sample, y, x] - 1
        voted, wanted = votes[sample, :, y, x], true[sample, objects]
        key = sample * UNKNOWN + objects
        weight = torch.bincount(key, minlength=len(pictures) * UNKNOWN)[key].rsqrt()
        weight = weight / weight.sum().clamp(min=1e-6)
        overlap, generalised = overlaps(voted, wanted)
        sides = (voted - wanted).abs().mean(1) / self.size
        entropy = F.binary_cross_entropy_with_logits(
            quality[sample, 0, y, x], overlap.detach(), reduction="none"
        )
        asked = own != UNKNOWN
        of_one = F.binary_cross_entropy_with_logits(
            belongs, (own == 1).float(), asked.float(), reduction="sum"
        )
        return {
            "network": {
                "overlap": ((1 - generalised) * weight).sum(),
                "sides": SIDES * (sides * weight).sum(),
                "quality": QUALITY * (entropy * weight).sum(),
                "belongs": BELONGS * of_one / asked.sum().clamp(min=1),
            }
        }

    def _votes(self, network: nn.Module, pictures: Tensor, mask: Tensor) -> tuple[Tensor, ...]:
        """What the network says, float32, of pictures N3HW uint8 and masks N1HW in {0, 1}."""
        image = encoder_input(pictures)
        with self.autocast():
            with torch.no_grad():
                features = self.encoder.levels(image)
            outputs = network(image, mask, *features)
        return tuple(values.float() for values in outputs)

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Group held-out samples.

        Returns:
            ``val_KIND``: the share of the objects that a found one matches (IoU of ``MATCHED``),
            for each kind of samples; ``val_KIND_overlap``: mean IoU of the pixels' boxes;
            ``val_KIND_belongs``: share of the mask's pixels that are rightly of an object or of
            none; ``val_mean``: mean of the shares of matched objects.
        """
        metrics, shares = {}, []
        for kind, samples in self._held_out.items():
            matched = count = 0
            overlap, right = [], []
            for sample, (votes, labels) in zip(
                samples, self._grouped(network, samples), strict=True
            ):
                numbers, own = sample[2][0].numpy(), sample[4][0].numpy()
                known = (numbers > 0) & (numbers < UNKNOWN)
                true = sample[3][torch.from_numpy(numbers[known].astype(np.int64) - 1)]
                if known.any():
                    overlap.append(float(overlaps(votes[:, known].T, true)[0].mean()))
                asked = own != UNKNOWN
                right.append(float(((labels > 0) == own)[asked].mean()) if asked.any() else 1.0)
                hits, objects = matches(np.where(own == 0, 0, numbers), labels)
                matched, count = matched + hits, count + objects
            shares.append(matched / max(1, count))
            metrics[f"val_{kind}"] = shares[-1]
            metrics[f"val_{kind}_overlap"] = float(np.mean(overlap)) if overlap else 0.0
            metrics[f"val_{kind}_belongs"] = float(np.mean(right)) if right else 0.0
        return metrics | {"val_mean": float(np.mean(shares)) if shares else 0.0}

    def _grouped(
        self, network: nn.Module, samples: list[tuple[Tensor, ...]]
    ) -> Iterator[tuple[Tensor, NDArray[np.int32]]]:
        """(4hw votes, hw numbers of the found objects) of each sample."""
        for start in range(0, len(samples), self.batch):
            part = samples[start : start + self.batch]
            pictures, mask = (torch.stack([s[i] for s in part]).to(self.device) for i in (0, 1))
            boxes, quality, belongs = self._votes(network, pictures, mask.float() / 255)
            shares = (values[:, 0].sigmoid().cpu().numpy() for values in (quality, belongs))
            for sample, vote, sure, own in zip(part, boxes.cpu(), *shares, strict=True):
                at = slice(PLACES // 2, None, PLACES)
                inside = sample[1][0, at, at].numpy() > 0
                yield vote, grouped(vote.numpy(), sure, own, inside)

    def samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """Held-out pictures, and beside them the found and the true objects in colours."""
        each = SHOWN // max(1, len(self._held_out))
        shown = [sample for samples in self._held_out.values() for sample in samples[:each]]
        rows = []
        for sample, (_, labels) in zip(shown, self._grouped(network, shown), strict=True):
            image = sample[0].permute(1, 2, 0).numpy()
            numbers = sample[2][0].numpy().astype(np.int32)
            rows.append(np.hstack([image, _coloured(image, labels), _coloured(image, numbers)]))
        columns = 3
        rows += [np.zeros_like(rows[0])] * (-len(rows) % columns)
        return np.vstack([np.hstack(rows[i : i + columns]) for i in range(0, len(rows), columns)])


def cut_out_folders() -> tuple[str, ...]:
    """The label folders that objects are cut out of."""
    return tuple(cut_outs.SOURCES)


def folders() -> tuple[str, ...]:
    """All folders below the data folder that samples are made of."""
    own = (photos.FOLDER, photos.DRAWN, photos.ALONE)
    return tuple(dict.fromkeys((*cut_out_folders(), *scenes.FOLDERS, *BOXED, *own)))


def overlaps(found: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """(IoU, generalised IoU) of n4 boxes and n4 others (Rezatofighi et al. 2019, algorithm 1)."""
    first, last = found[:, :2], found[:, 2:]
    true_first, true_last = true[:, :2], true[:, 2:]
    both = (torch.minimum(last, true_last) - torch.maximum(first, true_first)).clamp(min=0).prod(1)
    union = (last - first).prod(1) + (true_last - true_first).prod(1) - both
    hull = (torch.maximum(last, true_last) - torch.minimum(first, true_first)).prod(1)
    hull = hull.clamp(min=1e-6)
    overlap = both / union.clamp(min=1e-6)
    return overlap, overlap - (hull - union) / hull


def matches(true: NDArray[Any], found: NDArray[Any], void: int = UNKNOWN) -> tuple[int, int]:
    """How many objects are matched one to one by found ones.

    Args:
        true: hw, numbers of the objects, 0 = none, ``void`` = unknown.
        found: hw, numbers of the found ones, 0 = none.
        void: see ``true``.

    Returns:
        (objects that a found one overlaps by ``MATCHED``, objects).
    """
    known = true != void
    numbers = [int(n) for n in np.unique(true[known]) if n]
    matched = 0
    for number in numbers:
        here = true == number
        best = np.bincount(found[here]).argmax() if here.any() else 0
        other = (found == best) & known
        # Above one half, no found object overlaps two.
        enough = (here & other).sum() >= MATCHED * (here | other).sum()
        matched += int(best > 0 and enough)
    return matched, len(numbers)


def _coloured(image: NDArray[np.uint8], labels: NDArray[np.int32]) -> NDArray[np.uint8]:
    """A picture HWC with each object in its own colour; labels hw."""
    large = cv2.resize(
        labels.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_NEAREST
    ).astype(int)
    hues = (np.arange(256) * 67 % 180).astype(np.uint8)
    hsv = np.stack([hues, np.full(256, 230, np.uint8), np.full(256, 255, np.uint8)], axis=1)
    palette = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0].astype(np.float32)
    opacity = np.where(large > 0, 0.6, 0.0)[..., None]
    shown: FloatArray = image + opacity * (palette[large % 256] - image)
    return shown.astype(np.uint8)
