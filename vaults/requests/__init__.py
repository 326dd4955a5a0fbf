"""Requests for vaults: submitted, decided, told about. Others import `vault_requests`."""
