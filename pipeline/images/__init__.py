"""Photos and masks in and out of files: the only names that the rest of the program uses.

Each of the ``image_*`` files beside this one holds one idea of the way: open, read, modes, paste, save, one per format.
"""

from ..system.atomic import atomic_write, copy_photo
from .masks import read_mask, write_mask
from .read import MAX_PIXELS
from .sandbox import read_photo
from .strip import strip_photo
from .write import WriteResult, write_photo

__all__ = [
    "MAX_PIXELS",
    "WriteResult",
    "atomic_write",
    "copy_photo",
    "read_mask",
    "read_photo",
    "strip_photo",
    "write_mask",
    "write_photo",
]
