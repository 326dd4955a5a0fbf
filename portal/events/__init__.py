"""Events: what has happened, as values, from which the audit entry and what people are told are rendered.

Rooms above define theirs in files called `events` and call `happened()`. Imports core, audit and notifications.
"""
