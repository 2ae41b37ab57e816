"""Similarity by hand: first class, first five classes, ties, few classes, and errors."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from remove_objects.train.evaluation.similarity import Similarity, similarity

TRUTH = torch.tensor([[7.0, 6, 5, 4, 3, 2, 1]])


@pytest.mark.parametrize(
    ("index", "same", "among_five"),
    [(0, True, True), (1, False, True), (4, False, True), (5, False, False), (6, False, False)],
)
def test_the_outputs_first_class_in_the_truths_order(
    index: int, same: bool, among_five: bool
) -> None:
    output = torch.full((1, 7), -3.0)
    output[0, index] = -2
    assert similarity(output, TRUTH).tolist() == [same]
    assert similarity(output, TRUTH, top=5).tolist() == [among_five]


def test_it_is_the_truths_order_that_counts_not_the_outputs() -> None:
    outputs = torch.tensor(
        [[1.0, 2, 3, 4, 5, 6, 7]]
    )  # the truth's first class is the output's last
    truth = torch.tensor([[9.0, 8, 7, 6, 5, 4, 3]])
    assert similarity(outputs, truth, top=7).tolist() == [True]
    assert similarity(outputs, truth, top=6).tolist() == [False]


def test_a_batch_by_hand() -> None:
    output = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4], [-1, -2, -3], [0, 0, 1]])
    truth = torch.tensor([[3.0, 9.0, 1.0], [0.1, 0.2, 0.3], [0.2, 0.3, 0.1], [5, 5, 6]])
    expected = [True, False, False, True]
    assert similarity(output, truth).tolist() == expected
    assert similarity(output, truth).dtype == torch.bool
    assert similarity(output, truth, top=2).tolist() == [True, False, True, True]


@pytest.mark.parametrize(
    ("output", "truth", "top", "expected"),
    [
        ([5, 5, 0], [9, 1, 0], 1, True),  # the output's tie goes to index 0
        ([5, 5, 0], [1, 9, 0], 1, False),
        ([0, 5, 5], [0, 9, 1], 1, True),
        ([1, 0, 0], [5, 5, 0], 1, True),  # and so does the truth's
        ([0, 1, 0], [5, 5, 0], 1, False),
        ([0, 1, 0], [5, 5, 0], 2, True),
        ([0, 0, 1], [5, 5, 5], 2, False),
        ([0, 0, 0], [0, 0, 0], 1, True),
        ([-1, -1, -1], [0, 0, 1], 1, False),
    ],
)  # fmt: skip
def test_of_equal_logits_the_lower_index_comes_first(
    output: list[float], truth: list[float], top: int, expected: bool
) -> None:
    assert similarity(torch.tensor([output]), torch.tensor([truth]), top=top).tolist() == [expected]


@pytest.mark.parametrize("classes", [1, 3, 5])
def test_with_five_classes_or_fewer_all_are_the_first_five(classes: int) -> None:
    output, truth = torch.eye(classes), torch.eye(classes).flip(0)
    assert similarity(output, truth, top=5).tolist() == [True] * classes
    assert similarity(output, truth).tolist() == [i == classes - 1 - i for i in range(classes)]


def test_infinite_logits_have_an_order() -> None:
    low, high = -torch.inf, torch.inf
    assert similarity(
        torch.tensor([[low, low], [0, high]]), torch.tensor([[0, low], [high, 0]])
    ).tolist() == [True, False]


def test_an_empty_batch_has_an_empty_result() -> None:
    assert similarity(torch.empty(0, 7), torch.empty(0, 7)).tolist() == []


@pytest.mark.parametrize(
    ("output", "truth", "top", "match"),
    [
        ((2, 3), (2, 4), 1, r"\(2, 3\) and \(2, 4\)"),
        ((1, 3), (2, 3), 1, "one shape"),
        ((3,), (3,), 1, "NxK"),
        ((2, 0), (2, 0), 1, "K > 0"),
        ((2, 3), (2, 3), 0, "top 0"),
    ],
)
def test_logits_of_other_shapes_are_refused(
    output: tuple[int, ...], truth: tuple[int, ...], top: int, match: str
) -> None:
    with pytest.raises(ValueError, match=match):
        similarity(torch.zeros(output), torch.zeros(truth), top=top)


@pytest.mark.parametrize("side", [0, 1])
def test_nan_is_refused(side: int) -> None:
    logits = [torch.zeros(2, 3), torch.zeros(2, 3)]
    logits[side][1, 2] = torch.nan
    with pytest.raises(ValueError, match="NaN"):
        similarity(*logits)


class Means(nn.Module):
    """Logits of 12 classes: the means of the picture's 12 columns. Records its batches' sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))
        self.seen: list[int] = []

    def forward(self, image: Tensor) -> Tensor:
        assert not self.training
        self.seen.append(len(image))
        return self.gain * nn.functional.adaptive_avg_pool2d(image, (1, 12)).mean(1).flatten(1)


def columns(*brightest: int, size: int = 12) -> Tensor:
    """Pictures whose columns become darker from left to right, but for one bright column."""
    picture = torch.linspace(0.8, 0.1, 12).expand(len(brightest), 3, 12, 12).clone()
    for i, column in enumerate(brightest):
        picture[i, :, :, column] = 1
    return nn.functional.interpolate(picture, (size, size))


def test_pictures_one_by_one() -> None:
    output, truth = columns(0, 3, 9, 7, size=24), columns(0, 0, 0, 7)
    result = Similarity(Means().train())(output, truth)
    assert result.similar.tolist() == [True, False, False, True]
    assert result.similar5.tolist() == [True, True, False, True]


def test_batches_are_split_and_logits_can_be_kept() -> None:
    classifier = Means()
    score = Similarity(classifier, batch=3)
    pictures = columns(*range(8))
    logits = score.logits(pictures)
    assert classifier.seen == [3, 3, 2]
    assert (logits.shape, logits.dtype) == ((8, 12), torch.float32)
    assert score.of_logits(logits, logits).similar.tolist() == [True] * 8


def test_no_gradient_passes_through() -> None:
    classifier = Means()
    score = Similarity(classifier)
    logits = score.logits(columns(1, 2).requires_grad_())
    assert not logits.requires_grad
    assert not classifier.gain.requires_grad
    with pytest.raises(RuntimeError):
        logits.sum().backward()
