"""Training data: pictures, holes, edges and labels, decoded and augmented in worker processes."""
