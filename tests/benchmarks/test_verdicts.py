"""The fit of the score: which rows it counts, and what it finds in them."""

from __future__ import annotations

import json
import re
import sys
from math import exp
from pathlib import Path

import numpy as np
import pytest

from benchmarks.quality import verdicts

pytest.importorskip("scipy")


def rows(count: int = 200) -> list[dict[str, object]]:
    """Cleaned photos whose log error rises by 0.5 with the log of the depth.

    Every other one has a planted leftover, and with it twice the error. The last one is unchanged.
    """
    rng = np.random.default_rng(0)
    found: list[dict[str, object]] = []
    for i in range(count):
        depth, planted = float(np.exp(rng.normal(-2, 0.5))), i % 2 == 0
        found.append(
            {
                "signs": {"depth": depth, "share": 0.1, "probe": None, "certainty": None},
                "probe": None,
                "planted": "part" if planted else None,
                "true_lpips": exp(-1.0 + 0.5 * (np.log(depth) + 2)) * (2 if planted else 1),
            }
        )
    return [*found, {"planted": None}]


def printed(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *more: str
) -> str:
    """What ``fit`` prints."""
    file.write_text("\n".join(json.dumps(row) for row in rows()), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["verdicts", "fit", str(file), *more])
    verdicts.main()
    return capsys.readouterr().out


def test_photos_with_planted_leftovers_are_fitted_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = printed(
        tmp_path / "fit.jsonl", monkeypatch, capsys, "--features", "depth", "--ridge", "0"
    )
    depths = [row["signs"]["depth"] for row in rows()[:-1]]  # type: ignore[index]
    usual = float(np.log(depths).mean())
    expected = -1.0 + 0.5 * (usual + 2) + np.log(2) / 2
    found = re.search(r"USUAL_ERROR = (\S+)", said)
    assert found is not None
    assert float(found[1]) == pytest.approx(expected, abs=1e-3)
    weight = re.search(r'"depth": Weight\((\S+), (\S+),', said)
    assert weight is not None
    assert float(weight[1]) == pytest.approx(usual, abs=1e-3)
    assert float(weight[2]) == pytest.approx(0.5, abs=0.1)


def test_an_equal_share_is_flagged_whatever_the_scores_are() -> None:
    scores = np.random.default_rng(1).uniform(size=100)
    for each in (scores, 10 * scores, np.log(scores)):
        assert verdicts.highest(each).sum() == 32
        assert each[verdicts.highest(each)].min() > each[~verdicts.highest(each)].max()
