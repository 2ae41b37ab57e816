"""Planted faults: killed runs, damaged weights, moved masks."""
