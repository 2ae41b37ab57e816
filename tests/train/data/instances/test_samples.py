"""Samples of the instance network: functions of their number, and true about who is who."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from remove_objects.train.data.instances import found, photos, singles
from remove_objects.train.data.instances.crowds import Crowds
from remove_objects.train.data.instances.photos import (
    Photos,
    divided,
    drawn_boxes,
    of_one_class,
    read_instances,
)
from remove_objects.train.data.instances.views import (
    MOST,
    UNKNOWN,
    Labelled,
    drawn_part,
    to_sample,
)
from remove_objects.train.data.objects import cut_outs

SIZE = 64


@pytest.fixture(scope="module")
def crowds(labelled_people: Path, tmp_path_factory: pytest.TempPathFactory) -> Crowds:
    folder = tmp_path_factory.mktemp("store")
    cut_outs.build(labelled_people, folder)
    assert json.loads((folder / "cut_outs.json").read_text())
    return Crowds(labelled_people, [folder], SIZE)


def two() -> Labelled:
    """Red beside green, which touch, in a photo of 100 x 80 pixels."""
    image = np.full((80, 100, 3), 90, np.uint8)
    numbers = np.zeros((80, 100), np.uint8)
    image[20:60, 30:50] = (250, 0, 0)
    numbers[20:60, 30:50] = 1
    image[20:60, 50:65] = (0, 250, 0)
    numbers[20:60, 50:65] = 2
    boxes = np.array([[30, 20, 50, 60], [50, 20, 65, 60]], np.float32)
    return Labelled(image, numbers > 0, numbers, boxes, (numbers > 0).astype(np.uint8))


def test_a_sample_is_a_function_of_its_number(crowds: Crowds) -> None:
    first, again = crowds[3], crowds[3]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert any((a != b).any() for a, b in zip(first, crowds[4], strict=True))


def test_groups_have_several_people_who_touch(crowds: Crowds) -> None:
    counts = []
    for n in range(24):
        picture, mask, numbers, boxes, belongs = crowds[n]
        assert picture.shape == (3, SIZE, SIZE)
        assert mask.shape == (1, SIZE, SIZE)
        assert numbers.shape == (1, SIZE // 2, SIZE // 2)
        assert boxes.shape == (MOST, 4)
        assert (belongs[(numbers > 0) & (belongs != UNKNOWN)] == 1).all()
        found = [int(v) for v in numbers.unique() if v not in (0, UNKNOWN)]
        counts.append(len(found))
        for number in found:
            y, x = np.nonzero(numbers[0].numpy() == number)
            left, top, right, bottom = boxes[number - 1].tolist()
            # Each pixel lies in its object's box.
            assert left - 2 <= 2 * x.min()
            assert 2 * x.max() <= right + 2
            assert top - 2 <= 2 * y.min()
            assert 2 * y.max() <= bottom + 2
    assert max(counts) >= 3
    assert min(counts) >= 1


def test_numbers_and_boxes_go_where_the_picture_goes() -> None:
    labelled = two()
    for seed in range(12):
        rng = np.random.default_rng(seed)
        part = drawn_part(labelled, rng, 60)
        assert part is not None
        picture, mask, numbers, boxes, belongs = to_sample(labelled, part, SIZE, rng)
        given = mask[:, 1::2, 1::2] > 0
        asked = torch.where(given, (numbers > 0).to(torch.uint8), UNKNOWN)
        assert (belongs == asked).all()
        red, green = picture[0, ::2, ::2].float(), picture[1, ::2, ::2].float()
        if (red == green).all():  # now and then a sample is grey
            continue
        first, second = numbers[0] == 1, numbers[0] == 2
        assert (red > green)[first].float().mean() > 0.8
        assert (green > red)[second].float().mean() > 0.8
        y, x = np.nonzero((numbers[0] == 1).numpy())
        # A view of one object shows the other in part; the box is whole all the same.
        assert boxes[0].clip(0, SIZE).tolist() == pytest.approx(
            [2 * x.min(), 2 * y.min(), 2 * x.max() + 2, 2 * y.max() + 2], abs=3
        )


def test_two_boxes_divide_an_area_but_for_where_they_overlap() -> None:
    mask = np.zeros((50, 60), bool)
    mask[10:40, 10:50] = True
    boxes = np.array([[10, 10, 34, 40, 0.9, 15], [28, 10, 50, 40, 0.8, 15]], np.float32)
    numbers, _, covers = divided(mask, boxes)
    assert (numbers[20, 12], numbers[20, 45]) == (1, 2)
    assert numbers[20, 30] == UNKNOWN
    assert numbers[5, 5] == 0
    assert covers[20, [12, 30, 45, 55]].tolist() == [1, 2, 1, 0]


def test_a_box_of_another_thing_divides_nothing() -> None:
    mask = np.zeros((50, 60), bool)
    mask[10:40, 10:20] = True
    boxes = np.array([[10, 10, 20, 40, 0.9, 15], [25, 5, 55, 45, 0.9, 15]], np.float32)
    assert len(divided(mask, boxes)[1]) == 1


def write_photo(folder: Path, name: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    labelled = two()
    values = np.where(labelled.mask, 15000 + labelled.numbers.astype(np.uint16), 0)
    values = values.astype(np.uint16)
    values[70:, :30] = 15000 + photos.CROWD
    values[:15, 70:] = 7001
    path = folder / f"{name}_image.png"
    cv2.imwrite(str(path), labelled.image[..., ::-1])
    cv2.imwrite(str(folder / f"{name}_instances.png"), values)
    return path


def test_labelled_photos_give_one_class_at_a_time(tmp_path: Path) -> None:
    path = write_photo(tmp_path / photos.FOLDER / "own", "a")
    seen = set()
    for seed in range(30):
        one = of_one_class(*read_instances(path), None, np.random.default_rng(seed))
        assert one is not None
        seen.add(len(one.boxes))
        if len(one.boxes) == 2:
            assert (one.numbers[75, 5], one.numbers[5, 90]) == (UNKNOWN, 0)
            assert one.belongs[30, [20, 40, 60]].tolist() == [0, 1, 1]
            assert (one.belongs[75, 5], one.belongs[5, 90]) == (UNKNOWN, 0)
            assert one.boxes.tolist() == two().boxes.tolist()
            assert not one.is_found
    assert seen == {1, 2}


def test_held_out_photos_are_others(tmp_path: Path) -> None:
    for n in range(photos.HELD_OUT + 1):
        write_photo(tmp_path / photos.FOLDER / "own", f"{n}")
    training, held_out = (Photos(tmp_path, {}, tmp_path, SIZE, held_out=h) for h in (False, True))
    assert not set(training.labelled) & set(held_out.labelled)
    assert len(held_out.labelled) == 2
    assert all((a == b).all() for a, b in zip(training[1], training[1], strict=True))


def test_a_photo_without_its_label_is_named(tmp_path: Path) -> None:
    path = write_photo(tmp_path / photos.FOLDER / "own", "a")
    path.with_name("a_instances.png").unlink()
    with pytest.raises(OSError, match=r"a_instances\.png"):
        read_instances(path)


def test_without_photos_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="instances"):
        Photos(tmp_path, {}, tmp_path, SIZE)


def people_found(path: Path, store: Path, columns: slice) -> None:
    """A mask in the store that says that there are people in some columns of a photo."""
    mask = np.zeros((80, 100), np.uint8)
    mask[20:60, columns] = 15
    (store / found.FOLDER).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(found.path_of(store, path)), mask)


def test_a_found_mask_is_divided_as_it_is_and_the_boxes_stay_whole(tmp_path: Path) -> None:
    """What the segmenter finds beside the objects is nobody's; what it loses is not asked for."""
    path = write_photo(tmp_path / "own", "a")
    people_found(path, tmp_path, slice(35, 75))
    given = cv2.imread(str(found.path_of(tmp_path, path)), cv2.IMREAD_UNCHANGED)
    for seed in range(20):
        one = of_one_class(*read_instances(path), given, np.random.default_rng(seed))
        assert one is not None
        if len(one.boxes) == 2:
            break
    assert one.is_found
    assert np.array_equal(one.mask, given == 15)
    assert one.numbers[30, [32, 40, 60, 70]].tolist() == [0, 1, 2, UNKNOWN]
    assert one.boxes.tolist() == two().boxes.tolist()
    part = drawn_part(one, np.random.default_rng(0), 60)
    assert part is not None
    assert one.belongs[30, [32, 40, 60, 70]].tolist() == [1, 1, 1, 0]
    _, mask, numbers, _, _ = to_sample(one, part, SIZE, np.random.default_rng(0))
    assert ((mask[0, ::2, ::2] > 0) | (numbers[0] == 0)).float().mean() > 0.97  # not roughened


