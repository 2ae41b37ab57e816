"""The tasks: how each network is trained."""
