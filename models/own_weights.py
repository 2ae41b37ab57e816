"""A user's own weight files, which replace bundled ones: read, checked and hashed once.

What was checked is what is loaded, by every thread and on every machine of a cluster: the bytes
are kept, and travel with the settings.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .checkpoint import CheckpointError, Parsed, config_in, described, network_in, parse
from .kinds import KINDS, kind_of, network_class
from .shipped import load_shipped, shipped_entry

if TYPE_CHECKING:
    from torch import nn

#: A larger file is no weight of these networks.
_MOST_BYTES = 4 * 2**30
#: The file that a training run leaves for use.
_BEST = "best.safetensors"
#: How files begin that torch.save writes: a ZIP, or a bare pickle.
_PICKLES = (b"PK\x03\x04", b"\x80")
_PICKLE_SUFFIXES = (".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle")


@dataclass(frozen=True)
class OwnWeight:
    """A weight file of the user's. Two are equal if they hold the same weights of one network.

    Attributes:
        kind: the network, a key of ``KINDS``.
        sha256: of the file.
        file: the file, as the user named it, for messages.
        config: of the network, from the file's header.
        content: the file's bytes.
    """

    kind: str
    sha256: str
    file: str = field(compare=False)
    config: Mapping[str, Any] = field(compare=False, repr=False)
    content: bytes = field(compare=False, repr=False)

    def load(self) -> nn.Module:
        """Build the network, in evaluation mode, and load its weights."""
        return network_in(self.content, network_class(self.kind), self.file)


def open_weights(files: Mapping[str, Path | OwnWeight]) -> tuple[OwnWeight, ...]:
    """Read weight files, and refuse what does not fit.

    Args:
        files: of each network, a key of ``KINDS``, its file; one that is open already stays.

    Returns:
        They, in the order of ``KINDS``.

    Raises:
        CheckpointError: one cannot be read, holds another network, does not fit its own config, or
            cannot be used in cleaning; the message names the file, what was found, and what to do.
    """
    opened = {
        kind: given if isinstance(given, OwnWeight) else _opened(kind, given)
        for kind, given in files.items()
    }
    for own in opened.values():
        _refuse_foreign_encoder(own, opened.get("compact-segmenter"))
    return tuple(opened[kind] for kind in KINDS if kind in opened)


def find_own(weights: Iterable[OwnWeight], kind: str) -> OwnWeight | None:
    """Return the user's weight of a network; None if the bundled one is used."""
    return next((own for own in weights if own.kind == kind), None)


def load_network(kind: str, weights: Iterable[OwnWeight] = ()) -> tuple[Any, str]:
    """Load a network: the user's own weight, or else the bundled one.

    Args:
        kind: a key of ``KINDS``.
        weights: the user's.

    Returns:
        (network on the CPU in evaluation mode, sha256 of its file).

    Raises:
        CheckpointError: the bundled weight is missing or damaged; the message gives the remedy.
    """
    own = find_own(weights, kind)
    if own is None:
        return load_shipped(kind, network_class(kind))
    return own.load(), own.sha256


def _opened(kind: str, path: Path) -> OwnWeight:
    content = _read(kind, path)
    parsed = _parsed(content, path)
    _refuse_other_network(kind, parsed, path)
    try:
        described(parsed, network_class(kind), path)
    except CheckpointError as error:
        raise CheckpointError(f"{error}; export the weight again, or name another one") from error
    _refuse_values(parsed, path)
    config = config_in(parsed)
    _refuse_config(kind, config, path)
    digest = hashlib.sha256(content).hexdigest()
    return OwnWeight(kind, digest, str(path), config, content)


