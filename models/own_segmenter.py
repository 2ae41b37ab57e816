"""Segmenters of one's own: folders that segmentation-models-pytorch (smp) saved.

``save_pretrained`` of smp writes ``config.json`` and ``model.safetensors``. smp hands every key of
the configuration that begins with an underscore past its models, and so do we: the classes' names,
the normalisation of the pictures and the size at which photos are seen stand there, and plain
``smp.from_pretrained`` still loads the folder.

Reading the configuration imports neither torch nor smp, so that a command line can do it at once.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

#: smp's architectures, by the names that ``create_model`` takes.
ARCHITECTURES = {
    name.lower(): name
    for name in (
        *("Unet", "UnetPlusPlus", "MAnet", "Linknet", "FPN", "PSPNet", "DeepLabV3"),
        *("DeepLabV3Plus", "PAN", "UPerNet", "Segformer", "DPT"),
    )
}
CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"
#: The folder of a training run in which its model lies.
RUN_MODEL = "model"
#: The keys of the configuration that are ours.
CLASS_NAMES, MEAN, STD, LONGEST = "_class_names", "_input_mean", "_input_std", "_longest_side"
#: Longer side in pixels at which a photo is seen if the configuration does not say.
DEFAULT_LONGEST = 1024
#: Side of a window, and how far two windows overlap at least, in pixels.
WINDOW, OVERLAP = 1024, 128
#: Least side in pixels of what a network sees: some pool it several times.
LEAST_SIDE = 128

#: Arguments that smp understands and does not list: of earlier versions, and of DPT's encoders.
_EARLIER = ("decoder_use_batchnorm", "psp_use_batchnorm", "dynamic_img_size")

#: Limits of a configuration: its bytes, the numbers and the lists in it, its classes.
_MOST_BYTES, _LARGEST, _LONGEST_LIST, _MOST_CLASSES = 1_000_000, 4096, 64, 255
#: An encoder's name: timm takes addresses of hubs and folders for names, which are no names here.
_ENCODER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
_CLASS = re.compile(r"\w[\w .+-]{0,39}")
_RESERVED = ("all", "background", "none")


class OwnModelError(ValueError):
    """A folder holds no model that can be loaded; the message names it and what to do."""


class Normalisation(NamedTuple):
    """How pixels become a network's numbers: (x / 255 - mean) / deviation, by channel of RGB."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


