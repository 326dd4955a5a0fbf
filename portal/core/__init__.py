"""What every room stands on, and what stands on none: errors, actors, times, texts, pages of lists, leases."""
