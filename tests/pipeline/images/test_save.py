"""A photo's outcome on disk: encoded, copied or stripped, with its fidelity."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remove_objects.pipeline import images
from remove_objects.pipeline.errors import UnwritableError
from remove_objects.pipeline.images import SaveOptions
from remove_objects.pipeline.system.atomic import Placement
from remove_objects.pipeline.types import Fidelity, Outcome, Photo, Status
from tests.support.scenes import scene

UNCHANGED = Outcome(Status.UNCHANGED, "nothing of the classes", warnings=("a warning",))


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    exif = Image.Exif()
    exif[0x010F] = "a maker"
    Image.fromarray(scene()).save(tmp_path / "photo.jpg", exif=exif)
    return images.read_photo(tmp_path / "photo.jpg")


def test_an_unchanged_photo_is_copied_byte_for_byte(photo: Photo, tmp_path: Path) -> None:
    seen: list[tuple[str, bytes]] = []

    def before(part: Path, final: Path) -> None:
        seen.append((final.name, part.read_bytes()))

    saved = images.save_outcome(
        photo,
        UNCHANGED,
        tmp_path / "o.jpg",
        SaveOptions(lossless=True),
        placement=Placement(before=before),
    )
    assert saved.path.read_bytes() == (tmp_path / "photo.jpg").read_bytes()
    assert seen == [("o.jpg", saved.path.read_bytes())]
    assert saved.outcome.fidelity == Fidelity(0, None)
    assert (saved.outcome.reason, saved.outcome.warnings) == (UNCHANGED.reason, ("a warning",))


def test_a_stripped_copy_keeps_its_pixels_and_says_so(photo: Photo, tmp_path: Path) -> None:
    saved = images.save_outcome(photo, UNCHANGED, tmp_path / "o.jpg", SaveOptions(strip=True))
    assert b"a maker" not in saved.path.read_bytes()
    np.testing.assert_array_equal(images.read_photo(saved.path).rgb, photo.rgb)
    assert saved.outcome.reason == "nothing of the classes; its metadata was removed"


@pytest.mark.parametrize(("lossless", "name"), [(False, "o.jpg"), (True, "o.jpg.png")])
def test_a_result_is_encoded_and_measured(
    lossless: bool, name: str, photo: Photo, tmp_path: Path
) -> None:
    mask = np.zeros(photo.size, bool)
    mask[32:64, 48:96] = True
    outcome = Outcome(Status.OK, "", result=np.full_like(photo.rgb, 120), mask=mask)
    saved = images.save_outcome(photo, outcome, tmp_path / "o.jpg", SaveOptions(lossless))
    assert saved.path == tmp_path / name
    assert saved.outcome.fidelity is not None
    assert (saved.outcome.fidelity.changed_outside == 0) == lossless
    written = images.read_photo(saved.path).rgb
    assert np.abs(written[40:56, 64:80].astype(int) - 120).max() < 4


def test_a_failed_outcome_and_a_copy_of_no_file_are_refused(photo: Photo, tmp_path: Path) -> None:
    target = tmp_path / "o.jpg"
    with pytest.raises(UnwritableError, match="there is no result to save: too dark"):
        images.save_outcome(photo, Outcome(Status.FAILED, "too dark"), target, SaveOptions())
    with pytest.raises(UnwritableError, match="came from no file"):
        images.save_outcome(replace(photo, path=None), UNCHANGED, target, SaveOptions())
    assert not target.exists()
