"""Weight files: safetensors with the network's config inside and the content's hash in the name."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import load, save
from torch import Tensor, nn

from .errors import CheckpointError as CheckpointError

#: Digits of the sha256 in a weight file's name.
DIGITS = 8
#: The end of the name of a file that ``save_weights`` wrote.
_DIGITS_OF_NAME = re.compile(rf"-([0-9a-f]{{{DIGITS}}})$")
#: A number of a config up to this one costs nothing, whatever it means.
_ANY = 64

_REINSTALL = "reinstall the package, or copy your own file again"


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
    path = folder / name_with_hash(name, data)
    path.write_bytes(data)
    return path


def name_with_hash(name: str, data: bytes) -> str:
    """Return a weight file's name: ``<name>-<first 8 of sha256>.safetensors``."""
    return f"{name}-{hashlib.sha256(data).hexdigest()[:DIGITS]}.safetensors"


def weights_bytes(
    network: nn.Module,
    kind: str,
    *,
    half: bool = True,
    metadata: dict[str, str] | None = None,
) -> bytes:
    """Return the content of a weight file: equal networks make equal bytes.

    Args:
        network: a network with a ``config`` dataclass; of another package's network, whose config
            has a format of its own, the file tells none.
        kind: what the weight is for, as ``train-inpainter`` names it: ``partial-conv``.
        half: save floating-point tensors as fp16, like all bundled weights.
        metadata: additional header entries.

    Returns:
        A safetensors file, whose header holds ``kind``, ``network`` (the class's name) and
        ``config`` (JSON).
    """
    tensors = {}
    for key, value in network.state_dict().items():
        # A copy: safetensors refuses tensors that share their memory.
        copy = value.detach().to("cpu", copy=True).contiguous()
        tensors[key] = copy.half() if half and copy.is_floating_point() else copy
    own: Any = network.config
    is_ours = is_dataclass(own) and not isinstance(own, type)
    config: dict[str, Any] = asdict(own) if is_ours else {}
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
    _check_name(path)
    try:
        with safe_open(str(path), framework="pt") as file:
            return file.metadata() or {}
    except Exception as error:  # safetensors raises its own untyped errors for damaged headers
        raise CheckpointError(f"{path}: not a readable safetensors file ({error})") from error


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
    content = path.read_bytes()
    check_hash(path, content, expected_sha256)
    return network_in(content, network_class, path)


class Parsed(NamedTuple):
    """The content of a weight file.

    Attributes:
        header: its metadata; ``network`` is the class, ``config`` the configuration as JSON.
        tensors: by the names of the network's state.
    """

    header: dict[str, str]
    tensors: dict[str, Tensor]


def parse(content: bytes, shown: object) -> Parsed:
    """Read the content of a safetensors file.

    Args:
        content: the file's bytes.
        shown: the file, for messages.

    Raises:
        CheckpointError: they are no safetensors file, or a part of one is missing.
    """
    try:
        tensors = load(content)
        end = 8 + int.from_bytes(content[:8], "little")
        header = json.loads(content[8:end]).get("__metadata__") or {}
    except Exception as error:  # safetensors raises its own untyped errors for damaged headers
        raise CheckpointError(f"{shown}: not a readable safetensors file ({error})") from error
    return Parsed(header, tensors)


def network_in(content: bytes, network_class: type[nn.Module], shown: object) -> nn.Module:
    """Build the network that a file's content describes, and load its weights.

    Args:
        content: the bytes of a file that ``save_weights`` wrote.
        network_class: the class the file must hold.
        shown: the file, for messages.

    Returns:
        The network on the CPU, in fp32 and evaluation mode.

    Raises:
        CheckpointError: the content is not the expected weight.
    """
    parsed = parse(content, shown)
    network = described(parsed, network_class, shown)
    tensors = {k: v.float() if v.is_floating_point() else v for k, v in parsed.tensors.items()}
    network.load_state_dict(tensors)
    return network.eval()


def described(parsed: Parsed, network_class: type[nn.Module], shown: object) -> nn.Module:
    """Build the network that a file describes, with initial weights, and compare the shapes.

    Args:
        parsed: the file's content.
        network_class: the class the file must hold.
        shown: the file, for messages.

    Raises:
        CheckpointError: the file holds another network, its config makes none, or its tensors are
            others than those of its config.
    """
    if parsed.header.get("network") != network_class.__name__:
        raise CheckpointError(
            f"{shown}: holds a {parsed.header.get('network')}, expected a {network_class.__name__}"
        )
    try:
        network = build(network_class, config_in(parsed))
    except Exception as error:  # a config that nobody wrote may break a constructor in any way
        raise CheckpointError(
            f"{shown}: the config in its header makes no {network_class.__name__} ({error!r})"
        ) from error
    if misfit := _misfit(network.state_dict(), parsed.tensors):
        raise CheckpointError(
            f"{shown}: does not fit a {network_class.__name__} of its own config ({misfit})"
        )
    return network


def config_in(parsed: Parsed) -> dict[str, Any]:
    """Return the config in a file's header, as plain values.

    Raises:
        KeyError: there is none.
        ValueError: it is no JSON object, or has a number that the file's tensors cannot have: the
            network would take hours, or all memory, to build.
    """
    config = json.loads(parsed.header["config"])
    if not isinstance(config, dict):
        raise ValueError(f"no JSON object: {parsed.header['config'][:40]}")
    sizes = [size for tensor in parsed.tensors.values() for size in tensor.shape]
    largest = max(*sizes, len(parsed.tensors), _ANY)
    for name, value in config.items():
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, int | float) and not 0 <= number <= largest:
                raise ValueError(f"{name} is {number}")
    return config


def _misfit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """Say how tensors differ from a network's in name or shape; empty if they fit."""
    found = [f"{name} is missing" for name in expected if name not in given]
    found += [f"{name} is of another network" for name in given if name not in expected]
    found += [
        f"{name} is {_shape(tensor)}, and the config makes it {_shape(expected[name])}"
        for name, tensor in given.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    more = f", and so on for {len(found) - 1} more of its tensors" if len(found) > 1 else ""
    return f"{found[0]}{more}" if found else ""


def _shape(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "a single number"


def _check_name(path: Path) -> None:
    """Refuse what is no safetensors file by its name, and what is not there."""
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path}: weights are loaded from .safetensors only; "
            f"'{path.suffix}' may be a pickle, which can run code"
        )
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weight file; {_REINSTALL}")


def check_hash(path: Path, content: bytes, expected_sha256: str | None = None) -> None:
    """Compare a file's content with its hash, or with the digits of it in the file's name.

    Raises:
        CheckpointError: it is another file.
    """
    digits = _DIGITS_OF_NAME.search(path.stem)
    expected = expected_sha256 or (digits[1] if digits else "")
    if not expected:
        return
    digest = hashlib.sha256(content).hexdigest()
    if len(expected) < DIGITS or not digest.startswith(expected):
        raise CheckpointError(
            f"{path}: sha256 is {digest[:16]}…, expected {expected[:16]}…; "
            f"the file is damaged: {_REINSTALL}"
        )


def build(network_class: type[nn.Module], config: dict[str, Any]) -> nn.Module:
    """Build a network on the CPU from its config as a plain dict; lists become tuples."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}
    with torch.device("cpu"):
        return network_class(network_class.config_class(**values))  # type: ignore[attr-defined]
