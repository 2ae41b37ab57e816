"""Training pictures: search, decoding, crops, and equal batches after a resume or in a worker."""

from __future__ import annotations

import itertools
import logging
import multiprocessing
import os
import signal
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from remove_objects.train.data.holes import HoleGenerator, rectangle, strokes
from remove_objects.train.data.pictures import (
    Crops,
    Stream,
    batches,
    epoch_order,
    find_images,
    random_crop,
    read_rgb,
)


def write(
    path: Path, rgb: tuple[int, int, int] = (10, 20, 30), shape: tuple[int, int] = (24, 32)
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((*shape, 3), rgb[::-1], np.uint8))
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Seven pictures of noise around a level that tells which it is."""
    noise = np.random.default_rng(0)
    rows = []
    for i in range(7):
        rows.append(tmp_path / f"{i}.png")
        cv2.imwrite(
            str(rows[-1]), (30 * (i + 1) + noise.integers(-5, 5, (40, 50, 3))).astype(np.uint8)
        )
    return rows


def crops(
    paths: list[Path], holes: HoleGenerator = strokes, *, size: int = 16, **more: Any
) -> Crops:
    return Crops(paths, holes, size=size, **more)


def first(
    count: int, dataset: Crops, stream: Stream, start: int = 0, *, workers: int = 0
) -> list[tuple[Tensor, ...]]:
    return list(itertools.islice(batches(dataset, stream, start, workers=workers), count))


def test_images_are_listed_in_nested_folders_without_labels(tmp_path: Path) -> None:
    kept = [
        write(tmp_path / name) for name in ("a/1.png", "a/b/c/2.JPG", "a/images/4.jpeg", "z/5.bmp")
    ]
    write(tmp_path / "a/labels/3.png")
    (tmp_path / "a/notes.txt").write_text("no picture")
    assert find_images([tmp_path / "z", tmp_path / "a"]) == sorted(kept)


def test_no_images_is_an_error_that_names_the_folders(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no pictures") as error:
        find_images([tmp_path / "one", tmp_path / "two"])
    assert str(tmp_path / "one") in str(error.value)
    assert str(tmp_path / "two") in str(error.value)


def test_picture_is_rgb_and_upright(tmp_path: Path) -> None:
    assert read_rgb(write(tmp_path / "a.png", (200, 100, 50)))[0, 0].tolist() == [200, 100, 50]
    tag = Image.Exif()
    tag[0x0112] = 6  # a quarter turn
    Image.fromarray(np.zeros((10, 20, 3), np.uint8)).save(tmp_path / "turned.jpg", exif=tag)
    assert read_rgb(tmp_path / "turned.jpg").shape == (20, 10, 3)
    with pytest.raises(OSError, match=r"none\.png: not a readable picture"):
        read_rgb(tmp_path / "none.png")


def test_crop_of_everything_is_the_picture_or_its_mirror() -> None:
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    before = image.copy()
    crops = {
        random_crop(image, 16, np.random.default_rng(seed), zoom=(1.0, 1.0)).tobytes()
        for seed in range(20)
    }
    assert crops == {image.tobytes(), image[:, ::-1].tobytes()}
    assert np.array_equal(image, before)


@pytest.mark.parametrize("shape", [(100, 40), (40, 100), (7, 9), (64, 64)])
def test_crop_has_the_requested_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    for seed in range(10):
        crop = random_crop(image, 32, np.random.default_rng(seed))
        assert crop.shape == (32, 32, 3)
        assert crop.dtype == np.uint8


def test_crop_zoom_is_a_share_of_the_shorter_side() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(200, axis=0)
    spans = [
        int(np.ptp(random_crop(ramp, 20, np.random.default_rng(seed), zoom=(0.5, 0.6))))
        for seed in range(20)
    ]
    assert 85 < min(spans) <= max(spans) < 125


@pytest.mark.parametrize(("accumulate", "world"), [(1, 1), (3, 1), (1, 2), (2, 3)])
def test_processes_and_accumulated_batches_share_one_sequence_of_samples(
    accumulate: int, world: int
) -> None:
    batch = 12 // (accumulate * world)
    for start in (0, 5):
        whole = Stream(12).batches(start)
        parts = [Stream(batch, accumulate, rank, world).batches(start) for rank in range(world)]
        for step in range(start, start + 3):
            numbers = [next(part) for _ in range(accumulate) for part in parts]
            assert all(len(n) == batch for n in numbers)
            assert (
                list(itertools.chain(*numbers))
                == next(whole)
                == list(range(12 * step, 12 * step + 12))
            )


def test_batches_have_known_as_one_and_pictures_in_unit_range(paths: list[Path]) -> None:
    dataset = crops(paths, partial(rectangle, side=4, centred=True))
    picture, known = dataset[0]
    assert (picture.shape, picture.dtype) == ((3, 16, 16), torch.uint8)
    assert (known.shape, known.dtype) == ((1, 16, 16), torch.uint8)
    x, mask = first(1, dataset, Stream(3))[0]
    assert (x.shape, x.dtype) == ((3, 3, 16, 16), torch.float32)
    assert (mask.shape, mask.dtype) == ((3, 1, 16, 16), torch.float32)
    assert torch.equal(x[0] * 255, picture.float())
    expected = torch.ones(16, 16)
    expected[6:10, 6:10] = 0
    assert all(torch.equal(m[0], expected) for m in mask)
    raw = next(batches(dataset, Stream(3), 0, workers=0, to_float=False))
    assert [(t.shape, t.dtype) for t in raw] == [
        ((3, 3, 16, 16), torch.uint8),
        ((3, 1, 16, 16), torch.uint8),
    ]
    assert torch.equal(raw[0][0], picture)


def test_channels_are_red_green_blue(tmp_path: Path) -> None:
    picture, _ = crops([write(tmp_path / "a.png", (200, 100, 50))], size=8)[0]
    assert picture[:, 3, 3].tolist() == [200, 100, 50]


@pytest.mark.parametrize("stream", [Stream(3), Stream(2, accumulate=2, rank=1, world=2)])
def test_batches_resume_at_any_step(stream: Stream, paths: list[Path]) -> None:
    dataset = crops(paths, seed=4)
    whole = first(8, dataset, stream)
    for start in (1, 3):
        resumed = first(2, crops(paths, seed=4), stream, start)
        for (x, mask), (x2, mask2) in zip(
            whole[start * stream.accumulate :], resumed, strict=False
        ):
            assert torch.equal(x, x2)
            assert torch.equal(mask, mask2)
    assert len({x.numpy().tobytes() for x, _ in whole}) == 8
    assert len({m.numpy().tobytes() for _, m in whole}) == 8


def test_worker_reads_the_same_samples(paths: list[Path]) -> None:
    dataset = crops(paths)
    for (x, mask), (x2, mask2) in zip(
        first(4, dataset, Stream(2)), first(4, dataset, Stream(2), workers=1), strict=True
    ):
        assert torch.equal(x, x2)
        assert torch.equal(mask, mask2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_worker_leaves_a_stop_to_the_trainer(number: signal.Signals, paths: list[Path]) -> None:
    before = multiprocessing.active_children()
    stream = batches(crops(paths), Stream(1), 0, workers=1)
    next(stream)
    (worker,) = [c for c in multiprocessing.active_children() if c not in before]
    assert worker.pid is not None
    os.kill(worker.pid, number)  # Ctrl-C, torchrun and clusters signal every process
    worker.join(0.2)
    assert worker.is_alive()
    expected = first(9, crops(paths), Stream(1))[1:]  # more than the workers prepare in advance
    assert all(torch.equal(next(stream)[0], x) for x, _ in expected)


def test_after_an_error_no_worker_stays(paths: list[Path]) -> None:
    """A program waits at its end for its processes, which heed no signal."""
    dataset = crops(paths)
    for path in paths:
        path.write_bytes(b"no picture")
    with pytest.raises(OSError, match="can be read") as error:
        first(1, dataset, Stream(1), workers=1)
    assert error.tb is not None  # it keeps the frames of the reader alive
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_draw_no_random_numbers_of_torch_or_numpy(workers: int, paths: list[Path]) -> None:
    before, numpys = torch.get_rng_state(), np.random.get_state()[1].copy()  # type: ignore[union-attr,index] # noqa: NPY002
    first(2, crops(paths), Stream(2), workers=workers)
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpys)  # type: ignore[index] # noqa: NPY002


def test_seed_changes_the_batches(paths: list[Path]) -> None:
    one, other = (first(1, crops(paths, seed=s), Stream(3))[0] for s in (0, 1))
    assert not torch.equal(one[0], other[0])
    assert not torch.equal(one[1], other[1])


def test_every_picture_is_seen_once_an_epoch_in_a_new_order(paths: list[Path]) -> None:
    rows = first(14, crops(paths, rectangle, size=8), Stream(2))
    seen = [round(float(x.mean()) * 255 / 30) for batch, _ in rows for x in batch]
    epochs = [seen[i : i + 7] for i in range(0, 28, 7)]
    assert all(sorted(e) == [1, 2, 3, 4, 5, 6, 7] for e in epochs)
    assert len({tuple(e) for e in epochs}) > 1


def test_unreadable_file_is_logged_once_and_replaced_by_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = [write(tmp_path / f"{level}.png", (level,) * 3) for level in (50, 100, 150)]
    paths[1].write_bytes(paths[0].read_bytes()[:40])
    dataset = crops(paths, size=8)
    with caplog.at_level(logging.WARNING):
        rows = [int(dataset[n][0][0, 0, 0]) for n in range(9)]
    expected = []
    for epoch in range(3):
        order = epoch_order(3, 0, epoch).tolist()
        expected += [
            (50, None, 150)[i] or (50, None, 150)[order[(order.index(1) + 1) % 3]] for i in order
        ]
    assert rows == expected
    assert len(set(rows[:3])) == 2
    assert [r.getMessage() for r in caplog.records] == [
        f"{paths[1]}: not a readable picture; left out"
    ]


def test_no_readable_file_is_an_error(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    for path in paths:
        path.write_bytes(b"not a picture")
    for _ in range(2):  # the second time both are known to be unreadable
        with pytest.raises(OSError, match=r"none of 2 pictures can be read, from .*a\.png on"):
            crops(paths)[0]
