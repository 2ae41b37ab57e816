"""Training of the object detector: a teacher's boxes, its losses, and held-out metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.object_detector import ObjectDetector, ObjectDetectorConfig
from ...models.segmenter import CompactSegmenter, padded
from ...models.shipped import load_shipped
from ...pipeline.detect.detector import DETECTOR_SIZE, boxes_of
from ...pipeline.detect.segmenters import resize_longest
from ..data.labelled import PERSON
from ..data.objects import boxes
from ..data.objects.boxes import CERTAIN, CLASSES, Boxes, DetectorSamples
from ..data.pictures import read_rgb
from ..detection_metrics import Hit, detection_metrics, hits_of
from ..detection_teacher import DetectionTeacher
from ..recipe import Preset, Recipe
from ..request import Request
from .base import Losses, SampledTask
from .companions import encoder_input, frozen_encoder

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Default batch, side of a sample in pixels, steps of a run, and highest learning rate.
BATCH, SIZE, STEPS, LEARNING_RATE = 8, 385, 6000, 1e-3
#: Decay of the moving average, AdamW's weight decay, and largest gradient norm.
AVERAGE, WEIGHT_DECAY, CLIP = 0.998, 0.02, 5.0
#: Share of the run in which the learning rate rises, and from which on it falls to a fiftieth.
WARMUP, DECAY_FROM = 0.02, 0.1
#: Exponents of the focal loss (Zhou et al. 2019, equation 1), and the weight of the boxes.
FOCUS, NEGATIVE, SIDES = 2.0, 4.0, 1.0
#: Least score of a box that is drawn, and the pictures of the sample sheet.
DRAWN, SHOWN = 0.3, 12


class ObjectDetectorTask(SampledTask):
    """Focal loss of the centres, generalised IoU of the boxes, on photos with a teacher's boxes.

    Its batches are those of ``DetectorSamples``, stacked.

    Args:
        network: trained; its config names the compact segmenter.
        data: data folder that holds the label folders and scenes.
        store: folder for the teacher's boxes.
        photos: to train on.
        held_out: never trained on.
        teacher: folder of the teacher's files; None if the store holds all boxes.
        batch: samples per batch and process.
        size: side of a sample in pixels, 16 k + 1.
        learning_rate: at its highest.
        seed: of samples.
        workers: processes that make samples.
    """

    network_class: ClassVar[type[nn.Module]] = ObjectDetector
    preprocessing: ClassVar[str] = (
        "longer side to 769 pixels, padded with grey to 16k+1, RGB / 127.5 - 1"
    )
    weight_decay, most_gradient = WEIGHT_DECAY, CLIP
    warmup, decay_from = WARMUP, DECAY_FROM

    def __init__(
        self,
        network: ObjectDetector,
        data: Path,
        store: Path,
        photos: list[Path],
        held_out: list[Path],
        teacher: Path | None,
        *,
        batch: int,
        size: int,
        learning_rate: float,
        seed: int,
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
        self.photos, self.held_out = photos, held_out
        self._truth: dict[Path, Boxes] = {}

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The segmenter is the one that ships."""
        data = request.data_folder
        _, digest = load_shipped("compact-segmenter", CompactSegmenter)
        folders = [boxes.photos_of(data, folder) for folder in boxes.FOLDERS]
        folders += [sorted(folder.rglob("*.jpg")) for folder in request.images]
        photos = [p for files in folders for i, p in enumerate(files) if i % boxes.HELD_OUT]
        held_out = [p for files in folders for p in files[:: boxes.HELD_OUT]]
        if not photos:
            raise FileNotFoundError(f"{data}: none of {', '.join(boxes.FOLDERS)} found below it")
        order = np.random.default_rng(0).permutation(len(held_out))
        task = cls(
            ObjectDetector(ObjectDetectorConfig(encoder=digest)),
            data,
            request.folder / "store",
            photos,
            [held_out[i] for i in order[: request.held_out_samples]],
            request.teacher,
            batch=request.batch or BATCH,
            size=request.size or SIZE,
            learning_rate=request.learning_rate or LEARNING_RATE,
            seed=request.seed,
            workers=request.workers,
        )
        steps = STEPS if request.steps is None else request.steps
        return task, Recipe(
            folders=boxes.FOLDERS,
            images=request.shown_images,
            pictures=len(photos),
            steps=steps,
            batch=request.pictures_per_step(task.batch),
            average=AVERAGE,
            facts={
                "size": task.size,
                "learning_rate": task.learning_rate,
                "encoder": f"compact-segmenter {digest[:8]}",
                "teacher": "NanoDet-m",
            },
        )

    def prepare(self, fabric: Fabric) -> None:
        """Move the encoder to the device, and ask the teacher about photos that are new."""
        self.device, self.autocast = fabric.device, fabric.autocast
        self.encoder.to(fabric.device)
        path, photos = self.store / "boxes.json", [*self.photos, *self.held_out]
        if fabric.is_global_zero:
            self.store.mkdir(parents=True, exist_ok=True)
            teacher = None if self.teacher is None else DetectionTeacher(self.teacher)
            boxes.build(path, self.data, photos, teacher)
        fabric.barrier()
        found = boxes.build(path, self.data, photos, None)
        training = {p: found[p] for p in self.photos}
        self._samples = DetectorSamples(training, self.data, size=self.size, seed=self.seed)
        held_out = DetectorSamples({p: found[p] for p in self.held_out}, self.data, size=self.size)
        self._truth = {p: held_out.checked(p) for p in self.held_out}

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``centres``: focal loss; ``sides``: 1 - generalised IoU near the centres."""
        image, heat, weight, sides, counts = batch
        x = encoder_input(image)
        logits, found = self._run(self.modules["network"], x)
        objects = (heat == 1).sum().clamp(min=1)
        return {
            "network": {
                "centres": (focal(logits, heat) * weight).sum() / objects,
                "sides": SIDES * box_loss(found, sides, counts),
            }
        }

    def _run(self, network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
        """(float32 logits of the centres, distances) of pictures N3HW in [-1, 1]."""
        with self.autocast():
            with torch.no_grad():
                features = self.encoder.levels(x)
            logits, sides = network(*features)
        return logits.float(), sides.float()

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """How many of the people of the held-out photos are found.

        Returns:
            ``val_recall_90%`` and the like: at that precision or a better one; ``val_ap``: the mean
            precision over all recalls, of people; ``val_mean``: the same.
        """
        hits: list[Hit] = []
        total = 0
        for path in self.held_out:
            found = self._boxes(network, read_rgb(path))
            truth = self._truth[path]
            hit, own = hits_of(found[found[:, 5] == PERSON], truth[truth[:, 5] == PERSON], CERTAIN)
            hits += hit
            total += own
        return detection_metrics(hits, total)

    def _boxes(self, network: nn.Module, rgb: NDArray[np.uint8]) -> Boxes:
        picture = resize_longest(rgb, DETECTOR_SIZE)
        with torch.inference_mode():
            logits, sides = self._run(network, padded(picture).to(self.device))
        found = boxes_of(logits[0].sigmoid().cpu().numpy(), sides[0].cpu().numpy())
        found[:, :4] *= max(rgb.shape[:2]) / max(picture.shape[:2])
        return found

    def samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """Held-out photos with the true boxes in green and those found in red."""
        tiles = []
        for path in self.held_out[:SHOWN]:
            image = read_rgb(path)
            own = self._truth[path]
            found = self._boxes(network, read_rgb(path))
            tiles.append(tile(image, own[own[:, 4] >= CERTAIN], found[found[:, 4] >= DRAWN]))
        return sheet_of(tiles)

    @classmethod
    def index_facts(cls) -> dict[str, Any]:
        """Which classes the channels stand for."""
        return {"classes": CLASSES}


def focal(logits: Tensor, heat: Tensor) -> Tensor:
    """Focal loss of each place (Zhou et al. 2019, equation 1); ``heat`` is 1 at centres."""
    p = logits.sigmoid()
    centre = (heat == 1).float()
    found = -((1 - p) ** FOCUS) * F.logsigmoid(logits) * centre
    none = -((1 - heat) ** NEGATIVE) * p**FOCUS * F.logsigmoid(-logits) * (1 - centre)
    return found + none


def box_loss(found: Tensor, sides: Tensor, counts: Tensor) -> Tensor:
    """1 - generalised IoU (Rezatofighi et al. 2019), mean over the places that count."""
    where = counts[:, 0]
    if not where.any():
        return found.sum() * 0
    a, b = (t.permute(0, 2, 3, 1)[where] for t in (found, sides))
    lower, upper = torch.minimum(a, b), torch.maximum(a, b)
    overlap = (lower[:, 0] + lower[:, 2]) * (lower[:, 1] + lower[:, 3])
    areas = [(t[:, 0] + t[:, 2]) * (t[:, 1] + t[:, 3]) for t in (a, b)]
    union = areas[0] + areas[1] - overlap
    hull = (upper[:, 0] + upper[:, 2]) * (upper[:, 1] + upper[:, 3])
    return (1 - overlap / union.clamp(min=1e-3) + (hull - union) / hull.clamp(min=1e-3)).mean()


def tile(
    image: NDArray[np.uint8], truth: NDArray[np.float32], found: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A photo HWC, drawn into and reduced: the true boxes in green and those found in red."""
    for boxes_here, colour in ((truth, (0, 200, 0)), (found, (220, 0, 0))):
        for box in boxes_here:
            draw_box(image, box, colour)
    return cv2.resize(image, (320, 240)).astype(np.uint8, copy=False)


def sheet_of(tiles: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Tiles in rows of four; the last row is left out unless it is full or the only one."""
    rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles) - len(tiles) % 4, 4)]
    return np.vstack(rows) if rows else np.hstack(tiles)


def draw_box(image: NDArray[np.uint8], box: NDArray[np.float32], colour: tuple[int, ...]) -> None:
    """Draw a box, left, top, right and bottom first, into a picture HWC."""
    x0, y0, x1, y1 = (int(v) for v in box[:4])
    cv2.rectangle(image, (x0, y0), (x1, y1), colour, 2)
