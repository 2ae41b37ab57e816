"""The comparison with an earlier report.

Every rule on both sides of its tolerance, wrong baselines, and two planted faults end to end.
"""

from __future__ import annotations

import copy
import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from remove_objects.models.checkpoint import save_weights, sha256
from remove_objects.models.compression import CompressionNetwork
from remove_objects.models.partial_conv_unet import PartialConvUNet
from remove_objects.models.shipped import FOLDER as SHIPPED
from remove_objects.models.shipped import load_shipped
from remove_objects.pipeline import cli
from remove_objects.pipeline.detect.mask import dilate
from remove_objects.pipeline.errors import UsageError
from remove_objects.pipeline.report.baseline import Comparison, compare, load_baseline
from remove_objects.pipeline.report.terminal import baseline_table
from remove_objects.pipeline.report.tolerance import DEFAULTS, Worse, tolerances

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = ROOT / "sample_images"

HOLE = {
    "box": [100, 50, 200, 100],
    "share": 0.1,
    "route": "free-form",
    "why": "",
    "seam": 1.5,
    "score": 0.2,
    "signs": {
        "depth": 0.1,
        "structure": 0.02,
        "variety": 13.0,
        "segmented": 1.0,
        "certainty": 0.9,
        "unsure": 0.1,
    },
    "probe": {"l1": 0.05, "psnr": 22.0, "ssim": 0.7, "lpips": 0.1},
}
ENTRY = {
    "input": "a.jpg",
    "output": "a.jpg",
    "mask": None,
    "status": "ok",
    "reason": "",
    "classes": {},
    "hole_share": 0.1,
    "fidelity": {"changed_outside": 2000, "psnr_outside": 56.0},
    "residue": 0.01,
    "score": 0.2,
    "truth": {"l1": 0.05, "psnr": 20.0, "ssim": 0.6, "lpips": 0.15},
    "seconds": 1.0,
    "stages": {},
    "error": None,
    "warnings": [],
    "holes": [HOLE],
}


def entry(**changes: Any) -> dict[str, Any]:
    """``ENTRY`` with other metrics.

    Args:
        changes: values by key; ``truth__psnr`` is a key one level down, and metrics of holes are
            set in the only hole.
    """
    changed = copy.deepcopy(ENTRY)
    for name, value in changes.items():
        first, _, second = name.partition("__")
        if first in ("box", "route", "seam", "signs", "probe"):
            row: dict[str, Any] = changed["holes"][0]  # type: ignore[index]
        else:
            row = changed
        if second:
            row[first][second] = value
        else:
            row[first] = value
    return changed


def report(*photos: dict[str, Any], **run: Any) -> dict[str, Any]:
    """A report of these entries."""
    return {"schema_version": 1, "run": run, "photos": list(photos)}


def against(now: dict[str, Any], before: dict[str, Any] = ENTRY, *overrides: str) -> Comparison:
    """Compare two runs of one photo."""
    return compare(report(now), report(before), tolerances(overrides))


def named(comparison: Comparison) -> list[str]:
    """The metrics that got worse."""
    return [change.metric for change in comparison.worse]


#: By metric: its key for ``entry``, and its value in ``ENTRY``.
PLACES: dict[str, tuple[str, float]] = {
    "hole_share": ("hole_share", 0.1),
    "residue": ("residue", 0.01),
    "seam": ("seam", 1.5),
    "score": ("score", 0.2),
    **{f"probe.{k}": (f"probe__{k}", v) for k, v in HOLE["probe"].items()},  # type: ignore[attr-defined]
    **{f"truth.{k}": (f"truth__{k}", v) for k, v in ENTRY["truth"].items()},  # type: ignore[attr-defined]
    "fidelity.psnr_outside": ("fidelity__psnr_outside", 56.0),
}


def test_every_metric_is_tested_here() -> None:
    assert {*PLACES, "holes", "boxes", "fidelity.changed_outside"} == set(DEFAULTS)


