"""What is inside the files of a format, without decoding pixels."""
