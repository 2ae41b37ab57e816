"""Texture for a network's prediction, copied from the photo's own known pixels."""
