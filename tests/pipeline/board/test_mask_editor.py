"""The mask editor: strokes, clicks on objects, imported masks, and exact undo and redo."""

from __future__ import annotations

import numpy as np
import pytest

from remove_objects.pipeline.board import mask_editor
from remove_objects.pipeline.board.mask_editor import TAKEN, MaskEditor
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.types import Box, Layer


def drawn(rows: str) -> np.ndarray:
    return np.array([[c == "#" for c in row] for row in rows.split()])


def test_a_dot_and_a_line_cover_the_expected_pixels() -> None:
    editor = MaskEditor(5, 7)
    assert editor.stroke([(3.5, 2.5)], 1)
    assert np.array_equal(editor.mask, drawn("....... ...#... ..###.. ...#... ......."))
    assert editor.stroke([(0.5, 0.5), (6.5, 0.5)], 0)
    assert np.array_equal(editor.mask, drawn("####### ...#... ..###.. ...#... ......."))
    assert editor.stroke([(0, 2.5), (7, 2.5)], 0, erase=True)
    assert np.array_equal(editor.mask, drawn("####### ...#... ....... ...#... ......."))


def test_a_stroke_follows_the_distance_from_its_line() -> None:
    """Against the definition: no offset, and an error below a pixel only at the rim."""
    height, width, radius = 90, 120, 11.0
    a, b = np.array((-20.0, 30.0)), np.array((80.25, 70.75))  # the line begins outside the photo
    editor = MaskEditor(height, width)
    editor.stroke([a, b], radius)
    centres = np.stack(np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5), 2)
    along = np.clip(((centres - a) @ (b - a)) / ((b - a) @ (b - a)), 0, 1)
    distance = np.linalg.norm(centres - (a + along[..., None] * (b - a)), axis=2)
    mask = editor.mask
    assert mask[distance <= radius - 1].all()
    assert not mask[distance >= radius + 1].any()
    rows, columns = np.nonzero(mask)
    expected_rows, expected_columns = np.nonzero(distance <= radius)
    assert abs(rows.mean() - expected_rows.mean()) < 0.2
    assert abs(columns.mean() - expected_columns.mean()) < 0.2


@pytest.mark.parametrize("points", [[(-500, -500)], [(500, 20)], [(-90, 10), (-90, 30)]])
def test_a_stroke_beside_the_photo_changes_nothing(points: list) -> None:
    editor = MaskEditor(40, 60)
    assert not editor.stroke(points, 5)
    assert not editor.can_undo


def test_a_stroke_that_begins_beside_the_photo_reaches_in() -> None:
    editor = MaskEditor(40, 60)
    assert editor.stroke([(-3, 20)], 6)
    mask = editor.mask
    assert mask[20, 0]
    assert mask[20, 2]
    assert not mask[20, 4:].any()


@pytest.mark.parametrize(
    ("points", "radius"),
    [
        ([], 3),
        ([(1, 2)], -1),
        ([(1, 2)], float("nan")),
        ([(1, 2)], 1e9),
        ([(1, float("nan"))], 3),
        ([(1, 2, 3)], 3),
        ([("a", "b")], 3),
    ],
)
def test_invalid_strokes_are_refused_and_change_nothing(points: list, radius: float) -> None:
    editor = MaskEditor(10, 10)
    with pytest.raises(UsageError):
        editor.stroke(points, radius)
    assert editor.revision == 0


def test_too_many_points_are_refused() -> None:
    with pytest.raises(UsageError, match="20000"):
        MaskEditor(10, 10).stroke([(0, 0)] * 20_001, 1)


def test_undo_and_redo_restore_the_same_masks() -> None:
    rng = np.random.default_rng(0)
    editor = MaskEditor(50, 70)
    masks, revisions = [editor.mask], [editor.revision]
    for i in range(12):
        if i == 5:
            changed = editor.clear()
        elif i == 8:
            changed = editor.apply_mask(rng.random((50, 70)) > 0.5, "subtract")
        else:
            changed = editor.stroke(rng.uniform(-5, 75, (4, 2)), 6, erase=i % 3 == 2)
        if changed:
            masks.append(editor.mask)
        revisions.append(editor.revision)
    assert len(masks) > 8
    for expected in masks[-2::-1]:
        assert editor.undo()
        assert np.array_equal(editor.mask, expected)
    assert not editor.undo()
    for expected in masks[1:]:
        assert editor.redo()
        assert np.array_equal(editor.mask, expected)
    assert not editor.redo()
    assert editor.revision > max(revisions)


def test_a_new_step_discards_the_undone_ones() -> None:
    editor = MaskEditor(20, 20)
    editor.stroke([(5, 5)], 2)
    editor.undo()
    editor.stroke([(15, 15)], 2)
    assert not editor.can_redo
    assert not editor.mask[5, 5]


