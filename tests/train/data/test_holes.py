"""Random holes: shape, share, place, and equal holes from equal random states."""

from __future__ import annotations

import pickle
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.train.data.holes import (
    FreeForm,
    HoleGenerator,
    MaskFolder,
    Mixture,
    ObjectShapes,
    any_rectangle,
    blobs,
    centred,
    edge,
    rectangle,
    strokes,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def mask_pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "masks" / "nested"
    folder.mkdir(parents=True)
    picture = np.zeros((40, 60), np.uint8)
    picture[10:30, 20:50] = 255
    cv2.imwrite(str(folder / "grey.png"), picture)
    cv2.imwrite(str(folder / "colour.png"), np.dstack([picture.T] * 3))
    return folder.parent


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    folder = tmp_path / "labels"
    folder.mkdir()
    picture = np.full((80, 100), 255, np.uint8)
    picture[:, :50] = 0
    picture[10:70, 15:35] = 15
    cv2.imwrite(str(folder / "person.png"), picture)
    return folder


def test_centred_rectangle_is_the_middle_half() -> None:
    expected = np.zeros((128, 128), bool)
    expected[32:96, 32:96] = True
    assert np.array_equal(rectangle(128, rng(), centred=True), expected)
    assert np.array_equal(centred(128, rng()), expected)
    assert np.argwhere(rectangle(9, rng(), side=4, centred=True)).tolist() == [
        [y, x] for y in range(2, 6) for x in range(2, 6)
    ]


def test_rectangle_reaches_every_place_and_never_leaves() -> None:
    state = rng()
    corners = set()
    for _ in range(400):
        hole = rectangle(6, state, side=3)
        ys, xs = np.nonzero(hole)
        assert hole.sum() == 9
        assert (np.ptp(ys), np.ptp(xs)) == (2, 2)
        corners.add((int(ys[0]), int(xs[0])))
    assert corners == {(y, x) for y in range(4) for x in range(4)}


def test_any_rectangle_is_a_square_of_an_eighth_to_a_half() -> None:
    state = rng()
    sides = set()
    for _ in range(200):
        hole = any_rectangle(32, state)
        ys, xs = np.nonzero(hole)
        assert hole.sum() == (np.ptp(ys) + 1) ** 2
        assert np.ptp(xs) == np.ptp(ys)
        sides.add(int(np.ptp(ys)) + 1)
    assert sides == set(range(4, 16))


def test_edge_is_a_strip_of_a_quarter_to_a_third_on_each_side() -> None:
    state, size = rng(), 100
    seen: dict[str, list[float]] = {}
    for _ in range(300):
        hole = edge(size, state)
        rows, columns = hole.all(axis=1), hole.all(axis=0)
        assert hole.sum() in (
            size * rows.sum(),
            size * columns.sum(),
        )  # whole rows or whole columns, nothing else
        strip = rows if rows.any() else columns
        assert abs(np.diff(strip.astype(int))).sum() == 1  # one piece, at one border
        side = (
            ("top" if rows[0] else "bottom") if rows.any() else ("left" if columns[0] else "right")
        )
        seen.setdefault(side, []).append(float(hole.mean()))
    assert set(seen) == {"top", "bottom", "left", "right"}
    for shares in seen.values():
        assert len(shares) > 45
        assert 0.25 <= min(shares) < 0.27
        assert 0.33 < max(shares) <= 0.35


def test_edge_takes_other_bounds() -> None:
    state = rng()
    shares = [edge(200, state, low=0.5, high=0.6).mean() for _ in range(30)]
    assert 0.5 <= min(shares) < max(shares) <= 0.6


def test_strokes_are_thin_and_all_different() -> None:
    state = rng()
    holes = [strokes(96, state) for _ in range(40)]
    assert all(h.shape == (96, 96) and h.dtype == bool and 0 < h.mean() < 0.9 for h in holes)
    assert len({h.tobytes() for h in holes}) == 40
    assert 0.03 < np.mean([h.mean() for h in holes]) < 0.4


def test_blobs_are_a_few_patches_and_all_different() -> None:
    state = rng()
    holes = [blobs(96, state) for _ in range(40)]
    assert all(h.shape == (96, 96) and h.dtype == bool and 0 < h.mean() < 0.6 for h in holes)
    assert len({h.tobytes() for h in holes}) == 40
    assert 0.03 < np.mean([h.mean() for h in holes]) < 0.4
    areas = [
        cv2.connectedComponentsWithStats(h.astype(np.uint8))[2][1:, cv2.CC_STAT_AREA] for h in holes
    ]
    assert {int((a >= 20).sum()) for a in areas} >= {1, 2, 3}
    assert max((a >= 20).sum() for a in areas) <= 4


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize(("low", "high"), [(0.1, 0.2), (0.4, 0.5)])
def test_free_form_keeps_its_share_and_never_repeats(low: float, high: float, size: int) -> None:
    holes = [FreeForm(low, high)(size, rng(seed)) for seed in range(40)]
    assert all(h.shape == (size, size) and h.dtype == bool for h in holes)
    assert low <= min(h.mean() for h in holes) < max(h.mean() for h in holes) <= high
    assert len({h.tobytes() for h in holes}) == 40


def test_free_form_between_bounds_that_no_stroke_meets_grows_to_the_lower_one() -> None:
    shares = [FreeForm(0.3, 0.3003)(64, rng(seed)).mean() for seed in range(4)]
    assert min(shares) >= 0.3
    assert 0.301 < max(shares) < 0.45  # by no more than a border of one pixel


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 0.2), (0.3, 0.3), (0.5, 0.4), (0.5, 1.0), (-0.1, 0.5)]
)
def test_free_form_without_a_share_between_its_bounds_is_an_error(low: float, high: float) -> None:
    with pytest.raises(ValueError, match=rf"0 < low < high < 1, got {low} and {high}"):
        FreeForm(low, high)


