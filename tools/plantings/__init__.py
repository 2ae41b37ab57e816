"""Plant a picture of the removed object everywhere, and look for it in the results."""
