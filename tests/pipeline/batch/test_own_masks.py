"""Which mask is whose: names that people and other programs give, and what the terminal says."""

from __future__ import annotations

import io
import json
import unicodedata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import cli
from remove_objects.pipeline.batch.own_masks import MaskFile, find_masks
from remove_objects.pipeline.batch.run import remove_folder
from remove_objects.pipeline.batch.scan import Plan, plan_run
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.storage.location import parse_location
from tests.support.plans import touch
from tests.support.scenes import scene

if TYPE_CHECKING:
    import fsspec

OPTIONS = ("--no-probe", "--detail", "none", "--offline")


def given(plan: Plan, masks: Path) -> dict[str, str | None]:
    """Return the mask of every photo, by their names."""
    return {
        str(photo.relative): None
        if photo.own_mask is None
        else str(Path(str(photo.own_mask)).relative_to(masks))
        for photo in plan.photos
    }


def planned(tmp_path: Path, photos: list[str], masks: list[str]) -> dict[str, str | None]:
    touch(tmp_path / "p", *photos)
    touch(tmp_path / "m", *masks)
    return given(plan_run([tmp_path / "p"], masks=tmp_path / "m"), tmp_path / "m")


@pytest.mark.parametrize(
    "mask",
    [
        *("a.png", "a.PNG", "a.jpg", "a.JPEG", "a.webp", "a.tif", "a.bmp", "a.gif"),
        *("a.jpg.png", "A.PNG", "A.JPG.PNG", "a.jpg.tiff"),
        *("a_mask.png", "a-mask.jpg", "a.mask.png", "a mask.png", "a_masks.png", "a_Mask.PNG"),
        *("a_mask001.png", "a_mask000.png", "a_mask1.png", "a_mask_1.png", "a-mask 2.png"),
        *("a (mask).png", "mask_a.png", "mask-a.jpg", "a.jpg_mask.png", "a.jpg-mask001.png"),
        *("a_mask_00001_.png", "a_mask00012.png", "a_mask (1).png", "a_mask copy 2.png"),
        *("a_mask - Copy.png", "aMask.png", "a[mask].png"),
    ],
)
def test_a_mask_has_the_names_that_people_and_programs_give(mask: str, tmp_path: Path) -> None:
    for folder in ("", "rome/"):
        root = tmp_path / f"x{folder}"
        assert planned(root, [f"{folder}a.jpg"], [folder + mask]) == {
            f"{folder}a.jpg": folder + mask
        }


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("Screenshot 5.30\u202fPM.jpg", "Screenshot 5.30 PM.png"),
        ("\uff29\uff2d\uff27.jpg", "img_mask.png"),
    ],
)
def test_typographic_variants_are_one_name_if_nothing_else_fits(
    photo: str, mask: str, tmp_path: Path
) -> None:
    assert planned(tmp_path, [photo], [mask]) == {photo: mask}


@pytest.mark.parametrize(
    "name", ["b.png", "a1.png", "a2_mask.png", "sub/a.png", "amask.png", "a_masked.png"]
)
def test_a_mask_of_another_name_is_nobodys(name: str, tmp_path: Path) -> None:
    found = planned(tmp_path, ["a.jpg", "c.jpg"], [name, "c.png"])
    assert found == {"a.jpg": None, "c.jpg": "c.png"}


def test_unicode_spellings_are_one_name(tmp_path: Path) -> None:
    composed, split = (unicodedata.normalize(form, "Jürgen é") for form in ("NFC", "NFD"))
    assert composed != split
    assert MaskFile.of(tmp_path, f"{split}.png").base == composed
    found = planned(tmp_path, [f"{composed}.jpg"], [f"{split}_mask.png"])
    assert found == {f"{composed}.jpg": f"{split}_mask.png"}
    found = planned(tmp_path / "2", [f"{split}/{split}.jpg"], [f"{composed}/{composed}.png"])
    assert found == {f"{split}/{split}.jpg": f"{composed}/{composed}.png"}


