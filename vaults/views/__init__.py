"""Pages of requests and vaults, one module for each."""
