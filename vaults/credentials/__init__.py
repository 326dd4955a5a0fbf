"""Vault credentials: who may have which, the act of issuing, proof of possession, the file."""
