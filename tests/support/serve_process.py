"""Run the real service with networks that cost nothing: ``serve_process.py ARGUMENT...``.

It needs its own process: the server's signals are the process's. While the file that
``SERVE_SLOW`` names exists, each photo waits before it is cleaned. ``SERVE_ANSWERING`` is for how
many seconds clients may read their answers when it ends.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from remove_objects.pipeline.batch.worker import Worker
    from remove_objects.pipeline.cli import main
    from remove_objects.pipeline.serve import command
    from tests.support.states.networks import cheap_networks

    command.ANSWERING = int(os.environ.get("SERVE_ANSWERING", command.ANSWERING))
    real = Worker.__call__

    def slow(self: Worker, task: Any) -> Any:
        """Wait while the file exists."""
        while Path(os.environ["SERVE_SLOW"]).exists():
            time.sleep(0.02)
        return real(self, task)

    Worker.__call__ = slow
    with cheap_networks():
        sys.exit(main(["serve", *sys.argv[1:]]))
