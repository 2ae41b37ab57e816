"""What is trained for each inpainter: networks, optimizers, losses, held-out figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.compression import CompressionConfig, CompressionNetwork
from models.discriminators import (
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    SNPatchDiscriminator,
    SNPatchDiscriminatorConfig,
)
from models.edsr import EDSR, EDSRConfig
from models.partial_conv import PartialConv2d
from models.partial_conv_unet import PartialConvUNet, PartialConvUNetConfig
from models.skip_context_encoder import HOLE, SIZE, SkipContextEncoder, SkipContextEncoderConfig
from train import losses
from train.data import Pictures, batches
from train.holes import HoleGenerator


@dataclass(frozen=True)
class Schedule:
    """Numbers of one run; ``train.presets`` holds them all."""

    batch: int
    size: int
    learning_rate: float
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.01
    decay_from: float = 0.7
    seed: int = 0
    zoom: tuple[float, float] = (0.4, 1.0)


class InpaintingTask:
    """What the three inpainters share: pictures, holes, held-out set, schedule.

    Args:
        held_out: (pictures N3HW in [0, 1], masks N1HW) never trained on.
        features: feature network for perceptual and style losses, or None.
        perceptual_crop: side in pixels of the square around a random hole pixel on which the feature network looks; whole pictures
            cost several times the inpainter itself.
    """

    def __init__(
        self, network: nn.Module, schedule: Schedule, pictures: Pictures, holes: HoleGenerator,
        held_out: tuple[Tensor, Tensor], features: nn.Module | None, perceptual_crop: int,
    ) -> None:  # fmt: skip
        self.network, self.schedule, self.pictures, self.holes = network, schedule, pictures, holes
        self.held_out, self.features, self.perceptual_crop = held_out, features, perceptual_crop
        self.optimizer = torch.optim.Adam(network.parameters(), schedule.learning_rate, schedule.betas)
        self.parts: dict[str, Any] = {"network": network, "optimizer": self.optimizer}
        self.others: list[torch.optim.Optimizer] = []

    def batches(self, start: int) -> Iterator[tuple[Tensor, ...]]:
        s = self.schedule
        return batches(self.pictures, self.holes, size=s.size, batch=s.batch, seed=s.seed, start=start, zoom=s.zoom)

    def set_progress(self, share: float) -> None:
        """Linear warm-up, constant, then cosine to a twentieth."""
        s = self.schedule
        factor = min(1.0, (share + 1e-6) / s.warmup) if s.warmup else 1.0
        if share > s.decay_from:
            factor = 0.05 + 0.95 * 0.5 * (1 + float(np.cos(np.pi * (share - s.decay_from) / (1 - s.decay_from))))
        for optimizer in (self.optimizer, *self.others):
            for group in optimizer.param_groups:
                group["lr"] = s.learning_rate * factor

    def look(self, composite: Tensor, truth: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(perceptual, style) losses of ``composite`` against ``truth`` on a crop around the hole."""
        assert self.features is not None
        side = min(self.perceptual_crop, truth.shape[-1])
        found, wanted = [], []
        for c, t, m in zip(composite, truth, mask, strict=True):
            spots = (m[0] < 0.5).nonzero()
            y, x = spots[torch.randint(len(spots), ())] if len(spots) else (torch.tensor(0), torch.tensor(0))
            top = int((y - side // 2).clamp(0, t.shape[-2] - side))
            left = int((x - side // 2).clamp(0, t.shape[-1] - side))
            found.append(c[:, top : top + side, left : left + side])
            wanted.append(t[:, top : top + side, left : left + side])
        with torch.no_grad():
            target = self.features(torch.stack(wanted))
        result = self.features(torch.stack(found))
        return losses.normalised_perceptual(result, target), losses.style(result, target)

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The network's picture, N3HW in [0, 1] range, of the input's size."""
        raise TypeError(f"{type(self).__name__} has no full-size output")

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        pictures, masks = self.held_out
        total: dict[str, float] = {}
        for x, m in zip(torch.split(pictures, 8), torch.split(masks, 8), strict=True):
            y = (x * m + self.fill(network, x, m).clamp(0, 1) * (1 - m)).contiguous()
            total["val_l1"] = total.get("val_l1", 0.0) + float(((y - x).abs() * (1 - m)).sum() / 3)
            total["val_mse"] = total.get("val_mse", 0.0) + float((y - x).pow(2).mean((1, 2, 3)).log10().mul(-10).sum())
            if self.features is not None:
                distance = losses.normalised_perceptual(self.features(y), self.features(x))
                total["val_perceptual"] = total.get("val_perceptual", 0.0) + float(distance) * len(x)
        return {
            "val_hole_l1": total["val_l1"] / float((1 - masks).sum()),
            "val_psnr": total["val_mse"] / len(pictures),
            **({"val_perceptual": total["val_perceptual"] / len(pictures)} if self.features is not None else {}),
        }


@dataclass(frozen=True)
class PartialConvWeights:
    """The lambdas of eq. 9. ``look_at_output``: eq. 4 and 5 for I_out as well as I_comp, as the paper has it."""

    tv: float = 0.1
    valid: float = 1.0
    hole: float = 6.0
    perceptual: float = 0.05
    style: float = 120.0
    look_at_output: bool = True


class PartialConvTask(InpaintingTask):
    """Equation 9, with perceptual and style losses on the composite."""

    def __init__(self, *, width: int, weights: PartialConvWeights, **common: Any) -> None:
        network = PartialConvUNet(PartialConvUNetConfig(width))
        pictures, masks = common["held_out"]
        even_out(network, pictures[:8], masks[:8])
        super().__init__(network.to(memory_format=torch.channels_last), **common)  # type: ignore[call-overload]
        self.weights = weights

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return network(picture, mask)  # type: ignore[no-any-return]

    def step(self, batch: tuple[Tensor, ...]) -> dict[str, float]:
        truth, mask = (t.contiguous(memory_format=torch.channels_last) for t in batch)
        w = self.weights
        output = self.network(truth, mask)
        composite = truth * mask + output * (1 - mask)
        parts = {
            "valid": w.valid * losses.valid_l1(output, truth, mask),
            "hole": w.hole * losses.hole_l1(output, truth, mask),
            "tv": w.tv * losses.total_variation(composite, mask),
        }
        if self.features is not None:
            perceptual, style = self.look(composite, truth, mask)
            if w.look_at_output:
                of_output = self.look(output, truth, mask)
                perceptual, style = perceptual + of_output[0], style + of_output[1]
            parts |= {"perceptual": w.perceptual * perceptual, "style": w.style * style}
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.stack(list(parts.values())).sum()
        total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return {k: float(v.detach()) for k, v in parts.items()} | {"grad": float(norm)}


class SkipContextTask(InpaintingTask):
    """L1 = adv_weight * adv + (1 - adv_weight) * rec, L2 = half real + half fake (Jiang & Zhang, 3.2). The shipped preset adds more."""

    def __init__(self, *, variant: int, width: int, adversarial: float, perceptual: float, style: float, l1: float, **common: Any) -> None:
        super().__init__(SkipContextEncoder(SkipContextEncoderConfig(variant, width)), **common)
        self.discriminator = PatchDiscriminator(PatchDiscriminatorConfig(max(16, width // 2)))
        self.judge = torch.optim.Adam(self.discriminator.parameters(), self.schedule.learning_rate, (0.5, 0.999))
        self.parts |= {"discriminator": self.discriminator, "judge": self.judge}
        self.others = [self.judge]
        self.adversarial, self.perceptual, self.style, self.l1 = adversarial, perceptual, style, l1

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return self._whole(network(picture * 2 - 1, mask), mask) / 2 + 0.5

    def _whole(self, output: Tensor, mask: Tensor) -> Tensor:
        """Models 0 and 1 give the 64x64 hole alone: laid where the mask's hole is."""
        if output.shape[-1] == SIZE:
            return output
        whole = []
        for patch, m in zip(output, mask, strict=True):
            spot = (m[0] < 0.5).nonzero().min(0).values
            top, left = int(spot[0]), int(spot[1])
            whole.append(F.pad(patch, (left, SIZE - HOLE - left, top, SIZE - HOLE - top)))
        return torch.stack(whole)

    def step(self, batch: tuple[Tensor, ...]) -> dict[str, float]:
        picture, mask = batch
        truth = picture * 2 - 1
        output = self._whole(self.network(truth, mask), mask)
        composite = truth * mask + output * (1 - mask)
        parts: dict[str, Tensor] = {}
        if self.adversarial:
            self.discriminator.requires_grad_(True)
            loss = 0.5 * losses.adversarial_l1(self.discriminator(truth), True)
            loss = loss + 0.5 * losses.adversarial_l1(self.discriminator(composite.detach()), False)
            self.judge.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.judge.step()
            self.discriminator.requires_grad_(False)
            parts["adversarial"] = self.adversarial * losses.adversarial_l1(self.discriminator(composite), True)
        region = 1.0 if self.network.config.whole_picture else 1 - mask  # type: ignore[union-attr]
        parts["rec"] = (1 - self.adversarial) * ((output - truth) * region).pow(2).mean()
        if self.l1:
            parts["l1"] = self.l1 * losses.hole_l1(output, truth, mask)
        if self.perceptual and self.features is not None:
            perceptual, style = self.look(composite / 2 + 0.5, picture, mask)
            parts |= {"perceptual": self.perceptual * perceptual, "style": self.style * style}
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return {k: float(v.detach()) for k, v in parts.items()}


class CompressionTask(InpaintingTask):
    """L1 against the picture at an eighth of its size, hinge SN-PatchGAN, variance loss (Wu & Cui, 3 and 3.1)."""

    def __init__(self, *, width: int, adversarial: float, variance: float, hole_weight: float, **common: Any) -> None:
        super().__init__(CompressionNetwork(CompressionConfig(width)), **common)
        self.discriminator = SNPatchDiscriminator(SNPatchDiscriminatorConfig(32, (1, 2, 2)))
        self.judge = torch.optim.Adam(self.discriminator.parameters(), self.schedule.learning_rate, (0.5, 0.999))
        self.parts |= {"discriminator": self.discriminator, "judge": self.judge}
        self.others = [self.judge]
        self.adversarial, self.variance, self.hole_weight = adversarial, variance, hole_weight

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        small = network(picture * 2 - 1, mask)
        return F.interpolate(small, scale_factor=8, mode="bilinear", align_corners=False) / 2 + 0.5

    def step(self, batch: tuple[Tensor, ...]) -> dict[str, float]:
        picture, mask = batch
        truth = F.avg_pool2d(picture, 8) * 2 - 1
        small_mask = (F.avg_pool2d(mask, 8) > 0.999).float()
        output = self.network(picture * 2 - 1, mask)
        composite = truth * small_mask + output * (1 - small_mask)
        parts = {
            "valid": losses.valid_l1(output, truth, small_mask),
            "hole": self.hole_weight * losses.hole_l1(output, truth, small_mask),
            "variance": self.variance * losses.total_variation(output),
        }
        if self.adversarial:
            self.discriminator.requires_grad_(True)
            loss = losses.hinge_discriminator(
                self.discriminator(truth, small_mask), self.discriminator(composite.detach(), small_mask)
            )  # fmt: skip
            self.judge.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            self.judge.step()
            self.discriminator.requires_grad_(False)
            parts["adversarial"] = self.adversarial * losses.hinge_generator(self.discriminator(composite, small_mask))
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()
        return {k: float(v.detach()) for k, v in parts.items()}


class EDSRTask(InpaintingTask):
    """x8 super-resolution of the whole picture from its eighth, L1 (Lim et al. 2017): the decompression (a) of Wu & Cui, 3.2."""

    def __init__(self, *, width: int, blocks: int, **common: Any) -> None:
        super().__init__(EDSR(EDSRConfig(width, blocks)), **common)

    def fill(self, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        return network(F.avg_pool2d(picture, 8) * 2 - 1) / 2 + 0.5  # type: ignore[no-any-return]

    def step(self, batch: tuple[Tensor, ...]) -> dict[str, float]:
        picture, _ = batch
        loss = (self.network(F.avg_pool2d(picture, 8) * 2 - 1) - (picture * 2 - 1)).abs().mean()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return {"l1": float(loss.detach())}


@torch.no_grad()
def even_out(network: PartialConvUNet, picture: Tensor, mask: Tensor) -> None:
    """Scale each layer of a fresh network to unit output on one batch (Mishkin & Matas 2016, LSUV; weights only).

    The paper's U-Net has no normalisation, and eq. 1's ratio enlarges what lies at the border of the small maps at every one of 28
    layers: without this the first steps at a useful learning rate diverge.
    """

    def scale(module: nn.Module, _: Any, result: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        features, known = result
        spread = float(features[known.expand_as(features) > 0].std())
        module.conv.weight.div_(spread)  # type: ignore[union-attr,operator]
        return features / spread, known

    layers = [m for m in network.modules() if isinstance(m, PartialConv2d)]
    hooks = [layer.register_forward_hook(scale) for layer in layers]
    network(picture, mask)
    for hook in hooks:
        hook.remove()
    network.decoders[0][1].conv.weight.mul_(0.1)  # type: ignore[index,union-attr]


def held_out_set(pictures: Pictures, holes: HoleGenerator, size: int, count: int) -> tuple[Tensor, Tensor]:
    """A fixed set: centre squares of the first ``count`` pictures, holes from a seed of their own."""
    import cv2

    rng = np.random.default_rng(12345)
    images: list[np.ndarray[Any, Any]] = []
    masks: list[np.ndarray[Any, Any]] = []
    for image in pictures.images[:count]:
        side = min(image.shape[:2])
        top, left = (image.shape[0] - side) // 2, (image.shape[1] - side) // 2
        images.append(cv2.resize(image[top : top + side, left : left + side], (size, size), interpolation=cv2.INTER_AREA))
        masks.append(~holes(size, rng))
    x = torch.from_numpy(np.stack(images).transpose(0, 3, 1, 2).copy()).float().div_(255)
    return x, torch.from_numpy(np.stack(masks)[:, None]).float()


def split(paths: Sequence[Any], held_out: int, seed: int = 0) -> tuple[list[Any], list[Any]]:
    """A seeded split: (training, held-out); neither may be empty."""
    if not 0 < held_out < len(paths):
        raise ValueError(f"{held_out} of {len(paths)} pictures to be held out; expected 1 to {len(paths) - 1}: set --held-out")
    order = np.random.default_rng(seed).permutation(len(paths))
    return [paths[i] for i in order[held_out:]], [paths[i] for i in order[:held_out]]
