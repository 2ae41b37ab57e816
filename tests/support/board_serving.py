"""Start a board as a user starts it, and send it requests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.asking import ask

#: Opens a board's page in a browser, see the fixture ``visit``.
Open = Callable[..., Any]
PROCESS = Path(__file__).with_name("board_process.py")


@dataclass(frozen=True)
class Served:
    """A running board.

    Attributes:
        port: its port on 127.0.0.1.
        slow: as long as this file exists, no fill ends.
        process: the board's process.
        errors: the file of its messages.
    """

    port: int
    slow: Path
    process: subprocess.Popen[bytes]
    errors: Path

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """Send one request with its path exactly as written: no client normalises it.

        Returns:
            The status, the body, and the headers with lower-case names.
        """
        return ask(self.port, method, path, body, **headers)

    def call(self, name: str, *data: Any) -> tuple[int, Any]:
        """Make a named call as the page does; return the status, and the answer or message."""
        status, answer = self._run(name, data)
        return status, answer["data"][0] if status == 200 else answer["error"]

    def error_code(self, name: str, *data: Any) -> str:
        """Make a named call that fails, and return its error's code."""
        status, answer = self._run(name, data)
        assert status == 500, answer
        code: str = answer["title"]
        return code

    def _run(self, name: str, data: tuple[Any, ...]) -> tuple[int, Any]:
        body = json.dumps({"data": list(data)}).encode()
        status, answer, _ = self.ask(
            "POST", f"/gradio_api/run/{name}", body, Content_Type="application/json"
        )
        return status, json.loads(answer)


def choose(page: Any, name: str) -> None:
    """Open a photo from the page's list, whatever the list says behind its name.

    The open photo is left as it is: it would open anew, and forget a selection made meanwhile.
    """
    key = page.evaluate("name => maskBoard.list.named(name).photo", name)
    if page.locator("#mb-photo").input_value() != key:
        page.locator("#mb-photo").select_option(value=key)


@contextmanager
def serve(weights: Path, folder: Path, *arguments: str) -> Iterator[Served]:
    """Serve the board with these arguments until the block ends; ``folder`` holds its files."""
    slow = folder / "slow"
    calls = folder / "calls"
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "REMOVE_OBJECTS_OFFLINE": "1",
        "TORCH_HOME": str(folder / "empty-cache"),
        "BOARD_SLOW": str(slow),
        "BOARD_CALLS": str(calls),
        "TMPDIR": str(folder),
        "NO_PROXY": "*",
        "no_proxy": "*",
    }
    command = [sys.executable, str(PROCESS), str(weights), "--port", "0", "--offline", *arguments]
    with open(folder / "stderr", "wb") as errors:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment,
            cwd=folder,
            # Under nohup the suite ignores SIGHUP, and its children would too.
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
        )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().decode()
        address = re.search(r"http://\S+:(\d+)/", line)
        assert address, line + (folder / "stderr").read_text()
        served = Served(int(address[1]), slow, process, folder / "stderr")
        served.ask("GET", "/config")  # the socket listens already; wait until the server answers
        yield served
    finally:
        slow.unlink(missing_ok=True)
        if process.poll() is None:
            process.terminate()
        process.wait(20)
        process.stdout.close()
    assert not calls.exists(), calls.read_text()  # the board called no other machine
