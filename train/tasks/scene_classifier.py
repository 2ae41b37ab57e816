"""Fine-tuning of the classifier behind Similarity on folders of classes, as in Places.

Wu & Cui, section 4.1. The classifier scores pictures and must never train an inpainter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import Dataset

from .. import classifiers
from ..classifiers import PlacesVGG16BN, PlacesVGG16BNConfig
from ..data.datasets import find_dataset
from ..data.pictures import (
    Shuffled,
    Stream,
    batches,
    find_images,
    random_crop,
    read_rgb,
    split,
    square,
)
from ..recipe import Preset, Recipe
from ..request import Request
from .base import Losses, NetworkTask, cosine_decay, short_warm_up

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

#: A picture and the index of its class.
Labelled = tuple[Path, int]

#: Default batch, learning rate, and epochs of a run.
BATCH, LEARNING_RATE, EPOCHS = 32, 1e-3, 10


def find_classes(folders: Sequence[Path]) -> tuple[tuple[str, ...], list[Labelled]]:
    """``name_classes`` of all pictures below the folders."""
    return name_classes([(folder, path) for folder in folders for path in find_images([folder])])


def name_classes(
    pictures: Sequence[tuple[Path, Path]],
) -> tuple[tuple[str, ...], list[Labelled]]:
    """The classes of pictures, by name, and every picture with its class's index.

    Args:
        pictures: (folder that holds the classes, picture below it).

    A class is a folder that directly holds pictures, and its name is the path to it: Places'
    ``a/airfield`` and ``a/apartment_building/outdoor`` are classes, ``a`` is not. Folders of
    the same name below two of the given folders are one class.

    Raises:
        FileNotFoundError: there are no pictures.
        ValueError: a picture lies outside every class, or there are fewer than two classes.
    """
    named: list[tuple[Path, str]] = []
    for folder, path in pictures:
        name = path.parent.relative_to(folder).as_posix()
        if name == ".":
            raise ValueError(
                f"{path}: lies in no class; "
                f"expected a sub-folder of {folder} for each class, or name a folder above"
            )
        named.append((path, name))
    names = tuple(sorted({name for _, name in named}))
    if len(names) < 2:
        folders = dict.fromkeys(str(folder) for folder, _ in pictures)
        raise ValueError(
            f"one class ({names[0]}) below {', '.join(folders)}; "
            "expected a sub-folder for each of two or more"
        )
    index = {name: i for i, name in enumerate(names)}
    return names, [(path, index[name]) for path, name in named]


class LabelledPictures(Shuffled, Dataset[tuple[Tensor, int]]):
    """An endless sequence of (crop, class): sample n is a function of ``seed`` and n alone.

    A crop is half to all of a picture, mirrored or not.
    """

    def __init__(self, files: Sequence[Labelled], *, size: int, seed: int) -> None:
        super().__init__([path for path, _ in files], seed)
        self.labels, self.size = [label for _, label in files], size

    def __getitem__(self, n: int) -> tuple[Tensor, int]:
        """(3HW uint8 RGB, class index)."""
        place, picture = self.picture(n)
        crop = random_crop(
            picture, self.size, np.random.default_rng((self.seed, n)), zoom=(0.5, 1.0)
        )
        return torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))), self.labels[place]


class ClassifierTask(NetworkTask):
    """Cross-entropy; SGD with momentum as VGG was trained (Simonyan & Zisserman 2015, section 3.1).

    Args:
        network: a ``PlacesVGG16BN``; its config holds the number of classes and the input size.
        files: pictures to train on, with their classes.
        held_out: pictures that are never trained on; unreadable ones are logged and left out.
        batch: pictures per batch and process.
        learning_rate: at its highest.
        seed: of order and crops.
        workers: processes that decode pictures.
    """

    network_class: ClassVar[type[nn.Module]] = PlacesVGG16BN
    takes_dataset: ClassVar[bool] = True

    preprocessing: ClassVar[str] = "224x224 (size in the config), RGB / 255"

    def __init__(
        self,
        network: PlacesVGG16BN,
        files: Sequence[Labelled],
        held_out: Sequence[Labelled],
        *,
        batch: int,
        learning_rate: float,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        self.network = network
        self.size = network.config.size
        self.pictures = LabelledPictures(files, size=self.size, seed=seed)
        self.held_out = list(held_out)
        self.batch, self.learning_rate, self.workers = batch, learning_rate, workers
        self.modules = {"network": network}
        sgd = torch.optim.SGD(network.parameters(), learning_rate, momentum=0.9, weight_decay=5e-4)
        self.optimizers = {"network": sgd}
        self.clip = {}
        self.device = torch.device("cpu")

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The classes are those of ``request.images``, or Places2's.

        Raises:
            ValueError: the request names no classes.
        """
        folders: tuple[str, ...] = ()
        split_facts: dict[str, Any] = {}
        if request.dataset == "places2":
            ((name, root),) = request.datasets
            places = find_dataset(name, root)
            names, files = name_classes([(places.folder, path) for path in places.train])
            folders = (name,)
            split_facts = {"split": places.split}
        elif request.images:
            names, files = find_classes(request.images)
        else:
            raise ValueError(
                f"{request.model} needs --images: "
                "a folder with a sub-folder of pictures for each class, or --dataset places2"
            )
        training, held_out = split(files, request.held_out_of(len(files)))
        counts = Counter(label for _, label in training)
        unseen = [name for i, name in enumerate(names) if not counts[i]]
        if unseen:
            log.warning(
                "no picture left to train on for %s; set --held-out lower", ", ".join(unseen)
            )
        config = PlacesVGG16BNConfig(len(names), names, request.size or PlacesVGG16BNConfig.size)
        # Initial weights that a checkpoint overwrites need not be downloaded.
        backbone = (
            classifiers.untrained_backbone()
            if request.has_checkpoint
            else classifiers.imagenet_backbone()
        )
        batch = request.batch or BATCH
        learning_rate = request.learning_rate or LEARNING_RATE
        task = cls(
            PlacesVGG16BN(config, backbone),
            training,
            held_out,
            batch=batch,
            learning_rate=learning_rate,
            seed=request.seed,
            workers=request.workers,
        )
        per_step = request.pictures_per_step(batch)
        length = max(1, EPOCHS * len(training) // per_step)
        steps = length if request.steps is None else request.steps
        return task, Recipe(
            folders=folders,
            images=request.shown_images,
            pictures=len(training),
            steps=steps,
            batch=per_step,
            facts={
                **split_facts,
                "use": "scores pictures; must never train an inpainter",
                "classes": len(names),
                "size": config.size,
                "learning_rate": learning_rate,
                "pictures_of_smallest_class": min(counts.values()),
                "held_out": len(held_out),
            },
        )

    def prepare(self, fabric: Fabric) -> None:
        """Use the network's device for the held-out pictures."""
        self.device = fabric.device

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """(pictures N3HW uint8, classes N); see ``train.engine.Task``."""
        return batches(
            self.pictures,
            Stream(self.batch, accumulate, rank, world),
            start,
            workers=self.workers,
            to_float=False,
        )

    def set_progress(self, share: float) -> None:
        """Set the learning rate: a warm-up for the new layer, then a cosine to a hundredth."""
        factor = short_warm_up(share) * cosine_decay(share, 0.01)
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.learning_rate * factor

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """Cross-entropy of (pictures N3HW uint8, classes N)."""
        pictures, labels = batch
        logits = self.modules["network"](pictures.float().div(255)).float()
        return {"network": {"entropy": F.cross_entropy(logits, labels)}}

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Accuracy on the centre squares of the held-out pictures.

        Returns:
            ``val_accuracy``: share of top-1 hits; ``val_accuracy5``: share of top-5 hits;
            ``val_loss``: mean cross-entropy.

        Raises:
            OSError: no held-out picture can be read.
        """
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
                f"none of {len(self.held_out)} held-out pictures can be read, "
                f"from {self.held_out[0][0]} on"
            )
        return {
            "val_accuracy": right / count,
            "val_accuracy5": right5 / count,
            "val_loss": entropy / count,
        }

    def _read(self, files: Sequence[Labelled]) -> tuple[Tensor, Tensor]:
        """(pictures N3HW in [0, 1], classes N) of the readable files, on the network's device."""
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
        """None: a class cannot be shown as a picture."""
