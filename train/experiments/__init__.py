"""The three papers' tables, and the routing table, reproduced.

``evaluate-inpainter skip-ce-lpips | partial-conv-metrics | compression-similarity | routing``.
"""
