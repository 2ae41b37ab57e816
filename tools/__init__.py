"""Tools for developers: fuzzing, planted faults, and the package as one source tree."""
