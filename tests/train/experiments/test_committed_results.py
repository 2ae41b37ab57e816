"""The committed results: a table's intervals follow from its rows, and its budgets are fair."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from benchmarks.quality import ablation
from remove_objects.models.compression import CompressionConfig, CompressionNetwork
from remove_objects.models.gated_conv import GatedConvConfig, GatedConvNetwork
from remove_objects.train.experiments import results
from remove_objects.train.experiments.budgets import scale

FOLDER = Path(__file__).parents[3] / "docs" / "experiments"


def test_intervals_of_routing_follow_from_the_committed_rows() -> None:
    rows: dict[str, list[results.Row]] = {}
    with open(FOLDER / "routing.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows.setdefault(row["arm"], []).append({**row, "lpips": float(row["lpips"])})
    stored = json.loads((FOLDER / "routing.json").read_text(encoding="utf-8"))
    for name, arm in stored["arms"].items():
        assert results.means(rows[name])["lpips"] == pytest.approx(
            arm["figures"]["lpips"], rel=1e-4
        )
    claims = zip(stored["config"]["route"].items(), stored["claims"], strict=True)
    for (kind, route), claim in claims:
        for other in {"edge", "face", "free-form"} - {route}:
            ours, theirs = rows[f"{kind} | {route}"], rows[f"{kind} | {other}"]
            assert (
                f"against {other} {results.difference(ours, theirs, 'lpips')}" in claim["evidence"]
            )


@pytest.mark.parametrize("width", [None, 32])
def test_gated_convolutions_are_as_large_as_the_network_they_are_compared_with(
    width: int | None,
) -> None:
    numbers = scale("compression-similarity", "cpu", width=width)
    ours, theirs = (
        sum(p.numel() for p in network.parameters())
        for network in (
            CompressionNetwork(CompressionConfig(numbers.width)),
            GatedConvNetwork(GatedConvConfig(numbers.gated_width)),
        )
    )
    assert theirs == pytest.approx(ours, rel=0.1)


def test_networks_of_the_papers_scale_have_the_papers_widths() -> None:
    numbers = scale("compression-similarity", "paper")
    assert (numbers.width, numbers.gated_width) == (64, 48)


def test_the_table_of_the_ablation_follows_from_the_committed_rows() -> None:
    rows: dict[str, dict[str, list[results.Row]]] = {}
    with open(FOLDER / "ablation.csv", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            values = {"use": float(row["use"]), "alone": float(row["alone"])}
            arms = rows.setdefault(row["kind"], {})
            arms.setdefault(row["arm"], []).append({"picture": row["picture"], **values})
    document = (FOLDER.parent / "results.md").read_text(encoding="utf-8")
    for line in ablation.render(rows).splitlines():
        assert line in document
