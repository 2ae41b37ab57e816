"""What can be wrong with a weight; without torch, which takes seconds to load."""

from __future__ import annotations


class CheckpointError(ValueError):
    """The file is not the expected weight: wrong hash, wrong network, wrong format or damaged."""
