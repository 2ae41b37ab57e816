"""The verdict: metrics on both sides of a threshold, and an error that follows its features."""

from dataclasses import fields, replace
from math import exp

import pytest

from remove_objects.pipeline import config
from remove_objects.pipeline.quality.verdict import (
    BORROWED_ERROR,
    OF_MISFIT,
    USUAL_ERROR,
    WEIGHTS,
    expected_error,
    judge,
)
from remove_objects.pipeline.types import (
    Box,
    HoleOutcome,
    Leftover,
    QualityFeatures,
    Route,
    Routing,
    Status,
)

USUAL = QualityFeatures(
    share=0.1,
    **{name: exp(w.usual) if w.least is not None else w.usual for name, w in WEIGHTS.items()},
)


def hole(features: QualityFeatures = USUAL, expected: float | None = None) -> HoleOutcome:
    """The outcome of a hole with these features and, if given, this expected error."""
    return HoleOutcome(
        Box(1, 2, 3, 4),
        0.1,
        Routing(Route.EDGE, "why"),
        features.seam,
        None,
        features,
        expected_error(features) if expected is None else expected,
    )


def test_the_usual_features_give_the_usual_error() -> None:
    assert expected_error(USUAL) == pytest.approx(exp(USUAL_ERROR))


@pytest.mark.parametrize("name", WEIGHTS)
def test_a_worse_feature_raises_the_expected_error(name: str) -> None:
    higher = expected_error(replace(USUAL, **{name: 1.5 * getattr(USUAL, name) + 0.1}))
    assert higher > expected_error(USUAL)


@pytest.mark.parametrize("name", [n for n in WEIGHTS if n != "depth"])
@pytest.mark.parametrize("unknown", [None, float("nan")])
def test_an_unknown_feature_counts_as_usual(name: str, unknown: float | None) -> None:
    assert expected_error(replace(USUAL, **{name: unknown})) == pytest.approx(expected_error(USUAL))


@pytest.mark.parametrize("name", [n for n, w in WEIGHTS.items() if w.least is not None])
def test_a_feature_of_zero_has_a_logarithm(name: str) -> None:
    assert 0 < expected_error(replace(USUAL, **{name: 0.0})) < expected_error(USUAL)


@pytest.mark.parametrize("name", [f.name for f in fields(QualityFeatures) if f.name not in WEIGHTS])
def test_a_feature_that_is_only_reported_leaves_the_score_alone(name: str) -> None:
    assert expected_error(replace(USUAL, **{name: 0.9})) == expected_error(USUAL)


def test_what_other_photos_show_has_an_error_of_its_own() -> None:
    """The rest of the hole counts as a fill, by its share."""
    filled = exp(USUAL_ERROR)
    shown = BORROWED_ERROR + 0.02 * OF_MISFIT
    assert shown < filled
    assert expected_error(USUAL, {}, 0.02) == pytest.approx(filled)
    assert expected_error(USUAL, {"b": 0.5, "c": 0.5}, 0.02) == pytest.approx(shown)
    assert expected_error(USUAL, {"b": 0.6, "c": 0.2}, 0.02) == pytest.approx(
        0.2 * filled + 0.8 * shown
    )
    # Shares whose sum is rounded up are not more than all of the hole.
    assert expected_error(USUAL, {"b": 0.7, "c": 0.4}, 0.02) == pytest.approx(shown)


def test_a_borrowed_hole_is_never_worse_than_a_filled_one() -> None:
    """A hole that is filled without a doubt stays so, and a misfit has a limit."""
    assert expected_error(USUAL, {"b": 1.0}, 1.0) == pytest.approx(expected_error(USUAL))
    easy = replace(USUAL, depth=1e-3, seam=1e-2)
    bad = {"b": 1.0}, 0.05
    assert (
        expected_error(easy)
        < expected_error(USUAL, *bad)
        == pytest.approx(BORROWED_ERROR + 0.05 * OF_MISFIT)
    )
    assert expected_error(easy, *bad) == pytest.approx(expected_error(easy))
    assert expected_error(USUAL, {"b": 1.0}, 0.03) > expected_error(USUAL, {"b": 1.0}, 0.01)


def test_the_worst_hole_decides() -> None:
    assert judge(0.1, 0.0, [hole(expected=config.REVIEW_SCORE - 0.01)])[0] is Status.OK
    status, reason, figures = judge(
        0.1, 0.0, [hole(expected=0.0), hole(expected=config.REVIEW_SCORE + 0.01)]
    )
    assert status is Status.REVIEW
    assert reason.startswith("the fill may look wrong: ")
    assert figures == f"expected error 0.32 (to check above {config.REVIEW_SCORE})"


