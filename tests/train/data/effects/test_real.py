"""Real moments and labelled photos: what is asked for, what is unknown, what is held out."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from remove_objects.pipeline.types import Box
from remove_objects.train.data.effects import mixture, views
from remove_objects.train.data.effects.cameras import CameraMoments, _whose
from remove_objects.train.data.effects.mixture import SHARES, sources
from remove_objects.train.data.effects.photos import LabelledThings
from remove_objects.train.data.effects.views import square_around, to_tensors
from remove_objects.train.data.mixture import Mixture
from remove_objects.train.data.objects import cut_outs

SIZE = 96


def split(sample: tuple[Tensor, ...]) -> tuple[np.ndarray, ...]:
    picture, mask, effects, weight = (part.numpy() for part in sample)
    return picture, mask[0] > 0, effects / 255.0, weight / 255.0


@pytest.fixture(autouse=True)
def exact_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("cameras", "photos"):
        monkeypatch.setattr(
            f"remove_objects.train.data.effects.{module}.given_mask", lambda alpha, *_: alpha >= 0.5
        )


def test_a_moment_shows_the_shadow_of_its_object(effects_data: Path) -> None:
    moments = CameraMoments(effects_data, SIZE)
    seen = 0.0
    for n in range(8):
        picture, mask, effects, weight = split(moments[n])
        assert (picture.shape, effects.shape, weight.shape) == (
            (3, SIZE, SIZE),
            (3, SIZE, SIZE),
            (3, SIZE, SIZE),
        )
        assert mask.any()
        assert not weight[:, mask].any()
        shadow = (effects[0] > 0.9) & (weight[0] > 0)
        seen += shadow.sum() / mask.sum()
        assert not effects[1].any()
        # What does not move is carried by nobody; of the rest nobody knows.
        assert not (effects[2] * weight[2]).any()
        assert not weight[2][shadow].any()
    assert seen / 8 == pytest.approx(40 * 10 / (30 * 40), abs=0.12)


def test_no_camera_is_in_both_halves(effects_data: Path) -> None:
    trained, held_out = (
        {p for m in CameraMoments(effects_data, SIZE, held_out=h).moments for p in m}
        for h in (False, True)
    )
    assert len(trained) == 10
    assert len(held_out) == 2
    assert not trained & held_out


def test_a_shadow_between_two_objects_is_of_neither() -> None:
    removed, others = np.zeros((40, 100), bool), np.zeros((40, 100), bool)
    removed[10:30, 10:30] = others[10:30, 70:90] = True
    own, doubtful = _whose(removed, others)
    assert own[20, 35]
    assert not doubtful[20, 35]
    assert doubtful[20, 50]
    assert not own[20, 65]
    assert not _whose(removed, np.zeros_like(others))[1].any()


def test_a_photo_asks_for_what_its_person_carries(effects_data: Path) -> None:
    photos = LabelledThings(effects_data, SIZE)
    for n in range(6):
        _, mask, effects, weight = split(photos[n])
        bag = (effects[2] > 0.9) & ~mask
        assert bag.sum() / mask.sum() == pytest.approx(16 * 14 / (24 * 70), abs=0.06)
        assert weight[2][bag].mean() > 0.5
        assert not weight[:2].any()  # of shadows and reflections nobody knows
        assert weight[2].mean() > 0.4


def test_unknown_pixels_do_not_count(effects_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "remove_objects.train.data.effects.photos.square_around", lambda *_: Box(0, 0, 150, 150)
    )
    left_or_right = {
        tuple(
            (split(LabelledThings(effects_data, 150)[n])[3][2][:, side] > 0).any()
            for side in (4, -5)
        )
        for n in range(12)
    }
    assert left_or_right == {(False, True), (True, False)}  # mirrored or not


@pytest.mark.parametrize("kind", [CameraMoments, LabelledThings])
def test_a_sample_is_a_function_of_its_number(
    effects_data: Path, kind: type[CameraMoments | LabelledThings]
) -> None:
    for n in range(3):
        one, two = (kind(effects_data, SIZE, seed=3)[n] for _ in range(2))
        assert all(np.array_equal(a.numpy(), b.numpy()) for a, b in zip(one, two, strict=True))


def test_the_rest_of_an_object_is_asked_for_where_the_mask_misses_it() -> None:
    goes = np.zeros((SIZE, SIZE), np.float32)
    goes[20:80, 30:60] = 1
    mask = goes > 0
    mask[50:] = False
    none = np.zeros((2, SIZE, SIZE), np.float32)
    _, _, effects, weight = split(
        to_tensors(
            np.zeros((SIZE, SIZE, 3), np.uint8),
            mask,
            goes,
            none,
            none,
            carried_is_known=goes * 0 + 1,
        )
    )
    legs = np.zeros_like(mask)
    legs[50 + views.RIM + 1 : 80, 30:60] = True
    assert (effects[2] * weight[2])[legs].all()
    assert not weight[2][20:50, 30:60].any()
    assert weight[2][85:, :].all()


def test_a_square_lies_in_its_photo() -> None:
    rng = np.random.default_rng(0)
    for box in (Box(0, 0, 10, 60), Box(150, 90, 50, 50), Box(0, 0, 200, 140)):
        for _ in range(20):
            square = square_around(box, (140, 200), rng)
            assert square.w == square.h <= 140
            assert square.intersection(Box(0, 0, 200, 140)) == square


def test_the_kinds_are_mixed_by_their_shares(
    effects_data: Path, labelled_people: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for folder in ("segmentation", "scenes"):
        (effects_data / folder).symlink_to(labelled_people / folder)
    store = tmp_path / "store"
    cut_outs.build(effects_data, store)
    found = sources(effects_data, store, SIZE, held_out=False, seed=0)
    assert set(found) == set(mixture.SHARES)
    marked = {name: {n: (name, n) for n in range(400)} for name in found}
    drawn = [Mixture(marked, SHARES, seed=0)[n] for n in range(400)]  # type: ignore[arg-type]
    for name, share in mixture.SHARES.items():
        assert sum(one[0] == name for one in drawn) / 400 == pytest.approx(share, abs=0.08)
    with caplog.at_level(logging.WARNING):
        alone = sources(labelled_people, store, SIZE, held_out=False, seed=0)
    assert set(alone) == {"made"}
    assert "effects/photos: no folder with *_image.png found; trained without" in caplog.text


@pytest.mark.parametrize(
    ("kind", "spoilt"), [(CameraMoments, "*/*_shadow.png"), (LabelledThings, "*/*_things.png")]
)
def test_unreadable_pictures_are_left_out(
    effects_data: Path,
    kind: type[CameraMoments | LabelledThings],
    spoilt: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder = effects_data / ("effects/cameras" if kind is CameraMoments else "effects/photos")
    first = sorted(folder.glob(spoilt))[3]
    first.write_bytes(b"no picture")
    with caplog.at_level(logging.WARNING):
        for n in range(40):
            kind(effects_data, SIZE)[n]
    assert f"{first}: cannot be read" in caplog.text
    for path in folder.glob(spoilt):
        path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match="could not be read"):
        kind(effects_data, SIZE)[0]
