"""The cascade: the slow segmenter runs only on photos in which the quick one sees a faint trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from remove_objects.models.categories import CATEGORIES
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.detect import multi_scale, prefilter, segmenters
from remove_objects.pipeline.detect.segmenters import CompactSegmenterAdapter, Segmenter
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.networks import Networks
from remove_objects.pipeline.remover import ObjectRemover
from tests.support.box_segmenter import BoxSegmenter
from tests.support.scenes import scene


def quick_segmenter(person: float, share: float, size: int = 100) -> Any:
    """A quick segmenter that gives ``share`` of the photo the probability ``person``."""

    class Quick(Segmenter):
        name, quick, sha256 = "compact", True, "1" * 64

        def probabilities(self, rgb: Any, longest: int | None = None) -> Any:
            p = np.zeros((len(CATEGORIES), size, size), np.float32)
            p[CATEGORIES.index("person")].ravel()[: round(share * size * size)] = person
            p[0] = 1 - p.sum(0)
            return p

    return Quick()


class Slow(BoxSegmenter):
    """Counts its passes."""

    name, quick = "fcn_resnet101", False

    def __init__(self) -> None:
        self.passes = 0

    def probabilities(self, rgb: Any, longest: int | None = None) -> Any:
        """As in ``BoxSegmenter``."""
        self.passes += 1
        return super().probabilities(rgb)


@pytest.fixture(autouse=True)
def _tiny(tiny: Any) -> None:
    """Untrained networks fill."""


def remover(
    monkeypatch: pytest.MonkeyPatch, quick: Any, **settings: Any
) -> tuple[ObjectRemover, Slow]:
    """A remover that segments with ``Slow``, after ``quick`` as the prefilter."""
    slow = Slow()
    monkeypatch.setattr(
        segmenters, "choose_segmenter", lambda *_, **__: segmenters.Chosen(slow, {"slow": "0" * 64})
    )
    monkeypatch.setattr(segmenters, "CompactSegmenterAdapter", lambda *_: quick)
    monkeypatch.setattr(Networks, "refiner", None)  # it needs the real one
    return ObjectRemover(Settings(offline=True, probe=False, **settings)), slow


PHOTO = scene()


def test_the_peak_is_the_probability_that_a_small_part_of_the_photo_reaches() -> None:
    removed = np.zeros((100, 100), np.float32)
    removed.ravel()[:10] = 0.7
    assert prefilter.peak_probability(removed) == pytest.approx(
        0.7
    )  # 10 of 10,000 pixels are the part
    removed.ravel()[:10] = [0.9] * 9 + [0.2]
    assert prefilter.peak_probability(removed) == pytest.approx(0.2)
    assert prefilter.peak_probability(np.full((3, 3), 0.4, np.float32)) == pytest.approx(
        0.4
    )  # at least one pixel


def test_a_photo_without_a_trace_never_reaches_the_slow_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleaner, slow = remover(monkeypatch, quick_segmenter(0.0, 0.0))
    outcome = cleaner.remove(PHOTO, ["person"]).outcome
    assert slow.passes == 0
    assert outcome.status.value == "unchanged"
    assert (
        "the prefilter found no trace, fcn_resnet101 was not run (--no-prefilter" in outcome.reason
    )
    assert cleaner.networks.weights() == {"slow": "0" * 64, "compact-segmenter": "1" * 64}


def test_a_faint_trace_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaner, slow = remover(
        monkeypatch, quick_segmenter(1.01 * prefilter.LEAST_PEAK, 2 * prefilter.PEAK_SHARE)
    )
    outcome = cleaner.remove(PHOTO, ["person"]).outcome
    assert slow.passes >= 1
    assert outcome.holes


def test_a_trace_of_another_class_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaner, slow = remover(monkeypatch, quick_segmenter(0.9, 0.5))
    cleaner.remove(PHOTO, ["dog"])
    assert slow.passes == 0
    cleaner.remove(PHOTO, ["dog", "person"])
    assert slow.passes >= 1


def test_without_the_prefilter_the_slow_one_always_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = quick_segmenter(0.0, 0.0)
    cleaner, slow = remover(monkeypatch, quick, prefilter=False)
    assert cleaner.remove(PHOTO, ["dog"]).outcome.status.value == "unchanged"
    assert slow.passes == 1


def test_what_was_asked_by_name_is_not_vetoed_unless_the_prefilter_is_asked_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    quick = quick_segmenter(0.0, 0.0)
    for prefilter_given, passes in ((None, 1), (False, 1), (True, 0)):
        cleaner, slow = remover(
            monkeypatch, quick, segmenter="fcn_resnet101", prefilter=prefilter_given
        )
        cleaner.remove(PHOTO, ["person"])
        assert min(slow.passes, 1) == passes


@pytest.mark.parametrize(
    ("segmenter", "holds"),
    [("auto", True), ("compact", True), ("fcn_resnet101", False), ("deeplabv3_resnet50", False)],
)
def test_records_say_whether_the_prefilter_held(segmenter: str, holds: bool) -> None:
    settings = Settings(segmenter=segmenter)
    assert settings.prefilter is None
    assert settings.recorded()["prefilter"] is settings.uses_prefilter is holds
    for given in (True, False):
        assert Settings(segmenter=segmenter, prefilter=given).recorded()["prefilter"] is given
    with pytest.raises(UsageError, match="prefilter"):
        Settings(prefilter="no")  # type: ignore[arg-type]


def test_a_quick_segmenter_that_sees_nothing_takes_nothing_from_a_slow_ones_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleaner, _ = remover(monkeypatch, quick_segmenter(0.0, 0.0), prefilter=False)
    (hole,) = cleaner.remove(PHOTO, ["person"]).outcome.holes
    monkeypatch.setattr(multi_scale, "MOST_CROPS", 0)
    cleaner, _ = remover(monkeypatch, quick_segmenter(0.0, 0.0), prefilter=False)
    (alone,) = cleaner.remove(PHOTO, ["person"]).outcome.holes
    assert hole.box == alone.box


def test_the_compact_segmenter_has_no_prefilter(monkeypatch: pytest.MonkeyPatch) -> None:
    cleaner, slow = remover(monkeypatch, quick_segmenter(0.0, 0.0))
    slow.quick = True  # type: ignore[misc]
    assert cleaner.networks.prefilter is None
    assert CompactSegmenterAdapter.quick
