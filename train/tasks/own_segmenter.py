"""Training of a segmenter for one's own classes, by segmentation-models-pytorch (smp).

Any architecture and encoder of smp. Few photos teach the decoder alone, on crops that differ much
from them; hundreds teach the whole network.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.own_segmenter import (
    ARCHITECTURES,
    CARD,
    IMAGENET,
    Normalisation,
    build,
    check_class_names,
    metadata,
    multiple,
    normalised,
    photo_probabilities,
    refuse_other_model,
    shortened,
)
from ...pipeline.detect.segmenters import resize_longest
from ...pipeline.given import closest
from ...pipeline.pixels import resize
from ...pipeline.system.atomic import atomic_write
from ...pipeline.system.extras import import_extra
from ..best import Averaged
from ..data.labelled import PALETTE, VOID
from ..data.own_labels import (
    STRONG,
    USUAL,
    LabelledCrops,
    LabelledPhotos,
    find_labelled,
    read_labelled,
)
from ..data.pictures import Stream, batches, split
from ..recipe import Preset, Recipe
from ..request import PLACEHOLDER, Request
from .base import Losses, NetworkTask, cosine_decay, short_warm_up

if TYPE_CHECKING:
    from lightning_fabric import Fabric

log = logging.getLogger(__name__)

#: Default batch, side of a crop in pixels, steps of a run, and learning rate.
BATCH, SIZE, STEPS, RATE = 8, 256, 3000, 1e-3
#: The encoder learns at this share of the decoder's rate if it begins trained.
ENCODER_SHARE = 0.3
#: From so many photos on the encoder learns too.
HUNDREDS = 200
#: Longer side in pixels at which a photo is seen: larger photos are reduced to it.
LONGEST = 1024
#: The file of a run's folder that says what its encoder began with.
BEGUN = "encoder.json"
#: Weight of the Dice loss, which sees a thin class where cross-entropy sees the background.
DICE = 0.5


class Start(NamedTuple):
    """What a network's encoder begins with.

    Attributes:
        weights: its name: ``imagenet`` and the like, ``compact`` or ``none``.
        normalisation: of the pictures that it expects.
        said: a sentence about why.
        fresh: prefixes of the encoder's parameters that begin at random.
    """

    weights: str
    normalisation: Normalisation
    said: str
    fresh: tuple[str, ...] = ()


class OwnSegmenterTask(NetworkTask):
    """Cross-entropy and Dice loss on crops of labelled photos.

    Args:
        network: of smp.
        start: what its encoder begins with.
        classes: names of the classes 1, 2 and so on.
        photos: to train on.
        held_out: photos that are never trained on.
        batch: crops per batch and process.
        size: side of a crop in pixels.
        learning_rate: of the decoder, at its highest.
        seed: of order and crops.
        workers: processes that decode photos.
        freeze: whether the encoder keeps its weights.

    Raises:
        ValueError: the batch is too small, or the size does not fit the network.
    """

    telling = ("entropy", "dice")
    preprocessing: ClassVar[str] = "RGB / 255, less the mean, by the deviation of config.json"
    saves: ClassVar[bool] = True

    def __init__(
        self,
        network: nn.Module,
        start: Start,
        classes: tuple[str, ...],
        photos: LabelledPhotos,
        held_out: LabelledPhotos,
        *,
        batch: int,
        size: int,
        learning_rate: float,
        seed: int,
        workers: int = 0,
        freeze: bool,
    ) -> None:
        if batch < 2:
            raise ValueError(f"--batch {batch}: batch norm needs 2 or more pictures")
        divisor = multiple(network)
        if size % divisor:
            raise ValueError(
                f"--size {size}: this network takes multiples of {divisor}, such as "
                f"{max(1, round(size / divisor)) * divisor}"
            )
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.start, self.classes, self.held_out = start, classes, held_out
        self.crops = LabelledCrops(
            photos,
            size=size,
            longest=LONGEST,
            seed=seed,
            augmentation=STRONG if freeze else USUAL,
        )
        self.batch, self.learning_rate, self.workers = batch, learning_rate, workers
        own: Any = network.encoder
        encoder = [
            (name, p) for name, p in own.named_parameters() if not name.startswith(start.fresh)
        ]
        if freeze:
            for _, parameter in encoder:
                parameter.requires_grad_(False)
        self.frozen = freeze
        trained = {id(p) for _, p in encoder} if start.weights != "none" else set()
        groups = [
            [p for p in network.parameters() if p.requires_grad and id(p) in trained],
            [p for p in network.parameters() if p.requires_grad and id(p) not in trained],
        ]
        self.shares = tuple(s for s, g in zip((ENCODER_SHARE, 1.0), groups, strict=True) if g)
        self.modules = {"network": self.network}
        self.optimizers = {
            "network": torch.optim.AdamW(
                [{"params": g, "lr": learning_rate} for g in groups if g], weight_decay=1e-4
            )
        }
        self.clip = {"network": 5.0}
        self.device: torch.device = torch.device("cpu")

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``."""
        if not request.images or request.labels is None or not request.classes:
            raise ValueError(
                "segmenter needs --images DIR, the photos, --labels DIR, a PNG for each by the "
                "same name (0 = none, 1 = the first class, …, 255 = unknown), and --classes "
                "NAME,…, the classes' names in that order"
            )
        classes = check_class_names([name.strip() for name in request.classes.split(",")])
        network, arch, encoder = _network(request, len(classes) + 1)
        found = find_labelled(request.images, request.labels, classes)
        start = _begun(request, classes)
        if start is None:
            start = _started(network, encoder, request.encoder_weights)
        training, held_out = split(found.pairs, request.held_out_of(len(found.pairs)))
        freeze = len(training) < HUNDREDS and start.weights != "none"
        _tell(start, classes, found, len(training), freeze=freeze)
        task = cls(
            network,
            start,
            classes,
            LabelledPhotos(tuple(training), found.white, found.counts),
            LabelledPhotos(tuple(held_out), found.white, found.counts),
            batch=request.batch or BATCH,
            size=request.size or SIZE,
            learning_rate=request.learning_rate or RATE,
            seed=request.seed,
            workers=request.workers,
            freeze=freeze,
        )
        _remember(request, start, classes)
        steps = STEPS if request.steps is None else request.steps
        return task, Recipe(
            folders=(),
            images=request.shown_images,
            pictures=len(training),
            steps=steps,
            batch=request.pictures_per_step(task.batch),
            average=0.998,
            size=task.crops.size,
            facts={
                "classes": ",".join(classes),
                "arch": arch,
                "encoder": encoder,
                "encoder_weights": start.weights,
                "learning_rate": task.learning_rate,
            },
        )

    def prepare(self, fabric: Fabric) -> None:
        """See ``train.engine.Task``."""
        self.device = fabric.device
        self._training()

    def _training(self) -> None:
        """Put the network into training mode; a frozen encoder keeps its statistics too."""
        self.modules["network"].train()
        if self.frozen:
            for name, module in self.network.encoder.named_modules():  # type: ignore[union-attr]
                if not name.startswith(self.start.fresh):
                    module.training = False

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """(crops N3HW uint8, labels NHW uint8); see ``train.engine.Task``."""
        stream = Stream(self.batch, accumulate, rank, world)
        return batches(self.crops, stream, start, workers=self.workers, to_float=False)

    def set_progress(self, share: float) -> None:
        """Set the learning rates: a short linear warm-up, then a cosine to a fiftieth."""
        factor = short_warm_up(share) * cosine_decay(share, 0.02)
        groups = self.optimizers["network"].param_groups
        for group, base in zip(groups, self.shares, strict=True):
            group["lr"] = self.learning_rate * base * factor

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``entropy``: cross-entropy; ``dice``: of the classes, both over the known pixels."""
        picture = normalised(batch[0], self.start.normalisation)
        label = batch[1].long()
        found = self.modules["network"](picture.contiguous(memory_format=torch.channels_last))
        logits = (found[0] if isinstance(found, tuple) else found).float()
        entropy = F.cross_entropy(logits, label, ignore_index=VOID, reduction="sum")
        entropy = entropy / (label != VOID).sum().clamp(min=1)
        return {"network": {"entropy": entropy, "dice": DICE * dice_loss(logits, label)}}

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """IoU of each class on the held-out photos, as the cleaning sees them, and the mean."""
        shared, united = np.zeros(len(self.classes)), np.zeros(len(self.classes))
        for pair in self.held_out.pairs:
            image, label = read_labelled(*pair, white=self.held_out.white)
            predicted, known = self._predict(network, image), label != VOID
            for k in range(len(self.classes)):
                of, truth = (predicted == k + 1) & known, label == k + 1
                shared[k] += (of & truth).sum()
                united[k] += (of | truth).sum()
        ious = {
            f"val_iou_{name}": float(s / u)
            for name, s, u in zip(self.classes, shared, united, strict=True)
            if u
        }
        return {**ious, "val_mean": float(np.mean(list(ious.values()))) if ious else 0.0}

    def _predict(self, network: nn.Module, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """HW class ids of a photo, at its own size."""
        small = resize_longest(rgb, min(max(rgb.shape[:2]), LONGEST))
        found = photo_probabilities(
            network, small, self.start.normalisation, exclusive=True, device=self.device
        )
        large = np.stack([resize(p, rgb.shape[:2], cv2.INTER_LINEAR) for p in found])
        best = large.argmax(0)
        return np.where(large.max(0) > 1 - large.sum(0), best + 1, 0).astype(np.uint8)

    def samples(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """The first six held-out photos beside the predicted and the labelled classes."""
        rows = []
        for pair in self.held_out.pairs[:6]:
            image, label = read_labelled(*pair, white=self.held_out.white)
            columns = (image, PALETTE[self._predict(network, image)], PALETTE[label])
            rows.append(np.concatenate([cv2.resize(c, (384, 288)) for c in columns], axis=1))
        return np.concatenate(rows) if rows else None

    def save(self, best: Averaged, folder: Path) -> None:
        """Write the network as smp does: ``config.json``, ``model.safetensors`` and a card."""
        network: Any = best.network
        # smp hands keys with an underscore past its networks.
        network.config.update(metadata(self.classes, self.start.normalisation, LONGEST))
        network.to(memory_format=torch.contiguous_format)
        refuse_other_model(folder)
        network.save_pretrained(folder, metrics=best.metrics, dataset=PLACEHOLDER)
        card = folder / CARD
        text = card.read_text(encoding="utf-8")
        # The library's licence is not that of the user's model.
        with atomic_write(card) as file:
            file.write(text.replace("license: mit\n", "", 1).encode("utf-8"))


def dice_loss(logits: Tensor, label: Tensor) -> Tensor:
    """One less the Dice coefficient of the classes over the known pixels of a batch.

    Only classes that the batch shows count (Milletari et al. 2016, section 3).

    Args:
        logits: N(classes + 1)HW.
        label: NHW class ids; 255 = void.
    """
    known = (label != VOID)[:, None]
    truth = F.one_hot(torch.where(label == VOID, 0, label), logits.shape[1]).permute(0, 3, 1, 2)
    truth, found = (truth * known)[:, 1:].float(), (logits.softmax(1) * known)[:, 1:]
    axes = (0, 2, 3)
    pixels = truth.sum(axes)
    overlap = (2 * (found * truth).sum(axes) + 1) / (found.sum(axes) + pixels + 1)
    shown = (pixels > 0).float()
    return ((1 - overlap) * shown).sum() / shown.sum().clamp(min=1)


def _network(request: Request, maps: int) -> tuple[nn.Module, str, str]:
    """(the network with random weights, the name of its architecture, of its encoder)."""
    import_extra(
        "segmentation_models_pytorch",
        "train-inpainter segmenter needs segmentation-models-pytorch",
        "train",
    )
    arch, encoder = (request.arch or "unet").lower(), request.encoder or "mobilenet_v2"
    if arch not in ARCHITECTURES:
        raise ValueError(
            f"--arch {request.arch}: segmentation-models-pytorch has {', '.join(ARCHITECTURES)}"
        )
    _refuse_encoder(encoder)
    try:
        options = {"encoder_name": encoder, "in_channels": 3, "classes": maps}
        return build(ARCHITECTURES[arch], options), arch, encoder
    except ValueError as error:
        raise ValueError(f"--arch {arch} --encoder {encoder}: {error}") from error


def _refuse_encoder(name: str) -> None:
    """Refuse a name that smp has no encoder of; timm's, ``tu-…``, are refused where one is built.

    Raises:
        ValueError: it has none of that name.
    """
    from segmentation_models_pytorch.encoders import encoders

    if name in encoders or name.startswith("tu-"):
        return
    like = closest(name, encoders)
    raise ValueError(
        f"--encoder {name}: segmentation-models-pytorch has no such encoder"
        + (f" (did you mean {like}?)" if like else "")
        + f"; it has {', '.join(sorted(encoders))}, and timm's as tu-NAME"
    )


def _begun(request: Request, classes: tuple[str, ...]) -> Start | None:
    """What the run that is resumed began with; None for a new one.

    A resumed run has weights of its own, but its pictures are normalised as in the beginning,
    whatever weights can be had today.

    Raises:
        ValueError: it was begun for other classes, so its maps mean something else.
    """
    path = request.folder / BEGUN
    if not (request.has_checkpoint and path.exists()):
        return None
    begun = json.loads(path.read_text(encoding="utf-8"))
    before = tuple(begun.get("classes", classes))
    if before != classes:
        raise ValueError(
            f"--classes {','.join(classes)}: the run in {request.folder} was begun with "
            f"{','.join(before)}; resume it with these, or name another --run"
        )
    normalisation = Normalisation(*(tuple(each) for each in begun["normalisation"]))
    return Start(begun["weights"], normalisation, begun["said"], tuple(begun["fresh"]))


def _remember(request: Request, start: Start, classes: tuple[str, ...]) -> None:
    """Write down what a run begins with, once all that it was asked for fits."""
    request.folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(request.folder / BEGUN) as file:
        file.write(json.dumps({**start._asdict(), "classes": classes}).encode())


def _started(network: nn.Module, encoder: str, wanted: str) -> Start:
    """Give the encoder the weights that are wanted, or those that can be had."""
    if wanted == "none":
        return Start("none", IMAGENET, "the encoder begins at random, as asked")
    if wanted == "compact":
        return _from_compact(network, encoder, "as asked")
    name = "imagenet" if wanted == "auto" else wanted
    try:
        return _from_published(network, encoder, name)
    except OSError as error:
        if wanted != "auto":
            raise OSError(f"{error}; --encoder-weights none begins at random") from error
        why = str(error)
    if encoder == "mobilenet_v2":
        return _from_compact(network, encoder, why)
    return Start(
        "none",
        IMAGENET,
        f"the encoder begins at random ({why}); --encoder mobilenet_v2 begins with the one of the "
        "bundled compact segmenter",
    )


def _from_published(network: nn.Module, encoder: str, name: str) -> Start:
    """Load the weights that smp names for an encoder.

    Raises:
        OSError: they cannot be had.
        ValueError: smp names none of that name.
    """
    from segmentation_models_pytorch.encoders import encoders, get_encoder, get_preprocessing_params

    published = encoders.get(encoder, {}).get("pretrained_settings") or {}
    if encoder in encoders and name not in published:
        raise ValueError(
            f"--encoder-weights {name}: {encoder} has {', '.join(published) or 'none'}; or auto, "
            "none, or compact (mobilenet_v2 only)"
        )
    repository = str(published.get(name, {}).get("repo_id", encoder))
    if os.environ.get("REMOVE_OBJECTS_OFFLINE") and not _is_cached(published.get(name, {})):
        raise OSError(f"{repository} is not cached, and the network is not to be used")
    try:
        loaded = get_encoder(encoder, weights=name)
        settings = get_preprocessing_params(encoder, name)
    # The client's errors differ from version to version, and not all are OSErrors.
    except Exception as error:
        why = shortened(str(error) or type(error).__name__)
        raise OSError(f"{repository} could not be downloaded: {why}") from error
    network.encoder.load_state_dict(loaded.state_dict())  # type: ignore[union-attr]
    scale = max(settings.get("input_range") or (0, 1))
    of = Normalisation(
        tuple(m / scale for m in settings["mean"]), tuple(s / scale for s in settings["std"])
    )
    return Start(name, of, f"the encoder begins with {repository}")


def _is_cached(published: dict[str, Any]) -> bool:
    from huggingface_hub import try_to_load_from_cache

    repository, revision = str(published.get("repo_id") or ""), published.get("revision")
    return bool(repository) and all(
        isinstance(try_to_load_from_cache(repository, file, revision=revision), str)
        for file in ("config.json", "model.safetensors")
    )


def _from_compact(network: nn.Module, encoder: str, why: str) -> Start:
    """Give a MobileNetV2 the layers of the bundled compact segmenter's.

    That one has no last convolution, 320 to 1280, which begins at random, and it has dilation
    where smp's has a stride: the filters are the same.

    Raises:
        ValueError: it is another encoder.
    """
    from ...models.segmenter import CompactSegmenter
    from ...models.shipped import load_shipped

    if encoder != "mobilenet_v2":
        raise ValueError("--encoder-weights compact: belongs to --encoder mobilenet_v2")
    compact, _ = load_shipped("compact-segmenter", CompactSegmenter)
    state = {k: v.float() for k, v in compact.encoder.state_dict().items()}
    own: Any = network.encoder
    own.load_state_dict({**own.state_dict(), **state})
    half = (0.5, 0.5, 0.5)
    return Start(
        "compact",
        Normalisation(half, half),
        f"the encoder begins with that of the bundled compact segmenter ({why})",
        ("features.18.",),
    )


def _tell(
    start: Start,
    classes: tuple[str, ...],
    found: LabelledPhotos,
    training: int,
    *,
    freeze: bool,
) -> None:
    """Log what begins, and why."""
    shown = ", ".join(f"{n} show {name}" for name, n in zip(classes, found.counts, strict=True))
    log.info("%d labelled photos: %s", len(found.pairs), shown)
    log.info("%s", start.said)
    if freeze:
        log.info(
            "%d photos to train on: the encoder keeps its weights and the crops differ much from "
            "the photos, because so few would be learnt by heart; from %d photos on all of the "
            "network learns",
            training,
            HUNDREDS,
        )
    elif training < HUNDREDS:
        log.info("all of the network learns, because its encoder knows nothing yet")
    else:
        log.info("%d photos to train on: all of the network learns", training)
