"""Training of the compact segmenter.

With a teacher's constants the network starts as the teacher. It then learns from labels and
from the teacher's soft predictions (distillation): it sees a smaller picture than the teacher
and learns to predict the same. Without a teacher it starts with an ImageNet encoder and learns
from labels alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.categories import CATEGORIES
from ...models.folding import fold_batch_norm
from ...models.segmenter import CompactSegmenter
from ..data.copy_paste import CopyPaste, Pair
from ..data.labelled import (
    LABELLED,
    NOT_PERSON,
    PALETTE,
    PEOPLE_ONLY,
    PERSON,
    TEACHERS_OWN,
    UNLABELLED,
    VOID,
    LabelledCrops,
    read_pair,
)
from ..data.pictures import Stream, batches
from ..recipe import Preset, Recipe
from ..request import Request
from ..segmentation_metrics import confusion, intersection_over_union, predict_labels
from ..teacher import init_from_imagenet, init_from_teacher
from .base import Losses, NetworkTask, cosine_decay, short_warm_up

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: The student sees the crop reduced to this share of its side or more (log-uniform), except in
#: one of ``FULL_SIZE_EVERY`` batches: it learns to see at a distance what the teacher sees
#: close up.
SMALLEST_SCALE, FULL_SIZE_EVERY = 0.5, 2

#: The teacher sees the crop twice: as it is, and mirrored at this multiple of its size. The
#: mean of both is better than either. Of a 4:3 photo it then sees the longer side at 430 to 610
#: and at 600 to 850 pixels; at 1025 its IoU on VOC's animals is 0.71, at 513 it is 0.84.
SECOND_SCALE = 1.4

#: Folders that objects to paste are cut from: half of them are people with exact outlines.
PASTE_FROM = (("segmentation/ccp_person", "segmentation/human"), ("segmentation/voc_train",))

#: Longer sides in pixels of the held-out photos: close up, and at a distance, where objects
#: that were large are small.
NEAR, FAR = 513, 193

#: Default batch, side of a crop in pixels, and steps of a run.
BATCH, SIZE, STEPS = 6, 321, 1600
#: Default learning rates with a teacher and with an ImageNet encoder.
TEACHER_RATE, IMAGENET_RATE = 1e-4, 1e-3


class Distillation(NetworkTask):
    """Cross-entropy on labels plus the KL divergence from the teacher's soft predictions.

    The pictures are mirrored, scaled, cropped photos with small objects pasted in. The teacher
    is the network in its initial state; it sees them larger than the student does. Without a
    teacher only labels count: photos without a label are left out, and batch norm follows the
    photos.

    Args:
        network: in its initial state.
        data: data folder that holds the label folders.
        batch: photos per batch and process.
        size: side of a crop in pixels, 16 k + 1.
        learning_rate: of the decoder; the encoder's is a fifth of it.
        seed: of order, crops and pasted objects.
        held_out: labelled photos kept from training.
        workers: processes that decode photos.
        teacher: whether ``network`` is a teacher to distil from.

    Raises:
        FileNotFoundError: the data folder holds none of the photos.
        ValueError: batch norm without a teacher needs a batch of 2 or more.
    """

    network_class: ClassVar[type[nn.Module]] = CompactSegmenter
    preprocessing: ClassVar[str] = (
        "longer side to 513 pixels, padded with 0 to 16k+1, RGB / 127.5 - 1"
    )

    def __init__(
        self,
        network: CompactSegmenter,
        data: Path,
        *,
        batch: int,
        size: int,
        learning_rate: float,
        seed: int,
        held_out: int,
        workers: int = 0,
        teacher: bool = True,
    ) -> None:
        if not teacher and batch < 2:
            raise ValueError(
                "expected a batch of 2 or more: "
                f"batch norm of the picture's mean has one value per photo, got {batch}"
            )
        # Without channels_last the depthwise convolutions' backward pass is eleven times slower
        # on a CPU.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = (
            fold_batch_norm(copy.deepcopy(network).eval()).requires_grad_(False)
            if teacher
            else None
        )
        files = _photos(data, teacher=teacher)
        order = np.random.default_rng(0).permutation(len(files))
        self.held_out = [files[i] for i in order if files[i][1] is not None][:held_out]
        held = set(self.held_out)
        files = [f for f in files if f not in held]
        sources = [
            [
                f
                for f in files
                if f[1] is not None and any(f[0].is_relative_to(data / g) for g in group)
            ]
            for group in PASTE_FROM
        ]
        if teacher:
            files = [
                (f, None) if f.is_relative_to(data / TEACHERS_OWN) else (f, label)
                for f, label in files
            ]
        self.crops = LabelledCrops(
            files,
            size=size,
            seed=seed,
            copy_paste=CopyPaste(sources, read_pair),
            people_only=[data / folder for folder in PEOPLE_ONLY],
        )
        self.batch, self.learning_rate, self.workers = batch, learning_rate, workers
        fresh = [p for n, p in network.named_parameters() if n.startswith(("decoder.", "head."))]
        old = [p for n, p in network.named_parameters() if not n.startswith(("decoder.", "head."))]
        groups = [
            {"params": old, "lr": learning_rate * 0.2},
            {"params": fresh, "lr": learning_rate},
        ]
        self.modules = {"network": self.network}
        self.optimizers = {"network": torch.optim.Adam(groups)}
        self.clip = {"network": 2.0}
        self.device: torch.device = torch.device("cpu")
        self.autocast: Any = nullcontext

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The encoder decides whether there is a teacher."""
        data = request.data_folder
        name = request.encoder or "imagenet"
        network, teacher = CompactSegmenter(), name != "imagenet"
        if teacher:
            init_from_teacher(network, Path(name))
        else:
            init_from_imagenet(network)
        task = cls(
            network,
            data,
            batch=request.batch or BATCH,
            size=request.size or SIZE,
            seed=request.seed,
            held_out=request.held_out_samples,
            learning_rate=request.learning_rate or (TEACHER_RATE if teacher else IMAGENET_RATE),
            workers=request.workers,
            teacher=teacher,
        )
        steps = STEPS if request.steps is None else request.steps
        encoder = Path(name).name
        return task, Recipe(
            folders=LABELLED + (UNLABELLED if teacher else ()),
            pictures=len(task.crops.files),
            steps=steps,
            batch=request.pictures_per_step(task.batch),
            facts={
                "teacher" if teacher else "encoder": encoder,
                "size": task.crops.size,
                "learning_rate": task.learning_rate,
            },
        )

    @classmethod
    def index_facts(cls) -> dict[str, Any]:
        """The names of the classes, by index."""
        return {"categories": list(CATEGORIES)}

    def prepare(self, fabric: Fabric) -> None:
        """Move the teacher to the network's device, and use the run's precision for both."""
        self.device, self.autocast = fabric.device, fabric.autocast
        # With a teacher, batch norm is the teacher's folded one: it has no statistics to
        # follow, so it stays in evaluation mode.
        self.modules["network"].train(self.teacher is None)
        if self.teacher is not None:
            self.teacher.to(fabric.device)

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """(photos N3HW uint8, labels NHW uint8); see ``train.engine.Task``."""
        return batches(
            self.crops,
            Stream(self.batch, accumulate, rank, world),
            start,
            workers=self.workers,
            to_float=False,
        )

    def set_progress(self, share: float) -> None:
        """Set the learning rates: a short linear warm-up, then a cosine to a fiftieth."""
        factor = short_warm_up(share) * cosine_decay(share, 0.02)
        for group, base in zip(self.optimizers["network"].param_groups, (0.2, 1.0), strict=True):
            group["lr"] = self.learning_rate * base * factor

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``hard``: ``label_loss``; ``soft``: KL divergence from the teacher outside of objects."""
        image = batch[0].float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        label = batch[1].long()
        logits = self.modules["network"](self._reduce(image)).float()
        hard = label_loss(logits, label)
        if self.teacher is None:
            return {"network": {"hard": hard}}
        height, width = logits.shape[-2:]
        soft = self._teach(image, (height, width))
        distance = F.kl_div(logits.log_softmax(1), soft, reduction="none").sum(1)
        # The teacher has no say on labelled objects: it misses the small ones.
        labelled = ((label > 0) & (label < NOT_PERSON)).float()[:, None]
        distance = distance * (1 - F.adaptive_avg_pool2d(labelled, (height, width))[:, 0])
        return {"network": {"hard": 0.3 * hard, "soft": 1.0 * distance.mean()}}

    @torch.no_grad()
    def _teach(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """The mean of the teacher's two predictions for a batch N3HW: N(classes)hw at ``size``."""
        assert self.teacher is not None
        enlarged = _resized(image.flip(3), SECOND_SCALE)
        with self.autocast():
            first = self.teacher(image).float().softmax(1)
            second = self.teacher(enlarged).float().softmax(1).flip(3)
        return (F.adaptive_avg_pool2d(first, size) + F.adaptive_avg_pool2d(second, size)) / 2

    def _reduce(self, image: Tensor) -> Tensor:
        """A batch N3HW reduced to a random legal size, or, in some batches, as it is."""
        if int(torch.randint(FULL_SIZE_EVERY, ())) == 0:
            return image
        return _resized(image, SMALLEST_SCALE ** float(torch.rand(())))

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """IoU on the held-out photos, mean and person, near and far, and the mean of both."""
        distances = {"near": NEAR, "far": FAR}
        counts = {name: np.zeros((21, 21), np.int64) for name in distances}
        for path, label_path in self.held_out:
            image, label = read_pair(path, label_path)
            for name, longest in distances.items():
                predicted = predict_labels(network, image, longest, self.device)
                if self.crops.names_people_only(path):
                    # A bicycle beside a person is not a mistake: the labels name only people.
                    predicted[(label == 0) & (predicted != PERSON)] = 0
                counts[name] += confusion(predicted, label)
        ious = {name: intersection_over_union(c) for name, c in counts.items()}
        metrics = {
            f"val_{name}_{k}": iou[k]
            for name, iou in ious.items()
            for k in ("mean", "person")
            if k in iou
        }
        return metrics | {"val_mean": (metrics["val_near_mean"] + metrics["val_far_mean"]) / 2}

    def samples(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """The first six held-out photos beside predicted and labelled classes in VOC's colours."""
        rows = []
        for path, label_path in self.held_out[:6]:
            image, label = read_pair(path, label_path)
            predicted = predict_labels(network, image, NEAR, self.device)
            columns = (image, PALETTE[predicted], PALETTE[label])
            rows.append(np.concatenate([cv2.resize(c, (256, 192)) for c in columns], axis=1))
        return np.concatenate(rows) if rows else None


def _photos(data: Path, *, teacher: bool) -> list[Pair]:
    """Every photo to train on with its label; a photo without a label only if there is a teacher.

    Raises:
        FileNotFoundError: there are none.
    """
    photos: list[Pair] = []
    for folder in LABELLED:
        for path in sorted((data / folder / "images").glob("*")):
            label = data / folder / "labels" / f"{path.stem}.png"
            photos.append((path, label if label.exists() else None))
    if teacher:
        photos += [(p, None) for f in UNLABELLED for p in sorted((data / f).glob("*.jpg"))]
    else:
        photos = [pair for pair in photos if pair[1] is not None]
    if not photos:
        folders = ", ".join(LABELLED + (UNLABELLED if teacher else ()))
        raise FileNotFoundError(f"{data}: none of {folders} found below it")
    return photos


def label_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy with labels, some of which only exclude a person.

    Args:
        logits: N(classes)hw, enlarged with aligned corners to the label's size.
        label: NHW class ids; ``NOT_PERSON`` = any class but a person, ``VOID`` = unknown.

    Returns:
        The mean over the known pixels, or their sum over a quarter of all pixels if fewer are
        known: otherwise each of a few pixels would weigh as much as a picture.
    """
    big = F.interpolate(logits, size=label.shape[-2:], mode="bilinear", align_corners=True)
    entropy = F.cross_entropy(
        big, torch.where(label < NOT_PERSON, label, VOID), ignore_index=VOID, reduction="none"
    )
    not_person = label == NOT_PERSON
    if not_person.any():
        others = torch.cat([big[:, :PERSON], big[:, PERSON + 1 :]], dim=1)
        entropy = torch.where(not_person, big.logsumexp(1) - others.logsumexp(1), entropy)
    return entropy.sum() / (label != VOID).sum().clamp(min=label.numel() // 4)


def _resized(image: Tensor, scale: float) -> Tensor:
    """A batch N3HW at ``scale`` times its size, rounded to a legal one."""
    size = [CompactSegmenter.legal_size(round(side * scale)) for side in image.shape[-2:]]
    other = F.interpolate(
        image, size=size, mode="bilinear", align_corners=False, antialias=scale < 1
    )
    return other.contiguous(memory_format=torch.channels_last)
