"""The fuzzer: damaged files for every reader of the program."""
