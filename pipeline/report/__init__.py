"""The report of a run: JSON, table and page, previews, baselines, and the terminal's words."""