#: Of ImageNet's pictures, with which most encoders were published.
IMAGENET = Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
#: The others, by the beginning of their names.
_PUBLISHED = {
    "inception": _HALF,
    "xception": _HALF,
    "dpn": Normalisation((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3),
}


@dataclass(frozen=True)
class OwnModel:
    """What a folder's configuration says of its model.

    Attributes:
        folder: the folder.
        architecture: smp's class, a value of ``ARCHITECTURES``.
        options: smp's keyword arguments of it.
        classes: names of the classes.
        exclusive: whether the network's maps exclude each other, the first being that of no class;
            else each map is a class, and a pixel may be of several.
        named: whether the configuration names the classes; else the folder does.
        normalisation: of the pictures; None for what smp says of the encoder's weights.
        longest: longer side in pixels at which photos are seen; smaller ones are not enlarged.
    """

    folder: Path
    architecture: str
    options: dict[str, Any]
    classes: tuple[str, ...]
    exclusive: bool
    named: bool
    normalisation: Normalisation | None
    longest: int

    @property
    def encoder(self) -> str:
        """Smp's name of the encoder."""
        return str(self.options["encoder_name"])

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.folder / WEIGHTS


def metadata(
    classes: tuple[str, ...], normalisation: Normalisation, longest: int
) -> dict[str, Any]:
    """Our keys of a configuration, see ``OwnModel``."""
    return {
        CLASS_NAMES: list(classes),
        MEAN: list(normalisation.mean),
        STD: list(normalisation.std),
        LONGEST: longest,
    }


def check_class_names(names: Any) -> tuple[str, ...]:
    """Return names of classes that can be told from each other and from what ``--class`` means.

    Raises:
        ValueError: they cannot; the message says which.
    """
    if not isinstance(names, list | tuple) or not names:
        raise ValueError(f"class names are a list of texts; got {names!r:.60}")
    for name in names:
        if not isinstance(name, str) or not _CLASS.fullmatch(name) or name != name.strip():
            raise ValueError(
                f"a class name is 1 to 40 letters, digits, spaces or '.+-_'; got {name!r:.60}"
            )
        if name.lower() in _RESERVED:
            raise ValueError(f"no class can be named '{name}', which means something else")
    plain = [re.sub(r"[\s_-]+", "", name.casefold()) for name in names]
    if twice := next((n for n, p in zip(names, plain, strict=True) if plain.count(p) > 1), None):
        raise ValueError(f"the class name '{twice}' is given twice")
    return tuple(names)


def read_model(folder: Path) -> OwnModel:
    """Read what a folder's configuration says.

    Raises:
        OwnModelError: it holds no model of smp, or one that cannot be used.
    """
    try:
        return _model(folder, _read(folder / CONFIG))
    except OwnModelError:
        raise
    except ValueError as error:
        raise OwnModelError(f"{folder / CONFIG}: {error}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        within = path.parent / RUN_MODEL
        if (within / CONFIG).is_file():
            raise OwnModelError(f"{path.parent}: a run's folder; its model is {within}") from error
        raise OwnModelError(
            f"{path}: cannot be read ({error.strerror}); an own model is the folder that "
            "segmentation-models-pytorch's save_pretrained or train-inpainter segmenter writes"
        ) from error
    if len(content) > _MOST_BYTES:
        raise ValueError(f"larger than {_MOST_BYTES:,} bytes, so it is no configuration")
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"is no JSON ({shortened(str(error))}); copy or export the model again"
        ) from error
    if not isinstance(config, dict):
        raise ValueError("is no configuration of a model: expected an object of names and values")
    return config


def _model(folder: Path, config: dict[str, Any]) -> OwnModel:
    architecture = config.get("_model_class")
    if architecture not in ARCHITECTURES.values():
        raise ValueError(
            f"_model_class is {architecture!r:.60}; expected one of segmentation-models-pytorch's "
            f"architectures: {', '.join(ARCHITECTURES.values())}"
        )
    options = {k: v for k, v in config.items() if not k.startswith("_")}
    encoder, count = options.get("encoder_name"), options.get("classes")
    if not isinstance(encoder, str) or not _ENCODER.fullmatch(encoder):
        raise ValueError(f"encoder_name is {encoder!r:.60}; expected the name of an encoder of smp")
    if type(count) is not int or not 1 <= count <= _MOST_CLASSES:
        raise ValueError(f"classes is {count!r:.60}; expected a number from 1 to {_MOST_CLASSES}")
    if options.get("in_channels", 3) != 3:
        raise ValueError(
            f"in_channels is {options['in_channels']!r:.60}; photos have 3, red, green and blue"
        )
    for name, value in options.items():
        _refuse_value(name, value)
    if not (folder / WEIGHTS).is_file():
        raise OwnModelError(_no_weights(folder))
    classes, exclusive = _classes(folder, config, count, options.get("activation"))
    longest = config.get(LONGEST, DEFAULT_LONGEST)
    if type(longest) is not int or not 32 <= longest <= _LARGEST:
        raise ValueError(f"{LONGEST} is {longest!r:.60}; expected 32 to {_LARGEST} pixels")
    return OwnModel(
        folder,
        str(architecture),
        options,
        classes,
        exclusive,
        CLASS_NAMES in config,
        _normalisation(config),
        longest,
    )


def _refuse_value(name: str, value: Any, depth: int = 0) -> None:
    """Refuse what no argument of a network is, before any memory is taken for it."""
    if value is None or isinstance(value, bool | str):
        return
    if isinstance(value, int | float):
        if not math.isfinite(value) or abs(value) > _LARGEST:
            raise ValueError(f"{name} is {value!r:.60}; expected at most {_LARGEST}")
        return
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(inner, list) or len(inner) > _LONGEST_LIST or depth > 3:
        raise ValueError(f"{name} is {value!r:.60}, which no network takes")
    for each in inner:
        _refuse_value(name, each, depth + 1)


def _no_weights(folder: Path) -> str:
    pickles = sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".pth"))
    if not pickles:
        return f"{folder}: holds no {WEIGHTS}, the weights that save_pretrained writes"
    return (
        f"{folder}: holds {pickles[0]}, a pickle, which may run a program of somebody else's when "
        f"it is read, and no {WEIGHTS}; load it where you trust it, and save it by "
        "save_pretrained, which writes safetensors"
    )


def _classes(
    folder: Path, config: dict[str, Any], count: int, activation: Any
) -> tuple[tuple[str, ...], bool]:
    """(names of the classes, whether the first map is that of no class)."""
    separate = count == 1 or activation in ("sigmoid", "logsigmoid", "tanh")
    if CLASS_NAMES not in config:
        stem = re.sub(r"[^\w.+-]+", "-", folder.name).strip("-")[:30] or "own"
        numbers = range(1, count + 1 if separate else count)
        names = (stem,) if count == 1 else tuple(f"{stem}-{n}" for n in numbers)
        return check_class_names(names), not separate
    names = check_class_names(config[CLASS_NAMES])
    if len(names) not in (count, count - 1):
        raise ValueError(
            f"{CLASS_NAMES} has {len(names)} names for a network of {count} maps; expected "
            f"{count - 1}, of all maps but the first, which is that of no class, or {count}"
        )
    return names, len(names) == count - 1


