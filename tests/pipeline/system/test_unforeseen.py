"""What is told of an exception that nobody foresaw."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from remove_objects.pipeline import pixels
from remove_objects.pipeline.system.unforeseen import is_want_of_memory, told, trace


def raised(work: object, *arguments: object) -> BaseException:
    try:
        work(*arguments)
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize(
    "error",
    [
        raised(np.zeros, 1 << 50, np.uint8),
        raised(lambda: torch.empty(1 << 50, dtype=torch.uint8)),
        raised(lambda: cv2.copyMakeBorder(np.zeros((1, 1), np.uint8), 0, 1 << 30, 0, 1 << 30, 0)),
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    ],
    ids=["NumPy", "torch", "OpenCV", "CUDA"],
)
def test_every_library_says_in_its_own_way_that_memory_is_lacking(error: BaseException) -> None:
    assert is_want_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        raised(cv2.resize, np.zeros((0, 0), np.uint8), (3, 3)),
        raised(torch.zeros(2).reshape, 3),
        OSError(4, "interrupted"),
    ],
)
def test_other_errors_are_no_want_of_memory(error: BaseException) -> None:
    assert not is_want_of_memory(error)


def test_the_innermost_place_of_the_package_is_named_and_the_message_is_one_line() -> None:
    error = raised(pixels.resize, np.zeros((0, 4), np.uint8), (3, 3))
    assert isinstance(error, cv2.error)
    text = told(error)
    assert text.startswith("error at remove_objects/pipeline/pixels.py:")
    assert "\n" not in text
    assert text.endswith("in function 'resize'")


def test_a_long_message_is_cut_and_none_is_left_out() -> None:
    assert told(ValueError("x" * 500)) == f"ValueError: {'x' * 300}…"
    assert told(AssertionError()) == "AssertionError"


def test_the_traceback_has_no_control_characters() -> None:
    def fail() -> None:
        raise ValueError("a\x1b[31m.png\nb")

    lines = trace(raised(fail)).split("\n")
    assert lines[0].startswith("Traceback")
    assert lines[-2:] == ["ValueError: a\\x1b[31m.png", "b"]
