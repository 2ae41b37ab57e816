"""Measurements of ``evaluate-inpainter`` that train nothing."""
