"""The mask board: a local web page to draw masks by hand and to review a run's photos."""
