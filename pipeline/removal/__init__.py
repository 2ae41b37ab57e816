"""The removal of objects from one photo: what is wanted, which pixels are removed, how holes are filled."""
