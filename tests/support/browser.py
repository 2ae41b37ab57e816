"""The browser that opens pages in tests: which one is installed, and its options."""

from __future__ import annotations

import shutil

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
