"""Send requests to a server on this machine."""

from __future__ import annotations

import contextlib
import http.client


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    """Send one request with its path exactly as written: no client normalises it.

    Args:
        port: the server's port on 127.0.0.1.
        method: HTTP method.
        path: what stands in the request's first line.
        body: what is sent; its length is told.
        headers: by name, with ``_`` for ``-``.

    Returns:
        The status, the body, and the headers with lower-case names.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in names, skip_accept_encoding=True)
        for name, value in names.items():
            connection.putheader(name, value)
        if body is not None and "Content-Length" not in names:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
