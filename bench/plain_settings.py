"""The bare views without any middleware: what a view costs under our server, no more."""

from bench.bare_settings import *  # noqa: F403

MIDDLEWARE = []
