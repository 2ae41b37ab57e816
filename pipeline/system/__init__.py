"""Services of the operating system: atomic files, locks, signals, child processes, text."""
