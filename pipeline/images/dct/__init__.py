"""JPEG coefficients outside the hole, kept as they are."""
