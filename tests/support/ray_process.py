"""A Ray cluster of two cores in a process of its own: ``ray_process.py`` prints its address and ends it when its input is closed.

With ``--poison DIR`` it cleans a folder there, in which the photo ``poison.png`` kills every worker that touches it, and writes what became
of each photo to ``became.json``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings


class Deadly(LocalOutput):
    """Travels to the workers by value, because this file is the main module."""

    def discard_previews(self, photo: str, *, seen: bool) -> None:
        if photo == "poison.png":
            os._exit(137)
        super().discard_previews(photo, seen=seen)


def clean(folder: Path) -> None:
    from remove_objects.pipeline.batch import run
    from remove_objects.pipeline.batch.engines import ray_actors

    ray_actors.BLOCKS = 2  # so that others share the deadly one's
    run.open_output = lambda place, overwrite=False: Deadly(place)
    batch = BatchSettings(output=folder / "out", masks=folder / "masks", engine="ray", actors=2)
    result = run.remove_folder([folder / "in"], Settings(probe=False, offline=True), batch)
    (folder / "became.json").write_text(
        json.dumps({p["input"]: [p["status"], p["error"]] for p in result.photos})
    )


if __name__ == "__main__":
    import ray

    context = ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.1",
    )
    if sys.argv[1:2] == ["--poison"]:
        clean(Path(sys.argv[2]))
    else:
        print(context.address_info["address"], flush=True)
        sys.stdin.read()
    ray.shutdown()
