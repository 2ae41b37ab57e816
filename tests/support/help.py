"""A command's ``--help``, in its own process."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType


def assert_help_is_quick(module: ModuleType, says: str, absent: set[str]) -> None:
    """Check that ``--help`` contains ``says`` and loads none of the heavy modules ``absent``."""
    package, _, name = module.__name__.rpartition(".")
    script = (
        f"import sys; from {package} import {name} as command\n"
        "try: command.main(['--help'])\n"
        "except SystemExit: pass\n"
        f"assert not {absent!r} & set(sys.modules)"
    )
    begun = time.monotonic()
    folder = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
    # 0.1 s on an idle machine; on a busy one torch alone would take longer than this bound.
    assert time.monotonic() - begun < 3
