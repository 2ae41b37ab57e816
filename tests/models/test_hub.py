"""Downloaded weights: checked on every load, atomic, never fetched offline, unable to run code."""

from __future__ import annotations

import hashlib
import os
import pickle
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from torchvision.models import squeezenet1_1

from remove_objects.models.checkpoint import CheckpointError
from remove_objects.models.download_cache import cache_folder
from remove_objects.models.hub import SQUEEZENET, YUNET, RemoteFile, fetch, why_missing
from remove_objects.models.perceptual import load_lpips

CONTENT = os.urandom(200_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE", raising=False)
    for name in (
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)


class Host:
    """A server of one file; it counts its requests."""

    def __init__(self) -> None:
        self.content, self.status, self.promise = CONTENT, 200, len(CONTENT)
        self.requests = 0
        self.half, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.requests += 1
                self.send_response(host.status)
                self.send_header("Content-Length", str(host.promise))
                self.end_headers()
                middle = len(host.content) // 2
                self.wfile.write(host.content[:middle])
                self.wfile.flush()
                host.half.set()
                host.go_on.wait(30)
                self.wfile.write(host.content[middle:])

            def log_message(self, *_: Any) -> None: ...

        class Server(HTTPServer):
            def handle_error(self, *_: Any) -> None:
                """Ignore clients that disconnect: some of these tests do."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    @property
    def remote(self) -> RemoteFile:
        return RemoteFile(f"http://127.0.0.1:{self.server.server_port}/net.pth", "net.pth", DIGEST)


@pytest.fixture
def host() -> Iterator[Host]:
    host = Host()
    yield host
    host.go_on.set()
    host.server.shutdown()
    host.server.server_close()
    host.thread.join()


def left() -> list[str]:
    return sorted(os.listdir(cache_folder())) if cache_folder().is_dir() else []


@pytest.mark.network
def test_a_file_is_fetched_once_and_checked_each_time(host: Host) -> None:
    path, digest = fetch(host.remote, progress=False)
    assert (path.read_bytes(), digest, left()) == (CONTENT, DIGEST, ["net.pth"])
    assert fetch(host.remote).path == path
    assert host.requests == 1
    path.write_bytes(CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="delete the file and run again") as error:
        fetch(host.remote)
    assert str(path) in str(error.value)
    path.unlink()
    assert fetch(host.remote, progress=False).path.read_bytes() == CONTENT  # the remedy works


@pytest.mark.network
def test_until_the_last_byte_has_come_the_name_is_not_taken(host: Host) -> None:
    host.go_on.clear()
    failed: list[BaseException] = []

    def load() -> None:
        try:
            fetch(host.remote, progress=False)
        except BaseException as error:  # for the test's own thread
            failed.append(error)

    thread = threading.Thread(target=load)
    thread.start()
    assert host.half.wait(30)
    assert "net.pth" not in left()
    assert why_missing(
        host.remote, offline=True
    )  # so another program that starts now does not read an incomplete file
    host.go_on.set()
    thread.join(30)
    assert (failed, left()) == ([], ["net.pth"])


@pytest.mark.network
@pytest.mark.parametrize(
    "fault",
    [
        {"content": b"x" * 1000, "promise": 1000},
        {"content": CONTENT[:99_999]},
        {"status": 404},
        {"status": 503},
    ],
    ids=["another file", "cut short", "gone", "busy"],
)
def test_what_is_not_the_file_leaves_nothing_behind_and_names_the_way_by_hand(
    host: Host, fault: dict[str, Any]
) -> None:
    for name, value in fault.items():
        setattr(host, name, value)
    with pytest.raises(CheckpointError, match="by hand") as error:
        fetch(host.remote, progress=False)
    assert host.remote.url in str(error.value)
    assert str(cache_folder() / "net.pth") in str(error.value)
    assert left() == []


@pytest.mark.network
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_not_even_a_socket_is_made(
    how: str, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    if how == "environment":
        monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    with monkeypatch.context() as closed:
        for name in ("socket", "create_connection", "getaddrinfo"):
            closed.setattr(socket, name, refused)
        for remote in (host.remote, YUNET, SQUEEZENET):
            assert (
                why_missing(remote, offline=how == "argument")
                == "not cached and the network is not to be used"
            )


def test_a_server_that_is_not_there_counts_as_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: no other process gets the port
        remote = RemoteFile(f"http://127.0.0.1:{taken.getsockname()[1]}/net.pth", "net.pth", DIGEST)
        assert "did not answer" in str(why_missing(remote, offline=False))
        with pytest.raises(CheckpointError, match="by hand"):
            fetch(remote, progress=False)
    assert left() == []


class Bomb:
    """An object that creates a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("container", ["pickle", "torch", "torch, old"])
def test_a_hostile_pickle_under_the_backbones_name_does_not_run(
    container: str, tmp_path: Path
) -> None:
    """torch checks no hash of a cached file and unpickles it: LPIPS must not load it that way."""
    from remove_objects.pipeline.quality.lpips import lpips_network

    target = tmp_path / "made-by-the-pickle"
    path = cache_folder() / SQUEEZENET.filename
    path.parent.mkdir(parents=True)
    if container == "pickle":
        path.write_bytes(pickle.dumps(Bomb(target)))
    else:
        torch.save(
            {"features.0.weight": Bomb(target)},
            path,
            _use_new_zipfile_serialization=container == "torch",
        )
    network, why = lpips_network(offline=True)
    assert network is None
    assert "sha256" in why
    assert f"{path}" in why
    with pytest.raises(CheckpointError, match="delete the file") as error:
        load_lpips("squeeze", path)  # as if its hash were right
    assert str(path) in str(error.value)
    assert not target.exists()


def test_lpips_is_the_packages_own_over_the_checked_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    import lpips

    from remove_objects.pipeline.quality import lpips as lpips_module

    path = cache_folder() / SQUEEZENET.filename
    path.parent.mkdir(parents=True)
    torch.save(squeezenet1_1(weights=None).state_dict(), path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert (
        lpips_module.lpips_network(offline=True)[0] is None
    )  # complete, but not the published file
    monkeypatch.setattr(
        "remove_objects.models.hub.SQUEEZENET",
        RemoteFile(SQUEEZENET.url, SQUEEZENET.filename, "0" * 64, (digest,)),
    )
    ours, why = lpips_module.lpips_network(offline=True)
    assert why == ""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = lpips.LPIPS(net="squeeze", verbose=False).eval()
    pair = torch.rand(2, 1, 3, 48, 48)
    torch.testing.assert_close(
        ours(*pair, normalize=True), theirs(*pair, normalize=True), rtol=0, atol=0
    )
    assert not any(p.requires_grad for p in ours.parameters())
