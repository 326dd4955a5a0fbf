"""`/health/`: whether each part works. Parts that beat import `heartbeats`."""
