"""Files here and in remote stores: addresses, stamps, names of a run's own files."""
