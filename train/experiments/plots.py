"""The tables' pictures: curves over samples seen, bars, and grids of test pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from ...pipeline.system.extras import install_command

#: Height in pixels of a grid's titles.
TITLE = 16


def curves(
    path: Path, lines: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str
) -> None:
    """Plot a line for each name over (x, y) points, as PNG.

    Args:
        path: of the PNG file.
        lines: points by name.
        across: label of the x axis.
        up: label of the y axis.

    Raises:
        ModuleNotFoundError: matplotlib is not installed; the message says how to install it.
    """
    figure, axes = _plot()
    for (name, points), marker in zip(lines.items(), "os^Dv<>Pp*hX" * 3, strict=False):
        axes.plot(
            [x for x, _ in points], [y for _, y in points], marker=marker, markersize=4, label=name
        )
    axes.set_xlabel(across)
    _save(path, figure, axes, up)


def bars(path: Path, groups: Sequence[str], values: Mapping[str, Sequence[float]], up: str) -> None:
    """Plot a bar of each name for every group, as PNG; raises as ``curves``."""
    figure, axes = _plot()
    for i, (name, heights) in enumerate(values.items()):
        axes.bar(
            [g + 0.8 * (i + 0.5) / len(values) for g in range(len(groups))],
            heights,
            0.8 / len(values),
            label=name,
        )
    axes.set_xticks([g + 0.4 for g in range(len(groups))], groups, rotation=20, ha="right")
    _save(path, figure, axes, up)


def _plot() -> tuple[Any, Any]:
    """A figure and its axes."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"the plots need matplotlib: {install_command('experiments')}"
        ) from error
    figure = Figure(figsize=(6.4, 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _save(path: Path, figure: Any, axes: Any, up: str) -> None:
    """Finish the axes and write the figure."""
    axes.set_ylabel(up)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def grid(path: Path, columns: Mapping[str, Tensor], *, quality: int = 88) -> None:
    """Titled columns of pictures N3HW in [0, 1], one row per picture.

    The path's suffix sets the format.
    """
    tall = [np.concatenate(list(_bytes(pictures)), axis=0) for pictures in columns.values()]
    side = tall[0].shape[1]
    sheet = Image.new("RGB", (side * len(tall), TITLE + tall[0].shape[0]), "white")
    draw = ImageDraw.Draw(sheet)
    for i, (title, column) in enumerate(zip(columns, tall, strict=True)):
        draw.text((i * side + 3, 2), title, fill="black")
        sheet.paste(Image.fromarray(column), (i * side, TITLE))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, quality=quality)


def _bytes(pictures: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Pictures N3HW in [0, 1] as NHWC uint8."""
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = (
        pictures.float().clamp(0, 1).mul(255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    )
    return array
