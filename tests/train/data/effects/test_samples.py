"""Scenes of the effects network: functions of their number, and true about what they show."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest

from remove_objects.train.data.effects import lamps, samples
from remove_objects.train.data.effects.lamps import Lamp, Lighting, thrown
from remove_objects.train.data.effects.mirrors import Mirror, mirrored
from remove_objects.train.data.effects.samples import (
    EffectSamples,
    EffectScenes,
    Thing,
    composed,
)
from remove_objects.train.data.effects.views import given_mask
from remove_objects.train.data.objects import cut_outs
from remove_objects.train.data.objects.shadows import Stand, Sun

SIZE = 96
#: A low sun at the left, behind the viewer: shadows fall far to the upper right.
SUN = Sun(along=1.0, up=0.5, near=0.0, far=0.0, fade=0.0)


@pytest.fixture(scope="module")
def scenes(labelled_people: Path, tmp_path_factory: pytest.TempPathFactory) -> EffectScenes:
    folder = tmp_path_factory.mktemp("store")
    cut_outs.build(labelled_people, folder)
    return EffectScenes(labelled_people, folder, SIZE)


def board(goes: bool, left: int = 20) -> Thing:
    """A red board of 8 x 30 pixels whose foot is in row 70."""
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[40:70, left : left + 8] = 1
    colours = np.zeros((SIZE, SIZE, 3), np.float32)
    colours[..., 0] = 230
    return Thing(colours, alpha, Stand(70.0, left + 4.0, 30.0), 0.0, goes)


def sunshine(strength: float = 0.5) -> Lighting:
    return Lighting((Lamp(SUN, strength),), 0.0, 0.0, 0.0, np.ones(3, np.float32))


def ground() -> np.ndarray:
    return np.full((SIZE, SIZE, 3), 150, np.float32)


@pytest.fixture
def rng(monkeypatch: pytest.MonkeyPatch) -> np.random.Generator:
    monkeypatch.setattr(samples, "FOREIGN", 0.0)
    return np.random.default_rng(0)


def test_a_sample_is_a_function_of_its_number(scenes: EffectScenes) -> None:
    made = EffectSamples(scenes)
    again = pickle.loads(pickle.dumps(made))  # as for a worker process
    for n in range(6):
        picture, mask, effects, weight = made[n]
        for one, two in zip(made[n], again[n], strict=True):
            assert np.array_equal(one.numpy(), two.numpy())
        assert picture.shape == (3, SIZE, SIZE)
        assert mask.shape == (1, SIZE, SIZE)
        assert effects.shape == weight.shape == (3, SIZE, SIZE)
        assert set(np.unique(mask)) == {0, 255}
        assert not (weight[:, mask[0] > 0] > 0).any()  # what is said of the object means nothing
    assert not np.array_equal(made[0][0].numpy(), made[1][0].numpy())


def test_held_out_scenes_use_held_out_pictures_only(
    labelled_people: Path, scenes: EffectScenes
) -> None:
    folder = scenes.cut_outs._path.parent
    held_out = EffectScenes(labelled_people, folder, SIZE, held_out=True)
    assert not set(scenes.scenes.paths["scenes/train"]) & set(held_out.scenes.paths["scenes/train"])
    assert not {e.offset for e in scenes.people} & {e.offset for e in held_out.people}


def test_the_shadow_is_what_differs_without_the_object(rng: np.random.Generator) -> None:
    scene = composed(ground(), [board(True)], sunshine(), None, rng)
    changed = np.abs(scene.image - scene.without).max(2) > 20
    shadow, reflection = scene.effects
    assert (shadow[changed & (scene.goes == 0)] == 1).all()
    assert (shadow[~changed] < 1).all()
    assert shadow.sum() > 100
    assert not reflection.any()
    assert np.array_equal(scene.without, ground())


def test_a_shadow_falls_where_the_sun_throws_it() -> None:
    thing = board(True)
    rows, columns = np.nonzero(thrown(thing.alpha, thing.stand, Lamp(SUN, 0.5), 0.0) > 0.5)
    assert rows.min() == pytest.approx(70 - 0.5 * 30, abs=2)  # half as long as the board is high
    assert rows.max() == pytest.approx(70, abs=2)
    assert columns[rows < 58].mean() > 24 + 15  # and to the right, as far as it is high


def test_little_light_comes_under_a_thick_thing(rng: np.random.Generator) -> None:
    """A table: the ground between its legs is dark, the ground far beside it is not."""
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[40:60, 20:60] = 1
    alpha[60:70, 20:24] = alpha[60:70, 56:60] = 1
    light = Lighting((), 0.0, 0.0, 0.8, np.ones(3, np.float32))
    stand = Stand(70.0, 40.0, 30.0)
    dark = lamps.touching(alpha, stand, light, 0.3, rng)
    assert dark[67:69, 30:50].min() > 0.5
    assert not dark[:, 75:].any()
    assert not dark[80:].any()
    assert not lamps.touching(alpha, stand, light, 0.0, rng).any()  # a board has no underside


def test_a_wall_turns_a_shadow_upright() -> None:
    thing = board(True)
    flat = Lamp(SUN, 0.5)
    wall = Lamp(SUN, 0.5, wall=0.2)  # 6 pixels behind the foot, which 12 pixels of height reach
    on_ground, on_wall = (thrown(thing.alpha, thing.stand, lp, 0.0) > 0.5 for lp in (flat, wall))
    assert np.array_equal(on_ground[65:], on_wall[65:])
    rows, columns = np.nonzero(on_wall[:63])
    assert rows.min() == pytest.approx(64 - 18, abs=2)  # the upper 18 pixels stand on the wall
    assert np.ptp(columns) == pytest.approx(7, abs=2)


def test_a_thick_thing_throws_a_wider_shadow() -> None:
    thing = board(True)
    thin, thick = (thrown(thing.alpha, thing.stand, Lamp(SUN, 0.5), d).sum() for d in (0.0, 0.4))
    assert thick > 1.3 * thin


def test_from_above_a_shadow_lies_beside_the_thing() -> None:
    thing = board(True)
    lamp = Lamp(SUN, 0.5, above=(0.5, 0.0))
    shadow = thrown(thing.alpha, thing.stand, lamp, 0.0) > 0.5
    rows, columns = np.nonzero(shadow)
    assert (rows.min(), rows.max()) == (40, 69)
    assert columns.max() == pytest.approx(27 + 15, abs=1)


def test_what_stays_keeps_its_shadow(rng: np.random.Generator) -> None:
    both = composed(ground(), [board(True), board(False, 60)], sunshine(), None, rng)
    alone = composed(ground(), [board(True)], sunshine(), None, rng)
    stays = board(False, 60).alpha > 0
    outside = np.ones_like(stays)
    outside[:, 56:] = False  # the other one's shadow
    assert np.allclose(both.effects[:, outside], alone.effects[:, outside])
    assert not both.effects[:, 40:70, 75:].any()
    assert (both.without[stays][:, 0] == 230).all()
    assert both.without[62, 80, 0] < 100  # its own shadow is still there


def test_a_shadow_in_a_shadow_cannot_be_seen(rng: np.random.Generator) -> None:
    behind, before = board(True), board(False)
    scene = composed(ground(), [behind, before], sunshine(), None, rng)
    assert not scene.effects.any()


def test_a_reflection_is_the_object_upside_down(rng: np.random.Generator) -> None:
    thing = board(True)
    thing.colours[:55] = (0, 0, 230)
    still = Mirror(strength=0.5, length=50.0, blur=0.0, ripple=0.0, waves=1.0)
    colours, opacity = mirrored(thing.colours, thing.alpha, thing.stand, still, rng)
    assert not opacity[:69].any()
    assert opacity[75, 24] == pytest.approx(0.5, abs=0.05)
    rows = np.nonzero(opacity[:, 24] > 0.3)[0]
    assert colours[rows[2], 24, 0] > 200  # its foot is near
    assert colours[rows[-2], 24, 2] > 200  # its head is far
    dark = Lighting((), 0.0, 0.0, 0.0, np.ones(3, np.float32))
    scene = composed(ground(), [thing], dark, still, rng)
    shadow, reflection = scene.effects
    assert reflection[72:80, 22:26].min() == 1
    assert not shadow.any()


def test_a_ripple_moves_a_reflection_and_a_pane_turns_it_sideways(
    rng: np.random.Generator,
) -> None:
    thing = board(True)
    ripple = Mirror(strength=0.5, length=50.0, blur=0.02, ripple=0.1, waves=6.0)
    _, opacity = mirrored(thing.colours, thing.alpha, thing.stand, ripple, rng)
    assert np.ptp(np.nonzero(opacity > 0.2)[1]) > 9
    pane = Mirror(strength=0.5, length=1.0, blur=0.0, ripple=0.0, waves=1.0, pane=1.0)
    _, opacity = mirrored(thing.colours, thing.alpha, thing.stand, pane, rng)
    rows, columns = np.nonzero(opacity > 0.3)
    assert (rows.min(), rows.max()) == (40, 69)
    assert columns.min() > 28


def test_foreign_shadows_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "FOREIGN", 1.0)
    shade = np.zeros((SIZE, SIZE), np.float32)
    shade[:, :48] = 1
    monkeypatch.setattr(samples, "foreign_shadow", lambda *_: shade)
    scene = composed(ground(), [board(True)], sunshine(), None, np.random.default_rng(0))
    assert not scene.effects[:, :, :47].any()  # a shadow in the shade of a house
    assert scene.effects[0, :, 49:].any()
    assert scene.image[10, 10, 0] == scene.without[10, 10, 0] == 75


@pytest.mark.parametrize("seed", range(12))
def test_every_foreign_shadow_is_a_share(seed: int) -> None:
    shadow = lamps.foreign_shadow(SIZE, np.random.default_rng(seed))
    assert (shadow.shape, shadow.dtype) == ((SIZE, SIZE), np.float32)
    assert 0 <= shadow.min() <= shadow.max() <= 1


def test_a_given_mask_is_about_the_object(rng: np.random.Generator) -> None:
    scene = composed(ground(), [board(True)], sunshine(), None, rng)
    exact = scene.goes >= 0.5
    kinds = set()
    for _ in range(60):
        mask = given_mask(scene.goes, rng, scene.effects.max(0))
        assert (mask & exact).sum() > 0.4 * exact.sum()
        assert mask.sum() < 6 * exact.sum()
        kinds.add("exact" if np.array_equal(mask, exact) else "other")
    assert kinds == {"exact", "other"}


def test_objects_that_are_cut_above_cannot_stand(labelled_people: Path, tmp_path: Path) -> None:
    cut_outs.build(labelled_people, tmp_path)
    path = tmp_path / "cut_outs.json"
    whole, cut = "[false, false, false, false]", "[true, false, false, false]"
    path.write_text(path.read_text().replace(whole, cut))
    with pytest.raises(ValueError, match="cut by at most one border"):
        EffectScenes(labelled_people, tmp_path, SIZE)
