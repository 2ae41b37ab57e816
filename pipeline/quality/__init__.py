"""Quality: metrics of a result, its expected error, and the verdict."""
