"""Canvases, made-up probabilities, stored answers and samples: functions of their numbers."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.train.data.objects import answers, cut_outs, samples
from remove_objects.train.data.objects.answers import CANVAS, STORED, StoredAnswers
from remove_objects.train.data.objects.canvases import Canvas, Canvases
from remove_objects.train.data.objects.photo_noise import photo_noise
from remove_objects.train.data.objects.rough import rough_probability
from remove_objects.train.data.objects.samples import RefinerSamples, held_out_samples
from remove_objects.train.data.objects.shadows import Stand, Sun, board_shadow, cast


class SeesRed:
    """A person where the picture is red."""

    name = "red"
    quick = True

    def __init__(self) -> None:
        self.passes = 0

    def probabilities(self, rgb: np.ndarray, longest: int | None = None) -> np.ndarray:
        self.passes += 1
        red = (rgb[..., 0] > 120) & (rgb[..., 1] < 80)
        found = np.zeros((21, *red.shape), np.float32)
        found[15], found[0] = red, ~red
        return found


@pytest.fixture(scope="module")
def store(labelled_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    cut_outs.build(labelled_people, folder)
    return folder


def canvases(data: Path, store: Path, seed: int = 0, **options: bool) -> Canvases:
    return Canvases(data, store, CANVAS, seed=seed, **options)


def test_a_canvas_is_a_function_of_seed_and_number(labelled_people: Path, store: Path) -> None:
    made = canvases(labelled_people, store)
    again = pickle.loads(pickle.dumps(made))  # as for a worker process
    for n in range(6):
        one, two = made[n], again[n]
        assert np.array_equal(one.image, two.image)
        assert np.array_equal(one.alpha, two.alpha)
        assert (one.image.shape, one.image.dtype) == ((CANVAS, CANVAS, 3), np.uint8)
        assert one.alpha.shape == one.weight.shape == one.stays.shape == (CANVAS, CANVAS)
        assert 0.02 <= one.alpha.mean() < 1
        assert 0 <= one.alpha.min() <= one.alpha.max() <= 1
        assert one.category == 15
    assert not np.array_equal(made[0].image, canvases(labelled_people, store, 1)[0].image)


def test_the_alpha_of_a_canvas_is_the_object(labelled_people: Path, store: Path) -> None:
    for canvas in (canvases(labelled_people, store)[n] for n in range(6)):
        inside = canvas.image[(canvas.alpha > 0.99) & (canvas.weight > 0)]
        assert (inside[:, 0].astype(int) - inside[:, 1] > 60).mean() > 0.95


def test_held_out_canvases_use_held_out_pictures_only(labelled_people: Path, store: Path) -> None:
    training = canvases(labelled_people, store)
    held_out = canvases(labelled_people, store, held_out=True)
    for one, other in ((training, held_out), (held_out, training)):
        assert not set(one.scenes.paths["scenes/train"]) & set(other.scenes.paths["scenes/train"])
        assert not set(one.photos["segmentation/ccp_person"]) & set(
            other.photos["segmentation/ccp_person"]
        )
        assert not {e.offset for e in one.precise} & {e.offset for e in other.precise}


def test_missing_scenes_are_a_mistake(store: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no photos in scenes/train"):
        canvases(tmp_path, store)


def test_a_shadow_lies_beside_the_object() -> None:
    alpha = np.zeros((100, 100), np.float32)
    alpha[20:80, 45:55] = 1
    stand, sun = Stand(80, 50, 60), Sun(1.0, 0.2, 0.01, 0.05, 0.2)
    shadow = board_shadow(alpha, stand, sun)
    assert shadow[69:79, 60:90].max() > 0.5  # to the right, and short
    assert shadow[:60].max() < 0.1
    rng = np.random.default_rng(0)
    assert not cast(alpha, stand, sun, rng)[alpha == 1].any()


def test_a_made_up_probability_is_about_the_same_object() -> None:
    alpha = np.zeros((200, 200), np.float32)
    cv2.ellipse(alpha, (100, 100), (40, 70), 0, 0, 360, 1.0, -1)
    overlaps = []
    for n in range(20):
        found = rough_probability(alpha, np.random.default_rng(n))
        assert found.dtype == np.float32
        assert 0 <= found.min() <= found.max() <= 1
        both, either = ((found >= 0.5) & (alpha > 0)).sum(), ((found >= 0.5) | (alpha > 0)).sum()
        overlaps.append(both / either)
    assert 0.6 < np.median(overlaps) < 0.99
    rough_probability(np.zeros((40, 40), np.float32), np.random.default_rng(0))  # nothing at all


def test_noise_keeps_size_and_content() -> None:
    image = np.tile(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], (48, 1, 3))
    for n in range(12):
        spoilt = photo_noise(image, np.random.default_rng(n))
        assert (spoilt.shape, spoilt.dtype) == (image.shape, np.uint8)
        assert np.abs(spoilt / 255 - image).mean() < 0.15


def test_answers_resume_where_they_stopped(
    labelled_people: Path, store: Path, tmp_path: Path
) -> None:
    made, whole, stopped = canvases(labelled_people, store), tmp_path / "a", tmp_path / "b"
    answers.build(whole, made, 3, SeesRed(), both=True)
    answers.build(stopped, made, 2, SeesRed(), both=True)
    with open(stopped, "ab") as file:
        file.write(b"half an answer")
    segmenter = SeesRed()
    answers.build(stopped, made, 3, segmenter, both=True)
    assert segmenter.passes == 2
    assert whole.read_bytes() == stopped.read_bytes()
    answers.build(stopped, made, 3, segmenter, both=True)
    assert segmenter.passes == 2
    assert len(StoredAnswers(stopped)) == 3
    assert len(StoredAnswers(tmp_path / "none")) == 0


def test_an_answer_is_the_object_and_not_one_that_stays() -> None:
    image, alpha, stays = np.zeros((CANVAS, CANVAS, 3), np.uint8), *np.zeros((2, CANVAS, CANVAS))
    image[100:300, 50:150] = image[100:300, 250:350] = (230, 0, 0)
    alpha[100:300, 50:150] = stays[100:300, 250:350] = 1
    canvas = Canvas(image, alpha, np.ones_like(alpha), 15, stays)
    answer = answers.answer_for(canvas, SeesRed(), 0.5, both=True)
    assert (answer.shape, answer.dtype) == ((STORED, STORED), np.uint8)
    assert answer[60:140, 30:70].min() > 200
    assert answer[:, 120:].max() < 60


def test_a_sample_is_a_function_of_its_number(
    labelled_people: Path, store: Path, tmp_path: Path
) -> None:
    made, fresh = canvases(labelled_people, store), canvases(labelled_people, store, 2)
    answers.build(tmp_path / "a", made, 4, SeesRed(), both=True)
    stored = StoredAnswers(tmp_path / "a")
    one, two = (RefinerSamples(made, fresh, stored, size=64) for _ in range(2))
    for n in range(8):
        picture, *maps = one[n]
        assert tuple(picture.shape) == (3, 64, 64)
        assert [tuple(m.shape) for m in maps] == [(1, 64, 64)] * 3
        assert all((a == b).all() for a, b in zip((picture, *maps), two[n], strict=True))
        assert set(maps[2].unique().tolist()) <= {0, round(255 * samples.FAR), 255}
        assert (maps[1] >= 128).any()


def test_held_out_samples_are_those_that_the_segmenter_found(
    labelled_people: Path, store: Path, tmp_path: Path
) -> None:
    made = canvases(labelled_people, store, 1, held_out=True)
    answers.build(tmp_path / "a", made, 3, SeesRed(), both=True)
    found = held_out_samples(made, StoredAnswers(tmp_path / "a"), 2, 384)
    assert len(found) == 2
    assert tuple(found[0][0].shape) == (3, 384, 384)
    (tmp_path / "b").write_bytes(bytes(3 * STORED**2))  # it found nothing
    assert held_out_samples(made, StoredAnswers(tmp_path / "b"), 3, 384) == []


def test_strangers_are_people_apart_from_the_object() -> None:
    alpha, coarse = np.zeros((2, 60, 60), np.float32)
    alpha[20:40, 5:15] = 1
    coarse[20:40, 5:20] = coarse[20:40, 45:55] = 0.9
    canvas = Canvas(np.zeros((60, 60, 3), np.uint8), alpha, np.ones_like(alpha), 15, 0 * alpha)
    found = samples.strangers(coarse, canvas)
    assert found[20:40, 45:55].all()
    assert not found[:, :40].any()
    canvas.category = 7
    assert not samples.strangers(coarse, canvas).any()