def test_a_run_is_no_worse_than_itself() -> None:
    comparison = against(entry())
    assert comparison == Comparison(photos=1)
    assert "0 worse" in baseline_table(comparison, "b.json")


@pytest.mark.parametrize("metric", PLACES)
def test_each_metric_fails_past_its_tolerance_and_not_before(metric: str) -> None:
    key, value = PLACES[metric]
    allowed = DEFAULTS[metric]
    away = -1 if allowed.worse is Worse.LOWER else 1
    assert not against(entry(**{key: value + away * allowed.photo})).worse
    assert named(against(entry(**{key: value + away * (allowed.photo + 1e-4)}))) == [metric]
    gained = against(entry(**{key: value - away * (allowed.photo + 1e-4)}))
    if allowed.worse is Worse.EITHER:
        assert named(gained) == [metric]
    else:
        assert not gained.worse
        assert [change.metric for change in gained.better] == [metric]


@pytest.mark.parametrize("metric", PLACES)
def test_an_override_loosens_and_tightens(metric: str) -> None:
    key, value = PLACES[metric]
    for offset in (DEFAULTS[metric].photo * 2, DEFAULTS[metric].photo / 2):
        moved = [
            against(entry(**{key: value + sign * offset}), ENTRY, override)
            for sign in (-1, 1)
            for override in (f"{metric}=0", f"{metric}=99")
        ]
        assert [named(c) for c in moved].count([metric]) == (
            2 if DEFAULTS[metric].worse is Worse.EITHER else 1
        )
        assert not moved[1].worse
        assert not moved[3].worse


@pytest.mark.parametrize("metric", PLACES)
def test_an_unknown_metric_is_not_compared_and_a_lost_one_is_noted(metric: str) -> None:
    key, _ = PLACES[metric]
    lost, gained = against(entry(**{key: None})), against(entry(), entry(**{key: None}))
    assert not lost.worse
    assert (
        sum(
            note.startswith(f"{metric}: known in the baseline and not now, in 1 photo")
            for note in lost.notes
        )
        == 1
    )
    assert not gained.worse
    assert not [note for note in gained.notes if note.startswith(f"{metric}:")]


@pytest.mark.parametrize(
    ("before", "now", "worse"),
    [
        ("ok", "review", True),
        ("ok", "failed", True),
        ("review", "failed", True),
        ("unchanged", "failed", True),
        ("ok", "unchanged", True),
        ("review", "unchanged", True),
        ("review", "ok", False),
        ("failed", "ok", False),
        ("failed", "review", False),
    ],
)
@pytest.mark.parametrize("rerun", ["no", "says the status", "says the reason alone"])
def test_a_verdict_gets_worse_and_better(before: str, now: str, worse: bool, rerun: str) -> None:
    later = {
        "no": entry(status=now),
        "says the status": entry(status="skipped", earlier_status=now, reason="in other words"),
        # Before version 0.2.0.
        "says the reason alone": entry(
            status="skipped", reason=f"finished in an earlier run as {now}: why"
        ),
    }[rerun]
    comparison = against(later, entry(status=before))
    changes = comparison.worse if worse else comparison.better
    assert [(c.metric, c.before, c.now) for c in changes] == [("status", before, now)]
    assert not (comparison.better if worse else comparison.worse)


def test_an_unknown_earlier_verdict_is_not_compared() -> None:
    assert against(entry(status="skipped", reason="somebody else's words")) == Comparison(photos=1)


def test_verdicts_and_scores_from_other_metrics_are_not_compared() -> None:
    comparison = against(entry(status="review", score=9.0, probe__lpips=None))
    assert not comparison.worse
    assert any("ok in the baseline and review now" in note for note in comparison.notes)


