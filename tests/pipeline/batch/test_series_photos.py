"""The other photos of a series, as a worker loads them."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.batch.series_photos import Memory, Neighbour, NeighbourPhotos
from remove_objects.pipeline.errors import OutputError
from remove_objects.pipeline.images import read_photo
from remove_objects.pipeline.removal.series import Hidden
from remove_objects.pipeline.storage.location import location_stamp
from remove_objects.pipeline.storage.stamp import mark
from remove_objects.pipeline.types import Box, HoleOutcome, Outcome, Photo, Route, Routing, Status
from tests.support.hand_held import place, save


def neighbour(path: Path) -> Neighbour:
    return Neighbour(path.name, str(path), path, None, location_stamp(path))


class Bench:
    """Three photos of a series, and what was asked of the remover."""

    def __init__(self, folder: Path) -> None:
        self.files = [save(place(number), folder / f"{number}.png") for number in range(3)]
        self.neighbours = tuple(map(neighbour, self.files))
        self.memory, self.asked = Memory(), list[int]()

    def hidden(self, photo: Photo, mask: Any) -> Hidden:
        self.asked.append(int(photo.rgb[0, 0, 0]))
        hidden = Hidden.surely(np.zeros(photo.size, bool))
        hidden.covered[:7, : len(self.asked)] = True
        hidden.doubtful[:3, len(self.asked) + 1] = True
        return hidden

    def photos(self, **options: Any) -> NeighbourPhotos:
        return NeighbourPhotos(
            self.neighbours, read_photo, self.hidden, self.memory, **{"fixed": False, **options}
        )


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_each_is_loaded_when_it_is_asked_for(bench: Bench) -> None:
    photos = iter(bench.photos())
    assert bench.asked == []
    first = next(photos)
    assert len(bench.asked) == 1
    assert first.name == "0.png"
    assert np.array_equal(first.rgb, place(0))
    assert first.hidden.covered.dtype == bool
    assert first.hidden.covered.shape == first.rgb.shape[:2]
    assert first.hidden.covered.sum() == 7
    assert np.argwhere(first.hidden.doubtful).tolist() == [[0, 2], [1, 2], [2, 2]]
    assert first.features is not None
    assert len(first.features.points) > 20
    assert [each.name for each in photos] == ["1.png", "2.png"]


def test_what_is_known_of_a_photo_is_found_out_once(bench: Bench) -> None:
    before = list(bench.photos())
    again = list(bench.photos())
    assert len(bench.asked) == 3
    for one, other in zip(before, again, strict=True):
        assert np.array_equal(one.hidden, other.hidden)
        assert one.features is other.features


def test_the_photo_of_a_fixed_camera_has_no_features(bench: Bench) -> None:
    assert [each.features for each in bench.photos(fixed=True)] == [None] * 3


def test_what_cannot_be_read_is_left_out_with_a_warning(bench: Bench) -> None:
    content = bench.files[1].read_bytes()
    bench.files[1].write_bytes(content[: len(content) // 2])
    bench.neighbours = tuple(map(neighbour, bench.files))
    photos = bench.photos()
    assert [each.name for each in photos] == ["0.png", "2.png"]
    assert [each.name for each in photos] == ["0.png", "2.png"]
    (warning,) = photos.warnings
    assert "1.png" in warning
    assert "left out" in warning


def test_what_changed_since_the_run_began_is_left_out(bench: Bench) -> None:
    save(place(9), bench.files[0])
    os.utime(bench.files[0], ns=(1, 1))
    bench.files[2].unlink()
    photos = bench.photos()
    assert [each.name for each in photos] == ["1.png"]
    assert len(photos.warnings) == 2
    assert "changed since it was found" in photos.warnings[0]


def test_what_changes_while_it_is_read_is_left_out(bench: Bench) -> None:
    def read(path: Path) -> Photo:
        photo = read_photo(path)
        if path == bench.files[0]:
            save(place(9), path)
        return photo

    photos = NeighbourPhotos(bench.neighbours, read, bench.hidden, Memory(), fixed=False)
    assert [each.name for each in photos] == ["1.png", "2.png"]
    assert "changed while it was read" in photos.warnings[0]


def test_an_error_that_every_photo_would_meet_passes(bench: Bench) -> None:
    def read(path: Path) -> Photo:
        raise OutputError("the disk is full")

    photos = NeighbourPhotos(bench.neighbours, read, bench.hidden, Memory(), fixed=False)
    with pytest.raises(OutputError):
        next(iter(photos))


def outcome(borrowed: dict[str, float]) -> Outcome:
    routing = Routing(Route.FREE_FORM, "")
    hole = HoleOutcome(Box(0, 0, 2, 2), 0.1, routing, None, None, borrowed=borrowed)
    return Outcome(Status.OK, "", holes=(hole,))


def test_the_row_names_those_that_contributed(bench: Bench) -> None:
    photos = bench.photos()
    list(photos)
    assert photos.row(outcome({"1.png": 0.5, "2.png": 0.0})) == {
        "neighbours": ["0.png", "1.png", "2.png"],
        "borrowed": {"1.png": [str(bench.files[1]), mark(bench.files[1]), None]},
    }


def test_the_row_says_nothing_if_nobody_contributed(bench: Bench) -> None:
    photos = bench.photos()
    list(photos)
    assert photos.row(outcome({})) == {}


def test_the_memory_is_bounded_and_forgets_the_oldest() -> None:
    memory, looked = Memory(size=2), []

    def look(key: str) -> None:
        def at() -> tuple[Hidden, None]:
            looked.append(key)
            return Hidden.surely(np.ones((3, 5), bool)), None

        assert memory.seen(key, at).hidden.covered.all()

    for key in "abacab":
        look(key)
    assert "".join(looked) == "abcb"


def test_threads_that_ask_at_once_look_once() -> None:
    memory, looked = Memory(), []

    def look() -> tuple[Hidden, None]:
        looked.append(1)
        time.sleep(0.1)
        return Hidden.surely(np.zeros((3, 5), bool)), None

    threads = [threading.Thread(target=memory.seen, args=("a", look)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looked == [1]


def test_a_look_that_failed_is_tried_again() -> None:
    memory = Memory()

    def fail() -> tuple[Hidden, None]:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        memory.seen("a", fail)
    assert not memory.seen(
        "a", lambda: (Hidden.surely(np.zeros((3, 5), bool)), None)
    ).hidden.covered.any()
