"""What ``train-inpainter`` was called with, as plain values. Nothing here loads torch."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: The picture sets that ``train.data.datasets`` finds by name.
DATASETS = ("celeba", "celeba-hq", "places2")

#: Pictures that are held out from training at most, unless ``--held-out`` says more.
MOST_HELD_OUT = 64


#: Stands in a card until somebody has said what is true of the pictures.
PLACEHOLDER = (
    "**to fill in**: where these pictures come from, and what their terms allow "
    "(the same export with `--terms TEXT` writes it here)"
)


@dataclass(frozen=True)
class Request:
    """One call of ``train-inpainter``. ``None`` leaves a number to the preset or the task.

    Attributes:
        model: name of the network, a key of ``train.presets.MODELS``.
        data: data folder; the preset's picture folders lie below it.
        run: folder for checkpoints, log and samples; None = ``runs/MODEL``.
        preset: ``shipped`` or ``paper``.
        images: picture folders instead of the preset's; for scene-classifier its class folders.
        dataset: one of ``DATASETS`` instead of picture folders, or None.
        root: folder in which the dataset was unpacked.
        masks: folder of mask pictures (white = hole) instead of the preset's holes.
        features: feature network, see ``train.features.feature_network``; ``none``, or ``auto``,
            see ``train.features.choose_features``.
        labels: segmenter: folder of label pictures under the photos' names.
        classes: segmenter: names of the classes 1, 2 and so on, separated by commas.
        arch: segmenter: an architecture of segmentation-models-pytorch.
        encoder: compact-segmenter's initial encoder: a teacher's constants (.npz) or ``imagenet``;
            segmenter's encoder, by its name in segmentation-models-pytorch.
        encoder_weights: segmenter: what the encoder begins with: ``auto``, ``none``, ``compact``,
            or a name of segmentation-models-pytorch's such as ``imagenet``.
        teacher: folder of the teacher's files, of object-detector and face-detector.
        init_from: weight file that a new run starts from, or ``shipped``.
        variant: skip-ce: Model 0, 1, 2 or 3.
        width: channels.
        blocks: skip-ce: residual blocks behind each middle map.
        steps: length of the whole run in optimizer steps.
        minutes: time limit of this call.
        batch: pictures per batch and process.
        accumulate: batches whose gradients make one step.
        learning_rate: peak learning rate.
        size: side of the training crops in pixels.
        held_out: pictures that are never trained on; None = a tenth, at most ``MOST_HELD_OUT``.
        every: steps between log lines and checkpoints.
        evaluate_every: steps between held-out metrics and samples; None = see ``evaluation``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        devices: accelerators or CPU processes of this machine.
        precision: ``auto`` (the fastest that the device has), ``32-true``, ``bf16-mixed`` or
            ``16-mixed``.
        workers: processes that decode pictures.
        seed: of weights, order of the pictures, crops and holes.
        export: folder to export the best weights to, without training.
        terms: what the owner of the pictures allows, for the card of exported weights.
        replace: name of the weight file that an exported one replaces in its folder.
        command: what was called, for the card: no absolute path is in it.
    """

    model: str
    data: Path | None = None
    run: Path | None = None
    preset: str = "shipped"
    images: tuple[Path, ...] = ()
    dataset: str | None = None
    root: Path | None = None
    masks: Path | None = None
    labels: Path | None = None
    classes: str = ""
    arch: str | None = None
    encoder_weights: str = "auto"
    features: str = "auto"
    encoder: str | None = None
    teacher: Path | None = None
    init_from: Path | None = None
    variant: int | None = None
    width: int | None = None
    blocks: int | None = None
    steps: int | None = None
    minutes: float = math.inf
    batch: int | None = None
    accumulate: int = 1
    learning_rate: float | None = None
    size: int | None = None
    held_out: int | None = None
    every: int = 100
    evaluate_every: int | None = None
    device: str = "auto"
    devices: int = 1
    precision: str | None = None
    workers: int = 0
    seed: int = 0
    export: Path | None = None
    terms: str = ""
    replace: str = ""
    command: str = ""

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.run or Path("runs") / self.model

    @property
    def data_folder(self) -> Path:
        """``data``.

        Raises:
            ValueError: ``--data`` is missing.
        """
        if self.data is None:
            raise ValueError(
                f"{self.model} needs --data: the folder below which the preset's folders lie"
            )
        return self.data

    @property
    def datasets(self) -> tuple[tuple[str, Path], ...]:
        """(name, root) of ``dataset``; empty without one.

        Raises:
            ValueError: the options do not go together.
        """
        names = () if self.dataset is None else (self.dataset,)
        return named_datasets(names, () if self.root is None else (self.root,), self.images)

    @property
    def shown_images(self) -> tuple[str, ...]:
        """``images`` as a card may show them, see ``without_root``."""
        return tuple(without_root(str(folder)) for folder in self.images)

    @property
    def has_checkpoint(self) -> bool:
        """Whether the run's folder holds a checkpoint, which the run then resumes."""
        return (self.folder / "checkpoint.pt").exists()

    @property
    def held_out_samples(self) -> int:
        """``held_out`` of a network that makes its samples: there are as many as it wants."""
        return MOST_HELD_OUT if self.held_out is None else self.held_out

    def held_out_of(self, count: int) -> int:
        """How many of ``count`` pictures are held out: by default a tenth, and at least one."""
        if self.held_out is not None:
            return self.held_out
        return max(1, min(MOST_HELD_OUT, count // 10))

    def evaluation(self, steps: int) -> int:
        """Steps between held-out metrics: 1000, or a tenth of a shorter run's ``steps``."""
        if self.evaluate_every is not None:
            return self.evaluate_every
        return min(1000, max(self.every, steps // 10))

    def pictures_per_step(self, batch: int) -> int:
        """Pictures per optimizer step over accumulated batches and processes (torchrun's count)."""
        return batch * self.accumulate * int(os.environ.get("WORLD_SIZE", self.devices))


def named_datasets(
    names: Sequence[str], roots: Sequence[Path], images: Sequence[Path]
) -> tuple[tuple[str, Path], ...]:
    """The (name, root) pairs of a command's ``--dataset`` and ``--root``.

    Args:
        names: the datasets.
        roots: one for all of them, or one for each.
        images: the command's ``--images``.

    Raises:
        ValueError: the options do not go together.
    """
    if names and images:
        raise ValueError("--dataset and --images both name the pictures; leave one out")
    if not names and roots:
        raise ValueError(f"--root belongs to --dataset, which is one of {', '.join(DATASETS)}")
    if names and not roots:
        raise ValueError(
            f"--dataset {names[0]} needs --root DIR, the folder in which it was unpacked"
        )
    if len(roots) not in (1, len(names)) and names:
        raise ValueError(
            f"{len(names)} --dataset and {len(roots)} --root; "
            "give one --root for all, or one for each"
        )
    return tuple(zip(names, roots if len(roots) > 1 else [*roots] * len(names), strict=True))


def without_root(path: str) -> str:
    """A path as a card may show it: of an absolute one, which says too much, only the name."""
    return Path(path).name if Path(path).is_absolute() else path


def shown_command(program: str, arguments: Sequence[str]) -> str:
    """A command line as a card may show it; see ``without_root``."""
    shown = []
    for argument in arguments:
        option, equals, value = argument.partition("=")
        is_option = option.startswith("-") and equals
        shown.append(f"{option}={without_root(value)}" if is_option else without_root(argument))
    return shlex.join([program, *shown])
