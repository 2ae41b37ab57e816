"""``remove-objects watch``: cleans the photos that arrive in a folder, until it is stopped."""
