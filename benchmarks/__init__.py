"""Benchmarks: `quality` compares results, `speed` measures time and memory."""
