"""Which runs the soak benchmark calls flat."""

from __future__ import annotations

import pytest

from benchmarks.speed.soak import judge


def samples(
    *, leak: float = 0.0, slower: float = 0.0, files: float = 0.0
) -> list[dict[str, float]]:
    """Make the samples of a run of 1,000 photos.

    Args:
        leak: megabytes that each photo adds.
        slower: seconds that each photo adds to the next one's time.
        files: open files that each photo adds.
    """
    taken, seconds = [], 0.0
    for n in range(1001):
        seconds += 0.5 + slower * n
        taken.append(
            {"seconds": seconds, "photos": n, "rss_mb": 1000 + leak * n, "files": 5 + files * n}
        )
    return taken


def test_a_run_that_stays_as_it_began_is_flat() -> None:
    verdict = judge(samples())
    assert verdict["flat"] == {"pace": True, "memory": True, "files": True}
    assert verdict["first"]["photos_per_second"] == pytest.approx(2.0)
    assert (verdict["photos"], verdict["window"], verdict["peak_mb"]) == (1000, 200, 1000)


@pytest.mark.parametrize(
    ("fault", "named"),
    [({"leak": 0.2}, "memory"), ({"slower": 0.0002}, "pace"), ({"files": 0.02}, "files")],
    ids=["leak", "slower", "files"],
)
def test_what_grows_is_named(fault: dict[str, float], named: str) -> None:
    assert [name for name, flat in judge(samples(**fault))["flat"].items() if not flat] == [named]


def test_too_few_photos_say_so() -> None:
    with pytest.raises(SystemExit, match="take --count 80 or more"):
        judge(samples()[:60])
