"""An S3 server on loopback in its own process, and a client for tests. It accepts any keys."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

KEYS = {
    "AWS_ACCESS_KEY_ID": "made-up",
    "AWS_SECRET_ACCESS_KEY": "made-up",
    "AWS_DEFAULT_REGION": "us-east-1",
}


class Bucket:
    """A bucket of the server."""

    def __init__(self, server: str, client: Any, name: str) -> None:
        self.server, self.client, self.name = server, client, name
        client.create_bucket(Bucket=name)

    @property
    def environment(self) -> dict[str, str]:
        """Variables with which a process reaches the server by s3://."""
        return {**KEYS, "AWS_ENDPOINT_URL": self.server, "AWS_EC2_METADATA_DISABLED": "true"}

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=self.name, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        with self.client.get_object(Bucket=self.name, Key=key)["Body"] as body:
            return bytes(body.read())

    def upload(self, folder: Path, prefix: str) -> None:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def tags(self) -> dict[str, str]:
        """Return every key with its ETag."""
        return {
            item["Key"]: item["ETag"]
            for item in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        }


@contextmanager
def s3_bucket(log: Path) -> Iterator[Bucket]:
    from botocore.config import Config
    from botocore.session import Session

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with open(log, "wb") as file:
        command = [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "moto.server",
            "-H",
            "127.0.0.1",
            "-p",
            str(port),
        ]
        process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
    try:
        _await(port, process, log)
        server = f"http://127.0.0.1:{port}"
        new_client = Session().create_client(
            "s3",
            endpoint_url=server,
            region_name="us-east-1",
            aws_access_key_id="made-up",
            aws_secret_access_key="made-up",
            config=Config(s3={"addressing_style": "path"}),
        )
        with closing(new_client) as client:
            yield Bucket(server, client, "bucket")
    finally:
        process.terminate()
        process.wait(30)


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.2)
