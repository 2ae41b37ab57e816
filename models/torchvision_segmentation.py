"""torchvision's segmentation networks by name, with their published weights or a file's.

A file of one's own is what torchvision's training scripts write: ``state_dict`` alone, or a
dictionary with it under ``model``. It is read by ``torch.load(weights_only=True)``, as torchvision
reads its own: tensors and plain values only, so no code of the file runs. Safetensors will do too.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import Tensor, nn

from .categories import CATEGORIES
from .checkpoint import DIGITS, CheckpointError, check_hash
from .hub import SEGMENTERS

#: Under which of these keys a training script may keep the weights.
_WEIGHTS = ("model", "state_dict")
#: The head that only training uses.
_AUXILIARY = "aux_classifier."
#: The layers that have an output for each class: of FCN and DeepLabV3, of LRASPP.
_HEADS = ("classifier.4.weight", "classifier.low_classifier.weight")
#: Put before every name by ``DistributedDataParallel``.
_PARALLEL = "module."


def build_network(name: str) -> nn.Module:
    """Build one of ``hub.SEGMENTERS`` without weights, for the 21 categories, in evaluation mode.

    It has no auxiliary head.
    """
    from torchvision.models import get_model

    network: nn.Module = get_model(
        name, weights=None, weights_backbone=None, num_classes=len(CATEGORIES)
    )
    return network.eval()


def load_network(name: str, path: Path) -> nn.Module:
    """Load a published file of one of ``hub.SEGMENTERS``, whose hash has been checked.

    Returns:
        The network in fp32 and evaluation mode, without the auxiliary head.

    Raises:
        CheckpointError: see ``network_in``.
    """
    return network_in(name, path.read_bytes(), path)


def load_own_network(name: str, path: Path) -> tuple[nn.Module, str]:
    """Load a checkpoint of the user's.

    Eight hex digits at the end of the file's name, as torchvision's files have, are the beginning
    of its sha256; eight decimal ones are a date.

    Returns:
        (``load_network``'s, the file's sha256).

    Raises:
        CheckpointError: see ``network_in``.
        OSError: the file cannot be read.
    """
    content = path.read_bytes()
    if not path.stem[-DIGITS:].isdigit():
        check_hash(path, content)
    return network_in(name, content, path), hashlib.sha256(content).hexdigest()


def network_in(name: str, content: bytes, path: Path) -> nn.Module:
    """Build a network, and load the content of a checkpoint into it.

    Args:
        name: one of ``hub.SEGMENTERS``.
        content: the bytes of the file.
        path: the file, for messages; its suffix tells safetensors.

    Raises:
        CheckpointError: the file is damaged, holds more than plain values, is of another network,
            or has another number of classes.
    """
    state = _weights_of(read_checkpoint(content, path), path)
    network = build_network(name)
    _check_fit(name, network, state, path)
    network.load_state_dict(state, strict=False)
    return network


def read_checkpoint(content: bytes, path: Path) -> Any:
    """Read tensors and plain values; nothing in the file is executed.

    Raises:
        CheckpointError: it is unreadable, or holds anything else.
    """
    if path.suffix == ".safetensors":
        with _named(path):
            return load(content)
    # torchvision's training scripts keep their options, a Namespace of plain values, beside them.
    with torch.serialization.safe_globals([argparse.Namespace]), _named(path):
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # damaged files raise errors of many kinds
        first = str(error).strip().split("\n")[0]
        if "weights_only" in str(error):
            raise CheckpointError(
                f"{path}: holds more than tensors and plain values, which could run code, and is "
                "not loaded; save the network's state_dict() alone, by torch.save or as safetensors"
            ) from error
        raise CheckpointError(f"{path}: not a readable checkpoint ({first})") from error


def _weights_of(content: Any, path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by the network's names, in fp32, without the auxiliary head."""
    inside = [content[key] for key in _WEIGHTS if isinstance(content, Mapping) and key in content]
    state = inside[0] if inside else content
    if not isinstance(state, Mapping) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(
            f"{path}: holds no state_dict; expected tensors by name, alone or under 'model'"
        )
    names = {str(name).removeprefix(_PARALLEL): tensor for name, tensor in state.items()}
    weights = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in names.items()
        if not name.startswith(_AUXILIARY)
    }
    broken = [name for name, tensor in weights.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise CheckpointError(f"{path}: {broken[0]} is not finite; its training diverged")
    return weights


def _check_fit(name: str, network: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Refuse weights of another network, or of another number of classes."""
    expected = network.state_dict()
    if not _has_names_of(expected, state):
        fits = [other for other in SEGMENTERS if _has_names_of(_names_of(other), state)]
        hint = f"it holds a {fits[0]}" if fits else "it holds none of torchvision's"
        raise CheckpointError(
            f"{path}: is no {name}; {hint}" + (f", so name it {fits[0]}=FILE" if fits else "")
        )
    other = {key for key in state if key in expected and state[key].shape != expected[key].shape}
    if not other:
        return
    head = next((key for key in _HEADS if key in other), None)
    if head is not None and state[head].shape[1:] == expected[head].shape[1:]:
        raise CheckpointError(
            f"{path}: has {len(state[head])} classes; expected {len(CATEGORIES)}: the background "
            "and Pascal VOC's twenty, in torchvision's order"
        )
    key = min(other)
    raise CheckpointError(
        f"{path}: is no {name}; {key} is {tuple(state[key].shape)}, "
        f"expected {tuple(expected[key].shape)}"
    )


def _names_of(name: str) -> Mapping[str, Tensor]:
    with torch.device("meta"):
        return build_network(name).state_dict()


def _has_names_of(expected: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> bool:
    """Whether the names are the network's; safetensors of other programs leave counters out."""
    needed = {key for key in expected if not key.endswith("num_batches_tracked")}
    return needed <= set(state) <= set(expected)
