"""Training of the compact segmenter.

With a teacher's constants it begins as the teacher, and learns from labels and from the teacher's soft answers (distillation) to see from
afar what the teacher sees from near. Without, it begins with an encoder that knows ImageNet, and learns from labels alone.
"""

from __future__ import annotations

import argparse
import copy
import os
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.folding import fold_batch_norm
from ...models.segmenter import CompactSegmenter
from ..data.copy_paste import CutOuts
from ..data.labelled import (
    LABELLED,
    NOBODY,
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
from ..segmentation_metrics import confusion, intersection_over_union, predict_labels
from ..teacher import begin_as_teacher, begin_with_imagenet

#: The student's picture is the crop made smaller, down to this share of its side (log-uniform), but for one batch in ``AS_NEAR``: so it
#: learns to see from afar what the teacher sees from near.
FARTHEST, AS_NEAR = 0.5, 2

#: The teacher looks at the crop and once more, mirrored, at so many times its size: the mean of both is better than either. Of a photo of
#: 4:3 it then sees the longer side at 430 to 610 pixels and at 600 to 850: at 1025 its IoU on VOC's animals is 0.71, at 513 0.84.
SECOND_LOOK = 1.4

#: Where objects to paste come from: half of them are people, cut out exactly.
CUT_OUT_OF = (("segmentation/ccp_person", "segmentation/human"), ("segmentation/voc_train",))

#: Longer side in pixels at which a photo is looked at for the held-out figures, and once more from a distance: what is small then was not.
NEAR, FAR = 513, 193

#: Photos a step, and the side of a crop in pixels.
BATCH, SIZE = 6, 321


class Distillation:
    """Cross-entropy on labels plus the teacher's soft answer (KL), on mirrored, scaled, cropped photos with small things pasted in.

    The teacher is the network as it comes, and sees them larger than the student. Without one (``teacher=False``) there are labels alone:
    photos that have none are left out, and batch norm follows the photos.
    """

    def __init__(
        self, network: CompactSegmenter, data: Path, *, batch: int, size: int, learning_rate: float, seed: int, held_out: int,
        workers: int = 0, teacher: bool = True,
    ) -> None:  # fmt: skip
        if not teacher and batch < 2:
            raise ValueError(
                f"expected a batch of 2 or more: batch norm over the whole picture's mean has one value a photo, got {batch}"
            )
        # Without channels_last the depthwise convolutions' backward pass is eleven times slower on a CPU.
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.teacher = (
            fold_batch_norm(copy.deepcopy(network).eval()).requires_grad_(False)
            if teacher
            else None
        )
        files: list[tuple[Path, Path | None]] = []
        for folder in LABELLED:
            for path in sorted((data / folder / "images").glob("*")):
                label = data / folder / "labels" / f"{path.stem}.png"
                files.append((path, label if label.exists() else None))
        if teacher:
            files += [(p, None) for f in UNLABELLED for p in sorted((data / f).glob("*.jpg"))]
        else:
            files = [pair for pair in files if pair[1] is not None]
        if not files:
            raise FileNotFoundError(
                f"{data}: none of {', '.join(LABELLED + (UNLABELLED if teacher else ()))} found below it"
            )
        order = np.random.default_rng(0).permutation(len(files))
        self.held_out = [files[i] for i in order if files[i][1] is not None][:held_out]
        left_out = set(self.held_out)
        files = [f for f in files if f not in left_out]
        things = [
            [
                f
                for f in files
                if f[1] is not None and any(f[0].is_relative_to(data / g) for g in group)
            ]
            for group in CUT_OUT_OF
        ]
        if teacher:
            files = [
                (f, None) if f.is_relative_to(data / TEACHERS_OWN) else (f, label)
                for f, label in files
            ]
        people_only = [data / folder for folder in PEOPLE_ONLY]
        self.crops = LabelledCrops(
            files,
            size=size,
            seed=seed,
            cut_outs=CutOuts(things, read_pair),
            people_only=people_only,
        )
        self.batch, self.learning_rate, self.workers = batch, learning_rate, workers
        fresh = [p for n, p in network.named_parameters() if n.startswith(("decoder.", "head."))]
        old = [p for n, p in network.named_parameters() if not n.startswith(("decoder.", "head."))]
        groups = [
            {"params": old, "lr": learning_rate * 0.2},
            {"params": fresh, "lr": learning_rate},
        ]
        self.modules: dict[str, nn.Module] = {"network": self.network}
        self.optimizers: dict[str, torch.optim.Optimizer] = {"network": torch.optim.Adam(groups)}
        self.clip = {"network": 2.0}
        self.device: torch.device = torch.device("cpu")
        self.autocast: Any = nullcontext

    def prepare(self, fabric: Fabric) -> None:
        """The teacher works where, and as precisely as, the network does."""
        self.device, self.autocast = fabric.device, fabric.autocast
        # Batch norm is the teacher's, folded: it has no statistics to follow, so it stays as in use.
        self.modules["network"].train(self.teacher is None)
        if self.teacher is not None:
            self.teacher.to(fabric.device)

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        return batches(
            self.crops,
            Stream(self.batch, accumulate, rank, world),
            start,
            workers=self.workers,
            to_float=False,
        )

    def set_progress(self, share: float) -> None:
        factor = min(1.0, share / 0.02 + 0.01) * (
            0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * share)))
        )
        for group, base in zip(self.optimizers["network"].param_groups, (0.2, 1.0), strict=True):
            group["lr"] = self.learning_rate * base * factor

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, dict[str, Tensor]]:
        image = batch[0].float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
        label = batch[1].long()
        logits = self.modules["network"](self._from_afar(image)).float()
        hard = label_loss(logits, label)
        if self.teacher is None:
            return {"network": {"hard": hard}}
        height, width = logits.shape[-2:]
        soft = self._looks(image, (height, width))
        distance = F.kl_div(logits.log_softmax(1), soft, reduction="none").sum(1)
        # Of a labelled object the teacher has nothing to say: it misses what is small.
        thing = ((label > 0) & (label < NOBODY)).float()[:, None]
        distance = distance * (1 - F.adaptive_avg_pool2d(thing, (height, width))[:, 0])
        return {"network": {"hard": 0.3 * hard, "soft": 1.0 * distance.mean()}}

    @torch.no_grad()
    def _looks(self, image: Tensor, size: tuple[int, int]) -> Tensor:
        """The mean of what the teacher sees of a batch N3HW from near and from nearer: N(classes)hw probabilities at ``size``."""
        assert self.teacher is not None
        nearer = _resized(image.flip(3), SECOND_LOOK)
        with self.autocast():
            near, nearer = (
                self.teacher(image).float().softmax(1),
                self.teacher(nearer).float().softmax(1).flip(3),
            )
        return (F.adaptive_avg_pool2d(near, size) + F.adaptive_avg_pool2d(nearer, size)) / 2

    def _from_afar(self, image: Tensor) -> Tensor:
        """A batch N3HW made smaller, all of it as much, to a legal size."""
        if int(torch.randint(AS_NEAR, ())) == 0:
            return image
        return _resized(image, FARTHEST ** float(torch.rand(())))

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """IoU on the held-out photos, mean and person, near and far; ``val_mean`` is the mean of both."""
        looks = {"near": NEAR, "far": FAR}
        counts = {name: np.zeros((21, 21), np.int64) for name in looks}
        for path, label_path in self.held_out:
            image, label = read_pair(path, label_path)
            for name, longest in looks.items():
                found_here = predict_labels(network, image, longest, self.device)
                if self.crops.names_people_only(path):
                    # A bicycle beside a person is no mistake.
                    found_here[(label == 0) & (found_here != PERSON)] = 0
                counts[name] += confusion(found_here, label)
        found = {name: intersection_over_union(c) for name, c in counts.items()}
        figures = {
            f"val_{name}_{k}": f[k]
            for name, f in found.items()
            for k in ("mean", "person")
            if k in f
        }
        return figures | {"val_mean": (figures["val_near_mean"] + figures["val_far_mean"]) / 2}

    def samples(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """The first six held-out photos with the found classes beside the labelled ones, in VOC's colours."""
        rows = []
        for path, label_path in self.held_out[:6]:
            image, label = read_pair(path, label_path)
            found = predict_labels(network, image, NEAR, self.device)
            rows.append(
                np.concatenate(
                    [cv2.resize(p, (256, 192)) for p in (image, PALETTE[found], PALETTE[label])],
                    axis=1,
                )
            )
        return np.concatenate(rows) if rows else None


def label_loss(logits: Tensor, label: Tensor) -> Tensor:
    """Cross-entropy with labels of which some say only who is not there.

    Args:
        logits: N(classes)hw, enlarged with aligned corners to the label's size.
        label: NHW class ids, ``NOBODY`` = any class but a person, ``VOID`` = unknown.

    Returns:
        its mean over the known pixels, or over a quarter of all where fewer are known: else each of a few would weigh as much as a picture.
    """
    big = F.interpolate(logits, size=label.shape[-2:], mode="bilinear", align_corners=True)
    entropy = F.cross_entropy(
        big, torch.where(label < NOBODY, label, VOID), ignore_index=VOID, reduction="none"
    )
    nobody = label == NOBODY
    if nobody.any():
        others = torch.cat([big[:, :PERSON], big[:, PERSON + 1 :]], dim=1)
        entropy = torch.where(nobody, big.logsumexp(1) - others.logsumexp(1), entropy)
    return entropy.sum() / (label != VOID).sum().clamp(min=label.numel() // 4)


def _resized(image: Tensor, scale: float) -> Tensor:
    """A batch N3HW at so many times its size, to a legal one."""
    size = [CompactSegmenter.legal_size(round(side * scale)) for side in image.shape[-2:]]
    other = F.interpolate(
        image, size=size, mode="bilinear", align_corners=False, antialias=scale < 1
    )
    return other.contiguous(memory_format=torch.channels_last)


def make_distillation(args: argparse.Namespace) -> tuple[Distillation, dict[str, Any]]:
    """The task of ``train-inpainter compact-segmenter``."""
    network, teacher = CompactSegmenter(), args.encoder != "imagenet"
    if teacher:
        begin_as_teacher(network, Path(args.encoder))
    else:
        begin_with_imagenet(network)
    task = Distillation(
        network, args.data, batch=args.batch or BATCH, size=args.size or SIZE, seed=args.seed, held_out=args.held_out,
        learning_rate=args.learning_rate or (1e-4 if teacher else 1e-3), workers=args.workers, teacher=teacher,
    )  # fmt: skip
    steps = 1600 if args.steps is None else args.steps
    return task, {
        "folders": LABELLED + (UNLABELLED if teacher else ()),
        "teacher" if teacher else "encoder": Path(args.encoder).name,
        "pictures": len(task.crops.files),
        "steps": steps,
        "batch": task.batch * args.accumulate * int(os.environ.get("WORLD_SIZE", args.devices)),
        "average": 0.999,
        "options": f" --encoder {Path(args.encoder).name} --steps {steps} --batch {task.batch} --size {task.crops.size}"
        f" --learning-rate {task.learning_rate}",
    }
