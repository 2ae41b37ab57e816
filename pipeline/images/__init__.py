"""Photos and masks in and out of files: the names that the rest of the program uses."""

from .carried import DROPPED
from .glance import Glance
from .layers import encode_layers, layers_of, read_kept, read_layers, write_layers
from .masks import (
    EITHER_WAY,
    EMPTY,
    MOSTLY_WHITE,
    UNDERSTOOD,
    MaskShapeError,
    OwnMask,
    own_mask,
    read_mask,
    read_own_mask,
    refuse_no_mask,
    write_mask,
)
from .read import MAX_PIXELS
from .sandbox import read_glance, read_photo
from .save import Saved, SaveOptions, save_outcome
from .strip import strip_photo
from .write import WriteResult, write_photo

__all__ = [
    "DROPPED",
    "EITHER_WAY",
    "EMPTY",
    "Glance",
    "MAX_PIXELS",
    "MOSTLY_WHITE",
    "MaskShapeError",
    "OwnMask",
    "UNDERSTOOD",
    "SaveOptions",
    "Saved",
    "WriteResult",
    "encode_layers",
    "layers_of",
    "own_mask",
    "read_glance",
    "read_kept",
    "read_layers",
    "read_mask",
    "read_own_mask",
    "read_photo",
    "refuse_no_mask",
    "save_outcome",
    "strip_photo",
    "write_layers",
    "write_mask",
    "write_photo",
]
