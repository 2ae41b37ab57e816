"""Small files that take much memory or time to decode."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def tiff_of_one_vast_tile(side: int = 16384) -> bytes:
    """16 x 16 pixels in a Deflate tile of ``side`` x ``side``: 800 MB decoded, 4 MB in the file."""
    compressor = zlib.compressobj(1)
    row = bytes(side * 3)
    tile = b"".join(compressor.compress(row) for _ in range(side)) + compressor.flush()
    entries = {
        256: [16],
        257: [16],
        258: [8, 8, 8],
        259: [8],
        262: [2],
        277: [3],
        322: [side],
        323: [side],
        324: [0],
        325: [len(tile)],
    }
    behind = 8 + 2 + 12 * len(entries) + 4
    entries[324] = [behind + 12]
    directory = struct.pack("<H", len(entries))
    for tag, values in entries.items():
        at = struct.pack("<I", behind if len(values) > 1 else values[0])
        directory += struct.pack("<HHI", tag, 4, len(values)) + at
    return (
        b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + struct.pack("<3I", 8, 8, 8) + tile
    )


def jpeg_of_many_scans(count: int, side: int = 64) -> bytes:
    """A progressive JPEG with ``count`` more copies of its last scan."""
    file = io.BytesIO()
    Image.new("L", (side, side), 100).save(file, "JPEG", progressive=True)
    content = file.getvalue()
    last = content[content.rindex(b"\xff\xda") : -2]
    return content[:-2] + last * count + b"\xff\xd9"
