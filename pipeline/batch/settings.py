"""TODO docstring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import UsageError

if TYPE_CHECKING:
    from ..storage.location import Location


ENGINES = ("local", "ray")


@dataclass(frozen=True)
class BatchSettings:
    """What concerns the folder and not the picture.

    ``masks``: the user's own, by the same relative names. ``truth``: the pictures without the objects, likewise; the error against them
    then stands in the report. ``output`` and both of them are folders here or elsewhere
    (``pipeline.storage.location.parse_location``).

    ``engine``: ``local`` works with ``workers`` threads of this process, ``ray`` with ``actors`` processes of a cluster (None: one a core,
    or one a GPU) that have ``gpus_per_actor`` each (None: 1 where the cluster has any and ``device`` allows it).
    """

    classes: tuple[str, ...] = ()
    output: Location | None = None
    masks: Location | None = None
    truth: Location | None = None
    save_masks: bool = False
    workers: int = 2
    overwrite: bool = False
    dry_run: bool = False
    engine: str = "local"
    actors: int | None = None
    gpus_per_actor: float | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(f"engine must be one of {', '.join(ENGINES)}; got '{self.engine}'")
        if self.engine != "ray" and (self.actors is not None or self.gpus_per_actor is not None):
            raise UsageError(
                "--actors and --gpus-per-actor are for --engine ray; --workers is the local engine's"
            )
        if self.actors is not None and self.actors < 1:
            raise UsageError(f"--actors must be at least 1; got {self.actors}")
        if self.gpus_per_actor is not None and not 0 <= self.gpus_per_actor <= 64:
            raise UsageError(
                f"--gpus-per-actor must be 0 to 64, fractions allowed; got {self.gpus_per_actor}"
            )
