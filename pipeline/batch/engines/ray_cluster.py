"""A Ray cluster, joined or started, and each actor's share of it."""

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
from ...system.extras import install_command
from ...system.signals import signals_restored
from ..settings import BatchSettings


@dataclass(frozen=True)
class Share:
    """The cluster's resources, divided among the actors.

    Attributes:
        actors: the number of processes.
        cpus: cores that Ray reserves for each.
        gpus: GPUs of each.
        threads: threads that torch and OpenCV use in each.
    """

    actors: int
    cpus: float
    gpus: float
    threads: int


def share(resources: Mapping[str, float], settings: Settings, batch: BatchSettings) -> Share:
    """Divide the cluster so that all actors together have as many threads as there are cores.

    Args:
        resources: the answer of ``ray.cluster_resources``.
        settings: its device decides about GPUs.
        batch: the requested actors and GPUs.

    Raises:
        UsageError: the request exceeds the cluster; Ray would wait for ever.
    """
    cores, available = resources.get("CPU", 0.0), resources.get("GPU", 0.0)
    requested = batch.gpus_per_actor
    if settings.device == "cuda" and (available == 0 or requested == 0):
        raise UsageError(
            f"--device cuda: the cluster offers {available:g} GPUs"
            + (" and --gpus-per-actor is 0" if requested == 0 else "")
        )
    if requested is None:
        gpus = float(available > 0 and settings.device in ("auto", "cuda"))
    else:
        gpus = requested
    if not cores:
        raise UsageError("the Ray cluster has no cores: start it with some (--num-cpus)")
    actors = batch.actors or max(1, int(available / gpus if gpus else cores))
    if gpus * actors > available:
        raise UsageError(
            f"{actors} actors with {gpus:g} GPUs each need {gpus * actors:g}, "
            f"the cluster has {available:g}: name fewer with --actors"
        )
    cpus = cores / actors
    # Whole cores if each gets at least one; otherwise actors would not fit on machines of
    # different sizes.
    return Share(actors, float(int(cpus)) if cpus >= 1 else cpus, gpus, max(1, int(cpus)))


@contextmanager
def cluster() -> Iterator[Any]:
    """Yield the module ``ray``, connected to a cluster.

    That is the cluster of ``RAY_ADDRESS``, or the one that runs on this machine, or else a new one
    that is stopped at the end of the block.

    Raises:
        UsageError: Ray is not installed, or the cluster cannot be reached.
    """
    # By default Ray sends usage statistics, and prints notices between progress bar and summary.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    ray = require_ray()
    logging.getLogger("ray").setLevel(logging.ERROR)
    joined = ray.is_initialized()
    try:
        if not joined:
            # Ray replaces the handler of SIGTERM by an exit without a report.
            with signals_restored(signal.SIGTERM):
                ray.init(log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except Exception as error:  # a start that takes too long is a bare one
        raise UsageError(
            f"no Ray cluster could be joined or started ({error}); RAY_ADDRESS names one"
        ) from error
    try:
        yield ray
    finally:
        if not joined:
            ray.shutdown()


def require_ray() -> Any:
    """Import and return the module ``ray``.

    Raises:
        UsageError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise UsageError(
            f"--engine ray needs Ray ({error}): {install_command('distributed')}"
        ) from error
