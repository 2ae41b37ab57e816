"""Weights that others host: their addresses and hashes, torch's download cache, and ``fetch``.

Downloaded files lie in torch's own cache, or where ``download_cache`` says; their hash is checked
on every use.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .checkpoint import CheckpointError, sha256
from .download_cache import (
    cache_folder,
    cache_folders,
    is_trustworthy,
    make_cache_folder,
    temporary_cache,
)

log = logging.getLogger(__name__)

#: Seconds after which an unresponsive server counts as unreachable.
CONNECT_TIMEOUT = 4.0


@dataclass(frozen=True)
class RemoteFile:
    """A file that others host.

    Attributes:
        url: its address.
        filename: its name in torch's cache.
        sha256: its sha256, or a prefix if only that is published.
        also: full sha256 of other files that hold the same weights and may replace it.
    """

    url: str
    filename: str
    sha256: str
    also: tuple[str, ...] = ()


class Fetched(NamedTuple):
    """A file with a checked hash.

    Attributes:
        path: the file.
        sha256: its full sha256.
    """

    path: Path
    sha256: str


def _of_torchvision(filename: str) -> RemoteFile:
    """One of torchvision's files, whose name ends in the beginning of its sha256."""
    digits = filename.removesuffix(".pth").rpartition("-")[2]
    return RemoteFile(f"https://download.pytorch.org/models/{filename}", filename, digits)


#: torchvision's networks for the Pascal VOC classes, with ``COCO_WITH_VOC_LABELS_V1``.
SEGMENTERS = {
    "fcn_resnet50": _of_torchvision("fcn_resnet50_coco-1167a1af.pth"),
    "fcn_resnet101": _of_torchvision("fcn_resnet101_coco-7ecb50ca.pth"),
    "deeplabv3_resnet50": _of_torchvision("deeplabv3_resnet50_coco-cd0a2569.pth"),
    "deeplabv3_resnet101": _of_torchvision("deeplabv3_resnet101_coco-586e9e4e.pth"),
    "deeplabv3_mobilenet_v3_large": _of_torchvision("deeplabv3_mobilenet_v3_large-fc3c493d.pth"),
    "lraspp_mobilenet_v3_large": _of_torchvision("lraspp_mobilenet_v3_large-d234d4ea.pth"),
}

YUNET = RemoteFile(
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/face_detection_yunet/face_detection_yunet_2023mar.onnx",
    "face_detection_yunet_2023mar.onnx",
    "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
)

# Of the two files of torchvision's VGG-16, the one for pictures in [0, 1]. The other,
# ``vgg16_features-amdegroot``, comes from Caffe and takes levels of 0 to 255: its features are
# some hundred times as large, and so are the losses over them.
VGG16 = _of_torchvision("vgg16-397923af.pth")

ALEXNET = _of_torchvision("alexnet-owt-7be5be79.pth")

VGG16_BN = _of_torchvision("vgg16_bn-6c64b313.pth")

SQUEEZENET = RemoteFile(
    "https://download.pytorch.org/models/squeezenet1_1-b8a52dc0.pth",
    "squeezenet1_1-b8a52dc0.pth",
    "b8a52dc0",
    # Converted from a half-precision export, for machines that cannot reach the hub: the values
    # differ in the fourth digit.
    ("f70dea33b510b92f7924478c80dda296ed90e2562180e4ab9164130744760b3c",),
)


def cached(remote: RemoteFile) -> Path | None:
    """Return the path of the cached file, which may be damaged, or None; ``fetch`` checks it."""
    paths = [folder / remote.filename for folder in cache_folders() if is_trustworthy(folder)]
    return next((path for path in paths if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # in another user's home
        return False


def why_missing(remote: RemoteFile, *, offline: bool) -> str | None:
    """Say why ``fetch`` cannot get a file.

    Args:
        remote: the file.
        offline: do not use the network; the environment variable ``REMOVE_OBJECTS_OFFLINE`` has
            the same effect.

    Returns:
        The reason, worded for a warning; None if the file is cached or its server answers.
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
    digest = sha256(path)
    if not digest.startswith(remote.sha256) and digest not in remote.also:
        raise CheckpointError(
            f"{path}: sha256 is {digest[:16]}…, published is {remote.sha256[:16]}…; "
            "delete the file and run again"
        )
    return Fetched(path, digest)


def reachable(remote: RemoteFile, timeout: float = CONNECT_TIMEOUT) -> bool:
    """Return whether the file's server accepts a connection in time.

    Args:
        remote: the file.
        timeout: seconds, which include the name lookup (it may hang).
    """
    import threading

    host = urllib.parse.urlsplit(remote.url)
    connected = threading.Event()

    def connect() -> None:
        with contextlib.suppress(OSError):
            socket.create_connection(
                (host.hostname or "", host.port or (443 if host.scheme == "https" else 80)), timeout
            ).close()
            connected.set()

    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(timeout)
    return connected.is_set()


def _is_watched() -> bool:
    """Whether a person watches a program that shows what it logs, as our commands do.

    Used as a library, the package prints nothing.
    """
    return bool(logging.getLogger().handlers) and sys.stderr is not None and sys.stderr.isatty()


def fetch(remote: RemoteFile, *, progress: bool = True) -> Fetched:
    """Get a file from the cache, or download it, and check its hash.

    A download goes to a temporary file, which is renamed once its hash is checked.

    Args:
        remote: the file.
        progress: show a progress bar during a download, to a person who watches.

    Returns:
        The cached file.

    Raises:
        CheckpointError: the file is unavailable or is not the published one; the message names the
            address and where to put the file by hand.
    """
    path = cached(remote)
    if path is not None:
        return _verified(path, remote)
    from torch.hub import download_url_to_file

    path = _new_file(remote)
    log.info("downloading %s to %s", remote.url, path)
    try:
        with _socket_timeout(30.0):
            download_url_to_file(
                remote.url,
                str(path),
                hash_prefix=remote.sha256,
                progress=progress and _is_watched(),
            )
    except (OSError, RuntimeError) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        raise CheckpointError(
            f"{remote.url}: could not be downloaded ({error}); put the file at {path} by hand"
        ) from error
    return _verified(path, remote)


def _new_file(remote: RemoteFile) -> Path:
    """Return the file that a download goes to, in a folder that exists.

    Raises:
        CheckpointError: no folder can be written.
    """
    folder = cache_folder()
    try:
        make_cache_folder(folder)
    except OSError as error:
        raise CheckpointError(
            f"{folder}: cannot be written ({error}), so {remote.url} cannot be kept; "
            "name another folder by the environment variable TORCH_HOME"
        ) from error
    if folder == temporary_cache():
        log.warning(
            "there is no home folder that can be written: %s is kept in %s, until the system "
            "clears it; name another folder by the environment variable TORCH_HOME",
            remote.filename,
            folder,
        )
    return folder / remote.filename


@contextlib.contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    # torch's downloader opens its connection without a time limit of its own.
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
