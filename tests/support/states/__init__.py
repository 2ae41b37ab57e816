"""A model of the states: what runs, the board, the user and kills may leave of a person's files."""
