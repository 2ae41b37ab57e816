"""Settings refuse what is not legal, and class names are understood as people type them."""

from __future__ import annotations

from typing import Any

import pytest

from remove_objects.models.categories import CLASSES, RELATED, SYNONYMS
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
        ({"dilate": -1}, "dilate must be 'auto' or 0 to 2000 whole pixels; got -1"),
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
    assert resolve_classes(["person, dog", "cat,"]) == ("cat", "dog", "person")
    with pytest.raises(UsageError, match=r"unknown class 'yeti', 'persn'") as caught:
        resolve_classes(["yeti", "persn"])
    assert all(name in str(caught.value) for name in CLASSES)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("people persons humans", "person"),
        ("bike bikes bicycles", "bicycle"),
        ("motorbikes motorcycle", "motorbike"),
        ("plane airplanes aircraft", "aeroplane"),
        ("couch couches sofas", "sofa"),
        ("TV tvs television", "tvmonitor"),
        ("cars", "car"),
        ("dogs", "dog"),
        ("buses", "bus"),
        ("tables", "diningtable"),
        ("plants potted-plants", "pottedplant"),
    ],
)
def test_plurals_and_everyday_words_are_understood(words: str, name: str) -> None:
    for word in words.split():
        assert resolve_classes([word]) == (name,)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("pepole", "person"),
        ("persn", "person"),
        ("dogg", "dog"),
        ("motorbyke", "motorbike"),
        # Words that mean less or more: whoever types 'men' must not lose the women unasked.
        ("men", "person"),
        ("trucks", "car or bus"),
        ("animals", "bird or cat or cow or dog or horse or sheep"),
    ],
)
def test_an_unknown_class_suggests_what_was_meant(word: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"unknown class '{word}' \(did you mean {meant}\?\)"):
        resolve_classes([word])


def test_a_class_that_is_like_none_suggests_none() -> None:
    for word in ("unicorn", "xyz", "background"):
        with pytest.raises(UsageError, match=rf"unknown class '{word}'; the classes are"):
            resolve_classes([word])
    with pytest.raises(UsageError, match="a class is a name such as 'person'; got ' '"):
        resolve_classes([" "])


def test_every_word_of_the_tables_names_classes() -> None:
    assert set(SYNONYMS) <= set(CLASSES)
    assert {name for names in RELATED.values() for name in names} <= set(CLASSES)
    words = [word for words in SYNONYMS.values() for word in words]
    assert len(set(words)) == len(words)
    assert not {*words, *CLASSES} & set(RELATED)  # what is understood is no mere suggestion


@pytest.mark.parametrize(("size", "radius"), [((10, 10), 3), ((480, 640), 8), ((4000, 3000), 48)])
def test_the_dilation_grows_with_the_photo(size: tuple[int, int], radius: int) -> None:
    assert auto_dilate(*size) == radius
