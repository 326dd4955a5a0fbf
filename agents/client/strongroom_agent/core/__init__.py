"""What every room stands on: errors, output, times, sizes, paths, the surroundings."""