def _normalisation(config: dict[str, Any]) -> Normalisation | None:
    if MEAN not in config and STD not in config:
        return None
    values: list[Any] = [config.get(MEAN), config.get(STD)]
    for name, value in zip((MEAN, STD), values, strict=True):
        fits = isinstance(value, list) and len(value) == 3
        if not fits or not all(
            type(v) in (int, float) and math.isfinite(v) and abs(v) <= 1000 for v in value
        ):
            raise ValueError(f"{name} is {value!r:.60}; expected three numbers, of R, G and B")
    if min(map(abs, values[1])) < 1e-6:
        raise ValueError(f"{STD} is {values[1]!r:.60}; pictures are divided by it")
    return Normalisation(tuple(values[0]), tuple(values[1]))


def refuse_other_model(folder: Path) -> None:
    """Refuse to write a model where files lie that were not written here.

    Raises:
        OwnModelError: there are some that it would replace.
    """
    if not any((folder / name).exists() for name in (CONFIG, WEIGHTS)):
        if (folder / CARD).exists():
            raise OwnModelError(
                f"{folder / CARD}: the model's card would replace this file; name another folder"
            )
        return
    try:
        known = MEAN in _read(folder / CONFIG)
    except ValueError:
        known = False
    if not known:
        raise OwnModelError(
            f"{folder}: holds a model that train-inpainter did not write; name another folder"
        )


class LoadedModel(NamedTuple):
    """A network that was loaded.

    Attributes:
        network: in evaluation mode; gives logits N(maps)HW.
        normalisation: of its pictures.
        sha256: of its weights' file.
    """

    network: nn.Module
    normalisation: Normalisation
    sha256: str


def shortened(text: str) -> str:
    """The first line of a library's message, cut between two words if it is long."""
    first = (text.splitlines() or [""])[0]
    return textwrap.shorten(first, 160, placeholder=" …")


def build(model_class: str, options: dict[str, Any]) -> nn.Module:
    """Make a network of smp with random weights; nothing is asked over the network.

    Args:
        model_class: a value of ``ARCHITECTURES``.
        options: smp's keyword arguments; the weights of the encoder and the activation are left
            out.

    Raises:
        ValueError: smp takes no such arguments; the message is its own.
    """
    import inspect
    import warnings

    import segmentation_models_pytorch as smp

    kept = {k: v for k, v in options.items() if k not in ("encoder_weights", "activation")}
    architecture = getattr(smp, model_class)
    # What smp does not know it hands on to the encoder's library, which reads files and addresses.
    known = {*inspect.signature(architecture.__init__).parameters, *_EARLIER} - {"self", "kwargs"}
    if unknown := sorted(set(kept) - known):
        raise ValueError(f"{model_class} of segmentation-models-pytorch takes no {unknown[0]:.60}")
    if model_class == "DPT":  # photos have other sizes than its transformer was trained with
        kept["dynamic_img_size"] = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of arguments that older versions wrote
        try:
            network: nn.Module = architecture(**kept, encoder_weights=None, activation=None)
        # What a network says of wrong arguments takes every form.
        except Exception as error:
            why = shortened(str(error) or type(error).__name__)
            raise ValueError(
                f"segmentation-models-pytorch cannot build {model_class} of it ({why})"
            ) from error
    return network


