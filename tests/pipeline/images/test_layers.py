"""The layers beside a saved mask: what is written is read, and nothing else is taken for them."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline.errors import UnreadableError
from remove_objects.pipeline.images import layers_of, read_layers, write_layers
from remove_objects.pipeline.types import KEPT, KEPT_COLOUR, LAYER_COLOURS, Layer

SIZE = (40, 60)
#: What people see who lack one kind of cone, of linear RGB (Machado, Oliveira and Fernandes 2009,
#: severity 1).
COLOUR_BLIND = {
    "nobody": np.eye(3),
    "protan": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deutan": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritan": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}


def every_layer() -> np.ndarray:
    layers = np.zeros(SIZE, np.uint8)
    for number, layer in enumerate(Layer):
        layers[5:30, 10 * number : 10 * number + 7] = layer
    return layers


def test_layers_are_an_8_bit_palette_png_that_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.layers.png"
    write_layers(every_layer(), path)
    with Image.open(path) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "P", SIZE[::-1])
        assert np.array_equal(np.asarray(picture), every_layer())
        shown = np.asarray(picture.convert("RGB"))
    for layer in Layer:
        assert {tuple(map(int, c)) for c in shown[every_layer() == layer]} == {LAYER_COLOURS[layer]}
    assert path.read_bytes()[24:26] == bytes([8, 3])  # bit depth and colour type
    assert np.array_equal(read_layers(path, SIZE), every_layer())


def test_who_is_kept_is_in_the_file_and_nothing_of_it_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "a.layers.png"
    kept = np.zeros(SIZE, bool)
    kept[20:38] = True
    write_layers(every_layer(), path, kept=kept)
    with Image.open(path) as picture:
        values = np.asarray(picture)
        shown = np.asarray(picture.convert("RGB"))
    assert ((values == KEPT) == (kept & (every_layer() == Layer.NONE))).all()
    assert {tuple(map(int, c)) for c in shown[values == KEPT]} == {KEPT_COLOUR}
    assert np.array_equal(read_layers(path, SIZE), every_layer())


def test_a_value_of_a_later_version_is_of_the_object(tmp_path: Path) -> None:
    values = every_layer()
    values[35:] = 77
    picture = Image.fromarray(values)
    picture.putpalette(bytes(768))
    picture.save(tmp_path / "a.png")
    expected = np.where(values == 77, Layer.OBJECT, values)
    assert np.array_equal(read_layers(tmp_path / "a.png", SIZE), expected)


@pytest.mark.parametrize("kind", ["missing", "mask", "size", "jpeg", "cut", "damaged"])
def test_what_is_no_layers_is_refused(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.layers.png"
    write_layers(np.random.default_rng(0).integers(0, 4, SIZE).astype(np.uint8), path)
    content, size = path.read_bytes(), SIZE
    if kind == "missing":
        path.unlink()
    elif kind == "mask":
        Image.fromarray(every_layer() > 0).save(path)
    elif kind == "size":
        size = (41, 60)
    elif kind == "jpeg":
        Image.fromarray(every_layer()).save(path, "JPEG")
    elif kind == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        path.write_bytes(content[:60] + b"\xff" * 200 + content[260:])
    with pytest.raises(UnreadableError, match=r"a\.layers\.png"):
        read_layers(path, size)


def test_a_mask_keeps_the_layers_that_it_covers_and_the_rest_is_of_the_object() -> None:
    mask = np.zeros(SIZE, bool)
    mask[20:35] = True
    drawn = layers_of(mask, every_layer())
    assert np.array_equal(drawn > 0, mask)
    assert (drawn[20:30] == np.where(every_layer()[20:30] > 0, every_layer()[20:30], 1)).all()
    assert (drawn[30:35] == Layer.OBJECT).all()
    assert np.array_equal(layers_of(mask), mask.astype(np.uint8))


@pytest.mark.parametrize("kind", COLOUR_BLIND)
def test_everybody_tells_the_colours_of_layers_apart(kind: str) -> None:
    def seen(colour: tuple[int, int, int]) -> np.ndarray:
        """CIELAB of what somebody sees."""
        value = np.array(colour) / 255
        linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
        linear = np.clip(np.array(COLOUR_BLIND[kind]) @ linear, 0, 1)
        shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
        lab: np.ndarray = cv2.cvtColor(shown[None, None].astype(np.float32), cv2.COLOR_RGB2LAB)
        return lab[0, 0]

    assert set(LAYER_COLOURS) == set(Layer)
    colours = [*(LAYER_COLOURS[layer] for layer in Layer if layer), KEPT_COLOUR]
    distances = [np.linalg.norm(seen(a) - seen(b)) for a, b in combinations(colours, 2)]
    assert min(distances) > 30  # 2 is just noticeable
