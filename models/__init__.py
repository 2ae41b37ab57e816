"""Networks, their layers and their weights. They take and return tensors."""
