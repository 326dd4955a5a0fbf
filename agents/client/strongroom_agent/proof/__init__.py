"""What is proven and what is not: restores, comparisons, losses, damage and its healing."""
