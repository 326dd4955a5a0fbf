"""Events: what has happened, as values, from which the audit entry and what people are told are rendered.

Rooms above define theirs in their `events.py` and call `happened()`. Imports core, accounts, audit and notifications.
"""
