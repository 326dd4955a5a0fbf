"""What the edge reads, and what it does at this moment."""