def test_mask_folder_takes_white_as_hole_from_nested_grey_and_colour_files(
    mask_pictures: Path,
) -> None:
    generate, state = MaskFolder(mask_pictures), rng()
    holes = [generate(32, state) for _ in range(30)]
    assert all(h.shape == (32, 32) and h.dtype == bool for h in holes)
    # The hole is a quarter of the file, and the crops favour its middle; inverted, the share
    # would be far higher.
    assert 0.1 < np.mean([h.mean() for h in holes]) < 0.6
    assert len({h.tobytes() for h in holes}) > 10
    cv2.imwrite(str(mask_pictures / "nested" / "grey.png"), np.full((20, 20), 128, np.uint8))
    cv2.imwrite(str(mask_pictures / "nested" / "colour.png"), np.full((20, 20), 128, np.uint8))
    assert MaskFolder(mask_pictures)(16, state).all()
    for name in ("grey", "colour"):
        cv2.imwrite(str(mask_pictures / "nested" / f"{name}.png"), np.full((20, 20), 127, np.uint8))
    with pytest.raises(ValueError, match="none of its 2 masks has a white pixel, such as"):
        MaskFolder(mask_pictures)


def test_an_empty_mask_is_left_out_and_a_small_hole_is_never_cropped_away(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), np.zeros((40, 40), np.uint8))
    small = np.zeros((40, 40), np.uint8)
    small[:8, :8] = 255
    cv2.imwrite(str(tmp_path / "small.png"), small)
    generate, state = MaskFolder(tmp_path), rng()
    assert "1 of 2 masks are empty and left out, such as" in caplog.text
    assert "empty.png: white is the hole" in caplog.text
    assert all(generate(32, state).any() for _ in range(60))


def test_object_shapes_are_silhouettes_without_void(labels: Path) -> None:
    generate, state = ObjectShapes([labels]), rng()
    for _ in range(40):
        hole = generate(64, state)
        assert hole.shape == (64, 64)
        assert 0.02 < hole.mean() < 0.5
        ys, xs = np.nonzero(hole)
        # The only object is three times as high as wide; void, half of the picture, is less
        # than twice as high.
        assert np.ptp(ys) > 1.9 * np.ptp(xs)
        assert hole.sum() == (np.ptp(ys) + 1) * (np.ptp(xs) + 1)


def test_object_shapes_without_an_object_are_strokes(labels: Path) -> None:
    cv2.imwrite(str(labels / "person.png"), np.full((50, 50), 255, np.uint8))
    assert 0 < ObjectShapes([labels])(64, rng()).mean() < 0.9


@pytest.mark.parametrize("make", [MaskFolder, lambda folder: ObjectShapes([folder])])
def test_folder_without_pictures_is_named(tmp_path: Path, make: object) -> None:
    with pytest.raises(FileNotFoundError, match="png") as error:
        make(tmp_path)  # type: ignore[operator]
    assert str(tmp_path) in str(error.value)


def test_unreadable_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(OSError, match=r"broken\.png"):
        MaskFolder(tmp_path)


def constant(share: float) -> HoleGenerator:
    def generate(size: int, _: np.random.Generator) -> np.ndarray:
        hole = np.zeros((size, size), bool)
        hole[: round(size * share)] = True
        return hole

    return generate


def test_mixture_draws_by_weight_and_again_when_out_of_bounds() -> None:
    generate, state = (
        Mixture(
            [
                (3.0, constant(0.2)),
                (1.0, constant(0.4)),
                (0.0, constant(0.3)),
                (2.0, constant(0.9)),
                (2.0, constant(0.0)),
            ]
        ),
        rng(),
    )
    shares = [round(float(generate(50, state).mean()), 2) for _ in range(400)]
    assert set(shares) == {0.2, 0.4}
    assert 0.68 < shares.count(0.2) / 400 < 0.82


def test_mixture_that_never_fits_ends_in_a_rectangle_of_a_third() -> None:
    hole = Mixture([(1.0, constant(0.9))])(90, rng())
    assert hole.sum() == 30 * 30


def test_the_same_random_state_gives_the_same_hole_here_and_in_a_worker(
    mask_pictures: Path, labels: Path
) -> None:
    folders = MaskFolder(mask_pictures), ObjectShapes([labels])
    functions = rectangle, partial(rectangle, side=5), any_rectangle, edge, strokes, blobs
    for generate in (
        *functions,
        *folders,
        FreeForm(0.2, 0.3),
        Mixture([(1.0, strokes), (1.0, edge)]),
        Mixture([(1.0, folders[0])]),
    ):
        sent = pickle.loads(pickle.dumps(generate))
        drawn = [generate(48, rng(seed)) for seed in range(8)]
        assert len({h.tobytes() for h in drawn}) > 1
        for seed, hole in enumerate(drawn):
            assert np.array_equal(generate(48, rng(seed)), hole)
            assert np.array_equal(sent(48, rng(seed)), hole)


def test_mask_folder_is_stored_as_bits(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.full((800, 800), 255, np.uint8))
    assert len(pickle.dumps(MaskFolder(tmp_path))) < 800 * 800 / 8 + 1000
