"""``evaluate-inpainter segmentation``: the compact segmenter on the labelled test photos, IoU by class and time a photo."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from train.distill import confusion, intersection_over_union, read_pair

SETS = ("segmentation/coco_val", "segmentation/voc_val")


def segmentation(data: Path, *, count: int) -> dict[str, Any]:
    """IoU of the shipped segmenter (the pipeline's own adapter) on each set's first ``count`` photos."""
    import torch

    from pipeline.segment import CompactSegmenterAdapter

    adapter = CompactSegmenterAdapter(torch.device("cpu"))
    table: dict[str, Any] = {}
    for name in SETS:
        files = sorted((data / name / "images").glob("*"))[:count]
        if not files:
            raise FileNotFoundError(f"{data / name / 'images'}: no photos found")
        counts = np.zeros((21, 21), np.int64)
        seconds = []
        for file in files:
            rgb, label = read_pair(file, data / name / "labels" / f"{file.stem}.png")
            begun = time.perf_counter()
            probabilities = adapter.probabilities(rgb)
            seconds.append(time.perf_counter() - begun)
            full = cv2.resize(probabilities.transpose(1, 2, 0), rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
            counts += confusion(full.argmax(2).astype(np.uint8), label)
        figures = {k: round(v, 4) for k, v in intersection_over_union(counts).items()}
        table[name] = figures | {"count": len(files), "seconds_median": round(float(np.median(seconds)), 4)}
    return table


def render(table: dict[str, Any]) -> str:
    """The figures as text."""
    lines = []
    for name, row in table.items():
        classes = ", ".join(f"{k} {v:.3f}" for k, v in row.items() if k not in ("count", "seconds_median", "mean"))
        lines.append(f"{name}: mean IoU {row['mean']:.3f} ({row['count']} photos, {row['seconds_median']:.3f} s a photo): {classes}")
    return "\n".join(lines)
