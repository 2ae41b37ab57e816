"""Engines, which process the photos of a run: threads of this process, or a Ray cluster."""
