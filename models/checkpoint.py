"""Weight files: safetensors with the network's config inside and the content's hash in the name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import nn

#: Digits of the sha256 in a weight file's name.
DIGITS = 8


class CheckpointError(ValueError):
    """The file is not the expected weight: wrong hash, wrong network, wrong format or damaged."""


def sha256(path: Path) -> str:
    """Return the file's sha256 as 64 hex digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_weights(
    network: nn.Module,
    folder: Path,
    name: str,
    *,
    half: bool = True,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write ``<name>-<first 8 of sha256>.safetensors`` with the network's config in the header.

    Args:
        network: a network with a ``config`` dataclass.
        folder: the folder to write to, created if missing.
        name: the weight's name without the hash.
        half: save floating-point tensors as fp16, like all bundled weights.
        metadata: additional header entries.

    Returns:
        The path of the new file.
    """
    tensors = {}
    for key, value in network.state_dict().items():
        tensors[key] = (
            (value.half() if half and value.is_floating_point() else value)
            .detach()
            .cpu()
            .contiguous()
        )
    config = asdict(network.config)  # type: ignore[call-overload]
    header = {
        "network": type(network).__name__,
        "config": json.dumps(config, sort_keys=True),
        **(metadata or {}),
    }
    data = _ordered(save(tensors, header))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:DIGITS]}.safetensors"
    path.write_bytes(data)
    return path


def _ordered(data: bytes) -> bytes:
    """Sort the header of a safetensors file.

    safetensors shuffles the metadata, so without this equal weights would have unequal hashes.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def load_weights(
    path: Path, network_class: type[nn.Module], *, expected_sha256: str | None = None
) -> nn.Module:
    """Build the network that the file's config describes and load the file's weights into it.

    Args:
        path: a ``.safetensors`` file written by ``save_weights``.
        network_class: the class the file must hold; it has a ``config_class``.
        expected_sha256: the full hash to check. Without it, the eight digits in the file's name
            are checked.

    Returns:
        The network in fp32 and evaluation mode.

    Raises:
        CheckpointError: the file is not the expected weight; the message gives the actual and
            the expected value. Pickles (.pth, .pt, .ckpt) are refused without being read.
    """
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path}: weights are loaded from .safetensors only; "
            f"'{path.suffix}' may be a pickle, which can run code"
        )
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weight file; reinstall the package")
    digest = sha256(path)
    expected = expected_sha256 or path.stem.rpartition("-")[2]
    if len(expected) < DIGITS or not digest.startswith(expected):
        raise CheckpointError(
            f"{path}: sha256 is {digest[:16]}…, expected {expected[:16]}…; "
            "the file is damaged: reinstall the package"
        )
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys()  # the file is no mapping: it cannot be iterated itself
            tensors = {name: file.get_tensor(name) for name in names}
    except Exception as error:  # safetensors raises its own untyped errors for damaged headers
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error
    if header.get("network") != network_class.__name__:
        raise CheckpointError(
            f"{path}: holds a {header.get('network')}, expected a {network_class.__name__}"
        )
    try:
        network = build(network_class, json.loads(header["config"]))
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: the config in its header makes no {network_class.__name__} ({error!r})"
        ) from error
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path}: does not fit a {network_class.__name__} of its own config ({error})"
        ) from error
    return network.eval()


def build(network_class: type[nn.Module], config: dict[str, Any]) -> nn.Module:
    """Build a network on the CPU from its config as a plain dict; lists become tuples."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    with torch.device("cpu"):
        return network_class(network_class.config_class(**values))  # type: ignore[attr-defined]
