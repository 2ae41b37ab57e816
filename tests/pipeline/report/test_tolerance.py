"""The user's overrides of tolerances."""

from __future__ import annotations

import pytest

from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report.tolerance import DEFAULTS, tolerances


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("beauty=1", "no metric 'beauty'"),
        ("truth.psnr", "got 'truth.psnr'"),
        ("truth.psnr=-1", "at least 0"),
        ("truth.psnr=nan", "at least 0"),
        ("mean.holes=1", "no metric 'mean.holes'"),
        ("seam=much", "got 'seam=much'"),
    ],
)
def test_a_wrong_tolerance_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace(".", r"\.")):
        tolerances([text])


def test_an_override_replaces_one_number() -> None:
    changed = tolerances(["seam=2", " mean.seam = 0.5"])
    assert (changed["seam"].photo, changed["seam"].mean) == (2.0, 0.5)
    assert {k: v for k, v in changed.items() if k != "seam"} == {
        k: v for k, v in DEFAULTS.items() if k != "seam"
    }
