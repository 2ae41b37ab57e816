"""The choice of a segmenter; FCN-ResNet101 by its published file, hash and transforms."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models import hub
from remove_objects.models.categories import CATEGORIES
from remove_objects.models.torchvision_segmentation import build_network
from remove_objects.pipeline.detect import segmenters
from remove_objects.pipeline.errors import WeightsError
from remove_objects.pipeline.segmenter_names import TORCHVISION, SegmenterNames
from remove_objects.train.data.pictures import read_rgb
from tests.support.scenes import scene

SAMPLES = Path(__file__).parents[3] / "sample_images"
CPU = torch.device("cpu")


class Quiet(http.server.SimpleHTTPRequestHandler):
    """A file server that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """torch's cache folder, empty, with downloads allowed."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE", raising=False)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture(scope="module")
def fcn_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real architecture, untrained, saved as torchvision publishes it."""
    from torchvision.models.segmentation import fcn_resnet101

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("fcn") / "file.pth"
    torch.save(
        fcn_resnet101(
            weights=None, weights_backbone=None, num_classes=21, aux_loss=True
        ).state_dict(),
        path,
    )
    return path


@contextlib.contextmanager
def serving(file: Path) -> Iterator[str]:
    """The URL of a file on a local server."""
    handler = functools.partial(Quiet, directory=str(file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/{file.name}"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def server(fcn_file: Path) -> Iterator[str]:
    """URL of ``fcn_file`` on a local server."""
    with serving(fcn_file) as url:
        yield url


def published(
    monkeypatch: pytest.MonkeyPatch, file: Path, url: str, name: str = "fcn_resnet101"
) -> str:
    """Make a file at ``url`` the published weights of a network; returns its sha256."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    remote = replace(hub.SEGMENTERS[name], url=url, sha256=digest[:8])
    monkeypatch.setitem(hub.SEGMENTERS, name, remote)
    return digest


def test_the_compact_segmenter_gives_probabilities_at_the_photos_aspect(tiny: Path) -> None:
    chosen = segmenters.choose_segmenter(SegmenterNames("compact"), CPU, offline=True)
    assert chosen.warning is None
    assert set(chosen.weights) == {"compact-segmenter"}
    p = chosen.segmenter.probabilities(scene(120, 160))
    assert p.shape == (21, 385, 513)
    assert np.allclose(p.sum(0), 1, atol=1e-4)
    wide = chosen.segmenter.probabilities(scene(120, 160).astype(np.uint16) * 257)
    assert np.allclose(p, wide, atol=1e-4)


def test_auto_falls_back_with_one_warning(tiny: Path) -> None:
    chosen = segmenters.choose_segmenter(SegmenterNames("auto"), CPU, offline=True)
    assert chosen.segmenter.name == "compact"
    assert chosen.warning is not None
    assert "the weights of fcn_resnet101 are not cached" in chosen.warning


def test_naming_fcn_never_falls_back(tiny: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"fcn_resnet101_coco-7ecb50ca\.pth.*--segmenter compact"
    ):
        segmenters.choose_segmenter(SegmenterNames("fcn_resnet101"), CPU, offline=True)


@pytest.mark.alone
@pytest.mark.network
def test_a_server_that_refuses_is_decided_at_once(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE")
    remote = replace(hub.SEGMENTERS["fcn_resnet101"], url="http://127.0.0.1:9/x.pth")
    monkeypatch.setitem(hub.SEGMENTERS, "fcn_resnet101", remote)
    begun = time.monotonic()
    assert (
        segmenters.choose_segmenter(SegmenterNames("auto"), CPU, offline=False).segmenter.name
        == "compact"
    )
    assert time.monotonic() - begun < 10


@pytest.mark.alone
def test_a_name_that_never_resolves_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import time

    def hang(*_: object, **__: object) -> None:
        time.sleep(3)
        raise OSError("no answer")

    monkeypatch.setattr(socket, "create_connection", hang)
    begun = time.monotonic()
    assert not hub.reachable(hub.SEGMENTERS["fcn_resnet101"], timeout=0.2)
    assert time.monotonic() - begun < 2


@pytest.mark.network
@pytest.mark.slow
def test_fcn_is_downloaded_checked_cached_and_run(
    cache: Path, fcn_file: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(monkeypatch, fcn_file, server)
    chosen = segmenters.choose_segmenter(SegmenterNames("auto"), CPU, offline=False)
    assert chosen.segmenter.name == "fcn_resnet101"
    assert [p.name for p in cache.iterdir()] == ["fcn_resnet101_coco-7ecb50ca.pth"]
    p = chosen.segmenter.probabilities(scene(60, 60, person=None))
    assert p.shape[0] == len(CATEGORIES)
    assert np.allclose(p.sum(0), 1, atol=1e-4)
    assert (
        segmenters.choose_segmenter(
            SegmenterNames("fcn_resnet101"), CPU, offline=True
        ).segmenter.name
        == "fcn_resnet101"
    )


#: torchvision's networks of a few megabytes, and whether the published file has a head more.
LIGHT = {"deeplabv3_mobilenet_v3_large": True, "lraspp_mobilenet_v3_large": False}


@pytest.fixture(scope="module")
def light_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained weights of the light networks, saved as torchvision publishes them."""
    from torchvision.models import get_model

    folder, files = tmp_path_factory.mktemp("light"), {}
    for name, auxiliary in LIGHT.items():
        torch.manual_seed(0)
        more = {"aux_loss": True} if auxiliary else {}
        network = get_model(name, weights=None, weights_backbone=None, **more)
        files[name] = folder / f"{name}.pth"
        torch.save(network.state_dict(), files[name])
    return files


@pytest.mark.network
@pytest.mark.parametrize("name", LIGHT)
def test_networks_by_name_are_downloaded_checked_cached_and_run(
    name: str, cache: Path, light_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    filename, names = hub.SEGMENTERS[name].filename, SegmenterNames(name)
    with serving(light_files[name]) as url:
        digest = published(monkeypatch, light_files[name], url, name)
        chosen = segmenters.choose_segmenter(names, CPU, offline=False)
    assert (chosen.segmenter.name, chosen.weights) == (name, {name: digest})
    assert [p.name for p in cache.iterdir()] == [filename]
    p = chosen.segmenter.probabilities(scene(60, 80, person=None))
    assert p.shape == (len(CATEGORIES), 520, 693)
    assert np.allclose(p.sum(0), 1, atol=1e-4)
    assert segmenters.choose_segmenter(names, CPU, offline=True).weights == {name: digest}
    (cache / filename).write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="delete the file"):
        segmenters.choose_segmenter(names, CPU, offline=True)


@pytest.mark.parametrize("name", hub.SEGMENTERS)
def test_a_network_by_name_never_falls_back(name: str, cache: Path) -> None:
    said = f"the weights of {name} are not cached.*{hub.SEGMENTERS[name].filename}.*compact"
    with pytest.raises(WeightsError, match=said):
        segmenters.choose_segmenter(SegmenterNames(name), CPU, offline=True)


def test_the_names_are_those_that_have_weights() -> None:
    assert set(TORCHVISION) == set(hub.SEGMENTERS)
    assert segmenters.FIRST in TORCHVISION
    assert set(segmenters.LIGHT) < set(TORCHVISION)


def test_the_weights_of_a_file_are_used_and_named_by_hash(
    cache: Path, light_files: dict[str, Path], tmp_path: Path
) -> None:
    name = "lraspp_mobilenet_v3_large"
    file = light_files[name]
    chosen = segmenters.choose_segmenter(SegmenterNames(name, file), CPU, offline=True)
    assert chosen.weights == {name: hashlib.sha256(file.read_bytes()).hexdigest()}
    assert chosen.segmenter.probabilities(scene(60, 80), 65).shape == (len(CATEGORIES), 49, 65)
    other = SegmenterNames("fcn_resnet101", file)
    with pytest.raises(
        WeightsError, match=f"--segmenter fcn_resnet101=FILE: .*{file.name}.*{name}"
    ):
        segmenters.choose_segmenter(other, CPU, offline=True)
    gone = SegmenterNames(name, tmp_path / "gone.pth")
    with pytest.raises(WeightsError, match=r"--segmenter .*gone.pth"):
        segmenters.choose_segmenter(gone, CPU, offline=True)


@pytest.mark.parametrize("name", hub.SEGMENTERS)
def test_every_network_sees_a_photo_at_several_sizes(name: str) -> None:
    torch.manual_seed(0)
    segmenter = segmenters.TorchvisionSegmenter(name, build_network(name), CPU)
    assert segmenter.quick == (name in LIGHT)
    assert not segmenter.judges
    for longest in (65, 97):
        p = segmenter.probabilities(scene(60, 80).astype(np.uint16) * 257, longest)
        assert p.shape == (len(CATEGORIES), round(longest * 0.75), longest)
        assert np.allclose(p.sum(0), 1, atol=1e-4)


@pytest.mark.network
def test_a_download_with_a_wrong_hash_is_refused_and_not_kept(
    cache: Path, fcn_file: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = replace(hub.SEGMENTERS["fcn_resnet101"], url=server, sha256="0" * 8)
    monkeypatch.setitem(hub.SEGMENTERS, "fcn_resnet101", remote)
    with pytest.raises(WeightsError, match="could not be downloaded"):
        segmenters.choose_segmenter(SegmenterNames("fcn_resnet101"), CPU, offline=False)
    assert list(cache.iterdir()) == []


def test_a_damaged_cached_file_is_refused_with_the_remedy(cache: Path) -> None:
    (cache / hub.SEGMENTERS["fcn_resnet101"].filename).write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="delete the file"):
        segmenters.choose_segmenter(SegmenterNames("fcn_resnet101"), CPU, offline=True)


def test_the_offline_variable_holds_for_every_downloaded_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from remove_objects.pipeline.detect.faces import FaceDetector
    from remove_objects.pipeline.quality.lpips import Perceptual

    connections: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_: connections.append(a))
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    assert segmenters.choose_segmenter(SegmenterNames("auto"), CPU, offline=False).warning
    assert FaceDetector(CPU, offline=False).name == "haar"
    assert "not to be used" in Perceptual(CPU, offline=False).missing
    assert connections == []


def test_the_compact_segmenter_runs_at_the_requested_size(tiny: Path) -> None:
    segmenter = segmenters.choose_segmenter(SegmenterNames("compact"), CPU, offline=True).segmenter
    assert segmenter.probabilities(scene(120, 160), 160).shape == (21, 120, 160)


def test_objectness_is_the_probability_of_the_removed_classes_together() -> None:
    segmenter = segmenters.CompactSegmenterAdapter(CPU)
    rgb = read_rgb(SAMPLES / "astronaut.jpg")
    classes = ("person", "dog", "chair")
    found = segmenter.objectness(rgb, classes, 161)
    all_classes = segmenters.Segmenter.objectness(segmenter, rgb, classes, 161)
    for quick, slow in zip(found, all_classes, strict=True):
        assert quick.shape == slow.shape
        assert slow.min() < 0.1
        assert slow.max() > 0.9
        # Logits are enlarged in both, of two classes or of all, so edges lie in the same place.
        assert np.abs(quick - slow).mean() < 0.004
        assert ((quick >= 0.5) != (slow >= 0.5)).mean() < 0.004
