"""What machines report, what follows from it, and what pages show of it."""