def load_model(model: OwnModel) -> LoadedModel:
    """Load the network of a folder.

    Raises:
        OwnModelError: its files do not fit each other, or smp cannot build it.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        network = build(model.architecture, model.options)
    except ValueError as error:
        raise OwnModelError(f"{model.folder / CONFIG}: {error}") from error
    try:
        content = model.weights.read_bytes()
        state = load(content)
    except (OSError, SafetensorError, ValueError) as error:
        raise OwnModelError(
            f"{model.weights}: not readable weights ({shortened(str(error))}); copy or export the "
            "model again"
        ) from error
    try:
        network.load_state_dict(state)
    # smp renames the keys of some encoders first, and stumbles over keys that it does not know.
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = lines[-1] if lines else type(error).__name__
        raise OwnModelError(
            f"{model.weights}: holds other weights than {CONFIG} says ({shortened(why)})"
        ) from error
    normalisation = model.normalisation or _of_encoder(model.encoder)
    return LoadedModel(network.eval(), normalisation, hashlib.sha256(content).hexdigest())


def _of_encoder(encoder: str) -> Normalisation:
    """The normalisation that an encoder was published with.

    smp would ask a hub for it, which no cleaning may do: timm knows it of its own networks, and of
    the others nearly all have ImageNet's.
    """
    if encoder.startswith("tu-"):
        import timm

        settings = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
        return Normalisation(tuple(settings.mean), tuple(settings.std)) if settings else IMAGENET
    return next((of for stem, of in _PUBLISHED.items() if encoder.startswith(stem)), IMAGENET)


def photo_probabilities(
    network: nn.Module,
    rgb: NDArray[np.uint8],
    normalisation: Normalisation,
    *,
    exclusive: bool,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Find the classes of an own model in a picture, at the picture's size.

    Pictures of more than ``WINDOW`` pixels a side are seen in windows, of which the middle counts
    most where they overlap.

    Args:
        network: of ``load_model``, on ``device``.
        rgb: HWC.
        normalisation: of the network's pictures.
        exclusive: see ``OwnModel``.
        device: the network's device.

    Returns:
        (classes)HW float32 in [0, 1].
    """
    import numpy as np

    height, width = rgb.shape[:2]
    windows = [
        (y, x) for y in _windows(height) for x in _windows(width)
    ]  # (start, end) of rows, of columns
    if len(windows) == 1:
        return _window_probabilities(network, rgb, normalisation, exclusive, device)
    total: NDArray[np.float32] | None = None
    weight = np.zeros((height, width), np.float32)
    for (top, bottom), (left, right) in windows:
        here = _window_probabilities(
            network, rgb[top:bottom, left:right], normalisation, exclusive, device
        )
        if total is None:
            total = np.zeros((len(here), height, width), np.float32)
        share = np.minimum.outer(_fade(bottom - top), _fade(right - left))
        total[:, top:bottom, left:right] += here * share
        weight[top:bottom, left:right] += share
    assert total is not None
    return total / weight


def _windows(length: int) -> list[tuple[int, int]]:
    """(start, end) of the windows along a side, all of one length."""
    if length <= WINDOW:
        return [(0, length)]
    count = math.ceil((length - OVERLAP) / (WINDOW - OVERLAP))
    starts = [round(i * (length - WINDOW) / (count - 1)) for i in range(count)]
    return [(start, start + WINDOW) for start in starts]


def _fade(length: int) -> NDArray[np.float32]:
    """Weights along a side of a window: 1 in the middle, less within the overlap."""
    import numpy as np

    line = np.arange(length, dtype=np.float32) + 1
    return np.minimum(1, np.minimum(line, line[::-1]) / OVERLAP).astype(np.float32)


def _window_probabilities(
    network: nn.Module,
    rgb: NDArray[np.uint8],
    normalisation: Normalisation,
    exclusive: bool,
    device: torch.device | str,
) -> NDArray[np.float32]:
    """As ``photo_probabilities``, of a picture that is seen at once."""
    import torch
    import torch.nn.functional as F

    from .precision import autocast

    height, width = rgb.shape[:2]
    picture = as_input(rgb, normalisation, multiple(network))[None].to(device)
    with (
        torch.inference_mode(),
        autocast(
            torch.device(device),
            picture.shape[-1] // 2,  # a stride of 32, not of 16
        ),
    ):
        found = network(picture.contiguous(memory_format=torch.channels_last))
        # A network may have a second head, of the whole picture.
        logits = (found[0] if isinstance(found, tuple) else found).float()
        if logits.shape[-2:] != picture.shape[-2:]:
            logits = F.interpolate(logits, picture.shape[-2:], mode="bilinear", align_corners=False)
        logits = logits[0, :, :height, :width]
        return (logits.softmax(0)[1:] if exclusive else logits.sigmoid()).cpu().numpy()


def multiple(network: nn.Module) -> int:
    """The number of pixels by which a network's sides must be divisible."""
    return int(getattr(getattr(network, "encoder", None), "output_stride", 32))


def as_input(rgb: NDArray[np.uint8], normalisation: Normalisation, divisor: int) -> torch.Tensor:
    """A picture HWC as a network takes it: 3HW float32, its last rows and columns repeated.

    Args:
        rgb: HWC.
        normalisation: of the network's pictures.
        divisor: of both sides afterwards, which are at least ``LEAST_SIDE``.
    """
    import numpy as np
    import torch

    height, width = rgb.shape[:2]
    missing = (0, _missing(height, divisor)), (0, _missing(width, divisor)), (0, 0)
    whole = np.ascontiguousarray(np.pad(rgb, missing, mode="edge").transpose(2, 0, 1))
    return normalised(torch.from_numpy(whole), normalisation)


def _missing(side: int, divisor: int) -> int:
    """The pixels that a side lacks to be divisible, and as long as the deepest pooling needs."""
    return -(-max(side, LEAST_SIDE) // divisor) * divisor - side


def normalised(picture: torch.Tensor, normalisation: Normalisation) -> torch.Tensor:
    """Pictures (N)3HW of 0 to 255 as a network takes them, float32."""
    import torch

    mean, std = (torch.tensor(v, device=picture.device)[:, None, None] for v in normalisation)
    return picture.float().div(255).sub(mean).div(std)