def test_an_edit_without_effect_is_not_a_step() -> None:
    editor = MaskEditor(20, 20)
    assert not editor.clear()
    assert not editor.stroke([(5, 5)], 2, erase=True)
    assert not editor.can_undo
    assert editor.revision == 0


def test_the_history_stays_within_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mask_editor, "HISTORY_BYTES", 4000)
    rng = np.random.default_rng(0)
    editor = MaskEditor(100, 100)
    for _ in range(20):
        editor.apply_mask(
            rng.random((100, 100)) > 0.5
        )  # noise does not compress: about 1250 bytes a step
    steps = 0
    while editor.undo():
        steps += 1
    assert 1 <= steps <= 3


def test_a_click_drops_or_keeps_one_object() -> None:
    start = drawn("##...## ##...#. .....## ..#.... ...#...")
    editor = MaskEditor(5, 7, start)
    assert not editor.pick(3, 1)  # no object there
    assert not editor.pick(-1, 0)
    assert not editor.pick(7, 0)
    assert editor.pick(6.9, 0.1)
    assert np.array_equal(editor.mask, drawn("##..... ##..... ....... ..#.... ...#..."))
    assert editor.pick(2.5, 3.5, keep=True)  # connected at the corner
    assert np.array_equal(editor.mask, drawn("....... ....... ....... ..#.... ...#..."))
    editor.undo()
    editor.undo()
    assert np.array_equal(editor.mask, start)


def test_masks_are_combined_in_three_ways() -> None:
    a, b = drawn("##.. ...."), drawn(".##. #...")
    for how, expected in (("replace", b), ("add", a | b), ("subtract", a & ~b)):
        editor = MaskEditor(2, 4, a)
        editor.apply_mask(b, how)
        assert np.array_equal(editor.mask, expected)
    with pytest.raises(UsageError, match="replace, add, subtract"):
        MaskEditor(2, 4).apply_mask(a, "xor")
    with pytest.raises(UsageError, match="4x2"):
        MaskEditor(3, 4).apply_mask(a)


def test_masks_are_copied_on_the_way_in_and_out() -> None:
    start = np.zeros((10, 10), bool)
    editor = MaskEditor(10, 10, start)
    editor.stroke([(5, 5)], 3)
    assert not start.any()
    editor.mask[:] = False
    assert editor.mask.any()


def test_widening_and_share() -> None:
    editor = MaskEditor(10, 10)
    editor.stroke([(5.5, 5.5)], 0)
    assert editor.share() == 0.01
    editor.widen(1)
    assert editor.share() == 0.05
    with pytest.raises(UsageError, match="widened"):
        editor.widen(-1)


#: Layers of a mask: an object with its shadow, and one with none.
LAYERS = "112..1 112..1 .22... ...2.."


def layered(rows: str = LAYERS) -> np.ndarray:
    return np.array([[0 if c == "." else int(c) for c in row] for row in rows.split()], np.uint8)


def editor_of(rows: str = LAYERS) -> MaskEditor:
    layers = layered(rows)
    height, width = layers.shape
    return MaskEditor(height, width, layers > 0, layers)


def test_a_layer_is_taken_away_and_given_back() -> None:
    editor = editor_of()
    assert editor.set_layer(Layer.SHADOW, given=False)
    assert np.array_equal(editor.layers, layered("11...1 11...1 ...... ......"))
    assert np.array_equal(editor.mask, editor.layers > 0)
    assert editor.shares() == [
        (Layer.OBJECT, pytest.approx(6 / 24), 0),
        (Layer.SHADOW, 0, pytest.approx(5 / 24)),
    ]
    assert editor.share() == pytest.approx(6 / 24)
    assert not editor.set_layer(Layer.SHADOW, given=False)  # nothing is left of it
    editor.set_layer(Layer.OBJECT, given=False)
    assert not editor.mask.any()
    editor.undo()
    assert editor.set_layer(Layer.SHADOW, given=True)
    assert np.array_equal(editor.layers, layered())
    for rows in ("11...1 11...1 ...... ......", LAYERS):
        editor.undo()
        assert np.array_equal(editor.layers, layered(rows))
    assert not editor.can_undo
    editor.redo()
    assert np.array_equal(editor.layers, layered("11...1 11...1 ...... ......"))


def test_a_click_takes_a_part_of_a_layer_away_and_another_one_gives_it_back() -> None:
    editor = editor_of()
    assert editor.pick_part(5, 0) == (Layer.OBJECT, False)
    assert np.array_equal(editor.layers, layered("112... 112... .22... ...2.."))
    assert editor.pick_part(2.5, 1.5) == (Layer.SHADOW, False)  # connected at the corner
    assert np.array_equal(editor.layers, layered("11.... 11.... ...... ......"))
    assert editor.pick_part(3, 3) == (Layer.SHADOW, True)
    assert np.array_equal(editor.layers, layered("112... 112... .22... ...2.."))
    for x, y in ((4, 0), (-1, 0), (0, 4), (6, 0)):
        assert editor.pick_part(x, y) is None
    editor.set_layer(Layer.OBJECT, given=True)  # what a click took, the switch gives back
    assert np.array_equal(editor.layers, layered())


