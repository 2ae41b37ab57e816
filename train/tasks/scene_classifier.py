"""Fine-tuning of the classifier behind Similarity on a folder of classes, as Places has it (Wu & Cui, 4.1).

What comes out scores pictures and must never train an inpainter.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import Dataset

from .. import classifiers
from ..classifiers import PlacesVGG16BN, PlacesVGG16BNConfig
from ..data.pictures import Shuffled, Stream, batches, find_images, random_crop, read_rgb, square
from .base import split

log = logging.getLogger(__name__)
Labelled = tuple[Path, int]


def find_classes(folders: Sequence[Path]) -> tuple[tuple[str, ...], list[Labelled]]:
    """The classes below the folders, by name, and every picture with its class's index.

    A class is a folder that directly holds pictures, and its name the path to it: Places' ``a/airfield`` and
    ``a/apartment_building/outdoor`` are classes, ``a`` is none. The same name below two folders is one class.

    Raises:
        FileNotFoundError: no pictures at all.
        ValueError: a picture lies outside every class, or there are fewer than two.
    """
    found: list[tuple[Path, str]] = []
    for folder in folders:
        for path in find_images([folder]):
            name = path.parent.relative_to(folder).as_posix()
            if name == ".":
                raise ValueError(
                    f"{path}: lies in no class; expected a sub-folder of {folder} for each class, or name a folder above"
                )
            found.append((path, name))
    names = tuple(sorted({name for _, name in found}))
    if len(names) < 2:
        raise ValueError(
            f"one class ({names[0]}) below {', '.join(map(str, folders))}; expected a sub-folder for each of two or more"
        )
    index = {name: i for i, name in enumerate(names)}
    return names, [(path, index[name]) for path, name in found]


class LabelledPictures(Shuffled, Dataset[tuple[Tensor, int]]):
    """An endless row of (crop, class): sample n is a function of ``seed`` and n alone; a half to all of a picture, mirrored or not."""

    def __init__(self, files: Sequence[Labelled], *, size: int, seed: int) -> None:
        super().__init__([path for path, _ in files], seed)
        self.labels, self.size = [label for _, label in files], size

    def __getitem__(self, n: int) -> tuple[Tensor, int]:
        """(3HW uint8 RGB, class)."""
        place, picture = self.picture(n)
        crop = random_crop(
            picture, self.size, np.random.default_rng((self.seed, n)), zoom=(0.5, 1.0)
        )
        return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))), self.labels[place]


class ClassifierTask:
    """Cross-entropy; SGD with momentum, as VGG was trained (Simonyan & Zisserman 2015, 3.1).

    Args:
        network: as ``PlacesVGG16BN``; its config says how many classes and which size.
        files: pictures to train on, with their classes.
        held_out: never trained on; an unreadable one is reported and left out.
        batch: pictures a batch and process.
        learning_rate: at its highest.
        seed: of order and crops.
        workers: processes that decode pictures.
    """

    def __init__(
        self, network: PlacesVGG16BN, files: Sequence[Labelled], held_out: Sequence[Labelled], *, batch: int, learning_rate: float,
        seed: int = 0, workers: int = 0,
    ) -> None:  # fmt: skip
        self.network: nn.Module = network
        self.size = network.config.size
        self.pictures = LabelledPictures(files, size=self.size, seed=seed)
        self.held_out, self.batch, self.learning_rate, self.workers = (
            list(held_out),
            batch,
            learning_rate,
            workers,
        )
        self.modules: dict[str, nn.Module] = {"network": network}
        sgd = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4)
        self.optimizers: dict[str, torch.optim.Optimizer] = {"network": sgd}
        self.clip: dict[str, float] = {}
        self.device = torch.device("cpu")

    def prepare(self, fabric: Fabric) -> None:
        """The held-out pictures go where the network is."""
        self.device = fabric.device

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        return batches(
            self.pictures,
            Stream(self.batch, accumulate, rank, world),
            start,
            workers=self.workers,
            to_float=False,
        )

    def set_progress(self, share: float) -> None:
        """A short linear warm-up for the new layer's sake, then a cosine down to a hundredth."""
        factor = min(1.0, share / 0.02 + 0.01) * (
            0.01 + 0.99 * 0.5 * (1 + float(np.cos(np.pi * share)))
        )
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.learning_rate * factor

    def losses(self, batch: tuple[Tensor, ...]) -> dict[str, dict[str, Tensor]]:
        """Of (pictures N3HW uint8, classes N)."""
        pictures, labels = batch
        logits = self.modules["network"](pictures.float().div(255)).float()
        return {"network": {"entropy": F.cross_entropy(logits, labels)}}

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """On the held-out pictures' centred squares: share right at first (``val_accuracy``) and in the first five, mean entropy."""
        right = right5 = entropy = 0.0
        count = 0
        for start in range(0, len(self.held_out), 16):
            pictures, labels = self._read(self.held_out[start : start + 16])
            if not len(labels):
                continue
            logits = network(pictures).float()
            first = logits.topk(min(5, logits.shape[1])).indices == labels[:, None]
            right, right5 = right + float(first[:, 0].sum()), right5 + float(first.any(1).sum())
            entropy += float(F.cross_entropy(logits, labels, reduction="sum"))
            count += len(labels)
        if not count:
            raise OSError(
                f"none of {len(self.held_out)} held-out pictures can be read, from {self.held_out[0][0]} on"
            )
        return {
            "val_accuracy": right / count,
            "val_accuracy5": right5 / count,
            "val_loss": entropy / count,
        }

    def _read(self, files: Sequence[Labelled]) -> tuple[Tensor, Tensor]:
        pictures, labels = [], []
        for path, label in files:
            try:
                pictures.append(
                    torch.from_numpy(square(read_rgb(path), self.size).transpose(2, 0, 1))
                )
            except OSError as error:
                log.warning("%s; left out", error)
                continue
            labels.append(label)
        stacked = torch.stack(pictures) if pictures else torch.empty(0, 3, self.size, self.size)
        return stacked.to(self.device).float().div(255), torch.tensor(
            labels, dtype=torch.long, device=self.device
        )

    def samples(self, network: nn.Module) -> None:
        """A class is nothing to look at."""


