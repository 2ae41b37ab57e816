"""Photos and masks in and out of files: the only names that the rest of the program uses.

Each of the ``image_*`` files beside this one holds one idea of the way: open, read, modes, paste, save, one per format.
"""

from pipeline.files import atomic_write, copy_photo
from pipeline.image_apart import read_photo
from pipeline.image_read import MAX_PIXELS
from pipeline.image_write import WriteResult, write_photo
from pipeline.mask_files import read_mask, write_mask
from pipeline.strip_file import strip_photo

__all__ = ["MAX_PIXELS", "WriteResult", "atomic_write", "copy_photo", "read_mask", "read_photo", "strip_photo", "write_mask", "write_photo"]
