"""Tests of ``pipeline/images``."""
