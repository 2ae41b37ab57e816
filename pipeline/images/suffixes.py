"""The endings by which a file is taken for a photo."""

LOSSY_SUFFIXES = frozenset([".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".heic", ".heif", ".avif"])
SUFFIXES = LOSSY_SUFFIXES | {".png", ".bmp", ".tif", ".tiff", ".gif"}
