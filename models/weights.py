"""The weight table: every weight that ships or is downloaded, with its hash, and the one way to get it.

Shipped weights are ``.safetensors`` beside this file with a model card each; ``models/weights/index.json`` names the current one of each
kind. Downloaded weights lie in torch's own cache and are hash-checked on every load.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.checkpoint import CheckpointError, load_weights, sha256

FOLDER = Path(__file__).parent / "weights"
#: Seconds after which a server that does not answer counts as unreachable.
CONNECT_TIMEOUT = 4.0


@dataclass(frozen=True)
class Remote:
    """A file that others host: its address, its name in torch's cache, its sha256 (a prefix where only that is published)."""

    url: str
    filename: str
    sha256: str
    megabytes: float


FCN_RESNET101 = Remote(
    "https://download.pytorch.org/models/fcn_resnet101_coco-7ecb50ca.pth", "fcn_resnet101_coco-7ecb50ca.pth", "7ecb50ca", 208
)
YUNET = Remote(
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    "face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    0.2,
)
SQUEEZENET = Remote("https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth", "squeezenet1_1-b8a52dc0.pth", "b8a52dc0", 4.7)


def shipped(kind: str) -> Path:
    """The file of the current shipped weight: ``compact-segmenter``, ``partial-conv``, ``skip-ce`` or ``compression``."""
    index = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    if kind not in index:
        raise CheckpointError(f"no weight of kind '{kind}' ships; there are: {', '.join(sorted(index))}")
    return FOLDER / str(index[kind]["file"])


def load_shipped(kind: str, network_class: type[Any]) -> Any:
    """Build and load a shipped network; its full sha256 is checked on every load.

    Raises:
        CheckpointError: missing or damaged; says how to mend it.
    """
    path = shipped(kind)
    index = json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
    return load_weights(path, network_class, expected_sha256=index[kind]["sha256"])


def cache_folder() -> Path:
    """torch's own cache of downloaded weights."""
    home = os.environ.get("TORCH_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch")
    return Path(home).expanduser() / "hub" / "checkpoints"


def cached(remote: Remote) -> Path | None:
    """The cached file if it is there, whole or not; ``verified`` checks it."""
    path = cache_folder() / remote.filename
    return path if path.is_file() else None


def verified(path: Path, remote: Remote) -> Path:
    """``path`` if its hash is the published one.

    Raises:
        CheckpointError: says which file to delete.
    """
    found = sha256(path)
    if not found.startswith(remote.sha256):
        raise CheckpointError(f"{path}: sha256 is {found[:16]}…, published is {remote.sha256[:16]}…; delete the file and run again")
    return path


def reachable(remote: Remote, timeout: float = CONNECT_TIMEOUT) -> bool:
    """Whether the file's server accepts a connection within ``timeout`` seconds (name lookup, which may hang, counted in)."""
    import threading

    host = urllib.parse.urlsplit(remote.url)
    answer: list[bool] = []

    def connect() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection((host.hostname or "", host.port or (443 if host.scheme == "https" else 80)), timeout).close()
            answer.append(True)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(answer)


def fetch(remote: Remote, *, progress: bool = True) -> Path:
    """The verified file: from the cache, else downloaded to a temporary file, checked, and renamed.

    Raises:
        CheckpointError: not to be had, or not what was published; names the address and where to put the file by hand.
    """
    path = cached(remote)
    if path is not None:
        return verified(path, remote)
    from torch.hub import download_url_to_file

    path = cache_folder() / remote.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _socket_timeout(30.0):
            download_url_to_file(remote.url, str(path), hash_prefix=remote.sha256, progress=progress)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(f"{remote.url}: could not be downloaded ({error}); put the file at {path} by hand") from error
    return path


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    # torch's downloader opens its connection without a time limit of its own.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
