"""Configuration from the environment, for `portal.settings` and `portal.celery`."""
