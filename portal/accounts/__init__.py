"""People, roles, subscriptions; signing in, its throttle, API tokens."""
