"""The browser that opens pages in tests: which one is installed, and its options."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: The installed browser; None if there is none.
EXECUTABLE = next((path for name in NAMES if (path := shutil.which(name))), None)
#: Without a sandbox, and without calls of the browser's own to its makers.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def started(sync_api: Any) -> Iterator[Any]:
    """A browser without a window; ``sync_api`` is Playwright's, which may not be installed."""
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=EXECUTABLE, args=["--headless", *FLAGS])
        yield browser
        browser.close()


class Tab:
    """An open page, with everything that the browser logged and requested."""

    def __init__(self, browser: Any, page: Path | str, **context: Any) -> None:
        """Open a page, a file or an address."""
        self.context = browser.new_context(viewport={"width": 1280, "height": 900}, **context)
        self.page = self.context.new_page()
        self.logged: list[str] = []
        self.requested: list[str] = []
        self.page.on(
            "console", lambda message: self.logged.append(f"{message.type}: {message.text}")
        )
        self.page.on("pageerror", lambda error: self.logged.append(f"error: {error}"))
        self.page.on(
            "dialog",
            lambda dialog: (self.logged.append(f"dialog: {dialog.message}"), dialog.dismiss()),
        )
        self.page.on("request", lambda request: self.requested.append(request.url))
        self.page.on("requestfailed", lambda request: self.logged.append(f"failed: {request.url}"))
        address = page if isinstance(page, str) else page.as_uri()
        self.page.goto(address, wait_until="load")

    def do(self, script: str, argument: Any = None) -> Any:
        """Evaluate a script."""
        return self.page.evaluate(script, argument)

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            self.page.keyboard.press(key)
