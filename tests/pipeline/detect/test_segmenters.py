"""Which segmenter is taken, and that FCN-ResNet101 goes through its published file, hash and transforms."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.models import hub
from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.detect import mask, multi_scale, segmenters
from remove_objects.pipeline.errors import WeightsError
from tests.support.scenes import scene

CPU = torch.device("cpu")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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


@pytest.fixture
def server(fcn_file: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(fcn_file.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_address[1]}/{fcn_file.name}"
        httpd.shutdown()
        thread.join()


def published(monkeypatch: pytest.MonkeyPatch, fcn_file: Path, url: str) -> None:
    digest = hashlib.sha256(fcn_file.read_bytes()).hexdigest()
    monkeypatch.setattr(
        hub, "FCN_RESNET101", replace(hub.FCN_RESNET101, url=url, sha256=digest[:8])
    )


def test_the_compact_segmenter_gives_probabilities_at_the_photos_aspect(tiny: Path) -> None:
    found = segmenters.choose_segmenter("compact", CPU, offline=True)
    assert found.warning is None
    assert set(found.weights) == {"compact-segmenter"}
    p = found.segmenter.probabilities(scene(120, 160))
    assert p.shape == (21, 385, 513)
    assert np.allclose(p.sum(0), 1, atol=1e-4)
    wide = found.segmenter.probabilities(scene(120, 160).astype(np.uint16) * 257)
    assert np.allclose(p, wide, atol=1e-4)


def test_auto_falls_back_with_one_warning(tiny: Path) -> None:
    found = segmenters.choose_segmenter("auto", CPU, offline=True)
    assert found.segmenter.name == "compact"
    assert found.warning is not None
    assert "FCN-ResNet101" in found.warning


def test_naming_fcn_never_falls_back(tiny: Path) -> None:
    with pytest.raises(
        WeightsError, match=r"fcn_resnet101_coco-7ecb50ca\.pth.*--segmenter compact"
    ):
        segmenters.choose_segmenter("fcn_resnet101", CPU, offline=True)


@pytest.mark.network
def test_a_server_that_refuses_is_decided_at_once(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    monkeypatch.delenv("REMOVE_OBJECTS_OFFLINE")
    monkeypatch.setattr(
        hub, "FCN_RESNET101", replace(hub.FCN_RESNET101, url="http://127.0.0.1:9/x.pth")
    )
    begun = time.monotonic()
    assert segmenters.choose_segmenter("auto", CPU, offline=False).segmenter.name == "compact"
    assert time.monotonic() - begun < 10


def test_a_name_that_never_resolves_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket
    import time

    def hang(*_: object, **__: object) -> None:
        time.sleep(3)
        raise OSError("nobody answers")

    monkeypatch.setattr(socket, "create_connection", hang)
    begun = time.monotonic()
    assert not hub.reachable(hub.FCN_RESNET101, timeout=0.2)
    assert time.monotonic() - begun < 2


@pytest.mark.network
@pytest.mark.slow
def test_fcn_is_downloaded_checked_cached_and_run(
    cache: Path, fcn_file: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(monkeypatch, fcn_file, server)
    found = segmenters.choose_segmenter("auto", CPU, offline=False)
    assert found.segmenter.name == "fcn_resnet101"
    assert [p.name for p in cache.iterdir()] == ["fcn_resnet101_coco-7ecb50ca.pth"]
    p = found.segmenter.probabilities(scene(60, 60, person=None))
    assert p.shape[0] == len(CATEGORIES)
    assert np.allclose(p.sum(0), 1, atol=1e-4)
    assert (
        segmenters.choose_segmenter("fcn_resnet101", CPU, offline=True).segmenter.name
        == "fcn_resnet101"
    )


@pytest.mark.network
def test_a_download_of_another_content_is_refused_and_not_kept(
    cache: Path, fcn_file: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        hub, "FCN_RESNET101", replace(hub.FCN_RESNET101, url=server, sha256="0" * 8)
    )
    with pytest.raises(WeightsError, match="could not be downloaded"):
        segmenters.choose_segmenter("fcn_resnet101", CPU, offline=False)
    assert list(cache.iterdir()) == []


def test_a_damaged_cached_file_is_refused_with_the_remedy(cache: Path) -> None:
    (cache / hub.FCN_RESNET101.filename).write_bytes(b"half a download")
    with pytest.raises(WeightsError, match="delete the file"):
        segmenters.choose_segmenter("fcn_resnet101", CPU, offline=True)


def test_shares_by_class() -> None:
    p = np.zeros((21, 10, 10), np.float32)
    p[15, :5], p[8, 5:7], p[0, 7:] = 1, 1, 1
    assert mask.class_shares(p, ["person", "cat", "dog"], 0.5) == pytest.approx(
        {"person": 0.5, "cat": 0.2}
    )
    assert mask.removed_probability(p, ["person", "cat"]).mean() == pytest.approx(0.7)


def test_the_offline_variable_holds_for_every_downloaded_file(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    from remove_objects.pipeline.detect.faces import FaceDetector
    from remove_objects.pipeline.quality.lpips import Perceptual

    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_: asked.append(a))
    monkeypatch.setenv("REMOVE_OBJECTS_OFFLINE", "1")
    assert segmenters.choose_segmenter("auto", CPU, offline=False).warning
    assert FaceDetector(offline=False).name == "haar"
    assert "not to be used" in Perceptual(CPU, offline=False).missing
    assert asked == []


class Shortsighted:
    """Sees red as a person, at 64 pixels along the longer side: what is smaller than a pixel there fades."""

    name, quick = "shortsighted", True

    def __init__(self) -> None:
        self.looks = 0

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        self.looks += 1
        small = segmenters.resize_longest(rgb, 64).astype(np.float32)
        red = np.clip((small[..., 0] - small[..., 1]) / 255, 0, 1)
        found = np.zeros((21, *red.shape), np.float32)
        found[15], found[0] = red, 1 - red
        return found


def closer(picture: np.ndarray, *, quick: bool = True) -> tuple[np.ndarray, np.ndarray, int]:
    segmenter = Shortsighted()
    segmenter.quick = quick
    removed = mask.removed_probability(segmenter.probabilities(picture), ["person"])
    return (
        removed,
        multi_scale.refine_small_objects(segmenter, picture, removed, ["person"]),
        segmenter.looks,
    )


def test_a_closer_look_finds_the_ends_of_small_objects() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[100:120, 200:207] = (255, 0, 0)
    picture[300:306, 500:507] = (255, 0, 0)
    truth = picture[..., 1] == 0
    removed, found, looks = closer(picture)
    assert looks == 3
    far, near = (
        cv2.resize(p, (640, 480), interpolation=cv2.INTER_LINEAR) >= 0.5 for p in (removed, found)
    )
    assert (far & truth).sum() < 0.4 * truth.sum()
    assert (near & truth).sum() > 0.6 * truth.sum()
    assert (near & ~truth).sum() < 0.5 * truth.sum()


def test_large_objects_and_slow_segmenters_get_no_closer_look() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[100:400, 200:400] = (255, 0, 0)
    removed, found, looks = closer(picture)
    assert looks == 1
    assert found is removed
    picture[100:400, 220:400] = 120
    picture[130:400] = 120
    assert closer(picture)[2] == 2
    assert closer(picture, quick=False)[2] == 1


def test_neighbours_share_a_closer_look_and_crowds_have_a_bound() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[200:230, 300:320] = (255, 0, 0)
    picture[220:240, 350:370] = (255, 0, 0)
    assert closer(picture)[2] == 2
    for y in range(20, 460, 110):
        for x in range(20, 620, 150):
            picture[y : y + 20, x : x + 20] = (255, 0, 0)
    assert closer(picture)[2] <= 1 + multi_scale.MOST_CROPS


class OneSided:
    """Sees a person in the left half of whatever it is shown, at the size it is asked for."""

    name, quick = "one-sided", True

    def __init__(self) -> None:
        self.shown: list[tuple[np.ndarray, int | None]] = []

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        self.shown.append((rgb, longest))
        h, w = segmenters.resize_longest(rgb, longest or 64).shape[:2]
        found = np.zeros((21, h, w), np.float32)
        found[15, :, : w // 2] = 0.8
        found[0] = 1 - found[15]
        return found


def test_the_second_look_is_nearer_and_mirrored_and_the_mean_counts() -> None:
    segmenter = OneSided()
    picture = scene(120, 160)
    found = multi_scale.two_scale(segmenter, picture)
    (first, size), (second, nearer) = segmenter.shown
    assert first is picture
    assert size is None
    assert nearer == segmenters.NEARER_SIZE
    assert np.array_equal(
        second, segmenters.resize_longest(picture, segmenters.NEARER_SIZE)[:, ::-1]
    )
    assert found.shape == (21, *second.shape[:2])
    assert np.allclose(found.sum(0), 1, atol=1e-5)
    # Seen on the left of the photo, then on the left of its mirror image: half as sure everywhere.
    inside = np.ones(found.shape[2], bool)
    inside[found.shape[2] // 2 - 10 : found.shape[2] // 2 + 10] = False
    assert np.allclose(found[15][:, inside], 0.4)


def test_a_slow_segmenter_looks_once() -> None:
    segmenter = OneSided()
    segmenter.quick = False
    assert multi_scale.two_scale(segmenter, scene(120, 160)).shape == (21, 48, 64)
    assert len(segmenter.shown) == 1


def test_the_compact_segmenter_looks_at_the_size_it_is_asked_for(tiny: Path) -> None:
    segmenter = segmenters.choose_segmenter("compact", CPU, offline=True).segmenter
    assert segmenter.probabilities(scene(120, 160), 160).shape == (21, 120, 160)
    assert multi_scale.two_scale(segmenter, scene(120, 160)).shape == (21, 577, 769)


def test_a_fainter_part_of_an_object_belongs_to_it() -> None:
    removed, ground = np.zeros((20, 60), np.float32), np.ones((20, 60), np.float32)
    removed[5:15, 5:15] = 0.9
    removed[5:15, 15:20] = mask.CONNECTED * 0.5 + 0.01
    removed[5:15, 20:25] = mask.CONNECTED * 0.5 - 0.01  # too faint where nothing is as likely
    removed[5:15, 40:50] = 0.49  # connected with nothing sure
    found = mask.whole_objects(removed, ground, 0.5) >= 0.5
    assert found[5:15, 5:20].all()
    assert found.sum() == 10 * 15


def test_an_object_goes_on_where_its_name_wavers() -> None:
    removed, ground = np.zeros((20, 40), np.float32), np.ones((20, 40), np.float32)
    removed[5:15, 5:15], ground[5:15, 5:25] = 0.9, 0.1
    removed[5:15, 15:25] = 0.2  # surely an object, perhaps this one
    found = mask.whole_objects(removed, ground, 0.5) >= 0.5
    assert found[5:15, 5:25].all()
    assert found.sum() == 10 * 20


@pytest.mark.parametrize(("name", "ground"), [(0.1, 0.1), (0.2, 0.7)])
def test_another_object_and_the_ground_are_left(name: float, ground: float) -> None:
    removed, none = np.zeros((20, 40), np.float32), np.ones((20, 40), np.float32)
    removed[5:15, 5:15], none[5:15, 5:15] = 0.9, 0.1
    removed[5:15, 15:25], none[5:15, 15:25] = name, ground
    assert (mask.whole_objects(removed, none, 0.5) >= 0.5).sum() == 100


def test_an_object_that_touches_nothing_sure_is_left() -> None:
    removed, ground = np.full((20, 40), 0.2, np.float32), np.full((20, 40), 0.1, np.float32)
    removed[:, 15:20] = 0.0
    removed[5, 5] = 0.9
    found = mask.whole_objects(removed, ground, 0.5) >= 0.5
    assert found[:, :15].all()
    assert not found[:, 15:].any()


def test_the_ground_may_be_of_another_size() -> None:
    removed, ground = np.zeros((40, 80), np.float32), np.zeros((20, 40), np.float32)
    removed[10, 10] = 0.9
    found = mask.whole_objects(removed, ground, 0.5)
    assert found.shape == (40, 80)
    assert (found >= 0.5).sum() == 1
