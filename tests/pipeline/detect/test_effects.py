"""Shadows and reflections of objects: views, joined maps, what is removed and what is reported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.models.object_effects import ObjectEffects, ObjectEffectsConfig
from remove_objects.pipeline.detect import effects
from remove_objects.pipeline.detect.effects import LIMITS, SIDE, STRIDE, Effect, views_of
from remove_objects.pipeline.detect.mask import find_holes
from remove_objects.pipeline.errors import WeightsError
from remove_objects.pipeline.networks import Networks, NetworkSettings
from remove_objects.pipeline.types import Box
from tests.support.tiny_effects import SeesColours

GREY, DARK, BLUE, FAINT = (150, 150, 150), (60, 60, 60), (30, 30, 120), (100, 100, 100)
GREEN = (30, 200, 30)
LOW, HIGH, DOUBT = LIMITS["shadow"]


def photo(
    *painted: tuple[Box, tuple[int, int, int]], size: tuple[int, int] = (300, 400)
) -> np.ndarray:
    """Grey ground with painted boxes."""
    rgb = np.full((*size, 3), GREY, np.uint8)
    for box, colour in painted:
        rgb[box.slices] = colour
    return rgb


def find_effects(network: SeesColours, rgb: np.ndarray, objects: np.ndarray) -> list[Effect]:
    return effects.find_effects(network, rgb, objects, find_holes(objects))


def mask_of(box: Box, size: tuple[int, int] = (300, 400)) -> np.ndarray:
    mask = np.zeros(size, bool)
    mask[box.slices] = True
    return mask


OBJECT, SHADOW, POOL = Box(180, 100, 40, 80), Box(220, 160, 60, 20), Box(180, 180, 40, 50)


def test_a_shadow_and_a_reflection_beside_the_object() -> None:
    rgb = photo((SHADOW, DARK), (POOL, BLUE))
    found = find_effects(SeesColours(), rgb, mask_of(OBJECT))
    assert [(e.kind, e.sure) for e in found] == [("shadow", True), ("reflection", True)]
    for effect, box in zip(found, (SHADOW, POOL), strict=True):
        whole = np.zeros((300, 400), bool)
        whole[effect.box.slices] = effect.mask
        assert whole[box.slices].mean() > 0.97
        assert not whole[OBJECT.slices].any()  # the object is removed anyway
        assert whole.sum() < 1.6 * box.area


def test_what_is_doubtful_is_told_and_what_is_fainter_is_not() -> None:
    rgb = photo((SHADOW, FAINT))
    (doubtful,) = find_effects(SeesColours(faint=(HIGH + DOUBT) / 2), rgb, mask_of(OBJECT))
    assert not doubtful.sure
    assert not find_effects(SeesColours(faint=(LOW + DOUBT) / 2), rgb, mask_of(OBJECT))


def test_a_doubtful_part_of_a_sure_shadow_goes_with_it() -> None:
    soft = Box(SHADOW.right, SHADOW.y, 30, SHADOW.h)
    rgb = photo((SHADOW, DARK), (soft, FAINT))
    (found,) = find_effects(SeesColours(faint=0.7), rgb, mask_of(OBJECT))
    assert found.sure
    assert found.box.right >= soft.right - 2


def test_a_speck_is_left_alone() -> None:
    speck = Box(SHADOW.x, SHADOW.y, 4, 4)
    assert find_effects(SeesColours(), photo((speck, DARK)), mask_of(OBJECT)) == []


def carried(rgb: np.ndarray) -> np.ndarray:
    """HW bool, what is carried for sure."""
    mask = np.zeros(rgb.shape[:2], bool)
    for effect in find_effects(SeesColours(), rgb, mask_of(OBJECT)):
        assert (effect.kind, effect.sure) == ("carried", True)
        mask[effect.box.slices] |= effect.mask
    return mask


def test_what_touches_the_object_is_carried() -> None:
    bag = Box(OBJECT.right, 120, 30, 20)
    found = carried(photo((bag, GREEN)))
    assert found[bag.slices].mean() > 0.9
    assert not found[OBJECT.slices].any()
    assert found.sum() < 2 * bag.area


def test_what_is_carried_has_no_shadow_of_its_own() -> None:
    class SeesShadowsOnBags(SeesColours):
        def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
            found = super().effects(views, removed)
            found[:, 0] = np.maximum(found[:, 0], found[:, 2])
            return found

    bag = Box(OBJECT.right, 120, 30, 20)
    (found,) = find_effects(SeesShadowsOnBags(), photo((bag, GREEN)), mask_of(OBJECT))
    assert found.kind == "carried"


@pytest.mark.parametrize(
    "thing", [Box(OBJECT.right + 25, 120, 30, 20), Box(OBJECT.right, 20, 120, 200)]
)
def test_what_is_apart_or_far_larger_is_not(thing: Box) -> None:
    assert not carried(photo((thing, GREEN))).any()


def test_what_may_be_carried_is_told() -> None:
    doubtful = (LIMITS["carried"].high + LIMITS["carried"].doubt) / 2

    class Doubts(SeesColours):
        def effects(self, views: np.ndarray, removed: np.ndarray) -> np.ndarray:
            return super().effects(views, removed) * np.float32(doubtful / 0.98)

    bag = Box(OBJECT.right, 120, 30, 20)
    (told,) = find_effects(Doubts(), photo((bag, GREEN)), mask_of(OBJECT))
    assert (told.kind, told.sure) == ("carried", False)
    assert told.box.intersects(bag)


def test_the_network_sees_an_object_with_its_surroundings() -> None:
    network = SeesColours()
    find_effects(network, photo(), mask_of(OBJECT))
    (height, width) = network.sizes[0]
    assert max(height, width) == SIDE
    assert height % STRIDE == width % STRIDE == 0
    assert network.shares[0] == pytest.approx(
        40 * 80 / (80 * (1 + 2 * effects.REACH)) ** 2, rel=0.25
    )


@pytest.mark.parametrize("size", [(40, 3000), (3000, 40), (17, 17), (1, 1), (5, 900)])
def test_photos_of_any_shape(size: tuple[int, int]) -> None:
    h, w = size
    box = Box(w // 3, h // 3, max(1, w // 8), max(1, h // 3))
    network = SeesColours()
    find_effects(network, photo(size=size), mask_of(box, size))
    assert network.sizes
    assert all(n % STRIDE == 0 and 0 < n <= SIDE for pair in network.sizes for n in pair)


def test_small_objects_near_a_large_one_share_its_view() -> None:
    near, far, tiny = Box(250, 130, 30, 50), Box(20, 20, 30, 50), Box(160, 150, 5, 8)
    holes = find_holes(mask_of(OBJECT) | mask_of(near) | mask_of(far) | mask_of(tiny))
    views = views_of(holes, (300, 400))
    assert len(views) == 3  # the large one's, the far one's, and the tiny one's own
    assert any(view.intersection(far) == far for view in views[1:])


def test_the_views_of_a_mirrored_photo_are_mirrored() -> None:
    """A small object at the border lies in a large one's view, at whichever border it is."""
    size = 200, 300
    mask = mask_of(Box(110, 60, 40, 80), size) | mask_of(Box(195, 2, 20, 20), size)
    for turned in (mask, mask[::-1], mask.T, mask.T[:, ::-1]):
        holes = find_holes(np.ascontiguousarray(turned))
        assert len(holes) == 2
        assert len(views_of(holes, turned.shape)) == 1


