"""Things in people's hands: where they are, which of them hides the other, whose they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from remove_objects.train.data.effects import samples, things
from remove_objects.train.data.effects.lamps import Lighting
from remove_objects.train.data.effects.samples import EffectScenes, Thing, composed
from remove_objects.train.data.effects.things import ThingPool, in_hands
from remove_objects.train.data.objects import cut_outs
from remove_objects.train.data.objects.shadows import Stand

SIZE = 128


def person() -> np.ndarray:
    alpha = np.zeros((SIZE, SIZE), np.float32)
    alpha[30:110, 55:75] = 1
    return alpha


def red(height: int = 30, width: int = 30) -> np.ndarray:
    return np.full((height, width, 4), (230, 0, 0, 255), np.uint8)


@pytest.mark.parametrize("kind", [*things.WAYS, "fork"])
def test_a_thing_is_where_somebody_would_hold_it(kind: str) -> None:
    held = things.WAYS.get(kind, things.ANYHOW)
    seen = 0
    for seed in range(12):
        colours, alpha, _ = in_hands(kind, red(), person(), np.random.default_rng(seed))
        rows, columns = np.nonzero(alpha > 0.5)
        if not len(rows):
            continue  # beside the picture
        seen += 1
        assert colours[rows[0], columns[0], 0] > 200
        longer = held.size[1] * 80
        assert rows.min() > 30 + held.rows[0] * 80 - 1.3 * longer
        assert rows.max() < 30 + held.rows[1] * 80 + 1.3 * longer
        assert columns.min() > 55 - 1.3 * longer
        assert columns.max() < 75 + 1.3 * longer
    assert seen >= 8


def test_a_person_out_of_the_picture_holds_nothing() -> None:
    _, alpha, hides = in_hands("hat", red(), np.zeros((SIZE, SIZE)), np.random.default_rng(0))
    assert not alpha.any()
    assert not hides


@pytest.mark.parametrize("shape", [(200, 2), (2, 200), (1, 1), (300, 300)])
def test_things_of_any_shape(shape: tuple[int, int]) -> None:
    for seed in range(4):
        _, alpha, _ = in_hands("phone", red(*shape), person(), np.random.default_rng(seed))
        assert alpha.shape == (SIZE, SIZE)
        assert 0 <= alpha.min() <= alpha.max() <= 1


def test_what_goes_takes_along_what_it_carries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "FOREIGN", 0.0)
    bag = np.zeros((SIZE, SIZE), np.float32)
    bag[60:75, 75:90] = 1
    alpha = np.maximum(person(), bag)
    colours = np.full((SIZE, SIZE, 3), 200, np.float32)
    stand = Stand(110.0, 65.0, 80.0)
    dark = Lighting((), 0.0, 0.0, 0.0, np.ones(3, np.float32))
    grey = np.full((SIZE, SIZE, 3), 90, np.float32)
    for goes in (True, False):
        thing = Thing(colours, alpha, stand, 0.0, goes, bag)
        scene = composed(grey, [thing], dark, None, np.random.default_rng(0))
        assert np.array_equal(scene.carried, bag if goes else 0 * bag)
        assert np.array_equal(scene.goes, alpha if goes else 0 * alpha)


def test_things_that_are_held_out_are_never_trained_on(effects_data: Path) -> None:
    trained, held_out = (ThingPool(effects_data, held_out=h).paths["hat"] for h in (False, True))
    assert len(trained) == 12
    assert len(held_out) == 1
    assert not set(trained) & set(held_out)
    kind, rgba = ThingPool(effects_data, held_out=True).draw(np.random.default_rng(0))
    assert kind == "hat"
    assert rgba[0, 0, 0] == 200  # red first


def test_a_class_of_one_thing_is_trained_on(effects_data: Path) -> None:
    for path in list((effects_data / "effects/things/hat").glob("*.png"))[1:]:
        path.unlink()
    assert ThingPool(effects_data, held_out=False).paths.keys() == {"hat"}
    assert not ThingPool(effects_data, held_out=True)


def test_a_picture_without_alpha_is_named(effects_data: Path) -> None:
    for path in (effects_data / "effects/things/hat").glob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"hat/\d+\.png: not a picture with alpha"):
        ThingPool(effects_data, held_out=False).draw(np.random.default_rng(0))


def test_people_of_made_scenes_carry_things(
    effects_data: Path, labelled_people: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("segmentation", "scenes"):
        (effects_data / folder).symlink_to(labelled_people / folder)
    cut_outs.build(effects_data, tmp_path / "store")
    monkeypatch.setattr(samples, "CARRIES", 1.0)
    scenes = EffectScenes(effects_data, tmp_path / "store", SIZE)
    carried = [scenes[n].carried for n in range(8)]
    assert sum(bool(one.any()) for one in carried) >= 3
    assert not any(
        EffectScenes(labelled_people, tmp_path / "store", SIZE)[n].carried.any() for n in range(4)
    )