def test_an_object_that_only_one_run_detects_is_a_changed_mask() -> None:
    empty = entry(
        status="unchanged",
        hole_share=0.0,
        holes=[],
        residue=None,
        score=None,
        truth=None,
        fidelity={"changed_outside": 0, "psnr_outside": None},
    )
    assert set(named(against(entry(), empty))) >= {"hole_share", "holes", "boxes"}
    assert named(against(empty)) == ["status", "holes", "boxes", "hole_share"]


def test_a_missing_photo_is_worse_and_a_new_one_is_mentioned() -> None:
    other = entry(input="b.jpg")
    missing = compare(report(entry()), report(entry(), other), tolerances())
    assert [(c.photo, c.metric) for c in missing.worse] == [("b.jpg", "presence")]
    new = compare(report(entry(), other), report(entry()), tolerances())
    assert not new.worse
    assert new.notes == ["1 photo not in the baseline: b.jpg"]


def test_a_shifted_mask_of_equal_area_is_caught() -> None:
    assert not against(entry(box=[101, 50, 200, 100])).worse
    assert named(against(entry(box=[110, 50, 200, 100]))) == ["boxes"]


def test_one_hole_more_or_less_is_caught() -> None:
    speck = {**HOLE, "box": [310, 50, 2, 2]}
    assert named(against(entry(holes=[HOLE, speck]))) == ["holes"]
    assert named(against(entry(), entry(holes=[HOLE, speck]))) == ["holes"]


def test_another_route_is_caught_at_the_hole_that_has_it() -> None:
    (change,) = against(entry(route="edge")).worse
    assert (change.metric, change.before, change.now) == ("routes", "free-form", "edge")
    far = {**HOLE, "box": [400, 50, 100, 100], "route": "edge"}
    # Only their order differs.
    assert not against(entry(holes=[far, HOLE]), entry(holes=[HOLE, far])).worse
    swapped = [{**HOLE, "route": "edge"}, {**far, "route": "free-form"}]
    assert named(against(entry(holes=swapped), entry(holes=[HOLE, far]))) == ["routes", "routes"]


def test_a_lossless_file_may_not_change_by_one_pixel_and_a_lossy_one_by_its_codec() -> None:
    lossless = entry(fidelity={"changed_outside": 0, "psnr_outside": None})
    assert named(
        against(entry(fidelity={"changed_outside": 1, "psnr_outside": 90.0}), lossless)
    ) == ["fidelity.changed_outside"]
    assert not against(lossless, lossless).worse
    assert not against(entry(fidelity__changed_outside=90_000)).worse
    assert [c.metric for c in against(lossless).better] == ["fidelity.psnr_outside"]


def test_a_failed_photo_has_no_metrics_to_compare() -> None:
    failed = entry(
        status="failed",
        error="broken",
        hole_share=0.0,
        holes=[],
        residue=None,
        score=None,
        truth=None,
        fidelity=None,
    )
    assert named(against(failed)) == ["status"]
    assert against(failed, failed) == Comparison(photos=1)


def test_the_worst_hole_counts() -> None:
    better = {
        **HOLE,
        "box": [400, 50, 100, 100],
        "seam": 1.0,
        "probe": {"l1": 0.01, "psnr": 30.0, "ssim": 0.9, "lpips": 0.01},
    }
    assert not against(
        entry(holes=[HOLE, {**better, "seam": 1.4}]), entry(holes=[HOLE, better])
    ).worse
    assert named(
        against(entry(holes=[HOLE, {**better, "seam": 9.0}]), entry(holes=[HOLE, better]))
    ) == ["seam"]


