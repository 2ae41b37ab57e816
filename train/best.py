"""The best weights of a run: ``best.safetensors`` in its folder, and what its header tells.

The file is all that a use of the weights needs, and all that their model card needs: neither the
pictures nor the options of the run are asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..models.checkpoint import (
    CheckpointError,
    load_weights,
    parse,
    weights_bytes,
    weights_header,
)
from ..pipeline.system.atomic import atomic_write

#: The file's name in the run's folder.
BEST = "best.safetensors"
#: Entries of its header that are JSON.
_ABOUT = ("step", "seconds", "machines", "metrics", "recipe")
#: The metrics that choose the best checkpoint: the first that the task has. True = higher is
#: better.
BEST_BY = (
    ("val_lpips", False),
    ("val_perceptual", False),
    ("val_mean", True),
    ("val_accuracy", True),
    ("val_hole_l1", False),
    ("val_loss", False),
)
#: What versions before 0.2.0 wrote instead: a pickle of tensors, without config and recipe.
EARLIER = "best.pt"


@dataclass(frozen=True)
class Averaged:
    """The network that ships, and what its card says of the run.

    Attributes:
        network: the average, in evaluation mode.
        step: its optimizer step.
        seconds: time spent until then over all sessions.
        machines: the hardware of the sessions.
        metrics: held-out metrics at that step.
        kind: the network's name in ``train.presets.MODELS``; empty in a run that has none.
        recipe: how it was made, see ``train.recipe.Recipe.record``.
    """

    network: nn.Module
    step: int
    seconds: float
    machines: tuple[str, ...]
    metrics: dict[str, float]
    kind: str = ""
    recipe: Mapping[str, Any] = field(default_factory=dict)


def write_best(folder: Path, best: Averaged) -> None:
    """Write ``best.safetensors`` into a run's folder, atomically; fp32."""
    metadata = {name: json.dumps(getattr(best, name)) for name in _ABOUT}
    data = weights_bytes(best.network, best.kind, half=False, metadata=metadata)
    with atomic_write(folder / BEST) as file:
        file.write(data)


def read_best(folder: Path, like: type[nn.Module] | nn.Module) -> Averaged:
    """Load the best weights of a run.

    Args:
        folder: the run's.
        like: the network's class, or such a network of any values, which stays as it is.

    Raises:
        FileNotFoundError: nothing was trained in ``folder``, or by an earlier version.
        CheckpointError: the file is damaged, or holds another network.
    """
    path = _existing(folder)
    if isinstance(like, type):
        return _with_header(load_weights(path, like), weights_header(path), path)
    network, parsed = deepcopy(like), parse(path.read_bytes(), path)
    try:
        network.load_state_dict(parsed.tensors)
    except RuntimeError as error:
        raise CheckpointError(f"{path}: holds another network ({error})") from error
    return _with_header(network.eval(), parsed.header, path)


def kind_of_best(folder: Path) -> str:
    """Which network a run trains, by its best weights.

    Raises:
        FileNotFoundError: as ``read_best``.
        CheckpointError: the file is damaged.
    """
    return weights_header(_existing(folder)).get("kind", "")


def about_best(folder: Path) -> dict[str, Any]:
    """What a run's best weights tell of it without being loaded, by the names of ``Averaged``.

    It lacks what the file's header lacks.

    Raises:
        FileNotFoundError: as ``read_best``.
        CheckpointError: the file is damaged.
    """
    header = weights_header(_existing(folder))
    return {name: json.loads(header[name]) for name in _ABOUT if name in header}


def convert_earlier(
    folder: Path, network: nn.Module, state: Mapping[str, Any], kind: str, recipe: Mapping[str, Any]
) -> None:
    """Write what an earlier version kept as ``best.pt`` as ``best.safetensors``, and delete it.

    Args:
        folder: the run's.
        network: the run's network, of any values.
        state: the content of ``best.pt``.
        kind: of the run, see ``Averaged``.
        recipe: of the run.
    """
    network = deepcopy(network)
    network.load_state_dict(averaged_values(state["ema"]))
    write_best(
        folder,
        Averaged(
            network.eval(),
            int(state["step"]),
            float(state["seconds"]),
            tuple(state["machines"]),
            dict(state.get("figures", {})),
            kind,
            recipe,
        ),
    )
    (folder / EARLIER).unlink()


def averaged_values(ema: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's values in the state of torch's ``AveragedModel`` of it."""
    prefix = "module."
    return {k.removeprefix(prefix): v for k, v in ema.items() if k.startswith(prefix)}


def _with_header(network: nn.Module, header: Mapping[str, str], path: Path) -> Averaged:
    """Put a network and the header of its file together."""
    try:
        return Averaged(
            network,
            int(json.loads(header["step"])),
            float(json.loads(header["seconds"])),
            tuple(json.loads(header["machines"])),
            dict(json.loads(header["metrics"])),
            header["kind"],
            dict(json.loads(header["recipe"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: its header is not that of a training run's best weights ({error!r})"
        ) from error


def _existing(folder: Path) -> Path:
    """The file of a run's best weights.

    Raises:
        FileNotFoundError: there is none.
    """
    path = folder / BEST
    if path.exists():
        return path
    if (folder / EARLIER).exists():
        raise FileNotFoundError(
            f"{folder / EARLIER}: was written by an earlier version; run the training command on "
            f"this folder once more, which makes {BEST} of it, and then export"
        )
    raise FileNotFoundError(
        f"{path}: no weights to export; train first, or name the run's folder by --run"
    )
