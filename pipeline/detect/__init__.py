"""Detection: faces, and the pixels of the classes to remove."""
