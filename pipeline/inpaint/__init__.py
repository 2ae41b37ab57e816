"""Inpainting: choose a network for each hole, fill the hole, composite the fill."""
