"""The other photos of a series, as a worker loads them."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from remove_objects.pipeline.batch.series_photos import (
    Memory,
    Neighbour,
    NeighbourPhotos,
    Recollection,
)
from remove_objects.pipeline.errors import OutputError
from remove_objects.pipeline.images import read_photo
from remove_objects.pipeline.inpaint.series.alignment import features_of
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

    def hidden(self, photo: Photo, mask: Any, recall: Any) -> Hidden:
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


def test_a_photo_that_another_thread_looks_at_comes_later(bench: Bench) -> None:
    with bench.memory.looking_at(str(bench.files[0])):
        photos = iter(bench.photos())
        first = next(photos)
    rest = list(photos)
    assert [each.name for each in (first, *rest)] == ["1.png", "0.png", "2.png"]
    assert [each.rank for each in (first, *rest)] == [1, 0, 2]
    with bench.memory.looking_at(str(bench.files[0])), bench.memory.looking_at(str(bench.files[1])):
        assert [each.rank for each in bench.photos()] == [2, 0, 1]


def test_two_threads_look_at_different_photos_of_one_series(bench: Bench) -> None:
    together, seen = threading.Barrier(2, timeout=20), list[tuple[int, int]]()

    def hidden(photo: Photo, mask: Any, recall: Any) -> Hidden:
        number = len(seen)
        seen.append((threading.get_ident(), int(photo.rgb[0, 0, 0])))
        if number < 2:
            together.wait()  # breaks if one thread waits for the photo of the other
        return Hidden.surely(np.zeros(photo.size, bool))

    def load() -> None:
        list(NeighbourPhotos(bench.neighbours, read_photo, hidden, bench.memory, fixed=True))

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken
    assert len(seen) == 3


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
    changed, missing = photos.warnings
    assert changed.endswith(f"{bench.files[0]}: changed since it was found")
    assert missing.endswith(f"{bench.files[2]}: went missing since it was found")


def test_what_changes_while_it_is_read_is_left_out(bench: Bench) -> None:
    def read(path: Path) -> Photo:
        photo = read_photo(path)
        if path == bench.files[0]:
            save(place(9), path)
        if path == bench.files[1]:
            path.unlink()
        return photo

    photos = NeighbourPhotos(bench.neighbours, read, bench.hidden, Memory(), fixed=False)
    assert [each.name for each in photos] == ["2.png"]
    changed, missing = photos.warnings
    assert changed.endswith(f"{bench.files[0]}: changed while it was read")
    assert missing.endswith(f"{bench.files[1]}: went missing while it was read")


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
    rng = np.random.default_rng(0)
    noise = {key: rng.integers(0, 255, 1000, np.uint8) for key in "abc"}
    memory, looked = Memory(size=2500), []

    def look(key: str) -> np.ndarray:
        looked.append(key)
        return noise[key]

    for key in "abacab":
        assert np.array_equal(memory.packed(key, partial(look, key)), noise[key])
    assert "".join(looked) == "abcb"


def test_what_does_not_fit_is_not_remembered() -> None:
    memory, looked = Memory(size=10), []

    def look() -> str:
        looked.append(1)
        return "what takes more than ten bytes"

    assert memory.packed("a", look) == memory.packed("a", look) == look()
    assert len(looked) == 3


def test_each_who_asks_has_a_copy() -> None:
    memory = Memory()
    for _ in range(3):
        found = memory.packed("a", lambda: np.zeros((3, 5), bool))
        assert not found.any()
        found[:] = True


def test_photos_are_decoded_once_if_there_is_room(bench: Bench) -> None:
    read = []

    def counted(path: Path) -> Photo:
        read.append(path)
        return read_photo(path)

    def twice(memory: Memory) -> list[Path]:
        read.clear()
        for _ in range(2):
            photos = NeighbourPhotos(bench.neighbours, counted, bench.hidden, memory, fixed=True)
            for number, one in enumerate(photos):
                assert np.array_equal(one.rgb, place(number))
        return read.copy()

    bytes_each = place(0).nbytes
    assert twice(Memory()) == bench.files * 2
    assert twice(Memory(decoded=3 * bytes_each)) == bench.files
    # One that takes all of the room drives out no other one.
    assert twice(Memory(decoded=bytes_each - 1)) == bench.files * 2
    memory = Memory(decoded=10 * bytes_each)
    assert twice(memory) == bench.files
    save(place(1), bench.files[0])
    os.utime(bench.files[0], ns=(5, 5))
    bench.neighbours = tuple(map(neighbour, bench.files))
    read.clear()
    photos = NeighbourPhotos(bench.neighbours, counted, bench.hidden, memory, fixed=True)
    assert np.array_equal(next(iter(photos)).rgb, place(1))
    assert read == bench.files[:1]


def test_features_are_those_of_a_photo_and_of_what_is_covered() -> None:
    memory, rgb, other = Memory(), place(0), place(1)
    nothing, half = np.zeros(rgb.shape[:2], bool), np.zeros(rgb.shape[:2], bool)
    half[:, : half.shape[1] // 2] = True
    first = memory.features("a", rgb, nothing)
    assert memory.features("a", rgb, nothing.copy()) is first
    for found, wanted in (
        (memory.features("a", rgb, half), features_of(rgb, half)),
        (memory.features("b", other, nothing), features_of(other, nothing)),
    ):
        assert np.array_equal(found.points, wanted.points)
        assert not np.array_equal(found.points, first.points)


def test_a_decision_is_of_a_photo_its_mask_and_the_settings() -> None:
    memory, looked = Memory(), list[np.ndarray]()
    given: list[tuple[Any, ...]] = [
        ("a", [1], None),
        ("b", [1], None),
        ("a", [2], None),
        ("a", [1], [1]),
        ("a", [1], None, ("dog",)),
    ]
    for each in given:
        mask = np.random.default_rng(len(looked)).random((5, 7)) < 0.5
        looked.append(mask)
        found = Recollection(memory, *each).hidden(lambda mask=mask: Hidden.surely(mask))
        assert np.array_equal(found.covered, mask)
    for each, mask in zip(given, looked, strict=True):
        found = Recollection(memory, *each).hidden(lambda: Hidden.surely(np.ones((5, 7), bool)))
        assert np.array_equal(found.covered, mask)


def test_threads_that_ask_at_once_look_once() -> None:
    memory, looked = Memory(), []

    def look() -> np.ndarray:
        looked.append(1)
        time.sleep(0.1)
        return np.zeros((3, 5), bool)

    threads = [threading.Thread(target=memory.packed, args=("a", look)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert looked == [1]


def test_a_look_that_failed_is_tried_again() -> None:
    memory = Memory()

    def fail() -> np.ndarray:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        memory.packed("a", fail)
    assert not memory.packed("a", lambda: np.zeros((3, 5), bool)).any()
