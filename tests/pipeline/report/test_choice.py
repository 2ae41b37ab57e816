"""What the page of picks shows of a photo: outlines that are where the objects are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from remove_objects.pipeline.report import choice
from remove_objects.pipeline.types import Box, FoundObject, Outcome, Status


def outcome(labels: np.ndarray) -> Outcome:
    found = tuple(
        FoundObject(n, "person", Box.bounding(labels == n), 0.1, 0.9, n % 2 == 1, f"why {n}")
        for n in range(1, int(labels.max()) + 1)
    )
    return Outcome(Status.OK, "", objects=found, labels=labels)


def drawn(one: choice.ChoiceObject, size: tuple[int, int]) -> np.ndarray:
    canvas = np.zeros(size, np.uint8)
    for outline in one["outlines"]:
        cv2.fillPoly(canvas, [np.array(outline).reshape(-1, 2)], 1)
    return canvas > 0


def two_objects() -> np.ndarray:
    labels = np.zeros((240, 320), np.uint16)
    cv2.ellipse(labels, (100, 120), (40, 90), 10, 0, 360, 1, -1)
    labels[60:200, 200:260] = 2
    labels[20:40, 270:300] = 2  # a second part
    return labels


@pytest.mark.parametrize("scale", [1, 2])
def test_outlines_cover_their_objects_in_few_corners(scale: int) -> None:
    labels = np.kron(two_objects(), np.ones((scale, scale), np.uint16))
    shown = choice.choice_of(outcome(labels), labels.shape, (240, 320), {"a": "1"})
    assert shown["size"] == (320 * scale, 240 * scale)
    assert shown["picture"] == (320, 240)
    for one in shown["objects"]:
        truth, area = two_objects() == one["number"], drawn(one, (240, 320))
        assert (truth & area).sum() / (truth | area).sum() > 0.95
        assert sum(map(len, one["outlines"])) < 60
        x, y = one["middle"]
        assert truth[y, x]
    assert [len(one["outlines"]) for one in shown["objects"]] == [1, 2]
    assert [one["removed"] for one in shown["objects"]] == [True, False]
    assert [one["why"] for one in shown["objects"]] == ["why 1", "why 2"]
    assert shown["objects"][1]["box"] == (200 * scale, 20 * scale, 100 * scale, 180 * scale)


def test_an_object_that_vanishes_in_the_small_picture_has_its_box() -> None:
    labels = np.zeros((2400, 3200), np.uint16)
    labels[1001:1003, 1601:1603] = 1
    (one,) = choice.choice_of(outcome(labels), labels.shape, (240, 320), {"a": "1"})["objects"]
    assert drawn(one, (240, 320))[100, 160]
    assert 0 <= one["middle"][1] < 100 - choice.BADGE // 2  # it hides nothing


def test_without_labels_there_are_no_objects() -> None:
    shown = choice.choice_of(Outcome(Status.UNCHANGED, ""), (240, 320), (240, 320), {})
    assert shown["objects"] == []


def test_the_file_is_read_back_and_damage_is_nothing(tmp_path: Path) -> None:
    shown = choice.choice_of(outcome(two_objects()), (240, 320), (240, 320), {"a": "1"})
    file = tmp_path / "a.json"
    file.write_bytes(choice.encode(shown))
    assert choice.read(file) == shown
    content = file.read_bytes()
    for damaged in (
        b"",
        content[:-9],
        b"[]",
        content.replace(b'"outlines":[[', b'"outlines":[[7,'),
    ):
        file.write_bytes(damaged)
        assert choice.read(file) is None
    assert choice.read(tmp_path / "missing.json") is None