def test_what_is_drawn_is_of_the_object_and_what_is_erased_is_of_nothing() -> None:
    editor = editor_of("22...")
    editor.stroke([(0, 0.5), (5, 0.5)], 0)
    assert np.array_equal(editor.layers, layered("22111"))
    editor.set_layer(Layer.SHADOW, given=False)
    editor.stroke([(0.5, 0.5)], 0)  # over what was taken away
    assert np.array_equal(editor.layers, layered("1.111"))
    editor.stroke([(1.5, 0.5)], 0, erase=True)
    assert not editor.set_layer(Layer.SHADOW, given=True)
    assert np.array_equal(editor.layers, layered("1.111"))
    editor.undo()
    assert editor.set_layer(Layer.SHADOW, given=True)
    assert np.array_equal(editor.layers, layered("12111"))


def test_combined_masks_bring_their_layers() -> None:
    other = layered("4.24")
    for how, layers, expected in (
        ("add", other, "1224"),
        ("add", None, "1211"),
        ("replace", other, "4.24"),
        ("replace", None, "1.11"),
        ("subtract", other, ".2.."),
    ):
        editor = editor_of("12..")
        editor.apply_mask(other > 0, how, layers)
        assert np.array_equal(editor.layers, layered(expected)), (how, expected)


def test_a_widened_layer_stays_that_layer() -> None:
    editor = editor_of("..1..2.. ........")
    editor.set_layer(Layer.SHADOW, given=False)
    editor.widen(1)
    assert np.array_equal(editor.layers, layered(".111.... ..1....."))
    editor.undo()
    editor.set_layer(Layer.SHADOW, given=True)
    editor.widen(1)
    assert np.array_equal(editor.layers, layered(".111222. ..1..2.."))
    editor.widen(1)  # where two meet, the object's goes first
    assert editor.layers[1, 3] == Layer.OBJECT


def test_dropping_leaves_what_was_taken_away() -> None:
    editor = editor_of("12.1")
    editor.set_layer(Layer.SHADOW, given=False)
    editor.pick(0, 0)
    assert np.array_equal(editor.values, [[0, Layer.SHADOW + TAKEN, 0, Layer.OBJECT]])
    editor.clear()
    assert editor.shares() == []


def test_an_object_is_added_and_taken_alone() -> None:
    """One click adds it with its rim; the next takes both, and a thin rest around it."""
    editor = editor_of("........ ........ ......11 ......11")
    before = editor.values
    own, hole = np.zeros((3, 4), bool), np.ones((3, 4), bool)
    own[1, 1:3] = True
    spared = np.zeros((3, 4), bool)
    spared[0] = True
    box = Box(1, 0, 4, 3)
    assert editor.toggle(box, own, hole, spared, 2)
    assert np.array_equal(editor.layers, layered("........ .1111... .1111.11 ......11"))
    assert not editor.toggle(box, own, hole, spared, 2)
    assert np.array_equal(editor.values, before)
    editor.undo()
    editor.undo()
    assert np.array_equal(editor.values, before)
    wide = editor_of("111111.. 111111.. 111111.. .......1")  # wider by a column than the hole
    wide.toggle(box, own, hole, spared, 3)
    assert not wide.mask[:3, :6].any()
    assert wide.mask[3, 7]


def test_an_objects_own_pixels_come_back_and_its_rim_does_not() -> None:
    editor = editor_of("1111 2211")
    editor.set_layer(Layer.OBJECT, given=False)
    own = np.array([[False, True, True, False]])
    assert editor.toggle(Box(0, 0, 4, 1), own, np.ones((1, 4), bool), ~own & False, 1)
    assert np.array_equal(editor.layers, layered(".11. 22.."))
    assert not editor.toggle(Box(0, 0, 4, 1), own, np.ones((1, 4), bool), ~own & False, 1)
    assert np.array_equal(editor.layers, layered(".... 22.."))


def test_undo_and_redo_bring_a_version_back() -> None:
    editor = MaskEditor(40, 60)
    editor.stroke([[10, 10]], 3)
    first = editor.version
    editor.stroke([[30, 20]], 3)
    second = editor.version
    assert len({0, first, second}) == 3
    editor.undo()
    assert editor.version == first
    editor.undo()
    assert editor.version == 0
    editor.redo()
    editor.redo()
    assert editor.version == second
    editor.undo()
    editor.stroke([[50, 30]], 3)
    assert editor.version not in (0, first, second)
