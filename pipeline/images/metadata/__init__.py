"""EXIF, XMP and pictures hidden in metadata."""
