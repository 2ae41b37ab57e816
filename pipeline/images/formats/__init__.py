"""One file per image format, each with one ``Format`` record; ``table`` lists them all."""
