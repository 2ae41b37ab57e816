"""The machine of the states, for thousands of steps."""
