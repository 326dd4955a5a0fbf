"""What a machine has stored, as people see it, and what they do about it: release a hold, bring back an earlier time."""
