"""A pytest mark for tests that need jpeglib."""

from __future__ import annotations

import importlib.util

import pytest

#: jpeglib has no wheel for some machines; there every JPEG is encoded anew, upright.
needs_jpeglib = pytest.mark.skipif(
    importlib.util.find_spec("jpeglib") is None, reason="jpeglib has no wheel for this machine"
)
