"""The file of picks: read strictly, with errors that name it, and compared with a run."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report.picks import PhotoPicks, pick_settings, read_picks
from remove_objects.pipeline.types import Box, Pick

SHOWN = "there/picks.json"


def one(**changes: Any) -> dict[str, Any]:
    return {"number": 1, "class": "person", "box": [10, 20, 30, 40], "removed": True} | changes


def photo(name: str = "a.jpg", **changes: Any) -> dict[str, Any]:
    return {"name": name, "size": [320, 240], "objects": [one()]} | changes


def file(**changes: Any) -> dict[str, Any]:
    settings = pick_settings(["person"], "compact", 0.5, {"b": "2", "a": "1"})
    return {"picks_version": 1, "settings": settings, "photos": [photo()]} | changes


def read(value: Any) -> Any:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_picks(content, SHOWN)


def test_what_was_picked_is_read() -> None:
    picks = read(
        file(photos=[photo(), photo("b\udcff.jpg", objects=[one(number=2, removed=False)])])
    )
    assert picks.photos["a.jpg"] == PhotoPicks(
        320, 240, (Pick(1, "person", Box(10, 20, 30, 40), True),)
    )
    assert picks.photos["b\udcff.jpg"].objects[0] == Pick(2, "person", Box(10, 20, 30, 40), False)
    assert picks.settings["weights"] == {"a": "1", "b": "2"}


def changed(old: bytes, new: bytes) -> bytes:
    """The text of a file with a part changed, which must be there."""
    content = json.dumps(file()).encode()
    assert old in content
    return content.replace(old, new)


NO_JSON = {
    "empty": b"",
    "not text": b"\xff",
    "compressed": gzip.compress(json.dumps(file()).encode()),
    "Latin-1": changed(b"a.jpg", b"\xe9.jpg"),
    "cut short": changed(b"}]}", b"}"),
    "two files": changed(b"}]}", b"}]}{}"),
    "a page": b"<!doctype html>",
    "deep": b"[" * 100_000,
    "deep inside": b'{"picks_version": 1, "photos": ' + b"[" * 100_000,
    "only spaces": b" " * 10**6,
}
NO_PICKS: dict[str, Any] = {
    "a list": [],
    "null": None,
    "a number": 3,
    "a report": {"schema_version": 1, "run": {}, "photos": []},
}
VERSIONS: dict[str, tuple[Any, str]] = {
    "a later one": (2, "2"),
    "as text": ("1", '"1"'),
    "none": (None, "null"),
    "a list": ([1] * 99, "[1, 1, "),
}
DAMAGED: dict[str, tuple[Any, str]] = {
    "no photos": (file(photos=None), "$.photos"),
    "no settings": (file(settings={}), "$.settings"),
    "no height": (file(photos=[photo(size=[0, 240])]), "size[0]`, of the photo a.jpg"),
    "half a size": (file(photos=[photo(size=[320])]), "of the photo a.jpg"),
    "number 0": (file(photos=[photo(), photo("b", objects=[one(number=0)])]), "of the photo b"),
    "no number": (file(photos=[photo(objects=[one(number="1")])]), "got `str`"),
    "a large number": (file(photos=[photo(objects=[one(number=10**9)])]), "<= 65535"),
    "half a box": (file(photos=[photo(objects=[one(box=[1, 2, 3])])]), "length 4"),
    "a large box": (file(photos=[photo(objects=[one(box=[1, 2, 3, 10**9])])]), "<= 1000000"),
    "a larger box": (changed(b"[10,", b"[" + b"9" * 400 + b","), "<= 1000000"),
    "too many digits": (changed(b"[10,", b"[" + b"9" * 9999 + b","), "too many digits"),
    "half a pixel": (changed(b"[10,", b"[10.5,"), "got `float`"),
    "no place": (changed(b"[10,", b"[NaN,"), "got `float`"),
    "endless": (changed(b"[10,", b"[1e400,"), "got `float`"),
    "no threshold": (changed(b"0.5", b"NaN"), "$.settings.threshold"),
    "no share": (file(settings=pick_settings(["person"], "compact", 2, {})), "threshold"),
    "goes perhaps": (file(photos=[photo(objects=[one(removed="no")])]), "got `str`"),
    "goes as a number": (file(photos=[photo(objects=[one(removed=1)])]), "got `int`"),
    "goes and stays": (changed(b'"removed": true', b'"removed": true, "removed": false'), "twice"),
    "an object twice": (file(photos=[photo(objects=[one(), one()])]), "object of a.jpg twice"),
    "a photo twice": (file(photos=[photo(), photo()]), "the photo a.jpg twice"),
    "a strange name twice": (file(photos=[photo("a\x1b\n")] * 2), r"photo a\x1b\n twice"),
    "a strange class": (file(settings=pick_settings(["unicorn"], "compact", 0.5, {})), "unicorn"),
    "no class": (file(settings=pick_settings([], "compact", 0.5, {})), "$.settings.classes"),
    "another class": (file(photos=[photo(objects=[one(**{"class": "dog"})])]), "a.jpg has a dog"),
    "an endless segmenter": (file(settings=pick_settings(["person"], "x" * 5000, 0.5, {})), "4096"),
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        *((value, "is not JSON (") for value in NO_JSON.values()),
        *((value, "holds no picks (it has no picks_version)") for value in NO_PICKS.values()),
        *(
            (file(picks_version=version), f"has picks_version {shown}")
            for version, shown in VERSIONS.values()
        ),
        *DAMAGED.values(),
        (file(photos=[]), "names no photo"),
    ],
    ids=[*NO_JSON, *NO_PICKS, *(f"version: {name}" for name in VERSIONS), *DAMAGED, "no photo"],
)
def test_anything_else_is_refused_by_name(value: Any, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(value)
    message = str(raised.value)
    assert message.startswith(f"{SHOWN}: ")
    assert said in message
    assert "; save it again on the page preview.html of a run with --preview" in message
    assert len(message) < 300
    assert message.isprintable()


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_a_file_that_an_editor_saved_in_another_coding_is_read(coding: str) -> None:
    picks = read(json.dumps(file(photos=[photo("é.jpg")]), ensure_ascii=False).encode(coding))
    assert list(picks.photos) == ["é.jpg"]


def test_other_classes_are_refused() -> None:
    picks = read(file())
    picks.refuse_other_classes(["person"])
    with pytest.raises(UsageError, match=r"other classes \(person; now dog\); give --class person"):
        picks.refuse_other_classes(["dog"])


def test_other_settings_are_told() -> None:
    picks = read(file())
    assert picks.differences(Settings(segmenter="compact")) == ""
    told = picks.differences(Settings(segmenter="compact", threshold=0.4))
    assert f"{SHOWN}: was made with other settings (--threshold 0.5; now --threshold 0.4)" in told
    assert "--segmenter compact; now --segmenter auto" in picks.differences(Settings())


def test_other_weights_are_told() -> None:
    picks = read(file())
    assert picks.other_weights({"a": "1", "b": "2", "inpainter": "3"}) == ""
    assert picks.other_weights({"a": "1", "b": "9"}) == f"{SHOWN}: was made with other weights of b"


def test_a_scaled_photo_keeps_its_picks_and_another_shape_does_not() -> None:
    picks = read(file()).photos["a.jpg"]
    (pick,) = picks.on((480, 640))
    assert pick.box == Box(20, 40, 60, 80)
    assert picks.on((240, 320)) == picks.objects
    assert picks.on((320, 240)) is None
    assert picks.on((240, 300)) is None


def test_the_name_of_picks_tells_them_apart() -> None:
    names = {
        read(file(photos=[photo(**changes)])).photos["a.jpg"].name
        for changes in (
            {},
            {"objects": [one(removed=False)]},
            {"objects": [one(box=[11, 20, 30, 40])]},
            {"objects": []},
            {"size": [321, 240]},
        )
    }
    assert len(names) == 5
    again = read(file()).photos["a.jpg"].name
    assert again in names