def test_a_crowd_has_so_many_views_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "MOST_VIEWS", 4)
    crowd = np.zeros((900, 1200), bool)
    for x in range(20, 1200, 150):
        crowd[400:440, x : x + 12] = True
    network = SeesColours()
    find_effects(network, photo(size=(900, 1200)), crowd)
    assert len(network.sizes) == 4


def test_sixteen_bits_and_large_photos_are_seen_alike() -> None:
    rgb = photo((SHADOW, DARK))
    (small,) = find_effects(SeesColours(), rgb, mask_of(OBJECT))
    (deep,) = find_effects(SeesColours(), rgb.astype(np.uint16) * 257, mask_of(OBJECT))
    assert deep.box == small.box
    large = rgb.repeat(6, 0).repeat(6, 1)
    (found,) = find_effects(SeesColours(), large, mask_of(OBJECT).repeat(6, 0).repeat(6, 1))
    assert found.box.area / small.box.area == pytest.approx(36, rel=0.2)


@pytest.fixture
def with_effects(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of untrained weights, with an untrained effects network of its segmenter."""
    folder = shutil.copytree(tiny, tmp_path / "weights")
    add(folder, json.loads((folder / "index.json").read_text())["compact-segmenter"]["sha256"])
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    return folder


def add(folder: Path, encoder: str) -> None:
    torch.manual_seed(0)
    network = ObjectEffects(ObjectEffectsConfig((4, 6, 8, 8), encoder))
    path = save_weights(network, folder, "object-effects")
    index = json.loads((folder / "index.json").read_text())
    index["object-effects"] = {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))


@pytest.mark.parametrize("segmenter", ["compact", "auto"])
def test_the_weight_that_ships_is_used_and_reported(with_effects: Path, segmenter: str) -> None:
    networks = Networks(NetworkSettings(segmenter, offline=True))
    assert "object-effects" not in networks.weights()
    adapter = networks.effects
    assert adapter is networks.effects is not None
    views = np.random.default_rng(0).integers(0, 256, (2, 64, 48, 3), np.uint8)
    found = adapter.effects(views, views[..., 0] > 128)
    assert (found.shape, found.dtype) == ((2, 3, 64, 48), np.float32)
    assert 0 < found.min() < found.max() < 1
    index = json.loads((with_effects / "index.json").read_text())
    assert networks.weights()["object-effects"] == index["object-effects"]["sha256"]


def test_no_weight_no_effects(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", tiny)
    assert Networks(NetworkSettings("compact", offline=True)).effects is None


def test_a_weight_of_another_segmenter_is_refused(with_effects: Path) -> None:
    add(with_effects, "ab" * 32)
    with pytest.raises(WeightsError, match="object-effects was trained with the compact-segmenter"):
        _ = Networks(NetworkSettings("compact", offline=True)).effects