def test_the_full_name_belongs_to_one_photo_and_a_stem_to_all_that_share_it(
    tmp_path: Path,
) -> None:
    photos = ["a.jpg", "a.png", "b.heic", "b.jpg", "c_mask.jpg", "c.jpg"]
    touch(tmp_path / "p", *photos)
    masks = ["a.jpg.png", "a.png", "b.png", "c_mask.png", "c.png"]
    touch(tmp_path / "m", *masks)
    plan = plan_run([tmp_path / "p"], masks=tmp_path / "m")
    assert given(plan, tmp_path / "m") == {
        "a.jpg": "a.jpg.png",
        "a.png": "a.png",
        "b.heic": "b.png",
        "b.jpg": "b.png",
        "c.jpg": "c.png",
        "c_mask.jpg": "c_mask.png",
    }
    assert plan.told == ("b.png is the mask of b.heic and b.jpg",)


def test_case_counts_where_it_tells_photos_apart(tmp_path: Path) -> None:
    found = planned(tmp_path, ["A.jpg", "a.jpg"], ["A.png", "a.PNG"])
    assert found == {"A.jpg": "A.png", "a.jpg": "a.PNG"}
    assert planned(tmp_path / "2", ["A.jpg", "a.jpg"], ["a.png"]) == {
        "A.jpg": None,
        "a.jpg": "a.png",
    }
    with pytest.raises(UsageError, match=r"aB\.png would be the mask of AB\.jpg and ab\.jpg"):
        planned(tmp_path / "3", ["AB.jpg", "ab.jpg"], ["aB.png"])


