"""Settings refuse what is not legal, and class names are understood as people type them."""

from __future__ import annotations

from typing import Any

import pytest

from remove_objects.models.categories import CLASSES
from remove_objects.pipeline.config import Settings, auto_dilate, resolve_classes
from remove_objects.pipeline.errors import UsageError


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"segmenter": "mask_rcnn"}, "segmenter must be one of auto, .*; got 'mask_rcnn'"),
        ({"route": "sky"}, "route must be one of"),
        ({"detail": "fine"}, "detail must be one of"),
        ({"device": "tpu"}, "device must be one of"),
        ({"compare": ("telea", "lama")}, "compare takes navier-stokes and telea; got 'lama'"),
        ({"threshold": 0.0}, "threshold must lie between 0 and 1"),
        ({"threshold": 1.0}, "threshold must lie between 0 and 1"),
        ({"threshold": float("nan")}, "threshold must lie between 0 and 1"),
        ({"dilate": -1}, "dilate must be 'auto' .* or 0 to 2000 whole pixels; got -1"),
        ({"dilate": 2001}, "dilate must be"),
    ],
)
def test_an_illegal_setting_is_named_with_what_is_legal(
    setting: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        Settings(**setting)


def test_limits_are_legal() -> None:
    assert Settings(dilate=0).dilate == 0
    assert Settings(dilate=2000, threshold=1e-6).threshold == 1e-6


def test_class_names_in_any_spelling_come_in_the_order_of_the_table() -> None:
    assert resolve_classes(["TV Monitor", " dog", "potted_plant", "dog"]) == (
        "dog",
        "pottedplant",
        "tvmonitor",
    )
    assert resolve_classes(("cat", "ALL")) == CLASSES
    with pytest.raises(UsageError, match=r"unknown class 'persons', 'yeti'; .* or all") as caught:
        resolve_classes(["yeti", "persons"])
    assert all(name in str(caught.value) for name in CLASSES)


@pytest.mark.parametrize(("size", "radius"), [((10, 10), 3), ((480, 640), 8), ((4000, 3000), 48)])
def test_the_dilation_grows_with_the_photo(size: tuple[int, int], radius: int) -> None:
    assert auto_dilate(*size) == radius
