"""The report of a run: JSON, table and page, previews, baselines, terminal output."""
