"""The numbers of a run: schedules, loss weights, presets and recipes. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """Numbers of one run that every inpainter has.

    Attributes:
        batch: pictures per batch and process.
        size: side of the crops in pixels.
        learning_rate: at its highest.
        betas: Adam's.
        warmup: share of the run, in [0, 1], over which the learning rate rises.
        decay_from: share of the run from which the learning rate falls along a cosine to a
            twentieth; 1 = constant.
        seed: of order, crops and holes.
        zoom: range of a crop's side as a share of the photo's shorter side.
        flip: whether half of the crops are mirrored.
        perceptual: ``l1`` is equation 4 of Kulkarni et al.; ``normalised`` is LPIPS without its
            learned weights.
        perceptual_crop: side in pixels of the square around a random hole pixel that the feature
            network sees; 0 = the whole picture as in the papers, which costs several times the
            inpainter itself.
    """

    batch: int
    size: int
    learning_rate: float
    betas: tuple[float, float]
    warmup: float
    decay_from: float
    zoom: tuple[float, float]
    flip: bool
    perceptual: str
    perceptual_crop: int
    seed: int = 0


@dataclass(frozen=True)
class Discriminator:
    """The network that judges an inpainter's results; its kind is the task's.

    Attributes:
        width: channels after its first convolution.
        judges: ``output``, all that the inpainter returns, or ``composite``, that output with the
            known pixels put back.
        strides: of SN-PatchGAN's layers; the other kinds have their own.
        one_score: of SN-PatchGAN, see ``models.discriminators``.
        grows: whether ``--width`` scales it in proportion to the inpainter.
    """

    width: int
    judges: str
    strides: tuple[int, ...] = ()
    one_score: bool = True
    grows: bool = False


@dataclass(frozen=True)
class PartialConvWeights:
    """The lambdas of equation 9 of Kulkarni et al.

    Attributes:
        tv: of the total variation, equation 3.
        valid: of the L1 over the known pixels, equation 8.
        hole: of the L1 over the hole, equation 7.
        perceptual: of equation 4.
        style: of equation 5.
        features_of_output: whether equations 4 and 5 count I_out as well as I_comp, as in the
            paper.
    """

    tv: float = 0.1
    valid: float = 1.0
    hole: float = 6.0
    perceptual: float = 0.05
    style: float = 120.0
    features_of_output: bool = True


@dataclass(frozen=True)
class EdgeConnectWeights:
    """The lambdas of equations 2 and 11 of Nazeri et al. 2019.

    Attributes:
        edge_adversarial: of the edge network's adversarial loss.
        matching: of the edge network's feature matching.
        l1: of the painter's L1.
        adversarial: of the painter's adversarial loss.
        perceptual: of the painter's perceptual loss.
        style: of the painter's style loss.
    """

    edge_adversarial: float = 1.0
    matching: float = 10.0
    l1: float = 1.0
    adversarial: float = 0.1
    perceptual: float = 0.1
    style: float = 250.0


@dataclass(frozen=True)
class Preset:
    """The numbers that one inpainter is trained with.

    Attributes:
        schedule: see ``Schedule``.
        folders: picture folders below the data folder.
        holes: (weight, name) of each kind of hole, see ``train.data.holes.named_mixture``.
        network: keyword arguments of the task: widths, weights of the losses, clipping,
            discriminator and initialisation.
        average: decay of the moving average of the weights; 0 = none.
        precision: ``auto``, or as Fabric names it.
        steps: length of the whole run in optimizer steps.
        epochs: length in passes over the pictures, if ``steps`` is 0.
    """

    schedule: Schedule
    folders: tuple[str, ...]
    holes: tuple[tuple[float, str], ...]
    network: dict[str, Any]
    average: float
    precision: str
    steps: int = 0
    epochs: int = 0

    def with_width(self, width: int) -> dict[str, Any]:
        """``network`` at another width; a discriminator that ``grows`` keeps its proportion."""
        network = {**self.network, "width": width}
        discriminator = network.get("discriminator")
        if discriminator is not None and discriminator.grows:
            proportion = discriminator.width / self.network["width"]
            grown = max(1, round(proportion * width))
            network["discriminator"] = replace(discriminator, width=grown)
        return network


@dataclass(frozen=True)
class Recipe:
    """How one run makes its weight: the part of it that the engine and the model card need.

    Attributes:
        folders: the preset's picture folders below the data folder.
        pictures: number of training pictures.
        steps: length of the whole run in optimizer steps.
        batch: pictures per optimizer step, over accumulated batches and processes.
        images: the user's own picture folders, without the folders above them.
        command: what the run was called with, see ``Request.command``.
        start: the weight that the run started from; empty = fresh values.
        average: decay of the moving average; 0 = none.
        precision: ``auto``, or as Fabric names it.
        size: side in pixels of the crops; 0 = the task's own.
        holes: (weight, name) of each kind of hole of an inpainter's preset.
        facts: further entries of the card's recipe, by name.
    """

    folders: tuple[str, ...]
    pictures: int
    steps: int
    batch: int
    images: tuple[str, ...] = ()
    command: str = ""
    start: str = ""
    average: float = 0.999
    precision: str = "auto"
    size: int = 0
    holes: tuple[tuple[float, str], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)

    def card_entries(self) -> dict[str, str]:
        """The card's recipe line: every fact, then the number of pictures and the average."""
        entries = {**self.facts, "pictures": self.pictures, "average": self.average}
        return {name: str(value) for name, value in entries.items()}

    def record(self) -> dict[str, Any]:
        """What the header of the best weights keeps of it, as JSON has it."""
        return {
            "command": self.command,
            "start": self.start,
            "folders": list(self.folders),
            "images": list(self.images),
            "pictures": self.pictures,
            "batch": self.batch,
            "size": self.size,
            "holes": [list(kind) for kind in self.holes],
            "entries": self.card_entries(),
        }