def test_found_masks_are_those_of_the_pipeline(tmp_path: Path) -> None:
    path = write_photo(tmp_path / photos.FOLDER / "own", "a")
    asked = photos.categories_of(tmp_path)
    assert asked == {path: [7, 15]}
    found.build(tmp_path, asked)
    made = found.path_of(tmp_path, path)
    assert cv2.imread(str(made), cv2.IMREAD_UNCHANGED).shape == (80, 100)
    before = made.stat().st_mtime_ns
    found.build(tmp_path, asked)
    assert made.stat().st_mtime_ns == before


def test_drawn_boxes_divide_what_the_pipeline_finds(tmp_path: Path) -> None:
    folder = tmp_path / photos.DRAWN / "own"
    folder.mkdir(parents=True)
    cv2.imwrite(str(folder / "a.png"), two().image[..., ::-1])
    (folder / "boxes.csv").write_text(
        "photo,x0,y0,x1,y1\na,30,20,50,60\na,50,20,65,60\nother,1,2,3,4\n"
    )
    assert [len(b) for b in drawn_boxes(tmp_path).values()] == [2]
    assert photos.categories_of(tmp_path) == {folder / "a.png": (15,)}
    with pytest.raises(FileNotFoundError):  # without a mask there is nothing to divide
        Photos(tmp_path, {}, tmp_path, SIZE)
    people_found(folder / "a.png", tmp_path, slice(30, 65))
    samples = Photos(tmp_path, {}, tmp_path, SIZE)
    assert {int(v) for n in range(4) for v in samples[n][2].unique()} == {0, 1, 2}