def make_classifier(args: argparse.Namespace) -> tuple[ClassifierTask, dict[str, Any]]:
    """The task of ``train-inpainter scene-classifier``, and its recipe."""
    if not args.images:
        raise ValueError(
            "scene-classifier needs --images: a folder with a sub-folder of pictures for each class"
        )
    names, files = find_classes(args.images)
    training, held_out = split(files, args.held_out)
    unseen = set(range(len(names))) - {label for _, label in training}
    if unseen:
        log.warning(
            "no picture left to train on for %s; set --held-out lower",
            ", ".join(names[i] for i in sorted(unseen)),
        )
    config = PlacesVGG16BNConfig(len(names), names, args.size or PlacesVGG16BNConfig.size)
    run = args.run or Path("runs") / args.model
    # What a checkpoint overwrites need not be had: an export, and a resumed run, work offline.
    begun = args.export or (run / "checkpoint.pt").exists()
    backbone = classifiers.untrained_backbone() if begun else classifiers.imagenet_backbone()
    batch, learning_rate = args.batch or 32, args.learning_rate or 1e-3
    task = ClassifierTask(
        PlacesVGG16BN(config, backbone),
        training,
        held_out,
        batch=batch,
        learning_rate=learning_rate,
        seed=args.seed,
        workers=args.workers,
    )
    of_step = batch * args.accumulate * int(os.environ.get("WORLD_SIZE", args.devices))
    steps = args.steps if args.steps is not None else max(1, 10 * len(training) // of_step)
    counts = Counter(label for _, label in training)
    return task, {
        "folders": tuple(map(str, args.images)),
        "source": "--images DIR",
        "use": "scores pictures; must never train an inpainter",
        "classes": len(names),
        "pictures": len(training),
        "pictures_of_smallest_class": min(counts.values()),
        "held_out": len(held_out),
        "steps": steps,
        "batch": of_step,
        "average": 0.999,
        "options": f" --steps {steps} --batch {batch} --size {config.size} --learning-rate {learning_rate} --held-out {len(held_out)}"
        + (f" --accumulate {args.accumulate}" if args.accumulate != 1 else ""),
    }
