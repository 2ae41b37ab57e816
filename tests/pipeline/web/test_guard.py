"""The guard's rules, one by one; ``test_server`` and ``test_attack`` try them on a served board."""

from __future__ import annotations

from pathlib import Path

import pytest

from remove_objects.pipeline.board.server import PATHS
from remove_objects.pipeline.web.guard import Guard, is_loopback


async def app(*_: object) -> None:
    """An application that the guard never calls here."""


def test_only_loopback_is_loopback() -> None:
    assert all(is_loopback(h) for h in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"))
    assert not any(
        is_loopback(h)
        for h in ("0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.evil.example")
    )


def test_an_open_board_accepts_addresses_and_no_foreign_names() -> None:
    assert Guard(app, "0.0.0.0", Path(), PATHS)._is_own_name("192.168.1.5")
    assert not Guard(app, "0.0.0.0", Path(), PATHS)._is_own_name("evil.example")
    assert not Guard(app, "127.0.0.1", Path(), PATHS)._is_own_name("192.168.1.5")


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=x",
        "/gradio_api/proxy=x",
        "/gradio_api/vibe-edit/",
        "/monitoring",
        "/board/page/x.py",
        "/x",
    ],
)
def test_the_list_of_allowed_paths_is_short(path: str) -> None:
    assert not PATHS.allowed.fullmatch(path)


@pytest.mark.parametrize("length", ["\xb2", "1e3", "0x10", " ", "+5", "9" * 5000])
def test_a_length_that_is_not_a_number_is_refused(length: str) -> None:
    refusal = Guard(app, "127.0.0.1", Path(), PATHS)._refusal(
        {"host": "127.0.0.1", "content-length": length}, "/", b"/", 100
    )
    assert refusal is not None
    assert refusal[0] == 413