@pytest.mark.parametrize(
    "masks",
    [
        ["a.png", "a.jpg"],
        ["a.png", "a_mask.png"],
        ["a_mask001.png", "a_mask002.png"],
        ["a.jpg.png", "a.jpg_mask.png"],
    ],
)
def test_two_masks_of_one_photo_are_refused_by_name(masks: list[str], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has several masks") as refused:
        planned(tmp_path, ["a.jpg"], masks)
    assert all(name in str(refused.value) for name in masks)


def test_a_name_within_the_folder_serves_only_if_one_photo_has_it(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.jpg", "b/x.jpg", "b/y.jpg", "m/x.png", "m/y.png", "m/a/x.png")
    plan = plan_run([tmp_path / "a", tmp_path / "b"], tmp_path / "out", masks=tmp_path / "m")
    assert given(plan, tmp_path / "m") == {
        "a/x.jpg": "a/x.png",
        "b/x.jpg": None,
        "b/y.jpg": "y.png",
    }


def test_the_terminal_names_photos_without_a_mask_and_masks_without_a_photo(
    tmp_path: Path,
) -> None:
    touch(tmp_path / "p", *(f"{name}.jpg" for name in "abcde"))
    touch(tmp_path / "m", "a.png", "x.png", "y.PNG", ".hidden.png", "notes.txt")
    plan = plan_run([tmp_path / "p"], masks=tmp_path / "m")
    assert plan.told == (
        f"4 photos have no mask in {tmp_path / 'm'} and stay as they are: b.jpg, c.jpg, d.jpg "
        "and 1 more",
        f"{tmp_path / 'm'}: 2 masks belong to no photo: x.png, y.PNG",
    )
    assert plan.notes[:2] == plan.told


def test_no_mask_at_all_is_refused_with_a_name_that_would_do(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        planned(tmp_path, ["rome/a.jpg"], ["a.png", "b.png"])
    message = str(refused.value)
    for part in ("rome/a.png", "rome/a.jpg.png", "rome/a_mask.png", "a.png, b.png"):
        assert part in message
    assert "if a.png is its mask, call it rome/a.png" in message
    with pytest.raises(UsageError, match=r"give the file: --masks .*m/mask\.png"):
        planned(tmp_path / "2", ["a.jpg", "b.jpg"], ["mask.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="empty holds no mask; call the mask of"):
        plan_run([tmp_path / "p"], masks=tmp_path / "empty")
    with pytest.raises(UsageError, match="no such folder of masks"):
        plan_run([tmp_path / "p"], masks=tmp_path / "none")


def test_masks_in_a_folder_of_the_photos_are_no_photos(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "masks/a.png", "masks/b.png")
    plan = plan_run([tmp_path / "p"], masks=tmp_path / "p" / "masks")
    assert given(plan, tmp_path / "p" / "masks") == {"a.jpg": "a.png"}


@pytest.mark.parametrize("inputs", [["."], ["a.jpg", "a_mask001.png", "b.jpg", "B.JPG.png"]])
def test_masks_beside_their_photos_are_told_by_their_names(
    inputs: list[str], tmp_path: Path
) -> None:
    p = tmp_path / "p"
    touch(p, "a.jpg", "a_mask001.png", "b.jpg", "B.JPG.png", "cleaned/a.png")
    plan = plan_run([p / name for name in inputs], p / "cleaned", masks=p)
    assert given(plan, p) == {"a.jpg": "a_mask001.png", "b.jpg": "B.JPG.png"}
    assert plan.told == ()


def test_a_photo_of_somebody_with_a_mask_may_have_one_beside_it(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(p, "me_mask.jpg", "me_mask_mask.png", "mask_ball.jpg", "mask_ball.jpg.png", "a.jpg")
    touch(p, "a_mask.png", "a_mask_mask.png")
    plan = plan_run([p], masks=p)
    assert given(plan, p) == {
        "a.jpg": "a_mask.png",
        "mask_ball.jpg": "mask_ball.jpg.png",
        "me_mask.jpg": "me_mask_mask.png",
    }
    assert plan.told == (f"{p}: 1 mask belongs to no photo: a_mask_mask.png",)


def test_a_mask_without_its_photo_is_no_photo_either(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(p, "a.jpg", "a.heic", "a-mask.png", "gone_mask.png")
    plan = plan_run([p], masks=p)
    assert given(plan, p) == {"a.heic": "a-mask.png", "a.jpg": "a-mask.png"}
    assert f"{p}: 1 mask belongs to no photo: gone_mask.png" in plan.told


def test_photos_below_the_folder_of_masks_are_no_masks(tmp_path: Path) -> None:
    touch(tmp_path, "photos/a.jpg", "photos/b.jpg", "a.png")
    plan = plan_run([tmp_path / "photos"], masks=tmp_path)
    assert given(plan, tmp_path) == {"a.jpg": "a.png", "b.jpg": None}
    assert len(plan.told) == 1


@pytest.mark.parametrize("masks", [[], ["a_mask.png"]])
def test_a_photo_and_a_mask_of_one_name_in_one_folder_are_refused(
    masks: list[str], tmp_path: Path
) -> None:
    p = tmp_path / "p"
    touch(p, "a.jpg", "a.png", *masks)
    with pytest.raises(UsageError, match=r"a\.jpg and a\.png have one name.*Call masks a_mask"):
        plan_run([p], masks=p)


def test_raw_files_thumbnails_and_earlier_results_are_no_masks(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(p, "a.jpg", "a.cr2", "a_mask.png", "@eaDir/a.jpg/x.jpg", "old/b.jpg")
    touch(p / "old", ".remove-objects-journal.jsonl")
    plan = plan_run([p / "a.jpg"], tmp_path / "out", masks=p)
    assert given(plan, p) == {"a.jpg": "a_mask.png"}
    assert plan.told == ()


def test_every_folder_of_masks_is_searched_once_under_its_own_name(tmp_path: Path) -> None:
    """A link, also one that comes first, neither hides a folder nor shows it again."""
    touch(tmp_path / "m", "rome/a.png", "b.png")
    for link, place in (("again", "m"), ("about", "m/rome")):
        (tmp_path / "m" / link).symlink_to(tmp_path / place)
    found = find_masks(tmp_path / "m", tmp_path / "cleaned").files
    assert [mask.name for mask in found] == ["b.png", "rome/a.png"]
    assert planned(tmp_path, ["rome/a.jpg", "b.jpg"], []) == {
        "rome/a.jpg": "rome/a.png",
        "b.jpg": "b.png",
    }


def test_output_among_masks_and_links(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "m/a.png", "m/out/b.png", "far/c.png", "p/c/c.jpg")
    (tmp_path / "m" / "c").symlink_to(tmp_path / "far")
    (tmp_path / "far" / "back").symlink_to(tmp_path / "m")
    plan = plan_run([tmp_path / "p"], tmp_path / "m" / "out", masks=tmp_path / "m")
    assert given(plan, tmp_path / "m") == {"a.jpg": "a.png", "c/c.jpg": "c/c.png"}
    with pytest.raises(UsageError, match=r"the output folder .* name another folder"):
        plan_run([tmp_path / "p"], tmp_path / "m", masks=tmp_path / "m")


def test_one_file_is_the_mask_of_all_and_no_photo(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "p/sub/b.jpg", "p/mask.png")
    plan = plan_run([tmp_path / "p"], masks=tmp_path / "p" / "mask.png")
    assert given(plan, tmp_path / "p") == {"a.jpg": "mask.png", "sub/b.jpg": "mask.png"}
    assert plan.told == ()


def test_jpegs_named_as_masks_are_told_from_photos_by_what_lies_beside_them(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(p, "a.v2_mask.jpg", "b.v2.jpg", "b.v2_mask.jpg", "img_1.jpg", "mask_1.jpg", "mask_9.jpg")
    touch(p, "c.jpg", "c.jpg.jpg", "stamp.png")
    plan = plan_run([p], masks=p / "stamp.png")
    assert {str(photo.relative) for photo in plan.photos} == {
        *("a.v2_mask.jpg", "b.v2.jpg", "img_1.jpg", "mask_9.jpg", "c.jpg")
    }


def test_the_one_mask_for_all_is_no_photo_under_another_name_either(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "p/stamp.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "p" / "stamp.png")
    (tmp_path / "p" / "again.png").hardlink_to(tmp_path / "p" / "stamp.png")
    for name in ("link.png", "p/again.png", "p/stamp.png"):
        plan = plan_run([tmp_path / "p"], masks=tmp_path / name, listed=[tmp_path / "gone.jpg"])
        assert {photo.source.name for photo in plan.photos} == {"a.jpg", "gone.jpg"}


def test_other_masks_beside_the_one_for_all_are_no_photos(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(
        p, "a.jpg", "a_mask.gif", "b.png", "b.png.png", "mask.gif", "mask 2.bmp", "sub/c_mask.png"
    )
    touch(p, "me_mask.jpg", "wet.jpg", "wet_mask.jpg", "stamp.png")
    plan = plan_run([p], masks=p / "stamp.png")
    assert [str(photo.relative) for photo in plan.photos] == [
        *("a.jpg", "b.png", "me_mask.jpg", "wet.jpg")
    ]
    assert plan.told == (
        "6 files are named as masks and are not cleaned: a_mask.gif, b.png.png, mask 2.bmp and 3 "
        "more",
    )
    plan = plan_run([p / "a.jpg", p / "a_mask.gif"], masks=p / "stamp.png")
    assert plan.told == ("1 file is named as a mask and is not cleaned: a_mask.gif",)
    with pytest.raises(UsageError, match=r"no photo .*named as a mask and is not cleaned: a_mask"):
        plan_run([p / "a_mask.gif"], masks=p / "stamp.png")


def test_a_mask_that_names_no_photo_is_no_photo_either(tmp_path: Path) -> None:
    p = tmp_path / "p"
    touch(p, "a.jpg", "a_mask.png", "mask.gif", "masks2.png", "mask.jpg.x.jpg")
    plan = plan_run([p], masks=p)
    assert given(plan, p) == {"a.jpg": "a_mask.png", "mask.jpg.x.jpg": None}
    assert f"{p}: 2 masks belong to no photo: mask.gif, masks2.png" in plan.told


@pytest.mark.parametrize(
    ("photo", "mask"),
    [
        ("x_input.png", "x_mask.png"),
        ("img_001.jpg", "mask_001.png"),
        ("rome/Image-7.jpg", "rome/mask-7.png"),
        ("x.orig.jpg", "x.mask.png"),
    ],
)
def test_pairs_of_sets_are_matched(photo: str, mask: str, tmp_path: Path) -> None:
    assert planned(tmp_path, [photo, "other.jpg"], [mask]) == {photo: mask, "other.jpg": None}
    both = tmp_path / "both"
    touch(both, photo, mask)
    assert given(plan_run([both], masks=both), both) == {photo: mask}


def test_pairs_that_leave_a_doubt_are_not_matched(tmp_path: Path) -> None:
    photos = ["img_1.jpg", "photo_1.jpg", "img_2.jpg", "2.jpg", "img_3.jpg", "img_3.heic"]
    assert planned(tmp_path, photos, ["mask_1.png", "mask_2.png", "mask_3.png"]) == {
        "img_1.jpg": None,
        "photo_1.jpg": None,
        "img_2.jpg": None,
        "2.jpg": "mask_2.png",
        "img_3.jpg": "mask_3.png",
        "img_3.heic": "mask_3.png",
    }


def test_names_that_fit_as_a_whole_decide(tmp_path: Path) -> None:
    photos, masks = ["with.jpg", "with_mask.jpg"], ["with_mask.png", "with_mask_mask.png"]
    expected = dict(zip(photos, masks, strict=True))
    assert planned(tmp_path, photos, masks) == expected
    both = tmp_path / "both"
    touch(both, *photos, *masks)
    plan = plan_run([both], masks=both)
    assert given(plan, both) == expected
    assert plan.told == ()


# --- whole runs -----------------------------------------------------------------------------------


def picture(size: tuple[int, int] = (120, 160), seed: int = 0) -> Image.Image:
    return Image.fromarray(scene(*size, seed=seed))


def mask(size: tuple[int, int] = (120, 160)) -> Image.Image:
    drawn = np.zeros(size, bool)
    drawn[size[0] // 3 : size[0] // 2, size[1] // 3 : size[1] // 2] = True
    return Image.fromarray(drawn)


@pytest.fixture
def home(tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with photos a and b of one shape, and c of another."""
    monkeypatch.chdir(tmp_path)
    Path("p").mkdir()
    Path("m").mkdir()
    for i, name in enumerate("ab"):
        picture(seed=i).save(f"p/{name}.png")
    picture((160, 120)).save("p/c.png")
    return tmp_path


def entries(out: str = "cleaned") -> dict[str, Any]:
    report = json.loads(Path(out, "report.json").read_text())
    return {entry["input"]: entry for entry in report["photos"]}


def test_photos_without_a_mask_stay_and_are_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask().save("m/a_mask001.png")
    assert cli.main([*OPTIONS, "--masks", "m", "p"]) == 0
    told = entries()
    assert [told[name]["status"] != "unchanged" for name in told] == [True, False, False]
    assert told["b.png"]["reason"] == "no mask for it in m"
    assert "2 photos have no mask in m and stay as they are: b.png, c.png" in (
        capsys.readouterr().err
    )


def test_no_match_ends_the_run_before_work(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mask().save("m/other.png")
    assert cli.main([*OPTIONS, "--masks", "m", "p"]) == 2
    assert "no photo has a mask in m" in capsys.readouterr().err
    assert not Path("cleaned").exists()


def test_one_file_for_all_cleans_the_photos_of_its_shape(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask((60, 80)).save("m/stamp.png")
    for again in (False, True):
        assert cli.main([*OPTIONS, "--masks", "m/stamp.png", "p"]) == 0
        told = entries()
        assert told["c.png"]["status"] == ("skipped" if again else "unchanged")
        assert "another shape" in told["c.png"]["reason"]
        assert "80 x 60" in told["c.png"]["reason"]
        assert all(told[name]["hole_share"] > 0.02 for name in ("a.png", "b.png"))
        assert "1 photo has another shape than the mask for all photos" in capsys.readouterr().err
    Image.open("p/c.png").save("m/c.png")
    assert cli.main([*OPTIONS, "--masks", "m/stamp.png", "-o", "out", "p/c.png"]) == 1
    assert entries("out")["c.png"]["status"] == "unchanged"
    assert "no photo was cleaned: m/stamp.png: this mask is 80 x 60" in capsys.readouterr().err


def test_masks_in_the_photos_folder_are_never_cleaned(home: Path) -> None:
    mask().save("p/a-mask.png")
    assert cli.main([*OPTIONS, "--masks", "p", "p"]) == 0
    told = entries()
    assert list(told) == ["a.png", "b.png", "c.png"]
    assert told["a.png"]["hole_share"] > 0.02
    assert not Path("cleaned/a-mask.png").exists()


def test_a_mask_that_is_understood_or_refused_is_told(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = np.asarray(mask())
    red = np.zeros((*drawn.shape, 3), np.uint8)
    red[drawn] = (220, 20, 20)
    Image.fromarray(red).save("m/a.png")
    picture(seed=3).save("m/b.png")
    assert cli.main([*OPTIONS, "--masks", "m", "p"]) == 1
    told = entries()
    assert told["a.png"]["warnings"] == ["its own mask: red is removed (it is red on black)"]
    assert told["b.png"]["status"] == "failed"
    assert "m/b.png: this is no mask" in told["b.png"]["error"]
    assert "1 mask is not white on black: red is removed (it is red on black): a.png" in (
        capsys.readouterr().err
    )


def test_the_terminal_says_how_the_commonest_kinds_of_masks_were_understood(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names alone send the user to the report; five ways in one line say nothing."""
    drawn = np.asarray(mask())
    for i, colour in enumerate(["red", "red", "blue", "green", "yellow", "magenta"]):
        picture(seed=i).save(f"p/x{i}.png")
        ground = Image.new("RGB", (drawn.shape[1], drawn.shape[0]))
        ground.paste(colour, mask=mask())
        ground.save(f"m/x{i}.png")
    assert cli.main([*OPTIONS, "--dry-run", "--masks", "m", "p"]) == 0
    lines = capsys.readouterr().err.splitlines()
    told = [line for line in lines if "not white on black" in line or "in another way" in line]
    assert len(told) == 4
    assert told[0].endswith("2 masks are not white on black: red is removed (it is red on black): "
                            "x0.png, x1.png")  # fmt: skip
    assert "2 masks were understood in another way; the report says how: " in told[3]


def test_a_class_beside_masks_removes_nothing_more_and_that_is_told(
    home: Path, red_is_person: None, capsys: pytest.CaptureFixture[str]
) -> None:
    mask().save("m/a.png")
    assert (
        cli.main([*OPTIONS, "--class", "person", "--masks", "m", "-o", "cleaned", "p/a.png"]) == 0
    )
    assert "the masks alone say what is removed" in capsys.readouterr().err
    assert entries()["a.png"]["residue"] is not None


def test_an_empty_mask_is_told(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", picture().size).save("m/a.png")
    mask().save("m/b.png")
    assert cli.main([*OPTIONS, "--masks", "m", "p"]) == 0
    assert entries()["a.png"]["status"] == "unchanged"
    assert entries()["a.png"]["reason"].startswith("its own mask is empty")
    assert "1 mask is empty, and its photo stays as it is: a.png" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("empty", "m/one.png: this mask is empty"),
        ("photo", "m/one.png: this is no mask"),
        ("photoshop", "not a picture of a known kind, but a Photoshop file"),
    ],
)
def test_one_file_that_can_be_no_mask_is_refused_before_any_work(
    kind: str, why: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of a thousand photos failed for the one reason."""
    if kind == "photoshop":
        Path("m/one.png").write_bytes(b"8BPS\0\1" + bytes(20))
    else:
        (Image.new("L", picture().size) if kind == "empty" else picture(seed=3)).save("m/one.png")
    assert cli.main([*OPTIONS, "--masks", "m/one.png", "p"]) == 2
    assert why in capsys.readouterr().err
    assert not Path("cleaned").exists()


def test_masks_of_a_kind_that_is_not_read_are_named(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("m/a.psd").write_bytes(b"8BPS")
    Path("m/b.xcf").write_bytes(b"gimp xcf")
    assert cli.main([*OPTIONS, "--masks", "m", "p"]) == 2
    assert "export as PNG: a.psd, b.xcf; call the mask of a.png" in capsys.readouterr().err
    mask().save("m/b.png")
    assert cli.main([*OPTIONS, "--masks", "m", "--dry-run", "p"]) == 0
    assert "m: 2 pictures are of a kind that is not read, such as PSD; export as PNG" in (
        capsys.readouterr().err
    )


def test_a_mask_that_is_mostly_white_fails_with_a_hint(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inverted = Image.fromarray(~np.asarray(mask()))
    inverted.save("m/a.png")
    assert cli.main([*OPTIONS, "--masks", "m", "-o", "cleaned", "p/a.png"]) == 1
    entry = entries()["a.png"]
    assert entry["status"] == "failed"
    assert "invert it" in entry["error"]
    assert "1 mask removes most of its photo and may be inverted" in capsys.readouterr().err


@pytest.mark.parametrize("turn", [2, 3, 4, 6])
def test_a_mask_on_the_stored_pixels_of_a_turned_photo_is_doubted(
    turn: int, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bright square lies off the middle; the mask covers it on the stored pixels only."""
    stored = np.random.default_rng(0).integers(90, 110, (150, 150, 3)).astype(np.uint8)
    drawn = np.zeros((150, 150), bool)
    drawn[20:60, 30:70] = True
    stored[drawn] = (240, 240, 30)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(stored).save("p/t.jpg", exif=exif, quality=95)
    Image.fromarray(drawn).save("m/t.png")
    assert cli.main([*OPTIONS, "--masks", "m", "-o", "cleaned", "p/t.jpg"]) == 0
    entry = entries()["t.jpg"]
    assert entry["status"] == "review"
    assert "stored pixels" in entry["reason"]
    assert f"EXIF orientation {turn}" in entry["warnings"][0]
    assert "1 mask may be drawn on stored pixels" in capsys.readouterr().err
    # With the same orientation in its own file the mask lies right, and nothing is to be said.
    Image.fromarray(drawn).convert("L").save("m/t.png", exif=exif)
    assert cli.main([*OPTIONS, "--masks", "m", "-o", "right", "p/t.jpg"]) == 0
    right = entries("right")["t.jpg"]
    assert not right["warnings"]
    assert "stored pixels" not in right["reason"]
    # Drawn upright, it is warned of and not doubted.
    upright = Image.open("p/t.jpg")
    seen = np.asarray(upright.transpose(_TURNS[turn]).convert("RGB"))
    Image.fromarray(seen[..., 0] > 180).save("m/t.png")
    assert cli.main([*OPTIONS, "--masks", "m", "-o", "seen", "p/t.jpg"]) == 0
    assert "stored pixels" not in entries("seen")["t.jpg"]["reason"]
    assert len(entries("seen")["t.jpg"]["warnings"]) == 1


@pytest.mark.parametrize("turn", [2, 3, 4])
def test_a_mask_of_a_tiff_that_its_directory_turns_is_warned_of(turn: int, home: Path) -> None:
    """Pillow turns a TIFF's pixels while it loads them, and forgets the orientation."""
    Image.new("RGB", (60, 40), (90, 120, 70)).save("p/t.tif", tiffinfo={274: turn})
    mask = Image.new("L", (60, 40))
    mask.paste(255, (5, 5, 20, 15))
    mask.save("m/t.png")
    assert cli.main([*OPTIONS, "--masks", "m", "-o", "cleaned", "p/t.tif"]) == 0
    assert f"EXIF orientation {turn}" in entries()["t.tif"]["warnings"][0]


def test_a_mask_on_its_side_is_refused_with_the_orientation(home: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture().save("p/t.jpg", exif=exif)
    mask().save("m/t.png")
    assert cli.main([*OPTIONS, "--masks", "m", "-o", "cleaned", "p/t.jpg"]) == 1
    error = entries()["t.jpg"]["error"]
    assert "lie on its side, as the stored pixels do that EXIF orientation 6 turns" in error


_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    6: Image.Transpose.ROTATE_270,
}


def test_masks_in_a_bucket(memory: fsspec.AbstractFileSystem, cheap: None) -> None:
    def content(image: Image.Image) -> bytes:
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()

    memory.pipe("/photos/a.png", content(picture()))
    memory.pipe("/photos/sub/b.png", content(picture(seed=1)))
    memory.pipe("/photos/a_mask.png", content(mask()))
    memory.pipe("/m/SUB/B.PNG", content(mask()))
    memory.pipe("/m/all.png", content(mask()))
    cases = {
        "memory://photos": {"a.png": True, "sub/b.png": False},
        "memory://m": {"a.png": False, "a_mask.png": False, "sub/b.png": True},
        "memory://m/all.png": {"a.png": True, "sub/b.png": True},
    }
    for i, (masks, expected) in enumerate(cases.items()):
        batch = BatchSettings(
            output=parse_location(f"memory://out{i}"), masks=parse_location(masks)
        )
        result = remove_folder([parse_location("memory://photos")], Settings(probe=False), batch)
        assert {p["input"]: p["hole_share"] > 0 for p in result.photos} == expected
    assert PurePosixPath("a_mask.png").name not in str(memory.find("/out0"))
