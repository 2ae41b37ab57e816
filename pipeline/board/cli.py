"""``mask-board``: the command. A local web page to draw a mask, see it filled, compare and save."""

from __future__ import annotations

import argparse
import logging
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import DEVICES, SEGMENTERS, Settings
from ..errors import RemoveObjectsError, UsageError
from ..system.text import printable

if TYPE_CHECKING:
    from .catalog import Opened

PORT = 7860


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        "mask-board",
        description="A local web page to draw a mask by hand, see it filled, compare and save. With the output folder of a remove-objects "
        "run it walks through the photos marked 'review', worst first, and puts what you mend back into the run.",
        epilog="Nothing leaves this machine, and the photos that are opened are never changed. "
        "docs/mask-board.md has the keys and the HTTP interface.",
    )
    p.add_argument(
        "path",
        nargs="?",
        type=Path,
        metavar="PATH",
        help="a photo, a folder, or a run's output folder (default: choose in the page)",
    )
    p.add_argument(
        "--input",
        type=Path,
        metavar="DIR",
        help="of a run: where the photos are that it cleaned, if they are not found",
    )
    p.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="where results go (default: cleaned/ beside PATH; a run's are put back)",
    )
    p.add_argument(
        "--segmenter",
        choices=SEGMENTERS,
        help="for 'select by class' (default: the run's, or auto)",
    )
    p.add_argument("--device", choices=DEVICES, default="auto")
    p.add_argument(
        "--lossless", action="store_true", help="write PNG where the photo's own format is lossy"
    )
    p.add_argument(
        "--strip-metadata",
        action="store_true",
        help="save photos without GPS, dates, names, serial numbers",
    )
    p.add_argument(
        "--offline", action="store_true", help="never touch the network, not even for weights"
    )
    p.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default 127.0.0.1: this machine only)",
    )
    p.add_argument(
        "--port",
        type=_port,
        default=None,
        help=f"port to listen at (default: {PORT}, or the next free one; 0: any)",
    )
    p.add_argument("--open", action="store_true", help="open the page in the default browser")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the board until Ctrl-C; 0 then, 2 where the call itself was wrong."""
    args = parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING, format="mask-board: %(message)s", force=True)
    from .board import Board

    board = None
    try:
        opened = open_path(args)
        board = Board(opened)
        serve(board, args.host, args.port, browser=args.open)
    except RemoveObjectsError as error:
        print(f"mask-board: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    finally:
        if board is not None:
            board.close()
    return 0


def open_path(args: argparse.Namespace) -> Opened:
    """What the arguments name. Raises ``UsageError`` where that cannot be opened."""
    from . import run_folder
    from .catalog import Opened, open_photos

    path: Path | None = args.path
    if args.input is not None and (path is None or not run_folder.is_run(path)):
        raise UsageError(
            "--input goes with the output folder of a remove-objects run, one with a report.json"
        )
    settings = Settings(
        segmenter=args.segmenter or "auto", device=args.device, lossless=args.lossless, offline=args.offline,
        strip_metadata=args.strip_metadata,
    )  # fmt: skip
    if path is None:
        return Opened("empty", "", settings=settings)
    if not run_folder.is_run(path):
        return open_photos(path, args.output, settings)
    if args.output is not None:
        raise UsageError(
            "what is mended in a run is put back into its own folder: leave out --output, or open the input folder instead"
        )
    opened = run_folder.open_run(path, args.input)
    run = opened.settings
    kept = replace(
        run, segmenter=args.segmenter or run.segmenter, device=args.device,
        lossless=run.lossless or args.lossless, offline=run.offline or args.offline,
        strip_metadata=run.strip_metadata or args.strip_metadata,
    )  # fmt: skip
    return replace(opened, settings=kept)


def serve(board: Any, host: str, port: int | None, *, browser: bool = False) -> None:
    """Listen until the process is told to stop. Raises ``UsageError`` where the address cannot be had, or Gradio is not installed."""
    from .guard import is_loopback
    from .server import build

    app = build(board, host)
    import uvicorn

    listening = _listen(host, port)
    if not is_loopback(host):
        print(
            f"mask-board: WARNING: --host {host} lets everyone who can reach this machine see and change the opened photos' masks, "
            "without a password. Use it in a network that you trust only.",
            file=sys.stderr,
        )
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listening.getsockname()[1]}/"
    print(f"mask-board: {address}  (Ctrl-C to stop)", flush=True)
    if browser:
        import webbrowser

        webbrowser.open(address)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        ws="none",
    )  # type: ignore[arg-type]
    uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int | None) -> socket.socket:
    """A listening socket; where no port was named and the usual one is taken, at one of the next."""
    tried = [port] if port is not None else range(PORT, PORT + 20)
    try:
        family, *_, found = socket.getaddrinfo(host.strip("[]"), None, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise UsageError(f"--host {host}: no such address ({error.strerror or error})") from error
    for number in tried:
        listening = socket.socket(family, socket.SOCK_STREAM)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((found[0], number))
            listening.listen()  # from now on who comes early waits
            return listening
        except OSError as error:
            listening.close()
            reason = error.strerror or str(error)
    raise UsageError(
        f"{host}:{tried[0] if port is not None else f'{PORT} to {PORT + 19}'}: cannot listen there ({reason}); name another --port"
    )


def _port(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"a port is 0 to 65535, got '{text}'")
    return number


if __name__ == "__main__":
    sys.exit(main())
