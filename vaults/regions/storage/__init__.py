"""Storage: the one seam to the outside."""
