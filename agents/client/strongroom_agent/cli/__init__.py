"""From a command line to an exit status: arguments, signals, limits of the shell, one answer."""
