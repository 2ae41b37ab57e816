"""The examples of ``docs/api.md`` run as they stand there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.scenes import scene
from tools.package_tree import ROOT

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.M | re.S
)


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """What an example sets up for logging is taken back."""
    package, root = logging.getLogger("remove_objects"), logging.getLogger()
    before = package.level, root.handlers[:]
    yield
    package.setLevel(before[0])
    root.handlers[:] = before[1]


def test_the_examples_run(
    red_is_person: None,
    logging_restored: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "photos/a.png"):
        Image.fromarray(scene()).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    mask = np.zeros(scene().shape[:2], bool)
    mask[10:30, 10:40] = True
    Image.fromarray(mask).save("mask.png")
    names: dict[str, object] = {}
    assert len(EXAMPLES) >= 5
    for example in EXAMPLES:
        exec(example, names)
    said = capsys.readouterr().out
    with Image.open("clean.png") as clean:
        assert clean.size == scene().shape[1::-1]
    assert names["outcome"].mask[mask].all()
    assert (tmp_path / "cleaned" / "report.json").is_file()
    assert "photos to check in" in said
    assert "1 of 1: a.png ok, " in said
    assert f"{Path('without-people', 'report.json')}\n" in said
    assert "unknown class 'unicorn'; the classes are: aeroplane" in said
    assert logging.getLogger("remove_objects").level == logging.INFO
