"""Pictures of objects from near, with their alpha and a segmenter's answer: the refiner's data."""
