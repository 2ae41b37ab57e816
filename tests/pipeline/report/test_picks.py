"""The file of picks: read strictly, with errors that name it, and compared with a run."""

from __future__ import annotations

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


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (b"", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        ([], "holds no picks"),
        ({"photos": []}, "holds no picks"),
        (file(picks_version=2), "picks of version 2, and this program reads version 1"),
        (file(photos=None), "is damaged"),
        (file(settings={}), "is damaged"),
        (file(photos=[photo(size=[0, 240])]), "is damaged"),
        (file(photos=[photo(size=[320])]), "is damaged"),
        (file(photos=[photo(objects=[one(number=0)])]), "is damaged"),
        (file(photos=[photo(objects=[one(box=[1, 2, 3])])]), "is damaged"),
        (file(photos=[photo(objects=[one(box=[1, 2, 3, 10**9])])]), "is damaged"),
        (file(photos=[photo(objects=[one(removed="no")])]), "is damaged"),
        (file(photos=[photo(objects=[one(), one()])]), "names an object of a.jpg twice"),
        (file(photos=[photo(), photo()]), "names the photo a.jpg twice"),
        (file(settings=pick_settings(["unicorn"], "compact", 0.5, {})), "unicorn"),
        (file(settings=pick_settings(["person"], "compact", 2, {})), "is damaged"),
    ],
)
def test_anything_else_is_refused_by_name(value: Any, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(value)
    message = str(raised.value)
    assert message.startswith(f"{SHOWN}: ")
    assert said in message
    assert "--preview" in message


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
