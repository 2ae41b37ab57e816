"""Fixtures' helper: a board that serves, started as a user starts it, and where it answers."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROCESS = Path(__file__).with_name("board_process.py")


@dataclass(frozen=True)
class Served:
    """A running board: its port, and the file that makes fills slow while it exists."""

    port: int
    slow: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, bytes, dict[str, str]]:
        """One request with its path sent as it is written: no client tidies it up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            names = {k.replace("_", "-"): v for k, v in headers.items()}
            connection.putrequest(
                method, path, skip_host="Host" in names, skip_accept_encoding=True
            )
            for name, value in names.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()

    def call(self, name: str, *data: Any) -> tuple[int, Any]:
        """A named call, as the page makes it: (status, answer or message)."""
        body = json.dumps({"data": list(data)}).encode()
        status, answer, _ = self.ask(
            "POST", f"/gradio_api/run/{name}", body, Content_Type="application/json"
        )
        found = json.loads(answer)
        return status, found["data"][0] if status == 200 else found["error"]


@contextmanager
def serve(weights: Path, folder: Path, *arguments: str) -> Iterator[Served]:
    """The board with these arguments until the block ends; ``folder`` is for what it needs beside."""
    slow = folder / "slow"
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "REMOVE_OBJECTS_OFFLINE": "1", "TORCH_HOME": str(folder / "empty-cache"),
        "BOARD_SLOW": str(slow), "BOARD_CALLS": str(folder / "calls"), "TMPDIR": str(folder), "NO_PROXY": "*", "no_proxy": "*",
    }  # fmt: skip
    command = [sys.executable, str(PROCESS), str(weights), "--port", "0", "--offline", *arguments]
    with open(folder / "stderr", "wb") as errors:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=errors, env=environment, cwd=folder
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline().decode()
        found = re.search(r"http://\S+:(\d+)/", said)
        assert found, said + (folder / "stderr").read_text()
        served = Served(int(found[1]), slow)
        served.ask(
            "GET", "/config"
        )  # the socket listens already: this waits until somebody answers
        yield served
    finally:
        slow.unlink(missing_ok=True)
        process.terminate()
        process.wait(20)
        process.stdout.close()
    assert not (folder / "calls").exists(), (
        folder / "calls"
    ).read_text()  # it called no other machine
