"""The examples of ``docs/api.md`` run as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from tests.support.scenes import scene
from tools.package_tree import ROOT

EXAMPLES = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), re.M | re.S
)


def test_the_examples_run(
    red_is_person: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("photo.jpg", "photos/a.png"):
        Image.fromarray(scene()).save(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"image": Image.fromarray(scene())}
    for example in EXAMPLES:
        exec(example, names)
    said = capsys.readouterr().out
    with Image.open("clean.png") as clean:
        assert clean.size == scene().shape[1::-1]
    assert (tmp_path / "cleaned" / "report.json").is_file()
    assert "photos to check in" in said
    assert "unknown class 'unicorn'; the classes are: aeroplane" in said
