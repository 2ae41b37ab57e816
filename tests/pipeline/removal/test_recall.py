"""What is remembered of a photo is enough to go on from there."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.inpaint.series.alignment import Features, features_of
from remove_objects.pipeline.removal.picture import picture_of
from remove_objects.pipeline.removal.recall import Decision
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.removal.selection import Sighting
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Photo
from tests.support.scenes import scene

SETTINGS = Settings(probe=False, offline=True)


class Once:
    """Remembers the first decision, as far as it survives being written down."""

    def __init__(self) -> None:
        self.kept, self.asked = b"", 0
        self.sighted, self.looked = b"", 0

    def decision(self, decide: Callable[[], Decision]) -> Decision:
        if not self.kept:
            self.asked += 1
            self.kept = pickle.dumps(decide())
        found: Decision = pickle.loads(self.kept)
        return found

    def sighting(self, look: Callable[[], Sighting | None]) -> Sighting | None:
        if not self.sighted:
            self.looked += 1
            self.sighted = pickle.dumps(look())
        found: Sighting | None = pickle.loads(self.sighted)
        return found

    def features(self, rgb: np.ndarray, covered: np.ndarray) -> Features:
        return features_of(rgb, covered)


def photo(*, letterbox: bool = False) -> Photo:
    rgb = scene(240, 320, person=(90, 60, 60, 80)).copy()
    if letterbox:
        rgb[:30] = rgb[-30:] = 0
    return Photo(rgb)


def removal(settings: Settings = SETTINGS) -> Removal:
    return Removal.from_settings(settings, ("person",))


@pytest.mark.parametrize("letterbox", [False, True])
@pytest.mark.parametrize("widened", [False, True])
def test_a_selection_goes_on_where_it_was(letterbox: bool, widened: bool, cheap: None) -> None:
    remover, one = ObjectRemover(SETTINGS), photo(letterbox=letterbox)
    picture = picture_of(one, None)
    assert (picture is not None) == letterbox
    rgb = one.rgb if picture is None else picture.photo.rgb
    recall = Once()
    fresh = remover._selected(rgb, removal(), picture, recall)
    if widened:
        recall.kept = pickle.dumps(pickle.loads(recall.kept)._replace(widened=True))
        fresh = fresh._replace(widened=True)
    again = remover._selected(rgb, removal(), picture, recall)
    assert recall.asked == 1
    assert again.whole is not fresh.whole
    assert again.widened == fresh.widened == widened
    assert np.array_equal(again.whole.layers, fresh.whole.layers)
    assert len(np.unique(again.whole.layers)) > 2  # the shadow goes, too
    for name in ("_unread", "_kept"):
        one_of, other = getattr(fresh.completeness, name), getattr(again.completeness, name)
        assert (one_of is None) == (other is None)
        assert one_of is None or np.array_equal(one_of, other)
    found, known = fresh.along.found, again.along.found
    assert known.looked
    assert [each.box for each in known.effects or ()] == [each.box for each in found.effects or ()]
    assert known.effects
    # The segmenter's view of the whole photo takes most memory, and is looked at again.
    assert fresh.whole.objects.seen is not None
    assert again.whole.objects.seen is None
    assert np.array_equal(again.completeness.whole().seen, fresh.completeness.whole().seen)


def test_what_hides_the_place_is_found_with_what_is_removed(cheap: None) -> None:
    remover, recall = ObjectRemover(SETTINGS), Once()
    hidden = remover.hidden(photo(), removal(), recall)
    plain = remover.hidden(photo(), removal())
    outcome = remover.clean(photo(), removal(), recall=recall)
    alone = remover.clean(photo(), removal())
    assert recall.asked == 1
    for one, other in zip(hidden, plain, strict=True):
        assert np.array_equal(one, other)
    assert outcome.result is not None
    assert alone.result is not None
    assert np.array_equal(outcome.result, alone.result)
    assert (outcome.status, outcome.reason) == (alone.status, alone.reason)


@pytest.mark.parametrize(
    "other",
    [
        replace(removal(), keep="largest"),
        replace(removal(), min_size=0.1),
        replace(removal(), max_size=0.5),
        replace(removal(), picks=()),
        replace(removal(), all_stay="asked for"),
    ],
)
def test_who_stays_covers_the_place_for_others(other: Removal, cheap: None) -> None:
    """No decision is shared, and what was seen before anybody decided is."""
    remover, recall = ObjectRemover(SETTINGS), Once()
    assert removal().is_of_everything
    assert not other.is_of_everything
    assert other.of_everything().is_of_everything
    remover.clean(photo(), other, recall=recall)
    assert recall.asked == 0
    hidden = remover.hidden(photo(), other, recall)
    assert recall.asked == recall.looked == 1
    plain = remover.hidden(photo(), removal())
    assert np.array_equal(hidden.covered, plain.covered)
    assert np.array_equal(hidden.doubtful, plain.doubtful)
    assert hidden.doubtful.any()
    assert not (hidden.doubtful & hidden.covered).any()
