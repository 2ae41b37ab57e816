"""The three papers' tables, run again: ``evaluate-inpainter skip-ce-lpips | partial-conv-metrics | compression-similarity | routing``."""