def test_a_small_loss_everywhere_is_a_loss() -> None:
    names = [f"{i}.jpg" for i in range(5)]
    loss = (DEFAULTS["truth.psnr"].photo + (DEFAULTS["truth.psnr"].mean or 0)) / 2
    before = report(*(entry(input=n) for n in names))
    comparison = compare(
        report(*(entry(input=n, truth__psnr=20.0 - loss) for n in names)), before, tolerances()
    )
    assert [(c.photo, c.metric) for c in comparison.worse] == [("mean of 5", "mean.truth.psnr")]
    one = compare(
        report(entry(input="0.jpg", truth__psnr=20.0 - loss), *(entry(input=n) for n in names[1:])),
        before,
        tolerances(),
    )
    assert not one.worse
    assert not compare(
        report(*(entry(input=n, truth__psnr=20.0 - loss) for n in names)),
        before,
        tolerances(["mean.truth.psnr=9"]),
    ).worse


def test_seconds_never_fail() -> None:
    comparison = compare(
        report(entry(seconds=999.0), seconds=999.0), report(entry(), seconds=1.0), tolerances()
    )
    assert not comparison.worse
    assert comparison.notes == ["999.0 s, the baseline took 1.0 s; time never fails"]


def test_other_settings_and_weights_are_noted() -> None:
    now = report(
        entry(), settings={"threshold": 0.6, "workers": 2, "compare": []}, weights={"box": "b" * 64}
    )
    before = report(
        entry(), settings={"threshold": 0.5, "workers": 8, "compare": []}, weights={"box": "a" * 64}
    )
    comparison = compare(now, before, tolerances())
    assert comparison.notes == [
        "setting threshold: 0.5 in the baseline, 0.6 now",
        "weight box: aaaaaaaa in the baseline, bbbbbbbb now",
    ]


def test_the_table_says_what_got_worse_its_change_and_its_tolerance() -> None:
    photos = [entry(input=f"{i}.jpg", truth__psnr=30.0) for i in range(12)]
    now = [entry(input="evil\x1b[31m.jpg", truth__psnr=12.25), *photos]
    comparison = compare(
        report(*now),
        report(entry(input="evil\x1b[31m.jpg"), *(entry(input=p["input"]) for p in photos)),
        tolerances(),
    )
    lines = baseline_table(comparison, "b.json").splitlines()
    row = next(line for line in lines if "evil" in line)
    assert row.split() == [
        "evil\\x1b[31m.jpg",
        "truth.psnr",
        "20",
        "12.25",
        "-7.75",
        f"{DEFAULTS['truth.psnr'].photo:g}",
    ]
    assert "and 5 more got better" in lines[-1]  # twelve photos and their mean
    assert "\x1b" not in "".join(lines)


