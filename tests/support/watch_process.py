"""Run the real command with networks that cost nothing: ``watch_process.py ARGUMENT...``.

While the file that ``WATCH_SLOW`` names exists, each photo waits before it is cleaned.
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
    from tests.support.states.networks import cheap_networks

    real = Worker.__call__

    def slow(self: Worker, task: Any) -> Any:
        """Wait while the file exists."""
        print("in progress", task.name, flush=True)
        while Path(os.environ["WATCH_SLOW"]).exists():
            time.sleep(0.02)
        return real(self, task)

    Worker.__call__ = slow
    with cheap_networks():
        sys.exit(main(sys.argv[1:]))
