"""Output folders, local and remote, and claims, by which a run knows its own files."""
