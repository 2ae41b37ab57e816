"""The real command in a process of its own, with the tests' small networks: ``board_process.py WEIGHTS ARGUMENT...``.

A process, because Gradio warns of its own deprecations, and a warning is an error in the tests' own.
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

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        """Whatever in this process looks up or calls another machine is written down, and no test passes that started it."""
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
            address = arguments[1] if event != "socket.getaddrinfo" else arguments[0]
            host = address[0] if isinstance(address, tuple) else address
            if str(host) not in ("127.0.0.1", "::1", "localhost", "None"):
                with open(os.environ["BOARD_CALLS"], "a") as file:
                    file.write(f"{event} {address}\n")

    sys.addaudithook(heard)
    torch.set_num_threads(1)
    remove_objects.models.shipped.FOLDER = Path(sys.argv[1])
    segmenters.choose_segmenter = lambda *_, **__: segmenters.Chosen(
        BoxSegmenter(), {"box": "0" * 64}
    )
    real = Inpainters.fill

    def fill(*arguments: Any, **more: Any) -> Any:
        """As long as this file is there, every hole takes its time: so that there is something to watch and to cancel."""
        while Path(os.environ["BOARD_SLOW"]).exists():
            time.sleep(0.05)
        return real(*arguments, **more)

    Inpainters.fill = fill
    sys.exit(main(sys.argv[2:]))
