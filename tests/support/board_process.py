"""Run the real command with the tests' small networks: ``board_process.py WEIGHTS ARGUMENT...``.

It needs its own process: Gradio warns of its own deprecations, and a warning is an error in tests.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    import torch

    import remove_objects.models.shipped
    from remove_objects.pipeline.board.cli import main
    from remove_objects.pipeline.detect import segmenters
    from remove_objects.pipeline.inpaint.inpainters import Inpainters
    from tests.support.box_segmenter import BoxSegmenter

    def record_calls(event: str, arguments: tuple[Any, ...]) -> None:
        """Write down every lookup and call of another machine; then the test fails."""
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            address = arguments[1] if event != "socket.getaddrinfo" else arguments[0]
            host = address[0] if isinstance(address, tuple) else address
            if str(host) not in ("127.0.0.1", "::1", "localhost", "None"):
                with open(os.environ["BOARD_CALLS"], "a") as file:
                    file.write(f"{event} {address}\n")

    sys.addaudithook(record_calls)
    torch.set_num_threads(1)
    remove_objects.models.shipped.FOLDER = Path(sys.argv[1])
    segmenters.choose_segmenter = lambda *_, **__: segmenters.Chosen(
        BoxSegmenter(), {"box": "0" * 64}
    )
    real = Inpainters.fill

    def fill(*arguments: Any, **more: Any) -> Any:
        """Wait while the file exists, so that there is a fill to watch and to cancel."""
        while Path(os.environ["BOARD_SLOW"]).exists():
            time.sleep(0.05)
        return real(*arguments, **more)

    Inpainters.fill = fill
    sys.exit(main(sys.argv[2:]))
