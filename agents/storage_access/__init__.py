"""What machines may do in storage, as the edge asks: paths, rights, quotas. The gate answers from here."""
