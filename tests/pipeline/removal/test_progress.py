"""The stages of a removal: announced in order, timed, and cancelled by the callback."""

from __future__ import annotations

import pytest

from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.removal.progress import Stages
from remove_objects.pipeline.removal.request import Removal
from remove_objects.pipeline.remover import ObjectRemover
from remove_objects.pipeline.types import Photo
from tests.support.scenes import two_people


def test_progress_names_each_stage_once_it_starts(red_is_person: None) -> None:
    remover, steps = ObjectRemover(Settings(compare=("telea",))), []
    removal = Removal.from_settings(remover.settings, ["person"])
    outcome = remover.clean(
        Photo(two_people()), removal, progress=lambda share, stage: steps.append((share, stage))
    )
    assert len(outcome.holes) == 2
    of_a_hole = ["inpaint", "probe", "compare"]
    assert [stage for _, stage in steps] == ["segment", "faces", *2 * of_a_hole, "measure"]
    shares = [share for share, _ in steps]
    assert shares == sorted(shares)
    assert shares == pytest.approx([0, 0.05, 0.1, 0.26, 0.38, 0.5, 0.66, 0.78, 0.95])
    assert set(outcome.stages) == {stage for _, stage in steps}


def test_a_stage_without_a_share_is_timed_and_not_announced() -> None:
    steps: list[tuple[float, str]] = []
    stages = Stages(lambda share, stage: steps.append((share, stage)))
    with stages("inpaint"), stages.of_hole(1, 2)("probe", 0.5):
        pass
    assert steps == [(pytest.approx(0.7), "probe")]
    assert list(stages.watch.stages) == ["inpaint", "probe"]
