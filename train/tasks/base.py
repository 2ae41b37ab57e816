"""What is trained for each inpainter: networks, optimizers, losses, held-out figures."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from .. import losses
from ..data.holes import HoleGenerator
from ..data.pictures import Crops, Stream, batches, read_rgb

Losses = dict[str, dict[str, Tensor]]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Schedule:
    """Numbers of one run; ``train.presets`` holds them all.

    ``warmup``: share of the run over which the learning rate rises; ``decay_from``: share from which it falls along a cosine to a
    twentieth (1 = constant). ``perceptual``: ``l1`` is eq. 4, ``normalised`` is LPIPS without its learned weights. ``perceptual_crop``:
    side in pixels of the square around a random pixel of the hole at which the feature network looks; 0 = the whole picture, as the
    papers do, which costs several times the inpainter itself.
    """

    batch: int
    size: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.01
    decay_from: float = 0.7
    seed: int = 0
    zoom: tuple[float, float] = (0.4, 1.0)
    perceptual: str = "normalised"
    perceptual_crop: int = 64


class InpaintingTask:
    """What the inpainters share: pictures, holes, held-out set, schedule.

    Args:
        network: what ships.
        schedule: see ``Schedule``.
        pictures: files to train on.
        holes: how holes are drawn.
        held_out: (pictures N3HW in [0, 1], masks N1HW) never trained on.
        features: feature network for perceptual and style losses, or None.
        scorer: LPIPS of two batches N3HW in [0, 1] for the held-out figures, or None; never a network that trains.
        workers: processes that decode pictures.
        segmenter: feature network for the semantic loss, or None.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, pictures: Sequence[Path], holes: HoleGenerator,
        held_out: tuple[Tensor, Tensor], features: nn.Module | None = None, scorer: nn.Module | None = None, workers: int = 0,
        segmenter: nn.Module | None = None,
    ) -> None:  # fmt: skip
        self.network, self.schedule = network, schedule
        self.crops = Crops(
            pictures, holes, size=schedule.size, zoom=schedule.zoom, seed=schedule.seed
        )
        self.held_out, self.features, self.scorer, self.workers = (
            held_out,
            features,
            scorer,
            workers,
        )
        self.segmenter = segmenter
        self.modules: dict[str, nn.Module] = {"network": network}
        self.optimizers: dict[str, torch.optim.Optimizer] = {"network": self.adam(network)}
        self.clip: dict[str, float] = {}
        self.autocast: Any = nullcontext

    def adam(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adam with the schedule's numbers."""
        return torch.optim.Adam(
            network.parameters(), self.schedule.learning_rate, self.schedule.betas
        )

    def prepare(self, fabric: Fabric) -> None:
        """Feature network, scorer and held-out set go to the device; they work in the run's precision."""
        self.autocast = fabric.autocast
        self.held_out = (self.held_out[0].to(fabric.device), self.held_out[1].to(fabric.device))
        for network in (self.features, self.scorer, self.segmenter):
            if network is not None:
                network.to(fabric.device)

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        stream = Stream(self.schedule.batch, accumulate, rank, world)
        return batches(self.crops, stream, start, workers=self.workers)

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def set_progress(self, share: float) -> None:
        """Linear warm-up, constant, then cosine to a twentieth."""
        s = self.schedule
        factor = min(1.0, (share + 1e-6) / s.warmup) if s.warmup else 1.0
        if share > s.decay_from:
            factor = 0.05 + 0.95 * 0.5 * (
                1 + float(np.cos(np.pi * (share - s.decay_from) / (1 - s.decay_from)))
            )
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = s.learning_rate * factor

    def look(self, composite: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(perceptual, style) losses of ``composite`` against ``truth``, on a crop around the hole or on all."""
        assert self.features is not None
        if self.schedule.perceptual_crop:
            composite, truth = self._crop(composite, truth, mask)
        result, target = self._seen_by(self.features, composite, truth)
        distance = (
            losses.perceptual if self.schedule.perceptual == "l1" else losses.normalised_perceptual
        )
        return distance(result, target), losses.style(result, target)

    def semantic(self, composite: Tensor, truth: Tensor) -> Tensor:
        """Suvorov et al. 2022, 2.2.1, with unit features: the distance of two pictures in the segmenter's eyes, always of the whole."""
        assert self.segmenter is not None
        return losses.normalised_perceptual(*self._seen_by(self.segmenter, composite, truth))

    def _seen_by(
        self, network: nn.Module, composite: Tensor, truth: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The features of both in float32; gradients go through the composite's alone."""
        with self.autocast():
            with torch.no_grad():
                target = network(truth)
            result = network(composite)
        return [f.float() for f in result], [f.float() for f in target]

    def _crop(self, composite: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        side = min(self.schedule.perceptual_crop, truth.shape[-1])
        found, wanted = [], []
        for c, t, m in zip(composite, truth, mask, strict=True):
            spots = (m[0] < 0.5).nonzero()
            y, x = (
                spots[torch.randint(len(spots), ())]
                if len(spots)
                else (torch.tensor(0), torch.tensor(0))
            )
            top = int((y - side // 2).clamp(0, t.shape[-2] - side))
            left = int((x - side // 2).clamp(0, t.shape[-1] - side))
            found.append(c[:, top : top + side, left : left + side])
            wanted.append(t[:, top : top + side, left : left + side])
        return torch.stack(found), torch.stack(wanted)

    def judged_by(self, discriminator: nn.Module) -> None:
        """Train this discriminator beside the network. ``modules`` holds it as the run wraps it, ``discriminator`` as it is."""
        self.discriminator = discriminator
        self.modules["discriminator"] = discriminator
        self.optimizers["discriminator"] = self.adam(discriminator)

    def hinge(self, truth: Tensor, composite: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """SN-PatchGAN's losses (Yu et al. 2019) of pictures N3HW in [-1, 1]: (the network's, the discriminator's)."""
        pair = torch.cat([truth, composite.detach()]), torch.cat([mask, mask])
        real, fake = self.modules["discriminator"](*pair).float().chunk(2)
        with frozen(self.discriminator) as judge, self.autocast():
            seen = judge(composite, mask)
        return losses.hinge_generator(seen.float()), losses.hinge_discriminator(real, fake)

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The network's picture, N3HW in [0, 1] range, of the input's size."""
        raise TypeError(f"{type(self).__name__} has no full-size output")

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """L1 over the holes; of the composites PSNR in dB, the features' distance, and LPIPS."""
        pictures, masks = self.held_out
        total = {"val_hole_l1": 0.0, "val_psnr": 0.0}
        for x, m in zip(torch.split(pictures, 8), torch.split(masks, 8), strict=True):
            y = self.composite(network, x, m)
            total["val_hole_l1"] += float(((y - x).abs() * (1 - m)).sum() / 3 / (1 - masks).sum())
            total["val_psnr"] += float((y - x).pow(2).mean((1, 2, 3)).log10().mul(-10).sum()) / len(
                pictures
            )
            if self.features is not None:
                distance = losses.normalised_perceptual(
                    *([f.float() for f in self.features(p)] for p in (y, x))
                )
                total["val_perceptual"] = total.get("val_perceptual", 0.0) + float(distance) * len(
                    x
                ) / len(pictures)
            if self.scorer is not None:
                total["val_lpips"] = total.get("val_lpips", 0.0) + float(
                    self.scorer(y, x).sum()
                ) / len(pictures)
        return total

    def composite(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The picture with the network's answer in its hole, N3HW float32 in [0, 1]."""
        return (
            picture * mask + self.fill(network, picture, mask).float().clamp(0, 1) * (1 - mask)
        ).contiguous()

    def samples(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """The first six held-out pictures, a row each: with its hole, the network's whole answer, the composite, the truth."""
        x, m = (t[:6] for t in self.held_out)
        columns = (
            x * m + 0.5 * (1 - m),
            self.fill(network, x, m).float().clamp(0, 1),
            self.composite(network, x, m),
            x,
        )
        grid = torch.cat([torch.cat(list(c), dim=1) for c in columns], dim=2)
        return grid.permute(1, 2, 0).mul(255).round().byte().cpu().numpy()


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """``network`` without gradients for its parameters: what goes through it still has its own."""
    network.requires_grad_(False)
    try:
        yield network
    finally:
        network.requires_grad_(True)


def held_out_set(paths: Sequence[Path], holes: HoleGenerator, size: int) -> tuple[Tensor, Tensor]:
    """A fixed set of ``squares_with_holes``; unreadable files are reported and left out.

    Raises:
        OSError: none can be read.
    """
    pictures = []
    for path in paths:
        try:
            pictures.append(read_rgb(path))
        except OSError as error:
            log.warning("%s; left out", error)
    if not pictures:
        raise OSError(f"none of {len(paths)} held-out pictures can be read, from {paths[0]} on")
    return squares_with_holes(pictures, holes, size)


def squares_with_holes(
    pictures: Sequence[NDArray[np.uint8]], holes: HoleGenerator, size: int
) -> tuple[Tensor, Tensor]:
    """The centre squares of HWC RGB pictures, and holes from a seed of their own: (N3HW in [0, 1], N1HW with 1 = known)."""
    rng = np.random.default_rng(12345)
    images: list[np.ndarray[Any, Any]] = []
    masks: list[np.ndarray[Any, Any]] = []
    for image in pictures:
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        images.append(
            cv2.resize(
                image[top : top + side, left : left + side],
                (size, size),
                interpolation=cv2.INTER_AREA,
            )
        )
        masks.append(~holes(size, rng))
    x = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy()).float().div_(255)
    return x, torch.from_numpy(np.stack(masks)[:, None]).float()


def split(paths: Sequence[Any], held_out: int, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """A seeded split: (training, held-out); neither may be empty."""
    if not 0 < held_out < len(paths):
        raise ValueError(
            f"{held_out} of {len(paths)} pictures to be held out; expected 1 to {len(paths) - 1}: set --held-out"
        )
    order = np.random.default_rng(seed).permutation(len(paths))
    return [paths[i] for i in order[held_out:]], [paths[i] for i in order[:held_out]]