def test_by_drawn_boxes_only_what_lies_outside_them_is_surely_of_nobody() -> None:
    mask = np.zeros((60, 120), bool)
    mask[10:50, 10:40] = True  # the box is smaller
    mask[10:50, 60:80] = True  # nobody drew a box here
    crowd = [[90, 5, 118, 55]] + [[91 + 7 * k, 6, 97 + 7 * k, 54] for k in range(4)]
    mask[10:50, 95:115] = True
    boxes = np.array([[10, 10, 30, 50], *crowd], np.float32)
    one = photos.by_drawn_boxes(np.zeros((60, 120, 3), np.uint8), mask, boxes)
    assert one.is_found
    assert one.belongs[30, [20, 35, 70, 104]].tolist() == [UNKNOWN, 0, UNKNOWN, UNKNOWN]
    assert one.numbers[30, [20, 35]].tolist() == [1, UNKNOWN]


@pytest.mark.parametrize("is_found", [False, True])
def test_a_label_of_the_class_says_what_belongs_in_a_found_mask(is_found: bool) -> None:
    label = np.zeros((60, 100), np.uint8)
    label[10:50, 20:60], label[10:50, 60:62] = 15, 255
    boxes = np.array([[20, 10, 40, 50, 1, 15], [40, 10, 60, 50, 1, 15]], np.float32)
    given = np.zeros((60, 100), np.uint8)
    given[10:50, 30:80] = 15
    picture = np.zeros((60, 100, 3), np.uint8)
    one = photos.by_label(picture, label, 15, boxes, given if is_found else None)
    assert one.is_found == is_found
    assert one.belongs[30, [35, 50, 61, 70]].tolist() == [1, 1, UNKNOWN, 0]
    assert np.array_equal(one.mask, given == 15 if is_found else label == 15)
    assert one.numbers[30, [25, 35, 50, 70]].tolist() == (
        [0, 1, 2, UNKNOWN] if is_found else [1, 1, 2, 0]
    )


def test_photos_of_one_object_come_with_the_mask_that_is_found(tmp_path: Path) -> None:
    write_photo(tmp_path / photos.FOLDER / "own", "a")
    write_photo(tmp_path / photos.FOLDER / "own", "b")
    path = write_photo(tmp_path / photos.ALONE / "single", "c")
    assert path in photos.categories_of(tmp_path)
    assert "alone" not in Photos(tmp_path, {}, tmp_path, SIZE).files
    people_found(path, tmp_path, slice(30, 65))
    samples = Photos(tmp_path, {}, tmp_path, SIZE)
    assert samples.files["alone"] == [path]
    assert "alone" not in Photos(tmp_path, {}, tmp_path, SIZE, held_out=True).files


def test_masks_are_found_in_photos_of_people_that_have_labels_of_classes(tmp_path: Path) -> None:
    folder = tmp_path / photos.FOUND_IN[0]
    for name, ids in (("dog", (12,)), ("rider", (13, 15))):
        label = np.zeros((80, 100), np.uint8)
        for k, i in enumerate(ids):
            label[20:60, 20 + 20 * k : 40 + 20 * k] = i
        for kind, values in (("images", two().image), ("labels", label)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / kind / f"{name}.png"), values)
    path = folder / "images" / "rider.png"
    assert photos.categories_of(tmp_path) == {path: [13, 15]}
    assert found.path_of(tmp_path, path).name == "voc_train_rider_found.png"


def test_a_box_around_a_crowd_is_nobodys() -> None:
    boxes = [[0, 0, 100, 50, 1, 15]] + [[20 * k, 5, 20 * k + 18, 45, 1, 15] for k in range(4)]
    kept = photos.without_crowds(np.array(boxes, np.float32))
    assert kept[:, 0].tolist() == [0, 20, 40, 60]
    three = photos.without_crowds(np.array(boxes[:4], np.float32))
    assert len(three) == 4


@pytest.mark.parametrize("text", ["photo,x0,y0,x1\na,1,2,3\n", "photo,x0,y0,x1,y1\na,1,2,3,x\n"])
def test_a_table_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    folder = tmp_path / photos.DRAWN / "own"
    folder.mkdir(parents=True)
    (folder / "boxes.csv").write_text(text)
    with pytest.raises(ValueError, match=r"boxes\.csv"):
        drawn_boxes(tmp_path)


def test_only_what_nothing_touches_is_cut_out(tmp_path: Path) -> None:
    """Red and green touch; the bus stands alone, and is cut by two borders."""
    write_photo(tmp_path / photos.FOLDER / "own", "a")
    singles.build(tmp_path, tmp_path / "store")
    entries = cut_outs.CutOuts(tmp_path / "store", held_out=True).entries
    assert [(e.category, e.cut, e.source) for e in entries] == [
        (7, (True, True, False, False), photos.FOLDER)
    ]
