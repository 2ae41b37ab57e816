"""Output folders, local and remote, and the claims that tell a run's own files from others."""
