"""Training of the face detector: a teacher's faces, its losses, and held-out metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...models.face_detector import FaceDetector
from ...pipeline.detect.face_network import FACES_SIZE, faces_of, picture_of
from ..data import faces
from ..data.faces import CERTAIN, Faces, FaceSamples
from ..data.objects import boxes
from ..data.pictures import read_rgb
from ..detection_metrics import Hit, detection_metrics, hits_of
from ..face_teacher import FaceTeacher
from ..recipe import Preset, Recipe
from ..request import Request
from .base import Losses, SampledTask
from .companions import encoder_input
from .object_detector import box_loss, focal, sheet_of, tile

if TYPE_CHECKING:
    from lightning_fabric import Fabric

#: Default batch, side of a sample in pixels, steps of a run, and highest learning rate.
BATCH, SIZE, STEPS, LEARNING_RATE = 16, 257, 2000, 4e-3
#: Decay of the moving average, AdamW's weight decay, and largest gradient norm.
AVERAGE, WEIGHT_DECAY, CLIP = 0.995, 0.02, 5.0
#: Share of the run in which the learning rate rises, and from which on it falls to a fiftieth.
WARMUP, DECAY_FROM = 0.02, 0.1
#: Weights of the boxes and of how far a face is turned.
SIDES, TURN = 1.5, 1.0
#: Least score of a box that is drawn, and the pictures of the sample sheet.
DRAWN, SHOWN = 0.3, 12


class FaceDetectorTask(SampledTask):
    """Focal loss of the centres, generalised IoU of the boxes, on photos with a teacher's faces.

    Its batches are those of ``FaceSamples``, stacked.

    Args:
        network: trained.
        data: data folder that holds the photo folders.
        store: folder for the teacher's faces.
        photos: to train on.
        single: those of them that show one face from near.
        held_out: never trained on.
        teacher: folder of the teacher's file; None if the store holds all faces.
        batch: samples per batch and process.
        size: side of a sample in pixels, 32 k + 1.
        learning_rate: at its highest.
        seed: of samples.
        workers: processes that make samples.
    """

    network_class: ClassVar[type[nn.Module]] = FaceDetector
    preprocessing: ClassVar[str] = (
        "longer side to 513 pixels, padded with grey to 32k+1, RGB / 127.5 - 1"
    )
    weight_decay, most_gradient = WEIGHT_DECAY, CLIP
    warmup, decay_from = WARMUP, DECAY_FROM

    def __init__(
        self,
        network: FaceDetector,
        data: Path,
        store: Path,
        photos: list[Path],
        single: list[Path],
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
        self.data, self.store, self.teacher = data, store, teacher
        self.photos, self.single, self.held_out = photos, single, held_out
        self._truth: dict[Path, Faces] = {}

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``."""
        data = request.data_folder
        folders = [boxes.photos_of(data, folder) for folder in boxes.FOLDERS]
        folders += [sorted(folder.rglob("*.jpg")) for folder in request.images]
        photos = [p for files in folders for i, p in enumerate(files) if i % boxes.HELD_OUT]
        held_out = [p for files in folders for p in files[:: boxes.HELD_OUT]]
        if not photos:
            raise FileNotFoundError(f"{data}: none of {', '.join(boxes.FOLDERS)} found below it")
        single = boxes.photos_of(data, faces.SINGLE)[: faces.MOST_SINGLE]
        order = np.random.default_rng(0).permutation(len(held_out))
        task = cls(
            FaceDetector(),
            data,
            request.folder / "store",
            [*photos, *single],
            single,
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
            folders=(*boxes.FOLDERS, faces.SINGLE),
            images=request.shown_images,
            pictures=len(task.photos),
            steps=steps,
            batch=request.pictures_per_step(task.batch),
            average=AVERAGE,
            facts={"size": task.size, "learning_rate": task.learning_rate, "teacher": "YuNet"},
        )

    def prepare(self, fabric: Fabric) -> None:
        """Ask the teacher about photos that are new."""
        self.device, self.autocast = fabric.device, fabric.autocast
        path, photos = self.store / "faces.json", [*self.photos, *self.held_out]
        if fabric.is_global_zero:
            self.store.mkdir(parents=True, exist_ok=True)
            teacher = None if self.teacher is None else FaceTeacher(self.teacher)
            faces.build(path, self.data, photos, teacher)
        fabric.barrier()
        found = faces.build(path, self.data, photos, None)
        training = {p: found[p] for p in self.photos}
        self._samples = FaceSamples(training, self.single, size=self.size, seed=self.seed)
        self._truth = {p: found[p] for p in self.held_out}

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """``centres``: focal; ``sides``: 1 - generalised IoU; ``turn``: L1, near the centres."""
        image, heat, weight, sides, counts, turn = batch
        logits, found, turned = self._run(self.modules["network"], encoder_input(image))
        number = (heat == 1).sum().clamp(min=1)
        off = (turned - turn).abs()[counts]
        return {
            "network": {
                "centres": (focal(logits, heat) * weight).sum() / number,
                "sides": SIDES * box_loss(found, sides, counts),
                "turn": TURN * (off.mean() if off.numel() else turned.sum() * 0),
            }
        }

    def _run(self, network: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(float32 logits of the centres, distances, turn) of pictures N3HW in [-1, 1]."""
        with self.autocast():
            logits, sides, turn = network(x)
        return logits.float(), sides.float(), turn.float()

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """How many of the faces of the held-out photos are found; see ``detection_metrics``."""
        hits: list[Hit] = []
        total = 0
        for path in self.held_out:
            hit, own = hits_of(self._faces(network, read_rgb(path)), self._truth[path], CERTAIN)
            hits += hit
            total += own
        return detection_metrics(hits, total)

    def _faces(self, network: nn.Module, rgb: NDArray[np.uint8]) -> Faces:
        picture, scale = picture_of(rgb, FACES_SIZE)
        with torch.inference_mode():
            outputs = self._run(network, picture.to(self.device))
        return faces_of([each[0].cpu().numpy() for each in outputs], scale, rgb.shape)

    def samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """Held-out photos with the teacher's faces in green and those found in red."""
        tiles = []
        shown = sorted(self.held_out, key=lambda p: -len(self._truth[p]))[:SHOWN]
        for path in shown:
            image = read_rgb(path)
            truth, found = self._truth[path], self._faces(network, read_rgb(path))
            tiles.append(tile(image, truth[truth[:, 4] >= CERTAIN], found[found[:, 4] >= DRAWN]))
        return sheet_of(tiles)
