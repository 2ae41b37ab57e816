"""The plan of a run: its photos, the places of its results, and refusals before any work."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest

from remove_objects.pipeline.batch import names
from remove_objects.pipeline.batch.names import mask_names
from remove_objects.pipeline.batch.scan import PlannedPhoto, plan_run
from remove_objects.pipeline.errors import UsageError
from tests.support.plans import relatives, touch


def test_a_folder_is_searched_in_order_and_keeps_its_tree(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    touch(
        photos, "b.JPG", "a.png", "sub/deep/c.tiff", "sub/a.webp", "notes.txt", "film.mp4", "d.HeIc"
    )
    plan = plan_run([photos])
    assert relatives(plan) == ["a.png", "b.JPG", "d.HeIc", "sub/a.webp", "sub/deep/c.tiff"]
    assert plan.output == tmp_path / "cleaned"
    assert plan.photos[4] == PlannedPhoto(
        photos / "sub/deep/c.tiff",
        PurePosixPath("sub/deep/c.tiff"),
        tmp_path / "cleaned/sub/deep/c.tiff",
        tmp_path / "cleaned/masks/sub/deep/c.png",
        (PurePosixPath("sub/deep/c.tiff"),),
        PurePosixPath("masks/sub/deep/c.png"),
        str(photos / "sub/deep/c.tiff"),
    )
    assert plan.notes == plan.told == (f"{photos}: passed over 1 .mp4 (video), 1 other file",)
    assert plan == plan_run([photos])


@pytest.mark.parametrize(
    "suffix",
    [
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "png",
        "webp",
        "bmp",
        "tif",
        "tiff",
        "gif",
        "heic",
        "heif",
        "hif",
        "avif",
    ],
)
def test_every_kind_of_photo_is_found(suffix: str, tmp_path: Path) -> None:
    touch(tmp_path / "p", f"a.{suffix}", f"b.{suffix.upper()}")
    assert len(plan_run([tmp_path / "p"]).photos) == 2


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "._a.jpg", ".DS_Store", ".git/b.jpg", ".thumbs/c.png")
    plan = plan_run([tmp_path / "p"])
    assert (relatives(plan), plan.notes) == (["a.jpg"], ())


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (["d/a.jpg"], "d/cleaned"),
        (["d"], "cleaned"),
        (["d/a.jpg", "d/b.jpg"], "d/cleaned"),
        (["d", "e", "x.jpg"], "cleaned"),
    ],
)
def test_the_default_output_lies_beside_the_input(
    inputs: list[str], expected: str, tmp_path: Path
) -> None:
    touch(tmp_path, "d/a.jpg", "d/b.jpg", "e/c.jpg", "x.jpg")
    assert plan_run([tmp_path / name for name in inputs]).output == tmp_path / expected


def test_relative_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path / "p", "a.jpg", "sub/b.jpg")
    monkeypatch.chdir(tmp_path / "p")
    assert plan_run([Path(".")]).output == tmp_path / "cleaned"
    assert plan_run([Path("a.jpg")]).output == tmp_path / "p" / "cleaned"
    assert plan_run([Path("sub/..")]).output == tmp_path / "cleaned"
    assert relatives(plan_run([Path(".")], Path("out"))) == ["a.jpg", "sub/b.jpg"]
    assert plan_run([Path(".")], Path("out")).output == tmp_path / "p" / "out"


def test_inputs_of_different_folders_need_an_output(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.jpg", "b/c/y.jpg")
    with pytest.raises(UsageError, match=r"different folders.*--output"):
        plan_run([tmp_path / "a", tmp_path / "b" / "c"])
    plan = plan_run([tmp_path / "a", tmp_path / "b" / "c"], tmp_path / "out")
    assert relatives(plan) == ["a/x.jpg", "c/y.jpg"]


def test_output_inside_the_input_is_never_searched(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "a.jpg",
        "cleaned/a.jpg",
        "cleaned/masks/a.png",
        "cleaned/report.json",
        "sub/cleaned/b.jpg",
    )
    assert relatives(plan_run([tmp_path], tmp_path / "cleaned")) == ["a.jpg", "sub/cleaned/b.jpg"]


def test_excluded_folders_are_never_searched(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "masks/a.png")
    assert relatives(plan_run([tmp_path / "p"], exclude=[tmp_path / "p" / "masks"])) == ["a.jpg"]


@pytest.mark.parametrize(
    ("given", "output"), [("m", "m"), ("out/m", "out"), ("out/deep/m", "out"), ("link", "m")]
)
def test_results_never_land_among_masks_or_ground_truth(
    given: str, output: str, tmp_path: Path
) -> None:
    touch(tmp_path, "p/a.jpg", "m/a.png", "out/m/a.png", "out/deep/m/a.png")
    (tmp_path / "link").symlink_to(tmp_path / "m")
    with pytest.raises(UsageError, match=r"the output folder .* name another folder"):
        plan_run([tmp_path / "p"], tmp_path / output, exclude=[tmp_path / given])


def test_an_output_below_the_masks_is_no_mask(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "m/a.png")
    assert plan_run([tmp_path / "p"], tmp_path / "m" / "out", exclude=[tmp_path / "m"]).photos


@pytest.mark.parametrize(
    ("inputs", "output", "match"),
    [
        (["p"], "p", "both input and output"),
        (["p/sub"], "p", "inside the output folder"),
        (["p/a.jpg"], "p", "inside the output folder"),
        (["p", "q"], "q", "both input and output"),
        (["p"], "p/a.jpg", "must be a folder"),
        (["missing"], None, "no such file or folder"),
        (["p", "gone.jpg"], None, "no such file or folder"),
        ([], None, "no input"),
    ],
)
def test_calls_that_cannot_work(
    inputs: list[str], output: str | None, match: str, tmp_path: Path
) -> None:
    touch(tmp_path, "p/a.jpg", "p/sub/b.jpg", "q/c.jpg")
    with pytest.raises(UsageError, match=match):
        plan_run(
            [tmp_path / name for name in inputs], None if output is None else tmp_path / output
        )


def test_a_folder_named_cleaned_needs_another_output(tmp_path: Path) -> None:
    touch(tmp_path, "cleaned/a.jpg")
    with pytest.raises(UsageError, match=r"both input and output.*--output"):
        plan_run([tmp_path / "cleaned"])


def test_no_photo_at_all(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.txt")
    with pytest.raises(UsageError, match=r"no photo in .*looked for .*\.jpg.*passed over 1 other"):
        plan_run([tmp_path / "p"])
    with pytest.raises(UsageError, match="not a photo by its name"):
        plan_run([tmp_path / "p" / "a.txt"])


def test_photos_of_one_name_in_two_folders_lie_side_by_side(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.jpg", "b/x.jpg")
    for inputs in (["a", "b"], ["a/x.jpg", "b/x.jpg"]):
        plan = plan_run([tmp_path / name for name in inputs], tmp_path / "out")
        assert relatives(plan) == ["a/x.jpg", "b/x.jpg"]
        assert [str(p.mask_target.relative_to(tmp_path / "out")) for p in plan.photos] == [
            "masks/a/x.png",
            "masks/b/x.png",
        ]
        # A mask named x.png could be either photo's, so it is neither's.
        assert plan.photos[0].given_names == (PurePosixPath("a/x.jpg"),)


def test_names_that_differ_in_case_only_collide_where_the_disk_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "p", "x.jpg", "X.jpg")
    if len(os.listdir(tmp_path / "p")) < 2:
        pytest.skip("this disk folds case itself")
    assert len(plan_run([tmp_path / "p"]).photos) == 2
    monkeypatch.setattr(names, "_folds_case", lambda _: True)
    with pytest.raises(UsageError, match="would both write"):
        plan_run([tmp_path / "p"])


def test_a_disk_that_folds_case_is_recognised(tmp_path: Path) -> None:
    folder = tmp_path / "Photos"
    folder.mkdir()
    assert names._folds_case(folder / "not" / "yet") == (tmp_path / "pHOTOS").exists()
    # Such a disk shows the folder under both names.
    (tmp_path / "pHOTOS").symlink_to(folder, target_is_directory=True)
    assert names._folds_case(folder / "not" / "yet")


def test_the_same_photo_given_twice_counts_once(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "sub/b.jpg")
    assert relatives(plan_run([tmp_path / "p" / "a.jpg", tmp_path / "p" / "a.jpg"])) == ["a.jpg"]
    assert relatives(plan_run([tmp_path / "p", tmp_path / "p" / "a.jpg"], tmp_path / "out")) == [
        "a.jpg",
        "sub/b.jpg",
    ]
    assert relatives(plan_run([tmp_path / "p", tmp_path / "p" / "sub"], tmp_path / "out")) == [
        "a.jpg",
        "sub/b.jpg",
    ]


def test_lossless_keeps_the_names_of_its_pngs_free(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg", "a.jpg.png")
    assert len(plan_run([tmp_path / "p"]).photos) == 2
    with pytest.raises(UsageError, match=r"a\.jpg\.png"):
        plan_run([tmp_path / "p"], lossless=True)


def test_links(tmp_path: Path) -> None:
    touch(tmp_path, "p/a.jpg", "elsewhere/b.jpg")
    p = tmp_path / "p"
    (p / "loop").symlink_to(p, target_is_directory=True)
    (p / "away").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (p / "linked.jpg").symlink_to(tmp_path / "elsewhere" / "b.jpg")
    (p / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    plan = plan_run([p])
    assert relatives(plan) == ["a.jpg", "linked.jpg"]
    assert plan.told == (f"{p}: passed over 2 links to folders, 1 broken link",)
    (tmp_path / "link").symlink_to(p, target_is_directory=True)
    assert plan_run([tmp_path / "link"]).output == tmp_path / "cleaned"


def test_an_output_that_reaches_an_input_through_a_link_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "p/sub/a.jpg", "out/x")
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "p" / "sub", target_is_directory=True)
    with pytest.raises(
        UsageError,
        match=r"out/sub: is a link to .*; remove it, or name another folder with --output",
    ):
        plan_run([tmp_path / "p"], tmp_path / "out")
    (tmp_path / "alias").symlink_to(tmp_path / "p", target_is_directory=True)
    with pytest.raises(UsageError, match="both input and output"):
        plan_run([tmp_path / "p"], tmp_path / "alias")
    touch(tmp_path, "clean/a.jpg", "q/b.jpg")
    (tmp_path / "q" / "a.jpg").symlink_to(tmp_path / "clean" / "a.jpg")
    with pytest.raises(UsageError, match="would overwrite the input"):
        plan_run([tmp_path / "q"], tmp_path / "clean")


def test_pipes_and_devices_are_never_opened(tmp_path: Path) -> None:
    touch(tmp_path / "p", "a.jpg")
    os.mkfifo(tmp_path / "p" / "pipe.jpg")
    (tmp_path / "p" / "null.jpg").symlink_to("/dev/null")
    assert relatives(plan_run([tmp_path / "p"])) == ["a.jpg"]
    with pytest.raises(UsageError, match="neither a file nor a folder"):
        plan_run([tmp_path / "p" / "pipe.jpg"])


def test_a_folder_that_cannot_be_listed_is_a_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path / "p", "a.jpg", "closed/b.jpg")
    real = os.scandir

    def guarded(path: Path) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    plan = plan_run([tmp_path / "p"])
    assert relatives(plan) == ["a.jpg"]
    assert plan.notes == (
        f"{tmp_path / 'p' / 'closed'}: cannot be listed (Permission denied), left out",
    )


def test_odd_names(tmp_path: Path) -> None:
    names = ["-rf.jpg", "a b\n.jpg", "ümlaut.jpg", "two.dots.jpg", os.fsdecode(b"latin-\xff.jpg")]
    touch(tmp_path / "p", *names)
    plan = plan_run([tmp_path / "p"])
    assert sorted(relatives(plan)) == sorted(names)
    assert all(photo.target.parent == plan.output for photo in plan.photos)
    assert len({photo.mask_target for photo in plan.photos}) == 5


@pytest.mark.parametrize(
    ("photos", "masks"),
    [
        (["a.jpg", "sub/b.png"], ["masks/a.png", "masks/sub/b.png"]),
        (["a.jpg", "a.png", "b.jpg"], ["masks/a.jpg.png", "masks/a.png.png", "masks/b.png"]),
        (["A.jpg", "a.png"], ["masks/A.jpg.png", "masks/a.png.png"]),
        # One name to a disk of macOS, in Unicode's two spellings.
        (["\xe9.jpg", "e\u0301.png"], ["masks/\xe9.jpg.png", "masks/e\u0301.png.png"]),
        (["x/a.jpg", "y/a.jpg"], ["masks/x/a.png", "masks/y/a.png"]),
        (
            ["a.jpg", "a.jpg.png", "a.png"],
            ["masks/a.jpg.png", "masks/a.jpg.png.png", "masks/a.png.png"],
        ),
        (["a.jpg", "masks/a.png"], ["masks/a.jpg.png", "masks/masks/a.png"]),
    ],
)
def test_mask_names_are_short_where_they_can_be_and_always_unique(
    photos: list[str], masks: list[str]
) -> None:
    assert [str(name) for name in mask_names([PurePosixPath(photo) for photo in photos])] == masks
