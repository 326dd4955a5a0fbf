"""What a vault has stored, day by day, and its chart."""
