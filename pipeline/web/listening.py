"""A server of this machine: its address, and its end by a signal."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from ..errors import UsageError
from ..system.signals import signals_restored
from .guard import is_loopback

if TYPE_CHECKING:
    from .guard import App

#: How many ports are tried from the usual one on.
PORTS_TRIED = 20
#: Signals that end a server, besides Ctrl-C; Windows has no SIGHUP.
_ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP in the block interrupt it as Ctrl-C does, so that it can tidy up.

    A signal that this process ignores (``nohup``) stays ignored.
    """

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with signals_restored(*_ENDING) as numbers:
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, interrupt)
        yield


def serve_app(
    app: App,
    listening: socket.socket,
    host: str,
    command: str,
    *,
    risk: str,
    begun: Callable[[str], None] = lambda _: None,
    ending: Callable[[], None] = lambda: None,
    is_busy: Callable[[], bool] = lambda: False,
    patience: int = 2,
) -> None:
    """Say where a server is, and serve until the process is interrupted.

    Args:
        app: the application behind its guard.
        listening: from ``listen``.
        host: the address at which it listens.
        command: the command's name, for messages.
        risk: what everyone can do who reaches the server, if that is more than this machine.
        begun: called with the address.
        ending: called when a signal ends the server, while requests are still in progress.
        is_busy: whether work is in progress that is finished then, however long that takes; a
            second Ctrl-C ends it at once.
        patience: seconds for which requests in progress may go on after that: a client that sends
            or reads nothing any more must not keep the server.
    """
    import uvicorn

    class Server(uvicorn.Server):  # type: ignore[misc]
        """Tells of its end, and finishes what is in progress."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            ending()
            super().handle_exit(sig, frame)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            while is_busy() and not self.force_exit:
                await asyncio.sleep(0.05)
            await super().shutdown(sockets)

    if not is_loopback(host):
        print(
            f"{command}: WARNING: --host {host} lets everyone who can reach this machine {risk}, "
            "without a password. Use it only in a network that you trust.",
            file=sys.stderr,
        )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    print(f"{command}: {address}  (Ctrl-C to stop)", flush=True)
    begun(address)
    config = uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=patience,
        ws="none",
    )
    server = Server(config)
    with signals_restored(*_ENDING) as numbers:
        for number in numbers:
            # Uvicorn handles SIGTERM in the same way, and raises it again when it has ended.
            if number != signal.SIGTERM and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, server.handle_exit)
        server.run(sockets=[listening])


def listen(host: str, port: int | None, usual: int) -> socket.socket:
    """Return a listening socket; without a port, at the usual one or one of the next.

    Raises:
        UsageError: the host does not exist, or every port is taken.
    """
    candidates = [port] if port is not None else range(usual, usual + PORTS_TRIED)
    try:
        family, *_, address = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(f"--host {host}: no such address ({error.strerror or error})") from error
    for number in candidates:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((address[0], number))
            listening.listen()  # requests that arrive before the server runs wait here
            return listening
        except OSError as error:
            listening.close()
            reason = error.strerror or str(error)
    ports = str(port) if port is not None else f"{usual} to {usual + PORTS_TRIED - 1}"
    raise UsageError(f"{host}:{ports}: cannot listen there ({reason}); name another --port")
