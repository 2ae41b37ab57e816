"""Pictures to train on: found, decoded, cropped, and the same batches after a resume."""

from __future__ import annotations

import itertools
import logging
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from train.data import Pictures, batches, find_images, random_crop
from train.holes import rectangle, strokes


def write(path: Path, rgb: tuple[int, int, int] = (10, 20, 30), shape: tuple[int, int] = (24, 32)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*shape, 3), rgb[::-1], np.uint8))
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Seven of noise around a level that tells which it is."""
    noise = np.random.default_rng(0)
    paths = []
    for i in range(7):
        path = tmp_path / f"{i}.png"
        cv2.imwrite(str(path), (30 * (i + 1) + noise.integers(-5, 5, (40, 50, 3))).astype(np.uint8))
        paths.append(path)
    return Pictures(paths)


def test_images_are_found_in_nested_folders_but_not_labels(tmp_path: Path) -> None:
    kept = [write(tmp_path / name) for name in ("a/1.png", "a/b/c/2.JPG", "a/images/4.jpeg", "z/5.bmp")]
    write(tmp_path / "a/labels/3.png")
    (tmp_path / "a/notes.txt").write_text("no picture")
    assert find_images([tmp_path / "z", tmp_path / "a"]) == sorted(kept)


def test_no_images_is_an_error_that_names_the_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pictures") as error:
        find_images([tmp_path / "one", tmp_path / "two"])
    assert str(tmp_path / "one") in str(error.value)
    assert str(tmp_path / "two") in str(error.value)


def test_unreadable_file_is_reported_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    good = [write(tmp_path / "a.png", (200, 100, 50)), write(tmp_path / "c.png")]
    broken = tmp_path / "b.png"
    broken.write_bytes(good[0].read_bytes()[:40])
    with caplog.at_level(logging.WARNING):
        pictures = Pictures([good[0], broken, good[1]])
    assert [r.getMessage() for r in caplog.records] == [f"{broken}: not a readable picture; left out"]
    assert pictures.paths == good
    assert len(pictures) == len(pictures.images) == 2
    assert pictures.images[0][0, 0].tolist() == [200, 100, 50]  # RGB


def test_crop_of_everything_is_the_picture_or_its_mirror() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    before = image.copy()
    crops = {random_crop(image, 16, np.random.default_rng(seed), zoom=(1.0, 1.0)).tobytes() for seed in range(20)}
    assert crops == {image.tobytes(), image[:, ::-1].tobytes()}
    assert np.array_equal(image, before)


@pytest.mark.parametrize("shape", [(100, 40), (40, 100), (7, 9), (64, 64)])
def test_crop_has_the_size_asked_for(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for seed in range(10):
        crop = random_crop(image, 32, np.random.default_rng(seed))
        assert crop.shape == (32, 32, 3)
        assert crop.dtype == np.uint8


def test_crop_zoom_is_a_share_of_the_shorter_side() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(200, axis=0)
    spans = [int(np.ptp(random_crop(ramp, 20, np.random.default_rng(seed), zoom=(0.5, 0.6)))) for seed in range(20)]
    assert 85 < min(spans) <= max(spans) < 125


def test_batches_have_known_as_one_and_pictures_in_unit_range(pictures: Pictures) -> None:
    x, mask = next(batches(pictures, lambda s, r: rectangle(s, r, side=4, centred=True), size=16, batch=3, seed=0, start=0))
    assert (x.shape, x.dtype) == ((3, 3, 16, 16), torch.float32)
    assert (mask.shape, mask.dtype) == ((3, 1, 16, 16), torch.float32)
    assert 0.05 < x.min() < x.max() <= 1
    expected = torch.ones(16, 16)
    expected[6:10, 6:10] = 0
    assert all(torch.equal(m[0], expected) for m in mask)


def test_batches_resume_at_any_step(pictures: Pictures) -> None:
    whole = list(itertools.islice(batches(pictures, strokes, size=16, batch=3, seed=4, start=0), 8))
    for start in (1, 3, 7):
        resumed = batches(pictures, strokes, size=16, batch=3, seed=4, start=start)
        for (x, mask), (x2, mask2) in zip(whole[start:], resumed, strict=False):
            assert torch.equal(x, x2)
            assert torch.equal(mask, mask2)
    assert len({x.numpy().tobytes() for x, _ in whole}) == 8
    assert len({m.numpy().tobytes() for _, m in whole}) == 8


def test_seed_changes_the_batches(pictures: Pictures) -> None:
    first, other = (next(batches(pictures, strokes, size=16, batch=3, seed=s, start=0)) for s in (0, 1))
    assert not torch.equal(first[0], other[0])
    assert not torch.equal(first[1], other[1])


def test_every_picture_is_seen_once_an_epoch_in_a_new_order(pictures: Pictures) -> None:
    stream = batches(pictures, rectangle, size=8, batch=2, seed=0, start=0)
    seen = [round(float(x.mean()) * 255 / 30) for batch, _ in itertools.islice(stream, 14) for x in batch]
    epochs = [seen[i : i + 7] for i in range(0, 28, 7)]
    assert all(sorted(e) == [1, 2, 3, 4, 5, 6, 7] for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1