@pytest.mark.parametrize(
    ("share", "residue", "says", "measured"),
    [
        (0.36, 0.0, "more than a third of the photo is filled in", "36% of the photo"),
        (0.52, 0.0, "about half of the photo is filled in", "52% of the photo"),
        (0.81, 0.0, "most of the photo is filled in", "81% of the photo"),
        (0.1, 0.21, "the fill still looks like what was removed", "21% of the holes"),
    ],
)
def test_each_metric_past_its_threshold_is_for_review(
    share: float, residue: float, says: str, measured: str
) -> None:
    status, reason, figures = judge(share, residue, (hole(expected=0.0),))
    assert status is Status.REVIEW
    assert reason == says
    assert measured in figures
    assert "to check above" in figures


def test_the_reason_has_words_and_the_figures_are_apart_in_the_same_order() -> None:
    """What can be seen comes first, and where it is; no figure is among the words."""
    left = Leftover(Box(10, 20, 30, 41), "another person seems to be there", 0.2)
    status, reason, figures = judge(
        0.52, 0.34, [hole(replace(USUAL, depth=5.0), 0.62)], 0.41, [left, left, left], (100, 100)
    )
    assert status is Status.REVIEW
    assert reason.startswith("another person seems to be there at the left; another person ")
    assert "; and 1 more such place;" in reason
    assert reason.endswith(
        "; about half of the photo is filled in; the fill may look wrong: "
        "the hole is large with nothing known near its middle"
    )
    assert not any(character.isdigit() for character in reason.replace("1 more", ""))
    measured = ["30x41 pixels at x=10, y=20", "34%", "41%", "52%", "0.62"]
    places = [figures.index(figure) for figure in measured]
    assert places == sorted(places)


def test_a_fine_result_says_what_was_not_requested() -> None:
    assert judge(0.1, 0.0, [hole(expected=0.0)]) == (Status.OK, "nothing stands out", "")
    left = Leftover(Box(10, 20, 30, 41), "another person seems to be there", 0.2, kept=True)
    status, reason, figures = judge(
        0.1, 0.0, [hole(expected=0.0)], leftovers=[left], size=(100, 100)
    )
    assert status is Status.OK
    assert reason == (
        "nothing stands out; not requested: another person seems to be there at the left"
    )
    assert "30x41 pixels" in figures


def test_a_hole_that_leaves_little_to_copy_is_for_review_and_its_share_is_named() -> None:
    def taking(of_window: float, borrowed: dict[str, float] | None = None) -> HoleOutcome:
        return replace(hole(expected=0.0), of_window=of_window, borrowed=borrowed or {})

    limit = config.REVIEW_WINDOW_SHARE
    assert judge(0.1, 0.0, [taking(limit - 0.01)])[0] is Status.OK
    status, reason, figures = judge(0.1, 0.0, [taking(0.1), taking(0.412)])
    assert status is Status.REVIEW
    assert reason == "a hole is so large that there is little around it to copy"
    assert "a hole takes 41% of the part of the photo that it is filled from" in figures
    # What another photo shows need not be copied from around the hole.
    assert judge(0.1, 0.0, [taking(0.412, {"b": 0.1, "c": 0.2})])[0] is Status.OK
    assert judge(0.1, 0.0, [taking(0.412, {"b": 0.1})])[0] is Status.REVIEW
    # The share of the photo says the same, and is said alone.
    _, reason, figures = judge(config.REVIEW_HOLE_SHARE + 0.01, 0.0, [taking(0.412)])
    assert reason == "more than a third of the photo is filled in"
    assert "filled from" not in figures


def test_a_mask_inside_the_object_is_for_review_and_says_what_to_do() -> None:
    for left in (None, 0.0, config.REVIEW_LEFT_OUTSIDE):
        assert judge(0.1, 0.0, [hole(expected=0.0)], left)[0] is Status.OK
    status, reason, figures = judge(0.1, 0.0, [hole(expected=0.0)], 0.4)
    assert status is Status.REVIEW
    assert "40% of the pixels beside a hole have the object's colours" in figures
    assert "--dilate auto" in reason


def test_the_reason_names_the_features_that_raised_it_most() -> None:
    features = replace(USUAL, seam=9.0, depth=5.0, segmented=1.0)
    _, reason, _ = judge(0.1, 0.0, [hole(features, 9.0)])
    assert WEIGHTS["seam"].words in reason
    assert WEIGHTS["depth"].words in reason
    assert WEIGHTS["structure"].words not in reason


def test_a_photo_with_nothing_left_fails() -> None:
    assert judge(0.95, None, ())[0] is Status.FAILED


def test_a_photo_without_anything_to_fill_from_gets_advice() -> None:
    status, reason, _ = judge(0.97, None, [])
    assert status is Status.FAILED
    for advice in ("fewer classes", "--dilate", "mask board"):
        assert advice in reason
