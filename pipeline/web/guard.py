"""Guard a local server: who may send a request, to which path, and how much.

Only the server's own ``Paths`` pass: Gradio serves more than a mask board needs, files by path, a
proxy, code editing. A web page that the user visits meanwhile must not reach a server on the user's
own machine: requests for another host name (DNS rebinding) or from another origin are refused. The
content security policy makes the browser load nothing from elsewhere.

A call of the board may name files by path. Gradio would copy any file of this machine, or fetch any
address, before the called function sees it; Gradio's own check does not run when its application is
mounted in another. So this guard checks every call: only files that were uploaded here pass.

Gradio leaves half a file and a traceback behind if an upload ends early. So an upload waits in a
nameless temporary file, and the server gets it once it is complete.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import re
import socket
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ..errors import UnwritableError
from .uploads import no_room_for_uploads, sweep

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: The most bytes of an upload, and of any other request (a long stroke).
UPLOAD_BYTES, BODY_BYTES = 200 << 20, 4 << 20
#: An upload is held in memory up to this many bytes, and passed on in pieces of this size.
_IN_MEMORY, _PIECE = 4 << 20, 1 << 20
#: For so many seconds a client may send nothing amid an upload.
SILENT_SECONDS = 120.0

#: Headers of every answer. Gradio's page needs inline scripts, and its HTML component compiles its
#: template with ``Function``.
HEADERS = {
    "content-security-policy": "default-src 'none'; "
    "script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; "
    "worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of a server.

    Attributes:
        allowed: every path that is served.
        upload: the path of uploads.
        calls: paths of calls, whose bodies are JSON that may name uploaded files; None if none is.
    """

    allowed: re.Pattern[str]
    upload: str
    calls: re.Pattern[str] | None = None


