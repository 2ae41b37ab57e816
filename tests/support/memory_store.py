"""A remote store that needs no server: fsspec's file system in memory."""

from __future__ import annotations

from remove_objects.pipeline.storage.location import RemotePath, parse_location


def remote(text: str) -> RemotePath:
    """Return the remote place of an address."""
    place = parse_location(text)
    assert isinstance(place, RemotePath)
    return place
