"""``python -m remove_objects``: the same as the command ``remove-objects``."""

from __future__ import annotations

import sys

from .pipeline.cli import main

if __name__ == "__main__":
    sys.exit(main())