class _RefusedError(Exception):
    """A request is refused with an HTTP status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Guard:
    """ASGI application that passes allowed requests to another one and answers the rest itself."""

    def __init__(
        self,
        app: App,
        host: str,
        uploads: Path,
        paths: Paths,
        ensure_folder: Callable[[], object] = lambda: None,
    ) -> None:
        """Guard an application.

        Args:
            app: the guarded ASGI application.
            host: the address at which the server listens.
            uploads: the folder that holds the uploaded files.
            paths: the paths that pass.
            ensure_folder: makes the uploads' parent anew if somebody cleared it away.
        """
        self._ensure_folder = ensure_folder
        self.app, self.host, self.uploads, self.paths = app, host, uploads, paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Websockets get no answer: no server here needs them."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        path = str(scope["path"])
        limit = UPLOAD_BYTES if path == self.paths.upload else BODY_BYTES
        refusal = self._refusal(headers, path, bytes(scope.get("raw_path") or b""), limit)
        if refusal is not None:
            await _answer(send, *refusal)
            return
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message = {**message, "headers": _with_our_headers(message["headers"])}
            await send(message)

        receive = _limited(receive, limit)
        try:
            calls = self.paths.calls
            if scope["method"] == "POST" and calls is not None and calls.fullmatch(path):
                scope, checked = await self._checked_call(scope, receive)
                await self.app(scope, checked, send_with_headers)
            elif scope["method"] == "POST" and path == self.paths.upload:
                await self._pass_upload(scope, receive, send_with_headers)
            else:
                await self.app(scope, receive, send_with_headers)
        except _RefusedError as refused:
            if not started:
                await _answer(send, refused.status, refused.message)

    async def _pass_upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Receive an upload to its end, then pass it to the application.

        Raises:
            _RefusedError: the client disconnects before the end, or sends nothing for long; or the
                disk of temporary files is full.
        """
        sweep(self.uploads)
        with ExitStack() as until_passed:
            try:
                self._ensure_folder()
                body = until_passed.enter_context(
                    tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self.uploads.parent))
                )
                async for chunk in _chunks(receive, SILENT_SECONDS):
                    body.write(chunk)
                body.seek(0)
            except OSError as error:
                raise _RefusedError(507, no_room_for_uploads(error)) from None
            except UnwritableError as error:
                raise _RefusedError(507, str(error)) from None
            is_over = False

            async def receive_again() -> Message:
                nonlocal is_over
                if is_over:
                    return await receive()
                piece = body.read(_PIECE)
                is_over = len(piece) < _PIECE
                return {"type": "http.request", "body": piece, "more_body": not is_over}

            await self.app(scope, receive_again, send)

    async def _checked_call(self, scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
        """Read a call's JSON, check the files it names, and serialise it again.

        The application then parses the very JSON that was checked: it cannot read the same bytes
        differently.

        Returns:
            The request's scope and its body, both with the new JSON.

        Raises:
            _RefusedError: the body is not JSON, or it names a file that was not uploaded here.
        """
        try:
            call = json.loads(await _body(receive) or b"{}")
            foreign = [path for path in _file_paths(call) if not self._is_uploaded(path)]
        except (ValueError, RecursionError):
            raise _RefusedError(400, "the body of a call must be JSON") from None
        if foreign:
            raise _RefusedError(403, "a call can only name files that were uploaded here")
        body = json.dumps(call).encode()
        headers = [
            (k, v)
            for k, v in scope["headers"]
            if k.lower() not in (b"content-length", b"transfer-encoding")
        ]
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_checked() -> Message:
            return messages.pop() if messages else await receive()

        headers.append((b"content-length", str(len(body)).encode()))
        return {**scope, "headers": headers}, receive_checked

    def _is_uploaded(self, path: Any) -> bool:
        if not isinstance(path, str) or "\0" in path:
            return False
        real = Path(path).resolve()
        return real.is_relative_to(self.uploads.resolve()) and real.is_file()

    def _refusal(
        self, headers: dict[str, str], path: str, raw: bytes, limit: int
    ) -> tuple[int, str] | None:
        """Return the status and message with which to refuse a request, or None to accept it."""
        host = headers.get("host", "")
        if not self._is_own_name(_host_name(host)):
            return 403, "this server answers to its own address only"
        origin = headers.get("origin")
        if origin is not None and _netloc(origin) != host.lower():
            return 403, "requests from other pages are refused"
        # "same-site" is another port of this machine: a page of another program.
        if (
            headers.get("sec-fetch-site") in ("cross-site", "same-site")
            and headers.get("sec-fetch-mode") != "navigate"
        ):
            return 403, "requests from other pages are refused"
        # Decoded twice, so that no spelling of ".." reaches the application.
        if (
            ".." in unquote(unquote(raw.decode("latin-1")))
            or ".." in path
            or not self.paths.allowed.fullmatch(path)
        ):
            return 404, "not found"
        length = headers.get("content-length", "0")
        if not re.fullmatch(r"[0-9]{1,15}", length) or int(length) > limit:
            return _too_large(limit)
        return None

    def _is_own_name(self, name: str) -> bool:
        """Whether ``name`` (lower case, without port) is a name of this server."""
        if name in ("localhost", "127.0.0.1", "::1", self.host.lower()):
            return True
        if is_loopback(self.host):
            return False
        # Open to other machines: any address may be this machine's, but a name that is not its own
        # points to DNS rebinding.
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in (socket.gethostname().lower(), socket.getfqdn().lower())
        return True


async def _body(receive: Receive) -> bytes:
    """Receive a request's whole body; raises as ``_chunks``."""
    return b"".join([chunk async for chunk in _chunks(receive)])


async def _chunks(receive: Receive, patience: float | None = None) -> AsyncIterator[bytes]:
    """Receive a request's body in pieces.

    Raises:
        _RefusedError: the client disconnects before the end, or sends nothing for ``patience``
            seconds.
    """
    more = True
    while more:
        try:
            message = await asyncio.wait_for(receive(), patience)
        except TimeoutError:
            raise _RefusedError(408, f"nothing came for {patience:.0f} s") from None
        if message["type"] == "http.disconnect":
            raise _RefusedError(400, "the connection was closed")
        yield message.get("body", b"")
        more = message.get("more_body", False)


def _file_paths(value: Any) -> list[Any]:
    """Return the paths of all files that a call's arguments name, at any depth.

    An object that claims to be a file and names no path contributes None.
    """
    if isinstance(value, list):
        return [path for item in value for path in _file_paths(item)]
    if not isinstance(value, dict):
        return []
    direct = [value.get("path")] if "path" in value or "meta" in value else []
    return direct + [path for item in value.values() for path in _file_paths(item)]


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach a server that listens at ``host``."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _netloc(origin: str) -> str:
    """``http://localhost:7860`` -> ``localhost:7860``; an invalid origin -> ""."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    """``[::1]:7860`` -> ``::1``."""
    return (re.sub(r":\d+$", "", host) if not host.endswith("]") else host).strip("[]").lower()


def _limited(receive: Receive, limit: int) -> Receive:
    """Receive messages, and raise ``_RefusedError`` once their bodies exceed ``limit`` bytes."""
    received = 0

    async def receive_limited() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise _RefusedError(*_too_large(limit))
        return message

    return receive_limited


def _too_large(limit: int) -> tuple[int, str]:
    return 413, f"the request is larger than {limit >> 20} MB"


def _with_our_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Replace the application's security headers by ours, and drop its permissions for others."""
    kept = [
        (k, v)
        for k, v in headers
        if k.lower() not in _OUR_NAMES and not k.lower().startswith(b"access-control-")
    ]
    return [*kept, *_OUR_HEADERS]


async def _answer(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *_OUR_HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


_OUR_HEADERS = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
_OUR_NAMES = {k for k, _ in _OUR_HEADERS}
