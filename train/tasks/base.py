"""What the networks' tasks share: building one from a request, and the inpainters' common parts.

A task knows how one network is trained: its data, losses, optimizers and held-out metrics.
``train.engine`` knows time, devices and files.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from ...models.discriminators import SNPatchDiscriminator, SNPatchDiscriminatorConfig
from .. import losses
from ..best import BEST, Averaged, about_best
from ..data.chosen import choose_holes, choose_pictures, warn_of_small_photos
from ..data.holes import HoleGenerator
from ..data.pictures import Crops, Stream, batches, read_rgb, square
from ..recipe import Discriminator, Preset, Recipe, Schedule
from ..request import Request

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Losses = dict[str, dict[str, Tensor]]

log = logging.getLogger(__name__)


class NetworkTask:
    """What a network needs to be trained and exported by its name: ``train.engine.Task`` and this.

    Attributes:
        network_class: of the network that ships.
        preprocessing: how a pixel in [0, 255] becomes the network's number, for the weight's
            index entry.
        network: the bare network that ships.
        modules: all modules that learn, by name.
        optimizers: the modules' optimizers, by the same names.
        clip: largest gradient norm by module; a module without entry is not clipped.
        telling: names of losses, the most telling first.
    """

    network_class: ClassVar[type[nn.Module]]
    preprocessing: ClassVar[str]
    telling: tuple[str, ...] = ()

    #: Whether ``save`` writes the network, in a format of its own, when a run ends.
    saves: ClassVar[bool] = False
    #: Whether it can train on a set of ``train.data.datasets``.
    takes_dataset: ClassVar[bool] = False

    network: nn.Module
    modules: dict[str, nn.Module]
    optimizers: dict[str, torch.optim.Optimizer]
    clip: dict[str, float]

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """Build the task of one ``train-inpainter`` call, and its recipe.

        Args:
            request: see ``Request``.
            preset: the requested preset; None if the network has none.

        Raises:
            ValueError: an option is missing or belongs to another network.
            OSError: there are no pictures, or none can be read.
        """
        raise NotImplementedError

    def prepare(self, fabric: Fabric) -> None:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def losses(self, batch: tuple[Tensor, ...]) -> Losses:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def set_progress(self, share: float) -> None:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def samples(self, network: nn.Module) -> NDArray[np.uint8] | None:
        """See ``train.engine.Task``."""
        raise NotImplementedError

    def save(self, best: Averaged, folder: Path) -> None:
        """Write a network in a format of its own, if the task ``saves``.

        Args:
            best: the network of this task's run, and what is known of it.
            folder: for the files.
        """
        raise NotImplementedError

    @classmethod
    def index_facts(cls) -> dict[str, Any]:
        """Further entries of the weight in ``index.json``."""
        return {}

    @classmethod
    def card_samples(
        cls,
        network: nn.Module,
        photos: Sequence[NDArray[np.uint8]],
        holes: HoleGenerator,
        size: int,
    ) -> NDArray[np.uint8] | None:
        """The picture of the model card: ``network``'s results on photos that may be shown.

        Args:
            network: the network that ships.
            photos: HWC RGB.
            holes: draws the holes.
            size: side in pixels of the squares that the network fills.

        Returns:
            HWC uint8 RGB, or None if there is nothing to show.
        """
        return None


class SampledTask(NetworkTask):
    """What the networks share that learn from an endless sequence of samples, by AdamW.

    ``prepare`` makes the samples.

    Args:
        network: the network that ships.
        batch: samples per batch and process.
        size: side of a sample in pixels.
        learning_rate: at its highest.
        seed: of samples.
        workers: processes that make samples.

    Attributes:
        weight_decay: AdamW's.
        most_gradient: largest gradient norm.
        warmup: share of the run in which the learning rate rises.
        decay_from: share of the run from which on it falls to a fiftieth.
    """

    weight_decay: ClassVar[float]
    most_gradient: ClassVar[float]
    warmup: ClassVar[float]
    decay_from: ClassVar[float]

    def __init__(
        self,
        network: nn.Module,
        *,
        batch: int,
        size: int,
        learning_rate: float,
        seed: int,
        workers: int,
    ) -> None:
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.batch, self.size, self.learning_rate = batch, size, learning_rate
        self.seed, self.workers = seed, workers
        self.modules = {"network": self.network}
        self.optimizers = {
            "network": torch.optim.AdamW(
                network.parameters(), learning_rate, weight_decay=self.weight_decay
            )
        }
        self.clip = {"network": self.most_gradient}
        self.device = torch.device("cpu")
        self.autocast: Any = nullcontext
        self._samples: Dataset[tuple[Tensor, ...]] | None = None

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """The samples, stacked; see ``train.engine.Task``."""
        assert self._samples is not None, "prepare() makes the samples"
        stream = Stream(self.batch, accumulate, rank, world)
        return batches(self._samples, stream, start, workers=self.workers, to_float=False)

    def set_progress(self, share: float) -> None:
        """Set the learning rate: a linear warm-up, constant, then a cosine to a fiftieth."""
        factor = warm_up_and_decay(share, self.warmup, self.decay_from, 0.02)
        for group in self.optimizers["network"].param_groups:
            group["lr"] = self.learning_rate * factor


class InpaintingTask(NetworkTask):
    """What the inpainters share: pictures, holes, held-out set, schedule.

    Args:
        network: the network that ships.
        schedule: see ``Schedule``.
        pictures: files to train on.
        holes: draws the holes.
        held_out: (pictures N3HW in [0, 1], masks N1HW with 1 = known), never trained on.
        features: feature network for perceptual and style losses, or None.
        scorer: LPIPS of two batches N3HW in [0, 1] for the held-out metrics, or None; it never
            trains a network.
        workers: processes that decode pictures.
        segmenter: feature network for the semantic loss, or None.
        clip: largest gradient norm of the network; 0 = not clipped. Discriminators never are.
        discriminator_lr_scale: the discriminators' learning rate as a share of the network's.
    """

    #: Options of ``train-inpainter`` that are arguments of this task and of no other.
    own_options: ClassVar[tuple[str, ...]] = ()

    takes_dataset: ClassVar[bool] = True

    #: The only side of the crops in pixels, of a network that takes no other; 0 = it takes others.
    only_size: ClassVar[int] = 0

    #: What its discriminator judges; None = it has none.
    judges: Discriminator | None = None

    def __init__(
        self,
        network: nn.Module,
        schedule: Schedule,
        pictures: Sequence[Path],
        holes: HoleGenerator,
        held_out: tuple[Tensor, Tensor],
        features: nn.Module | None = None,
        scorer: nn.Module | None = None,
        workers: int = 0,
        segmenter: nn.Module | None = None,
        clip: float = 0.0,
        discriminator_lr_scale: float = 1.0,
    ) -> None:
        self.network, self.schedule = network, schedule
        self.crops = Crops(
            pictures,
            holes,
            size=schedule.size,
            zoom=schedule.zoom,
            flip=schedule.flip,
            seed=schedule.seed,
        )
        self.held_out = held_out
        self.features, self.scorer, self.segmenter = features, scorer, segmenter
        self.workers = workers
        self.modules = {"network": network}
        self.optimizers = {"network": self.adam(network)}
        self.clip = {"network": clip} if clip else {}
        self.discriminators: dict[str, nn.Module] = {}
        self.discriminator_lr_scale = discriminator_lr_scale
        self.autocast: Any = nullcontext

    @classmethod
    def from_request(cls, request: Request, preset: Preset | None) -> tuple[Self, Recipe]:
        """See ``NetworkTask``. The command line changes the preset's numbers."""
        from ...pipeline.quality.lpips import lpips_network
        from .. import features

        assert preset is not None, "an inpainter needs a preset"
        preset = cls.adapt(preset, request)
        schedule, network = preset.schedule, preset.network
        chosen = choose_pictures(request, preset.folders)
        pictures, training = read_held_out(chosen.held_out, chosen.training)
        if not request.has_checkpoint:
            warn_of_small_photos(training, schedule.size, 0 if cls.only_size else cls.size_step())
        holes, kinds = choose_holes(request, preset.holes, training)
        wanted, why = _wanted_features(request)
        name, why = features.choose_features(
            wanted, learns=cls.learns_from_features(network), why=why
        )
        log.info("%s", why)
        lpips, why = lpips_network(offline=False)
        if why:
            log.warning("%s; the best weights are chosen by other metrics", why)
        # The order of these lines is the order in which they draw from the global random state.
        task = cls(
            **network,
            schedule=schedule,
            pictures=training,
            holes=holes,
            held_out=squares_with_holes(pictures, holes, schedule.size),
            features=None if name == "none" else features.feature_network(name),
            scorer=None if lpips is None else features.Scorer(lpips),
            workers=request.workers,
            segmenter=features.SegmenterFeatures() if network.get("semantic") else None,
        )
        batch = request.pictures_per_step(schedule.batch)
        length = preset.steps or preset.epochs * len(training) // batch
        return task, Recipe(
            folders=chosen.folders,
            images=chosen.images,
            pictures=len(training),
            steps=length if request.steps is None else request.steps,
            batch=batch,
            average=preset.average,
            precision=preset.precision,
            size=schedule.size,
            holes=kinds or preset.holes,
            facts={
                **chosen.facts,
                "preset": request.preset,
                "schedule": schedule,
                "network": network,
                "holes": request.masks.name if request.masks else kinds,
                "features": name if name in features.NAMED else Path(name).name,
                "held_out": len(pictures),
            },
        )

    @classmethod
    def adapt(cls, preset: Preset, request: Request) -> Preset:
        """The preset with the changes of the command line.

        Raises:
            ValueError: an option belongs to another network.
        """
        changes = {
            "batch": request.batch,
            "learning_rate": request.learning_rate,
            "size": request.size,
        }
        given = {name: value for name, value in changes.items() if value}
        schedule = replace(preset.schedule, seed=request.seed, **given)  # type: ignore[arg-type]
        cls._check_size(request.model, schedule.size)
        network = preset.with_width(request.width) if request.width else dict(preset.network)
        for name in ("variant", "blocks"):
            value = getattr(request, name)
            if value is None:
                continue
            if name not in cls.own_options:
                raise ValueError(f"--{name} belongs to skip-ce; leave it out")
            network[name] = value
        return replace(preset, schedule=schedule, network=network)

    @classmethod
    def size_step(cls) -> int:
        """What the side of the crops must be a multiple of, in pixels."""
        network: Any = cls.network_class
        return int(network.multiple)

    @classmethod
    def _check_size(cls, model: str, size: int) -> None:
        """Refuse crops that the network does not take."""
        if size == cls.only_size:
            return
        if cls.only_size:
            raise ValueError(
                f"--size {size}: {model} takes pictures of {cls.only_size} pixels alone; "
                "leave --size out"
            )
        step = cls.size_step()
        if size < step or size % step:
            fitting = max(1, round(size / step)) * step
            raise ValueError(
                f"--size {size}: {model} takes multiples of {step}, such as --size {fitting}"
            )

    @classmethod
    def learns_from_features(cls, numbers: Mapping[str, Any]) -> bool:
        """Whether the losses use a feature network, at the preset's numbers."""
        return False

    def adam(self, network: nn.Module) -> torch.optim.Optimizer:
        """Adam with the schedule's numbers."""
        return torch.optim.Adam(
            network.parameters(), self.schedule.learning_rate, self.schedule.betas
        )

    def prepare(self, fabric: Fabric) -> None:
        """Move feature networks, scorer and held-out set to the device; use the run's precision."""
        self.autocast = fabric.autocast
        self.held_out = (self.held_out[0].to(fabric.device), self.held_out[1].to(fabric.device))
        for network in (self.features, self.scorer, self.segmenter):
            if network is not None:
                network.to(fabric.device)

    def batches(
        self, start: int, *, accumulate: int = 1, rank: int = 0, world: int = 1
    ) -> Iterator[tuple[Tensor, ...]]:
        """(pictures N3HW in [0, 1], masks N1HW with 1 = known); see ``train.engine.Task``."""
        stream = Stream(self.schedule.batch, accumulate, rank, world)
        return batches(self.crops, stream, start, workers=self.workers)

    def set_progress(self, share: float) -> None:
        """Set the learning rate: linear warm-up, constant, then a cosine to a twentieth."""
        s = self.schedule
        factor = min(1.0, (share + 1e-6) / s.warmup) if s.warmup else 1.0
        if share > s.decay_from:
            factor = cosine_decay((share - s.decay_from) / (1 - s.decay_from), 0.05)
        for name, optimizer in self.optimizers.items():
            scale = self.discriminator_lr_scale if name in self.discriminators else 1.0
            for group in optimizer.param_groups:
                group["lr"] = s.learning_rate * factor * scale

    def perceptual_and_style(
        self, composite: Tensor, truth: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Compare ``composite`` with ``truth`` by the feature network's features.

        Args:
            composite: N3HW in [0, 1].
            truth: N3HW in [0, 1].
            mask: N1HW, 1 = known.

        Returns:
            (perceptual, style) losses of a crop around the hole, or of the whole pictures if the
            schedule's ``perceptual_crop`` is 0.
        """
        assert self.features is not None
        if self.schedule.perceptual_crop:
            composite, truth = self._crop_around_hole(composite, truth, mask)
        result, target = self._features_of(self.features, composite, truth)
        distance = (
            losses.perceptual if self.schedule.perceptual == "l1" else losses.normalised_perceptual
        )
        return distance(result, target), losses.style(result, target)

    def semantic(self, composite: Tensor, truth: Tensor) -> Tensor:
        """Distance of two batches in the segmenter's unit features, always of the whole pictures.

        Suvorov et al. 2022, section 2.2.1, with normalised features.
        """
        assert self.segmenter is not None
        return losses.normalised_perceptual(*self._features_of(self.segmenter, composite, truth))

    def _features_of(
        self, network: nn.Module, composite: Tensor, truth: Tensor
    ) -> tuple[list[Tensor], list[Tensor]]:
        """The features of both in float32; only the composite's carry gradients."""
        with self.autocast():
            with torch.no_grad():
                target = network(truth)
            result = network(composite)
        return [f.float() for f in result], [f.float() for f in target]

    def _crop_around_hole(
        self, composite: Tensor, truth: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The same square of both around a random hole pixel, for each picture of the batch."""
        side = min(self.schedule.perceptual_crop, truth.shape[-1])
        composites, truths = [], []
        for c, t, m in zip(composite, truth, mask, strict=True):
            spots = (m[0] < 0.5).nonzero()
            y, x = (
                spots[torch.randint(len(spots), ())]
                if len(spots)
                else (torch.tensor(0), torch.tensor(0))
            )
            top = int((y - side // 2).clamp(0, t.shape[-2] - side))
            left = int((x - side // 2).clamp(0, t.shape[-1] - side))
            composites.append(c[:, top : top + side, left : left + side])
            truths.append(t[:, top : top + side, left : left + side])
        return torch.stack(composites), torch.stack(truths)

    def add_discriminator(self, discriminator: nn.Module, name: str = "discriminator") -> None:
        """Train ``discriminator`` beside the network.

        ``modules`` holds it as the run wraps it, ``discriminators`` as it is. Checkpoints hold its
        name.
        """
        self.discriminators[name] = discriminator
        self.modules[name] = discriminator
        self.optimizers[name] = self.adam(discriminator)

    @property
    def discriminator(self) -> nn.Module:
        """The bare discriminator of a task that has one of that name."""
        return self.discriminators["discriminator"]

    def judged(self, output: Tensor, composite: Tensor) -> Tensor:
        """That of the two which the discriminator judges."""
        assert self.judges is not None
        return output if self.judges.judges == "output" else composite

    def hinge(self, truth: Tensor, result: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """SN-PatchGAN's losses (Yu et al. 2019).

        Args:
            truth: N3HW in [-1, 1].
            result: what the discriminator judges, N3HW in [-1, 1].
            mask: N1HW, 1 = known.

        Returns:
            (the network's loss, the discriminator's loss).
        """
        pair = torch.cat([truth, result.detach()]), torch.cat([mask, mask])
        real, fake = self.modules["discriminator"](*pair).float().chunk(2)
        with frozen(self.discriminator) as discriminator, self.autocast():
            score = discriminator(result, mask)
        return losses.hinge_generator(score.float()), losses.hinge_discriminator(real, fake)

    @classmethod
    def fill(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The network's own output at the input's size.

        Args:
            network: the task's network, or its average.
            picture: N3HW in [0, 1].
            mask: N1HW, 1 = known.

        Returns:
            N3HW in the range of [0, 1], not clipped.

        Raises:
            TypeError: the task's network has no such output.
        """
        raise TypeError(f"{cls.__name__} has no full-size output")

    def evaluate(self, network: nn.Module) -> dict[str, float]:
        """Metrics of the composites of the held-out set.

        Returns:
            L1 over the holes, PSNR in dB, and, where their networks are given, the feature
            distance and LPIPS; every picture counts the same.
        """
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

    @classmethod
    def composite(cls, network: nn.Module, picture: Tensor, mask: Tensor) -> Tensor:
        """The picture with the network's output in its hole, N3HW float32 in [0, 1]."""
        return (
            picture * mask + cls.fill(network, picture, mask).float().clamp(0, 1) * (1 - mask)
        ).contiguous()

    def samples(self, network: nn.Module) -> NDArray[np.uint8]:
        """The ``grid`` of the held-out set."""
        return self.grid(network, *self.held_out)

    @classmethod
    def grid(cls, network: nn.Module, pictures: Tensor, masks: Tensor) -> NDArray[np.uint8]:
        """A grid of results, one row for each of the first six pictures.

        Args:
            network: the task's network, or its average.
            pictures: N3HW in [0, 1].
            masks: N1HW with 1 = known.

        Returns:
            HWC uint8 RGB; the columns are the picture with its hole, the network's whole output,
            the composite, the ground truth.
        """
        x, m = pictures[:6], masks[:6]
        columns = (
            x * m + 0.5 * (1 - m),
            cls.fill(network, x, m).float().clamp(0, 1),
            cls.composite(network, x, m),
            x,
        )
        grid = torch.cat([torch.cat(list(c), dim=1) for c in columns], dim=2)
        return grid.permute(1, 2, 0).mul(255).round().byte().cpu().numpy()

    @classmethod
    @torch.inference_mode()
    def card_samples(
        cls,
        network: nn.Module,
        photos: Sequence[NDArray[np.uint8]],
        holes: HoleGenerator,
        size: int,
    ) -> NDArray[np.uint8] | None:
        """The ``grid`` of the photos' centre squares."""
        if not photos:
            return None
        return cls.grid(network, *squares_with_holes(photos, holes, size))


def sn_patch(numbers: Discriminator) -> SNPatchDiscriminator:
    """A fresh SN-PatchGAN of these numbers."""
    return SNPatchDiscriminator(
        SNPatchDiscriminatorConfig(numbers.width, numbers.strides, numbers.one_score)
    )


def cosine_decay(share: float, floor: float) -> float:
    """Fall from 1 at ``share`` 0 to ``floor`` at 1, along half a cosine."""
    return floor + (1 - floor) * 0.5 * (1 + float(np.cos(np.pi * share)))


def short_warm_up(share: float) -> float:
    """Rise linearly from 0.01 to 1 over the first fiftieth of a run."""
    return min(1.0, share / 0.02 + 0.01)


def warm_up_and_decay(share: float, warm_up: float, decay_from: float, floor: float) -> float:
    """Rise linearly over the first ``warm_up`` of a run, then fall from ``decay_from`` on.

    Returns:
        The learning rate as a share of the highest: ``cosine_decay`` to ``floor``.
    """
    factor = min(1.0, (share + 1e-6) / warm_up)
    if share >= decay_from:
        factor *= cosine_decay((share - decay_from) / (1 - decay_from), floor)
    return factor


@contextmanager
def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """``network`` without gradients for its parameters; its input still receives gradients."""
    network.requires_grad_(False)
    try:
        yield network
    finally:
        network.requires_grad_(True)


def _wanted_features(request: Request) -> tuple[str, str]:
    """(the request's feature network, why); of a resumed run ``auto`` is what it began with."""
    if request.features != "auto":
        return request.features, "as asked"
    if request.has_checkpoint and (request.folder / BEST).exists():
        recipe = about_best(request.folder).get("recipe", {})
        return str(recipe.get("entries", {}).get("features", "auto")), "as the run began"
    if request.preset == "paper":
        return "vgg16", "as the paper has it"
    return "auto", ""


def read_held_out(
    held_out: Sequence[Path], training: Sequence[Path]
) -> tuple[list[NDArray[np.uint8]], list[Path]]:
    """Read the held-out pictures; unreadable files are logged and left out.

    If none can be read, the first readable one of the training pictures is held out.

    Returns:
        (pictures HWC RGB, the training pictures that are left).

    Raises:
        OSError: no file can be read, or no other one is left to train on.
    """
    pictures, left = [], list(training)
    for path in held_out:
        with _logged():
            pictures.append(read_rgb(path))
    while not pictures and len(left) > 1:
        path = left.pop(0)
        with _logged():
            pictures.append(read_rgb(path))
    if not pictures:
        count = len(held_out) + len(training)
        raise OSError(f"none of {count} pictures can be held out, from {held_out[0]} on")
    return pictures, left


@contextmanager
def _logged() -> Iterator[None]:
    """Log that a file cannot be read, and go on."""
    try:
        yield
    except OSError as error:
        log.warning("%s; left out", error)


def squares_with_holes(
    pictures: Sequence[NDArray[np.uint8]], holes: HoleGenerator, size: int
) -> tuple[Tensor, Tensor]:
    """Centre squares of pictures, with holes from a fixed seed.

    Args:
        pictures: HWC RGB, of any size.
        holes: draws the holes.
        size: side of the squares in pixels.

    Returns:
        (pictures N3HW in [0, 1], masks N1HW with 1 = known), float32.
    """
    rng = np.random.default_rng(12345)
    images = np.stack([square(picture, size) for picture in pictures])
    masks = np.stack([~holes(size, rng) for _ in pictures])
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).copy()).float().div_(255)
    return x, torch.from_numpy(masks[:, None]).float()
