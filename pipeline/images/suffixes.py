"""The file name endings by which a file is taken for a photo."""

from .formats.table import FORMATS

#: Of all formats that are read.
SUFFIXES = frozenset(suffix for record in FORMATS for suffix in record.suffixes)
#: Of those that may be lossy; ``--lossless`` writes them as PNG.
LOSSY_SUFFIXES = frozenset(
    suffix for record in FORMATS if record.lossy for suffix in record.suffixes
)
#: Of cameras' RAW files, which need the extra ``raw``.
RAW_SUFFIXES = frozenset(
    (".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw")
)
