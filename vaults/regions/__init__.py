"""Regions: their file, their rows, free room, whether they work. `storage` is the one seam to what lies outside."""
