"""Made-up reports: entries as in ``report.json``, and folders of many photos with previews."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from remove_objects.pipeline.report import page as report_html
from remove_objects.pipeline.report import previews
from remove_objects.pipeline.types import (
    Box,
    Compared,
    HoleOutcome,
    Outcome,
    Photo,
    Probe,
    Route,
    Routing,
    Status,
)
from tests.support.scenes import scene

RUN = {
    "version": "1.2.3",
    "command": "remove-objects --class person photos",
    "settings": {
        "segmenter": "compact",
        "threshold": 0.5,
        "dilate": None,
        "route": "auto",
        "detail": "texture",
        "device": "cpu",
        "probe": True,
        "lossless": False,
        "offline": True,
        "compare": ["navier-stokes"],
        "classes": ["person"],
        "save_masks": False,
        "workers": 2,
        "overwrite": False,
        "dry_run": False,
    },
    "weights": {"compact-segmenter": "0" * 64},
    "device": "cpu",
    "seconds": 83.4,
    "warnings": [],
}


def hole(
    seam: float | None = 1.1, lpips: float | None = 0.1, route: str = "free-form", **changes: Any
) -> dict[str, Any]:
    """A row of ``holes``; every key may be given."""
    probe = None if lpips is None else {"l1": 0.05, "psnr": 22.5, "ssim": 0.7, "lpips": lpips}
    return {
        "box": [60, 40, 20, 30],
        "share": 0.03,
        "route": route,
        "why": "nothing else fits",
        "seam": seam,
        "score": None,
        "signs": {
            "depth": 0.1,
            "structure": 0.02,
            "variety": None,
            "segmented": 1.0,
            "certainty": 0.9,
            "unsure": 0.1,
        },
        "probe": probe,
    } | changes


def entry(name: str, status: str = "ok", **changes: Any) -> dict[str, Any]:
    """A row of ``photos``; every key may be given."""
    failed, written = status == "failed", status not in ("failed",)
    return {
        "input": name,
        "output": name if written else None,
        "mask": None,
        "status": status,
        "reason": "nothing stands out" if not failed else "damaged",
        "classes": {} if failed or status == "unchanged" else {"person": 0.02},
        "hole_share": 0.0 if failed or status == "unchanged" else 0.03,
        "fidelity": {"changed_outside": 0, "psnr_outside": None} if written else None,
        "residue": 0.0 if status in ("ok", "review") else None,
        "score": None,
        "truth": None,
        "seconds": 1.5,
        "stages": {"read": 0.1, "segment": 0.6, "inpaint": 0.7, "write": 0.1},
        "error": "damaged" if failed else None,
        "warnings": [],
        "holes": [] if failed or status == "unchanged" else [hole()],
    } | changes


def outcome(rgb: np.ndarray, box: tuple[int, int, int, int] = (60, 40, 20, 30)) -> Outcome:
    """The outcome of a removal that paints one colour over the box of a scene."""
    x, y, w, h = box
    mask = np.zeros(rgb.shape[:2], bool)
    mask[y : y + h, x : x + w] = True
    result, other = rgb.copy(), rgb.copy()
    result[mask], other[mask] = rgb[:, :5].mean((0, 1)).astype(rgb.dtype), 0
    probe = Probe(0.1, 20.0, 0.5, 0.2)
    done = HoleOutcome(
        Box(x, y, w, h),
        0.03,
        Routing(Route.EDGE, "why"),
        1.0,
        probe,
        compare={"navier-stokes": Compared(1.0, probe)},
    )
    return Outcome(
        Status.OK,
        "fine",
        result=result,
        mask=mask,
        holes=(done,),
        compared={"navier-stokes": other},
    )


def write_page(
    folder: Path,
    photos: list[dict[str, Any]],
    run: dict[str, Any] | None = None,
    name: str = "report.html",
) -> Path:
    """Write the page with the previews in its folder."""
    path = folder / name
    report_html.write_html(
        path, RUN | (run or {}), photos, lambda e: previews.find(folder, e["input"])
    )
    return path


def many(folder: Path, count: int) -> list[dict[str, Any]]:
    """Write previews of ``count`` photos of every status and route, and return their entries."""
    rng = np.random.default_rng(0)
    photos = []
    for i in range(count):
        status = ("ok", "review", "ok", "unchanged", "ok", "failed", "skipped")[i % 7]
        compare = {"navier-stokes": {"seam": 0.9, "probe": None}}
        kind = ("edge", "face", "free-form")[i % 3]
        holes = [
            hole(float(rng.uniform(0.8, 3)), float(rng.uniform(0.05, 0.5)), kind, compare=compare)
            for _ in range(1 + i % 2)
        ]
        name = f"holiday {i % 5}/photo {i:04d}.jpg"
        metrics = {
            "classes": {("person", "dog", "car")[i % 3]: 0.02},
            "holes": holes,
            "score": round(float(rng.uniform(0, 0.6)), 3),
        }
        photos.append(
            entry(name, status, **(metrics if status not in ("failed", "unchanged") else {}))
        )
        if status != "failed":
            picture = _picture(i % 4 == 3, i % 5)
            removed = outcome(picture, (120, 80, 60, 90))
            previews.write(
                folder,
                name,
                Photo(picture),
                removed if status != "unchanged" else Outcome(Status.UNCHANGED, ""),
            )
    return photos


@cache
def _picture(upright: bool, seed: int) -> np.ndarray:
    return scene(*((360, 270) if upright else (270, 360)), person=(120, 80, 60, 90), seed=seed)
