"""One module for each command, and what came of it in figures and in words."""
