"""One way through the house: models <- pipeline <- train; stages do not import each other."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {"models": {"models"}, "pipeline": {"models", "pipeline"}, "train": {"models", "pipeline", "train"}}
STAGES = {
    "scan", "images", "segment", "mask", "faces", "inpaint", "composite", "metrics", "signs", "verdict", "previews", "report", "report_csv",
    "report_html",
}  # fmt: skip
#: What a stage may lean on besides errors, types and settings: geometry and the report's own look at figures.
SHARED = {("inpaint", "route"), ("inpaint", "texture"), ("report", "metrics")}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return names


@pytest.mark.parametrize("path", sorted(p for k in ALLOWED for p in (ROOT / k).rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    own = {n.split(".")[0] for n in imported(path)} & set(ALLOWED)
    assert own <= ALLOWED[path.relative_to(ROOT).parts[0]]


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_stages_do_not_import_each_other(stage: str) -> None:
    others = {n.split(".")[1] for n in imported(ROOT / "pipeline" / f"{stage}.py") if n.startswith("pipeline.")} & (
        STAGES | {"networks", "remover", "run", "cli"}
    )
    assert {(stage, o) for o in others - {stage}} <= SHARED


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline").glob("*.py")), ids=lambda p: p.name)
def test_the_board_is_imported_by_no_stage(path: Path) -> None:
    if not path.name.startswith("board"):
        assert not [n for n in imported(path) if n.startswith("pipeline.board")]


@pytest.mark.parametrize("path", sorted((ROOT / "pipeline").glob("*.py")), ids=lambda p: p.name)
def test_ray_is_imported_by_its_engine_alone(path: Path) -> None:
    names = imported(path)
    if path.name not in ("distributed.py", "ray_cluster.py"):
        assert not [n for n in names if n.split(".")[0] == "ray" or n.startswith("pipeline.ray_cluster")]
    if path.name not in ("distributed.py", "run.py"):
        assert not [n for n in names if n.startswith("pipeline.distributed")]
