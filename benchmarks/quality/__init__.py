"""Benchmarks of the quality of masks, fills and verdicts."""
