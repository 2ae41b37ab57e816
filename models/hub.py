"""TODO docstring."""

from __future__ import annotations

import contextlib
import os
import socket
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .checkpoint import CheckpointError, sha256

#: Seconds after which a server that does not answer counts as unreachable.
CONNECT_TIMEOUT = 4.0


@dataclass(frozen=True)
class RemoteFile:
    """A file that others host: its address, its name in torch's cache, its sha256 (a prefix where only that is published).

    ``also``: full sha256 of other files that hold the same weights and may stand in its place.
    """

    url: str
    filename: str
    sha256: str
    also: tuple[str, ...] = ()


class Fetched(NamedTuple):
    """A file whose hash was checked: where it lies and its full sha256."""

    path: Path
    sha256: str


FCN_RESNET101 = RemoteFile(
    "https://download.pytorch.org/models/fcn_resnet101_coco-7ecb50ca.pth",
    "fcn_resnet101_coco-7ecb50ca.pth",
    "7ecb50ca",
)

YUNET = RemoteFile(
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    "face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
)

VGG16_FEATURES = RemoteFile(
    "https://download.pytorch.org/models/vgg16_features-amdegroot-88682ab5.pth",
    "vgg16_features-amdegroot-88682ab5.pth",
    "88682ab5",
)

ALEXNET = RemoteFile(
    "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
    "alexnet-owt-7be5be79.pth",
    "7be5be79",
)

VGG16_BN = RemoteFile(
    "https://download.pytorch.org/models/vgg16_bn-6c64b313.pth", "vgg16_bn-6c64b313.pth", "6c64b313"
)

SQUEEZENET = RemoteFile(
    "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    "squeezenet1_1-b8a52dc0.pth",
    "b8a52dc0",
    # Converted from a half-precision export, for machines with no way to the hub: values differ in the fourth digit.
    ("f70dea33b510b92f7924478c80dda296ed90e2562180e4ab9164130744760b3c",),
)


def cache_folder() -> Path:
    """torch's own cache of downloaded weights."""
    home = os.environ.get("TORCH_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "torch"
    )
    return Path(home).expanduser() / "hub" / "checkpoints"


def cached(remote: RemoteFile) -> Path | None:
    """The cached file if it is there, whole or not; ``fetch`` checks it."""
    path = cache_folder() / remote.filename
    return path if path.is_file() else None


def why_missing(remote: RemoteFile, *, offline: bool) -> str | None:
    """Why ``fetch`` has no way to the file, in words for a warning; None where it is cached or its server answers.

    Args:
        remote: the file.
        offline: never touch the network; the environment variable ``REMOVE_OBJECTS_OFFLINE`` says the same.
    """
    if cached(remote) is not None:
        return None
    if offline or os.environ.get("REMOVE_OBJECTS_OFFLINE"):
        return "not cached and the network is not to be used"
    return (
        None
        if reachable(remote)
        else f"not cached and its server did not answer within {CONNECT_TIMEOUT:.0f} s"
    )


def _verified(path: Path, remote: RemoteFile) -> Fetched:
    found = sha256(path)
    if not found.startswith(remote.sha256) and found not in remote.also:
        raise CheckpointError(
            f"{path}: sha256 is {found[:16]}…, published is {remote.sha256[:16]}…; delete the file and run again"
        )
    return Fetched(path, found)


def reachable(remote: RemoteFile, timeout: float = CONNECT_TIMEOUT) -> bool:
    """Whether the file's server accepts a connection within ``timeout`` seconds (name lookup, which may hang, counted in)."""
    import threading

    host = urllib.parse.urlsplit(remote.url)
    answer: list[bool] = []

    def connect() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(
                (host.hostname or "", host.port or (443 if host.scheme == "https" else 80)), timeout
            ).close()
            answer.append(True)

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    return bool(answer)


def fetch(remote: RemoteFile, *, progress: bool = True) -> Fetched:
    """The file, its hash checked: from the cache, else downloaded to a temporary file, checked, and renamed.

    Raises:
        CheckpointError: not to be had, or not what was published; names the address and where to put the file by hand.
    """
    path = cached(remote)
    if path is not None:
        return _verified(path, remote)
    from torch.hub import download_url_to_file

    path = cache_folder() / remote.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _socket_timeout(30.0):
            download_url_to_file(
                remote.url, str(path), hash_prefix=remote.sha256, progress=progress
            )
    except (OSError, RuntimeError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise CheckpointError(
            f"{remote.url}: could not be downloaded ({error}); put the file at {path} by hand"
        ) from error
    return _verified(path, remote)


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    # torch's downloader opens its connection without a time limit of its own.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
