"""Plantings: a picture of the removed object, hidden in every place of every format."""