def _read(kind: str, path: Path) -> bytes:
    """Return a file's bytes."""
    try:
        state = path.stat()
        if stat.S_ISDIR(state.st_mode):
            inside = path / _BEST
            raise CheckpointError(
                f"{path}: a folder; name the weight file in it, such as {kind}={inside}"
                + ("" if inside.is_file() else f" (this one has no {_BEST})")
            )
        if not stat.S_ISREG(state.st_mode):
            raise CheckpointError(f"{path}: no regular file; name a .safetensors file")
        if state.st_size > _MOST_BYTES:
            raise CheckpointError(
                f"{path}: {state.st_size / 2**30:.1f} GiB, too large for a weight of {kind}; "
                f"name the {_BEST} of a training run"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(
            f"{path}: no such file; name the weight of {kind}, such as the {_BEST} of a run of "
            f"train-inpainter {kind}"
        ) from None
    except OSError as error:
        raise CheckpointError(
            f"{path}: cannot be read ({error.strerror}); name a .safetensors file that you may read"
        ) from error


def _parsed(content: bytes, path: Path) -> Parsed:
    if content.startswith(_PICKLES) or path.suffix.lower() in _PICKLE_SUFFIXES:
        raise CheckpointError(
            f"{path}: a checkpoint of PyTorch (a pickle), which can run code and is not loaded; "
            f"name the .safetensors file, which train-inpainter writes beside its checkpoints "
            f"as {_BEST}"
        )
    if not content:
        raise CheckpointError(f"{path}: an empty file; copy or export the weight again")
    try:
        return parse(content, path)
    except CheckpointError as error:
        what = "a damaged or incomplete" if path.suffix == ".safetensors" else "not a"
        raise CheckpointError(
            f"{path}: {what} .safetensors file of {len(content):,} bytes "
            f"({error.__cause__}); copy or export the weight again"
        ) from error


def _refuse_other_network(kind: str, parsed: Parsed, path: Path) -> None:
    """Refuse a file that holds another network than the one it was named for."""
    name = parsed.header.get("network")
    if name == network_class(kind).__name__:
        return
    if name is None:
        raise CheckpointError(
            f"{path}: tensors ({len(parsed.tensors)}) of a network that the file does not name; "
            f"{kind} takes a file that train-inpainter {kind} wrote"
        )
    found = kind_of(name)
    if found is None:
        raise CheckpointError(
            f"{path}: the weights of {name}, which cleans no photos; {kind} takes a file that "
            f"train-inpainter {kind} wrote"
        )
    raise CheckpointError(
        f"{path}: the weights of {found}, not of {kind}; give the file as {found}={path}, or name "
        f"a file that train-inpainter {kind} wrote"
    )


def _refuse_values(parsed: Parsed, path: Path) -> None:
    """Refuse values that are no numbers, with which every hole would become black."""
    for name, tensor in parsed.tensors.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(
                f"{path}: has values that are no finite numbers ({name}), so the training had "
                "diverged; take an earlier weight, or train with a lower --learning-rate"
            )


def _refuse_config(kind: str, config: Mapping[str, Any], path: Path) -> None:
    """Refuse a network that is of the right class, and that the pipeline cannot use."""
    classes = {"compact-segmenter": 21, "object-detector": 20}.get(kind)
    if classes is not None and config.get("classes", classes) != classes:
        raise CheckpointError(
            f"{path}: a {kind} of {config['classes']} classes, where cleaning takes one of "
            f"{classes}, those of Pascal VOC; train one of them"
        )
    if kind == "skip-ce" and config.get("variant", 3) < 2:
        raise CheckpointError(
            f"{path}: Model {config['variant']} of skip-ce, which fills a square in the middle of "
            "a picture and no other hole; train one with --variant 2 or 3"
        )


def _refuse_foreign_encoder(own: OwnWeight, compact: OwnWeight | None) -> None:
    """Refuse a network whose features are those of a compact segmenter that is not here."""
    encoder = str(own.config.get("encoder", ""))
    bundled = shipped_entry("compact-segmenter")["sha256"]
    known = {"", bundled, *([] if compact is None else [compact.sha256])}
    if encoder not in known:
        raise CheckpointError(
            f"{own.file}: was trained on the features of the compact-segmenter {encoder[:8]}, and "
            f"the bundled one is {bundled[:8]}; give that segmenter too, as "
            "compact-segmenter=FILE, or train on the bundled one's"
        )
