"""A Ray cluster to work on, joined or started, and what each actor gets of it."""

from __future__ import annotations

import importlib
import logging
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ...config import Settings
from ...errors import UsageError
from ...system.signals import signals_restored
from ..settings import BatchSettings


@dataclass(frozen=True)
class Share:
    """``actors`` processes; of each: cores that Ray keeps for it, GPUs, and the threads that torch and OpenCV may use."""

    actors: int
    cpus: float
    gpus: float
    threads: int


def share(resources: Mapping[str, float], settings: Settings, batch: BatchSettings) -> Share:
    """Divide what ``ray.cluster_resources`` found, so that all actors together have as many threads as there are cores.

    Raises:
        UsageError: more was asked for than there is; Ray would wait for it for ever.
    """
    cores, found = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    wanted = batch.gpus_per_actor
    if settings.device == "cuda" and (found == 0 or wanted == 0):
        raise UsageError(
            f"--device cuda: the cluster offers {found:g} GPUs"
            + (" and --gpus-per-actor is 0" if wanted == 0 else "")
        )
    gpus = (
        wanted if wanted is not None else float(found > 0 and settings.device in ("auto", "cuda"))
    )
    if not cores:
        raise UsageError("the Ray cluster has no core to work on: start it with some (--num-cpus)")
    actors = batch.actors or max(1, int(found / gpus if gpus else cores))
    if gpus * actors > found:
        raise UsageError(
            f"{actors} actors with {gpus:g} GPUs each want {gpus * actors:g}, the cluster has {found:g}: name fewer with --actors"
        )
    cpus = cores / actors
    # Whole cores where there is at least one, or actors would not fit on machines of several sizes.
    return Share(actors, float(int(cpus)) if cpus >= 1 else cpus, gpus, max(1, int(cpus)))


@contextmanager
def cluster() -> Iterator[Any]:
    """The module ``ray``, connected: to the cluster that ``RAY_ADDRESS`` names or that runs on this machine, else to one started here and
    ended with the block.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached.
    """
    # Ray calls home unless it is told not to, and its notices would stand between the progress bar and the summary.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require_ray()
    for name in ("ray", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    joined = ray.is_initialized()
    try:
        if not joined:
            with signals_restored(
                signal.SIGTERM
            ):  # Ray puts an exit in its place that writes no report
                ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(
            f"no Ray cluster could be joined or started ({error}); RAY_ADDRESS names one"
        ) from error
    try:
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        yield ray
    finally:
        if not joined:
            ray.shutdown()


def require_ray() -> Any:
    """The module, with ``ray.data``. Raises ``UsageError`` with what to install where it is not there."""
    try:
        ray = importlib.import_module("ray")
        importlib.import_module("ray.data")
    except ImportError as error:
        raise UsageError(
            f"--engine ray needs Ray ({error}): pip install 'remove-objects[distributed]'"
        ) from error
    return ray
