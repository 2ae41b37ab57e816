"""What the bar and the lines say: the pace of the work, and one line that fits the terminal."""

from __future__ import annotations

import pytest

from remove_objects.pipeline.report import progress
from remove_objects.pipeline.report.bar import tail
from remove_objects.pipeline.report.progress import Pace, State, duration
from remove_objects.pipeline.system.text import columns, shortened


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


def test_the_time_that_is_left_is_that_of_the_work(clock: Clock) -> None:
    """Photos that an earlier run finished do not count, and a slow photo does not go unseen."""
    pace = Pace()
    assert pace.left(100) is None
    for _ in range(90):
        pace.add("skipped")
    assert pace.left(100) is None
    clock.now += 20
    pace.add("ok")
    pace.add("unchanged")
    assert pace.left(100) == pytest.approx(8 * 10)
    clock.now += 7
    assert pace.left(100) == pytest.approx(8 * 10 - 7)
    clock.now += 100
    assert pace.left(100) == pytest.approx(7 * 10)
    for _ in range(8):
        pace.add("review")
    assert pace.left(100) is None
    assert pace.elapsed == 127


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0.2, "0 s"), (89.4, "89 s"), (90, "1 min 30 s"), (98, "1 min 40 s")),
        *((118, "2 min"), (596, "9 min 55 s"), (598, "10 min"), (640, "11 min")),
        *((5900, "98 min"), (6000, "1 h 40 min")),
        *((7000, "1 h 57 min"), (35900, "9 h 58 min"), (40000, "11 h")),
    ],
)
def test_a_duration_is_as_exact_as_anybody_wants_it(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def state_of(clock: Clock, total: int, counts: dict[str, int], last: tuple[str, str]) -> State:
    """A run in its second hour."""
    state = State(total)
    for status, count in counts.items():
        for _ in range(count):
            state.add({"input": "a.jpg", "status": status})
    state.last = last
    clock.now += 2200
    state.pace._last = clock.now
    return state


@pytest.mark.parametrize("name", ["a.jpg", "x/y/IMG_0001.jpg", "é" * 99 + ".jpg", "写真" * 40])
def test_what_stands_behind_the_bar_fits_and_keeps_the_verdict(clock: Clock, name: str) -> None:
    counts = {"ok": 600, "review": 123, "unchanged": 40, "failed": 2}
    state = state_of(clock, 2000, counts, (name, "unchanged"))
    for room in range(13, 120):
        text = tail(state, room)
        assert columns(text) <= room
        assert "59 min left" in text
        if room >= 53:  # of 80 columns, with thousands of photos
            assert text.endswith(": unchanged")
            assert "125 to check" in text or "123 to check, 40 unchanged, 2 failed" in text


def test_names_keep_their_end() -> None:
    name = "holiday/DSC_20240712_0012.jpg"
    assert shortened(name, 29) == name
    assert shortened(name, 28) == "…/DSC_20240712_0012.jpg"
    assert shortened(name, 22) == "DSC_20240712_0012.jpg"
    assert shortened(name, 20) == "DSC_20…0712_0012.jpg"
    assert shortened(name, 10) == "…_0012.jpg"
    for room in range(1, 40):
        assert columns(shortened(name, room)) <= room
    assert shortened("a/b/c.jpg", 8, "...") == "c.jpg"
    assert shortened("abcdefghijk.jpg", 8, "...") == "...k.jpg"
    # East Asian characters take two columns, and an accent of its own takes none.
    assert shortened("写真の山.png", 8) == "…山.png"
    assert columns("写真 e\u0301") == 6
