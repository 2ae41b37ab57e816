"""What ``--segmenter`` names: one network for the Pascal VOC classes, and folders of own models.

Nothing here loads a network, so that the command line can check it at once.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..models.categories import CLASSES
from ..models.own_segmenter import OwnModelError, read_model
from .errors import UsageError
from .given import closest, shown

#: torchvision's networks by name; ``NAME=FILE`` gives one of them the weights of a file.
TORCHVISION = (
    "fcn_resnet101",
    "deeplabv3_resnet101",
    "deeplabv3_resnet50",
    "fcn_resnet50",
    "deeplabv3_mobilenet_v3_large",
    "lraspp_mobilenet_v3_large",
)
#: The networks for the Pascal VOC classes; ``auto`` chooses one of them.
NETWORKS = ("auto", *TORCHVISION, "compact")


@dataclass(frozen=True)
class SegmenterNames:
    """What ``--segmenter`` names.

    Attributes:
        network: one of ``NETWORKS``; None if only own models find objects.
        checkpoint: the file whose weights ``network`` gets instead of the published ones.
        models: folders of own models, in the order given.
    """

    network: str | None
    checkpoint: Path | None = None
    models: tuple[Path, ...] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of all classes that can be found: the Pascal VOC ones first.

        Raises:
            UsageError: a folder holds no model that can be used.
        """
        names = list(CLASSES if self.network is not None else ())
        for folder in self.models:
            try:
                names += read_model(folder).classes
            except OwnModelError as error:
                raise UsageError(f"segmenter: {error}") from error
        return tuple(dict.fromkeys(names))

    @property
    def text(self) -> str:
        """The names as ``--segmenter`` takes them, with whole paths: the same from any folder."""
        network = self.network
        if network is not None and self.checkpoint is not None:
            network = f"{network}={self.checkpoint}"
        return ",".join((*filter(None, (network,)), *map(str, self.models)))

    def digests(self) -> dict[str, str]:
        """The sha256 of ``checkpoint`` by its network; empty without one.

        Raises:
            UsageError: the file cannot be read.
        """
        if self.network is None or self.checkpoint is None:
            return {}
        try:
            digest = digest_of(self.checkpoint)
        except OSError as error:
            raise UsageError(
                f"segmenter: {self.checkpoint}: cannot be read ({error.strerror})"
            ) from error
        return {self.network: digest}


def parse_segmenter(given: Any) -> SegmenterNames:
    """Read the value of ``--segmenter``.

    A comma separates names. A path may have commas of its own if there is such a file or folder.

    Args:
        given: text such as ``compact``, ``fcn_resnet101=mine.pth`` or ``compact,my-wires/``; in
            Python also a path, or several of both.

    Raises:
        UsageError: a name is unknown, a folder or file is missing, or two networks are named for
            the same classes.
    """
    networks: list[tuple[str | None, Path | None]] = []
    models: list[Path] = []
    for name in _names(given):
        network, _, file = name.partition("=")
        if name in NETWORKS:
            networks.append((name, None))
        elif file and network in NETWORKS:
            networks.append((network, _checkpoint(network, file)))
        else:
            models.append(_folder(name))
    if len(networks) > 1:
        both = " and ".join(str(name) for name, _ in networks)
        raise UsageError(
            f"segmenter: {both} find the same classes; give one of them, and beside it folders of "
            "your own models"
        )
    chosen = networks[0] if networks else (None, None)
    return SegmenterNames(*chosen, tuple(dict.fromkeys(models)))


def without_files(text: str) -> str:
    """The bundled or published network that a value of ``--segmenter`` names, ``auto`` without one.

    What a report names may come from elsewhere, and a file is opened only by a user's own word.
    """
    return next((name for name in text.split(",") if name in NETWORKS), "auto")


def digest_of(file: Path) -> str:
    """The sha256 of a weights' file, which is read again only if its size or time has changed.

    Raises:
        OSError: it cannot be read.
    """
    state = file.stat()
    return _digest(file, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=8)
def _digest(file: Path, size: int, changed: int) -> str:
    """The sha256 of a file that has this size, and changed at this time (ns)."""
    from ..models.checkpoint import sha256

    return sha256(file)


def _names(given: Any) -> list[str]:
    """Return the single names of one text or path, or of several."""
    several = [given] if isinstance(given, str | os.PathLike) else given
    if isinstance(several, bytes) or not isinstance(several, Iterable):
        raise UsageError(f"segmenter takes a name or a folder of a model; got {shown(given)}")
    names: list[str] = []
    for each in several:
        text = os.fspath(each) if isinstance(each, str | os.PathLike) else None
        if not isinstance(text, str) or not text.strip():
            raise UsageError(f"segmenter takes a name or a folder of a model; got {shown(each)}")
        names += _separated(text)
    if not names:
        raise UsageError("segmenter takes a name or a folder of a model; got none")
    return names


def _separated(text: str) -> list[str]:
    """Split a text at its commas, but for those of a path that exists."""
    parts, names = text.split(","), []
    while parts:
        many = len(parts)
        while many > 1 and not _exists(",".join(parts[:many])):
            many -= 1
        names.append(",".join(parts[:many]).strip())
        parts = parts[many:]
    return [name for name in names if name]


def _exists(text: str) -> bool:
    network, _, file = text.partition("=")
    return os.path.exists(file if network in NETWORKS else _expanded(text))


def _expanded(text: str) -> str:
    return os.path.abspath(os.path.expanduser(text))


def _checkpoint(network: str, file: str) -> Path:
    if network not in TORCHVISION:
        raise UsageError(
            f"segmenter: {network}=FILE: {network} takes no file here; one of "
            f"{', '.join(TORCHVISION)} does"
        )
    path = Path(_expanded(file))
    if not path.is_file():
        raise UsageError(f"segmenter: {network}={file}: there is no such file")
    return path


def _folder(name: str) -> Path:
    path = Path(_expanded(name))
    if path.is_dir():
        return path
    if path.exists():
        raise UsageError(
            f"segmenter: {name}: a file, and an own model is the folder that holds config.json and "
            f"model.safetensors; weights of torchvision's networks are {TORCHVISION[0]}=FILE"
        )
    if os.sep in name or (os.altsep or os.sep) in name:
        raise UsageError(f"segmenter: {name}: there is no such folder")
    like = closest(name, NETWORKS)
    raise UsageError(
        f"segmenter must be one of {', '.join(NETWORKS)}, or the folder of an own model; got "
        f"'{name}'" + (f" (did you mean {like}?)" if like else "")
    )
