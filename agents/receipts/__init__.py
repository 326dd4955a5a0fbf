"""Receipts: what machines have signed about their runs."""
