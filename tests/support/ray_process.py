"""A Ray cluster of two cores in its own process, which prints the cluster's address.

The cluster ends when the process's standard input is closed. With ``--poison DIR`` it cleans a
folder in which the photo ``poison.png`` kills every worker, and writes each photo's outcome to
``outcomes.json``. With ``--faults DIR`` the photos are those of ``tests.support.unforeseen``.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from remove_objects.pipeline.batch.output.local import LocalOutput
from remove_objects.pipeline.batch.settings import BatchSettings
from remove_objects.pipeline.config import Settings
from remove_objects.pipeline.system.messages import show_messages


class Deadly(LocalOutput):
    """Kills the worker of ``poison.png``. Pickled by value, because this is the main module."""

    def discard_previews(self, photo: str, *, seen: bool) -> None:
        if photo == "poison.png":
            os._exit(137)
        super().discard_previews(photo, seen=seen)


def clean(folder: Path, output: type[LocalOutput]) -> None:
    from remove_objects.pipeline.batch import run

    show_messages("remove-objects")  # a library prints nothing by itself
    run.open_output = lambda place, overwrite=False: output(place)
    batch = BatchSettings(output=folder / "out", masks=folder / "masks", engine="ray", actors=2)
    result = run.remove_folder([folder / "in"], Settings(probe=False, offline=True), batch)
    (folder / "outcomes.json").write_text(
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
        clean(Path(sys.argv[2]), Deadly)
    elif sys.argv[1:2] == ["--faults"]:
        from tests.support.unforeseen import FaultyOutput

        clean(Path(sys.argv[2]), FaultyOutput)
    else:
        print(context.address_info["address"], flush=True)
        sys.stdin.read()
    ray.shutdown()
