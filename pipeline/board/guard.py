"""The door of the board's server: who may ask, for what, and how much they may send.

Gradio serves more than a mask board needs (files by path, a proxy, code editing). Only the paths of ``ALLOWED`` pass. A web page that
someone visits meanwhile must not reach a server on their own machine: requests for another host (DNS rebinding) or from another origin
are refused. And what the page may load is said to the browser: from here, and from nowhere else.

A call may hold files, by path. Gradio would copy any file of this machine, or fetch any address, before the called function hears of it
(its own check sleeps where its application is mounted in another). So that is looked at here: only what was uploaded here passes.
"""

from __future__ import annotations

import ipaddress
import json
import re
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Everything that is served: the page, Gradio's own scripts, its interface for named calls, and the board's pictures.
ALLOWED = re.compile(
    r"/|/config/?|/theme\.css|/favicon\.ico|/robots\.txt|/manifest\.json"
    r"|/(?:assets|static)/[\w.@/-]+"
    r"|/gradio_api/(?:info/?|openapi\.json|startup-events|upload|queue/(?:join|data)|heartbeat/\w+|cancel|reset/?)"
    r"|/gradio_api/(?:run|call|api)/\w+(?:/\w+)?/?"
    r"|/board/page/[a-z_]+\.(?:css|js)|/board/view/\w+/[a-z-]+|/board/download/\w+/[a-z]+"
)
#: Where calls arrive, with their arguments as JSON.
_CALLS = re.compile(r"/gradio_api/(?:(?:run|call|api)/.*|queue/join)")
#: Bytes that a request may carry: an uploaded file, and anything else (a long stroke).
UPLOAD_BYTES, BODY_BYTES = 200 << 20, 4 << 20

#: Gradio's page needs inline scripts, and its HTML component makes its template with ``Function``.
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


class _RefusedError(Exception):
    """Status and words of the answer."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status, self.words = status, words


class Guard:
    """ASGI: lets through what may pass to ``app``, and answers the rest itself.

    ``host`` is the address that the server listens at; ``uploads`` the folder that holds what was uploaded.
    """

    def __init__(self, app: App, host: str, uploads: Path) -> None:
        self.app, self.host, self.uploads = app, host, uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websocket is of use here
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path = str(scope["path"])
        limit = UPLOAD_BYTES if path == "/gradio_api/upload" else BODY_BYTES
        refusal = self._refusal(headers, path, bytes(scope.get("raw_path") or b""), limit)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        taken, begun = 0, False

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise _RefusedError(413, f"more than {limit >> 20} MB were sent")
            return message

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                kept = [
                    (k, v)
                    for k, v in message["headers"]
                    if k.lower() not in _OURS and not k.lower().startswith(b"access-control-")
                ]
                message = {**message, "headers": [*kept, *_HEADER_BYTES]}
            await send(message)

        try:
            if scope["method"] == "POST" and _CALLS.fullmatch(path):
                scope, receive = await self._looked_through(scope, bounded)
                await self.app(scope, receive, dressed)
            else:
                await self.app(scope, bounded, dressed)
        except _RefusedError as refused:
            if not begun:
                await _answer(send, refused.status, refused.words)

    async def _looked_through(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        """The request with its JSON as this guard read it: nobody behind it reads the same bytes in another way."""
        parts, more = [], True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _RefusedError(400, "hung up")
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        try:
            found = json.loads(b"".join(parts) or b"{}")
            strange = [path for path in _paths(found) if not self._is_uploaded(path)]
        except (ValueError, RecursionError):
            raise _RefusedError(400, "this is no call") from None
        if strange:
            raise _RefusedError(403, "a call can name files only that were uploaded here")
        body = json.dumps(found).encode()
        headers = [
            (k, v)
            for k, v in scope["headers"]
            if k.lower() not in (b"content-length", b"transfer-encoding")
        ]
        waiting = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return waiting.pop() if waiting else await receive()

        return {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}, again

    def _is_uploaded(self, path: Any) -> bool:
        if not isinstance(path, str) or "\0" in path:
            return False
        real = Path(path).resolve()
        return real.is_relative_to(self.uploads.resolve()) and real.is_file()

    def _refusal(
        self, headers: dict[str, str], path: str, raw: bytes, limit: int
    ) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if not self._is_ours(_name(host)):
            return 403, "this server answers to its own address only"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host.lower():
            return 403, "requests from other pages are refused"
        # "same-site" is another port of this machine: somebody else's page too.
        if (
            headers.get("sec-fetch-site") in ("cross-site", "same-site")
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return 403, "requests from other pages are refused"
        # Twice decoded, so that no way of writing ".." is left for anything behind this door.
        if (
            ".." in unquote(unquote(raw.decode("latin-1")))
            or ".." in path
            or not ALLOWED.fullmatch(path)
        ):
            return 404, "not found"
        length = headers.get("content-length", "0")
        if not re.fullmatch(r"[0-9]{1,15}", length) or int(length) > limit:
            return 413, f"more than {limit >> 20} MB were sent"
        return None

    def _is_ours(self, name: str) -> bool:
        if name in ("localhost", "127.0.0.1", "::1", self.host.lower()):
            return True
        if is_loopback(self.host):
            return False
        # Open to other machines: any address is one of this machine's, any name but its own is somebody else's trick.
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in (socket.gethostname().lower(), socket.getfqdn().lower())
        return True


def _paths(value: Any) -> list[Any]:
    """What a call's arguments name as files, at any depth; None for an object that claims to be a file and names none."""
    if isinstance(value, list):
        return [path for item in value for path in _paths(item)]
    if not isinstance(value, dict):
        return []
    own = [value.get("path")] if "path" in value or "meta" in value else []
    return own + [path for item in value.values() for path in _paths(item)]


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server that listens at ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _netloc(origin: str) -> str:
    """``http://localhost:7860`` -> ``localhost:7860``; empty, which is nobody's, for what is no address."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    """``[::1]:7860`` -> ``::1``."""
    return (re.sub(r":\d+$", "", host) if not host.endswith("]") else host).strip("[]").lower()


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_HEADER_BYTES]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


_HEADER_BYTES = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
_OURS = {k for k, _ in _HEADER_BYTES}
