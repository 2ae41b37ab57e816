"""Weight files: safetensors with the network's config inside and the content's hash in the name."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

#: Digits of the sha256 in a weight file's name.
DIGITS = 8
#: The end of the name of a file that ``save_weights`` wrote.
_DIGITS_OF_NAME = re.compile(rf"-([0-9a-f]{{{DIGITS}}})$")

_REINSTALL = "reinstall the package, or copy your own file again"


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
        name: the weight's name without the hash; also the header's ``kind``.
        half: see ``weights_bytes``.
        metadata: additional header entries.

    Returns:
        The path of the new file.
    """
    data = weights_bytes(network, name, half=half, metadata=metadata)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{hashlib.sha256(data).hexdigest()[:DIGITS]}.safetensors"
    path.write_bytes(data)
    return path


def weights_bytes(
    network: nn.Module,
    kind: str,
    *,
    half: bool = True,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """Return the content of a weight file: equal networks make equal bytes.

    Args:
        network: a network with a ``config`` dataclass.
        kind: what the weight is for, as ``train-inpainter`` names it: ``partial-conv``.
        half: save floating-point tensors as fp16, like all bundled weights.
        metadata: additional header entries.

    Returns:
        A safetensors file, whose header holds ``kind``, ``network`` (the class's name) and
        ``config`` (JSON).
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
        "kind": kind,
        "network": type(network).__name__,
        "config": json.dumps(config, sort_keys=True),
        **(metadata or {}),
    }
    return _ordered(save(tensors, header))


def _ordered(data: bytes) -> bytes:
    """Sort the header of a safetensors file.

    safetensors shuffles the metadata, so without this equal weights would have unequal hashes.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[end:]


def weights_header(path: Path) -> dict[str, str]:
    """Read the header of a weight file: its ``kind``, ``network``, ``config``, and what else.

    Files before version 0.2.0 have no ``kind``.

    Raises:
        CheckpointError: the file is missing, no safetensors file, or damaged.
    """
    return _read(path)[0]


def load_weights(
    path: Path, network_class: type[nn.Module], *, expected_sha256: str | None = None
) -> nn.Module:
    """Build the network that the file's config describes and load the file's weights into it.

    Args:
        path: a ``.safetensors`` file written by ``save_weights``, or by a training run.
        network_class: the class the file must hold; it has a ``config_class``.
        expected_sha256: the full hash to check. Without it, the eight digits in the file's name
            are checked; a name that ends in none, such as ``best.safetensors``, promises nothing.

    Returns:
        The network in fp32 and evaluation mode.

    Raises:
        CheckpointError: the file is not the expected weight; the message gives the actual and
            the expected value. Pickles (.pth, .pt, .ckpt) are refused without being read.
    """
    _check_name(path)
    _check_hash(path, expected_sha256)
    header, tensors = _read(path, with_tensors=True)
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


def _check_name(path: Path) -> None:
    """Refuse what is no safetensors file by its name, and what is not there."""
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path}: weights are loaded from .safetensors only; "
            f"'{path.suffix}' may be a pickle, which can run code"
        )
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weight file; {_REINSTALL}")


def _check_hash(path: Path, expected_sha256: str | None) -> None:
    """Compare a file with its hash, or with the digits of it in its name, if it has some."""
    digits = _DIGITS_OF_NAME.search(path.stem)
    expected = expected_sha256 or (digits[1] if digits else "")
    if not expected:
        return
    digest = sha256(path)
    if len(expected) < DIGITS or not digest.startswith(expected):
        raise CheckpointError(
            f"{path}: sha256 is {digest[:16]}…, expected {expected[:16]}…; "
            f"the file is damaged: {_REINSTALL}"
        )


def _read(path: Path, *, with_tensors: bool = False) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header of a safetensors file, and its tensors if they are asked for."""
    _check_name(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            header = file.metadata() or {}
            names = file.keys() if with_tensors else ()  # the file cannot be iterated itself
            return header, {name: file.get_tensor(name) for name in names}
    except Exception as error:  # safetensors raises its own untyped errors for damaged headers
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error


def build(network_class: type[nn.Module], config: dict[str, Any]) -> nn.Module:
    """Build a network on the CPU from its config as a plain dict; lists become tuples."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    with torch.device("cpu"):
        return network_class(network_class.config_class(**values))  # type: ignore[attr-defined]