def damaged(change: Callable[[dict[str, Any]], object]) -> str:
    """A report as JSON after a change."""
    changed = report(entry())
    change(changed)
    return json.dumps(changed)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("\x00\xff", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no schema_version"),
        ("{}", "no schema_version"),
        (damaged(lambda r: r.update(schema_version=2)), "schema version 2"),
        (damaged(lambda r: r.update(schema_version="1")), "schema version '1'"),
        (damaged(lambda r: r.update(photos=[])), "no photos"),
        (damaged(lambda r: r.pop("photos")), "no photos"),
        (damaged(lambda r: r["photos"].append("b.jpg")), "photo 2 is damaged"),
        (damaged(lambda r: r["photos"][0].pop("input")), "photo 1 is damaged"),
        (damaged(lambda r: r["photos"][0].update(status="fine")), "photo 1 is damaged"),
        (damaged(lambda r: r["photos"][0].update(residue="low")), "'low' is not a number"),
        (damaged(lambda r: r["photos"][0].update(truth=3)), "photo 1 is damaged"),
        (damaged(lambda r: r["photos"][0]["holes"][0].update(box=[1, 2])), "photo 1 is damaged"),
        (damaged(lambda r: r["photos"][0]["holes"][0].pop("route")), "photo 1 is damaged"),
        (damaged(lambda r: r.update(run=[])), "'run' is damaged"),
        (damaged(lambda r: r.update(run={"weights": "all"})), "'weights' is damaged"),
    ],
)
def test_a_wrong_baseline_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str, red_is_person: None
) -> None:
    (tmp_path / "b.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError, match=says):
        load_baseline(tmp_path / "b.json")
    (tmp_path / "photos").mkdir()
    assert (
        cli.main(
            ["--class", "person", "--baseline", str(tmp_path / "b.json"), str(tmp_path / "photos")]
        )
        == 2
    )
    assert says in capsys.readouterr().err
    assert not (tmp_path / "cleaned").exists()


def test_a_missing_baseline_and_tolerances_without_one_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("none.json", "."):
        with pytest.raises(UsageError, match="cannot be read"):
            load_baseline(tmp_path / name)
    assert cli.main(["--class", "person", "--tolerance", "seam=1", str(tmp_path)]) == 2
    assert "--baseline" in capsys.readouterr().err


def test_a_second_run_compares_as_well_as_the_first(
    tmp_path: Path, red_is_person: None, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    from tests.support.scenes import scene

    (tmp_path / "in").mkdir()
    Image.fromarray(scene()).save(tmp_path / "in" / "a.png")
    command = ["--class", "person", "-o", str(tmp_path / "out"), str(tmp_path / "in")]
    assert cli.main(command) == 0
    shutil.copy(tmp_path / "out" / "report.json", tmp_path / "b.json")
    guarded = ["--baseline", str(tmp_path / "b.json"), *command]
    assert cli.main(guarded) == 0
    printed = capsys.readouterr().out
    assert "0 worse, 0 better" in printed
    assert "1 skipped" in printed.splitlines()
    changed = json.loads((tmp_path / "b.json").read_text())
    changed["photos"][0]["holes"][0]["seam"] = 0.0
    (tmp_path / "b.json").write_text(json.dumps(changed))
    assert cli.main(guarded) == 1
    assert "seam" in capsys.readouterr().out
    assert cli.main(["-q", *guarded]) == 1
    assert "seam" in capsys.readouterr().err
    assert cli.main(["--tolerance", "seam=99", *guarded]) == 0
    assert cli.main([*guarded, str(tmp_path / "in" / "a.png"), "--class", "unicorn"]) == 2


@pytest.fixture(scope="module")
def builder() -> dict[str, Any]:
    """The definitions of ``sample_images/build_baseline.py``."""
    return runpy.run_path(str(SAMPLES / "build_baseline.py"))


@pytest.mark.parametrize("name", ["baseline.json", "baseline-plain.json"])
def test_the_committed_baselines_are_of_these_pictures_and_of_no_machine(
    builder: dict[str, Any], name: str
) -> None:
    baseline = load_baseline(SAMPLES / name)
    assert [p["input"] for p in baseline["photos"]] == sorted(
        p.relative_to(SAMPLES).as_posix()
        for p in SAMPLES.rglob("*.*")
        if p.suffix in (".jpg", ".png") and p.relative_to(SAMPLES).parts[0][0] != "."
    )
    assert set(baseline["run"]) == {"settings", "weights", "device"}
    assert all(set(p) == set(builder["PHOTO"]) for p in baseline["photos"])
    index = json.loads((SHIPPED / "index.json").read_text(encoding="utf-8"))
    weights = {kind: index[kind]["sha256"] for kind in baseline["run"]["weights"]}
    assert baseline["run"]["weights"] == weights, (
        "other weights ship now: python sample_images/build_baseline.py"
    )
    text = (SAMPLES / name).read_text(encoding="utf-8")
    assert not any(word in text for word in ('"/', "\\", "seconds", "command"))


def checks() -> dict[str, list[str]]:
    """The options that ``.ci/baseline`` adds for each baseline."""
    lines = (
        (ROOT / ".ci" / "baseline").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    )
    return {words[1]: words[2:] for words in map(str.split, lines) if words and words[0] == "check"}


def test_ci_measures_as_the_baselines_were_measured(builder: dict[str, Any]) -> None:
    words = (ROOT / ".ci" / "baseline").read_text(encoding="utf-8").split()
    assert [word for word in words if word in builder["OPTIONS"]] == [*builder["OPTIONS"]]
    assert "\nbash .ci/baseline" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    checked = checks()
    assert set(checked) == set(builder["BASELINES"])
    for name, more in builder["BASELINES"].items():
        assert checked[name][: len(more)] == [*more]
        assert set(checked[name][len(more) :: 2]) <= {"--tolerance"}


#: The quickest pictures of a free-form and of an edge hole.
QUICK = ("far_moon.jpg", "launch_pad.jpg")


@pytest.fixture
def guarded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, builder: dict[str, Any]
) -> Callable[[], int]:
    """Runs CI's second check on ``QUICK`` alone, and returns the exit code."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("REMOVE_OBJECTS_BF16", "0")
    monkeypatch.chdir(ROOT)
    (tmp_path / "in").mkdir()
    for name in QUICK:
        shutil.copy(SAMPLES / name, tmp_path / "in")
    baseline = json.loads((SAMPLES / "baseline-plain.json").read_text(encoding="utf-8"))
    baseline["photos"] = [photo for photo in baseline["photos"] if photo["input"] in QUICK]
    (tmp_path / "b.json").write_text(json.dumps(baseline))
    options = [
        *builder["OPTIONS"],
        *checks()["baseline-plain.json"],
        "--baseline",
        str(tmp_path / "b.json"),
    ]
    return lambda: cli.main([*options, "--output", str(tmp_path / "out"), str(tmp_path / "in")])


@pytest.mark.slow
def test_the_unchanged_tree_passes(
    guarded: Callable[[], int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded() == 0, capsys.readouterr().out


@pytest.mark.slow
def test_a_shifted_mask_is_caught(
    guarded: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "remove_objects.pipeline.detect.mask.dilate",
        lambda mask, radius: np.roll(dilate(mask, radius), 8, axis=0),
    )
    assert guarded() == 1
    worse = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["far_moon.jpg", "boxes"] in worse


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "network_class", "noise", "photo"),
    [
        ("partial-conv", PartialConvUNet, 0.5, "far_moon.jpg"),
        ("compression", CompressionNetwork, 2.0, "launch_pad.jpg"),
    ],
)
def test_a_damaged_weight_is_caught(
    guarded: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    kind: str,
    network_class: type[torch.nn.Module],
    noise: float,
    photo: str,
) -> None:
    """``noise`` is added to every kernel, in the kernel's own standard deviations."""
    network, _ = load_shipped(kind, network_class)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter += noise * parameter.std() * torch.randn_like(parameter)
    folder = tmp_path / "weights"
    shutil.copytree(SHIPPED, folder)
    path = save_weights(network, folder, kind)
    index = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    index[kind] |= {"file": path.name, "sha256": sha256(path)}
    (folder / "index.json").write_text(json.dumps(index))
    monkeypatch.setattr("remove_objects.models.shipped.FOLDER", folder)
    assert guarded() == 1
    printed = capsys.readouterr().out
    assert [photo, "truth.psnr"] in [line.split()[:2] for line in printed.splitlines()], printed
    assert f"weight {kind}:" in printed


def test_a_score_from_other_features_is_not_compared() -> None:
    # Without a place for a probe, only this feature says that the network of LPIPS was unavailable.
    comparison = against(entry(status="review", score=9.0, signs__variety=None))
    assert not comparison.worse
    assert any("from other metrics" in note for note in comparison.notes)


@pytest.mark.parametrize(
    ("moved", "fails"), [(0.01, False), (-0.01, False), (0.06, True), (0.0, True)]
)
def test_a_verdict_at_its_threshold_is_noted_and_does_not_fail(moved: float, fails: bool) -> None:
    comparison = against(entry(status="review", score=0.2 + moved))
    assert ("status" in named(comparison)) is fails
    assert any("at the threshold" in note for note in comparison.notes) is not fails
