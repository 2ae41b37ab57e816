"""The options ``--host`` and ``--port``."""

from __future__ import annotations

import argparse


def add_address_options(group: argparse._ArgumentGroup, usual: int) -> None:
    """Add ``--host`` and ``--port``."""
    group.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default 127.0.0.1: this machine only)",
    )
    group.add_argument(
        "--port",
        type=_port,
        default=None,
        help=f"port to listen at (default: {usual}, or the next free one; 0: any)",
    )


def _port(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = -1
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"a port is 0 to 65535, got '{text}'")
    return number
